package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/portico-dev/portico/internal/store"
	"github.com/portico-dev/portico/internal/store/storetest"
)

// openAt opens a store in a folder and closes it with the test.
func openAt(tb testing.TB, dir string, opt Options) *Store {
	tb.Helper()
	s, err := Open(tb.Context(), filepath.Join(dir, "store.db"), opt)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close store: %v", err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(tb testing.TB) store.Store { return openAt(tb, tb.TempDir(), Options{}) })
}
