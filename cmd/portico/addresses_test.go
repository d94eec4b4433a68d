package main

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
	"github.com/portico-dev/portico/internal/store/sqlite"
)

func TestAddressBook_GivesWhatIsNobodys(t *testing.T) {
	t.Parallel()
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	record := func(id, kind string, status any) {
		t.Helper()
		raw, err := json.Marshal(status)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Update(t.Context(), func(tx store.Tx) error {
			_, err := tx.Put(store.Document{ID: id, Type: kind, Desired: json.RawMessage(`{}`), Status: raw})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	record("/s/shop", "microsoft.apimanagement/service", platform.ServiceStatus{
		Others: []platform.Location{{Hosting: platform.State{VIPs: []platform.VIP{{ID: "v", Address: "127.99.0.12"}}}}},
	})
	const kind = "microsoft.network/publicipaddresses"
	record("/ip/before", kind, resource.AddressStatus{IPAddress: "127.99.0.8"})

	// The upper half of the pool without its last address is .8 to .14; .8 and .12 are somebody's.
	b, err := newAddressBook("127.99.0.0/28", st)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, id := range []string{"/ip/a", "/ip/b", "/ip/c", "/ip/d", "/ip/e"} {
		address, err := b.allocate(id)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := b.allocate(id); err != nil || again != address {
			t.Errorf("%s again: %s %v, want %s", id, again, err, address)
		}
		got[address] = true
		record(id, kind, resource.AddressStatus{IPAddress: address})
	}
	want := map[string]bool{"127.99.0.9": true, "127.99.0.10": true, "127.99.0.11": true, "127.99.0.13": true, "127.99.0.14": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("addresses given (-want +got):\n%s", diff)
	}
	if address, err := b.allocate("/ip/f"); err == nil {
		t.Errorf("a full pool gave %s", address)
	}
}

func TestAddressBook_WithoutAPoolRefuses(t *testing.T) {
	t.Parallel()
	b, err := newAddressBook("127.0.0.1", nil) // what the agent says where the loopback has one address
	if err != nil {
		t.Fatal(err)
	}
	if address, err := b.allocate("/ip/a"); err == nil {
		t.Errorf("gave %s", address)
	}
}
