package backup

import (
	"errors"
	"net/http"
	"testing"

	"github.com/portico-dev/portico/internal/azuritetest"
)

func TestBackup_ToAStorageAccount(t *testing.T) {
	t.Parallel()
	accounts := Accounts{Endpoint: azuritetest.Start(t, http.DefaultClient, "http")}
	suite(t, accounts, Place{Account: azuritetest.Account, Key: azuritetest.Key, Container: azuritetest.Container})
	other := Place{Account: azuritetest.Account, Key: "bm90IHRoZSBrZXk=", Container: azuritetest.Container, Name: "n"}
	if err := accounts.Put(t.Context(), other, []byte("x")); !errors.Is(err, ErrDenied) {
		t.Errorf("another key: %v, want ErrDenied", err)
	}
	other.Account = "nobody1"
	if err := accounts.Put(t.Context(), other, []byte("x")); !errors.Is(err, ErrNoContainer) {
		t.Errorf("another account: %v, want ErrNoContainer", err)
	}
}
