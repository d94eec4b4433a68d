package hosting_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
	"github.com/portico-dev/portico/internal/store/sqlite"
)

// TestHoldings_SeeWhatThereIs compares what is remembered with what the documents say, whatever happens to them, and
// whether or not it is kept.
func TestHoldings_SeeWhatThereIs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close() //nolint:errcheck // the test is over
		var (
			held hosting.Holdings
			want = map[string]string{} // address by name
		)
		look := func(r store.Reader, want map[string]string) {
			addresses, err := held.Addresses(r, "")
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(addresses)
			all := []string{}
			for _, a := range want {
				all = append(all, a)
			}
			slices.Sort(all)
			if diff := cmp.Diff(all, addresses); diff != "" {
				rt.Fatalf("held (-want +got):\n%s", diff)
			}
		}
		names, addresses := rapid.SampledFrom([]string{"shop", "bar", "ip"}), rapid.SampledFrom([]string{"127.1.0.1", "127.1.0.2", "127.1.0.3"})
		rt.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) {},
			"look": func(*rapid.T) {
				if err := st.View(t.Context(), func(r store.Reader) error { look(r, want); return nil }); err != nil {
					t.Fatal(err)
				}
			},
			"change": func(rt *rapid.T) {
				name, address, undone := names.Draw(rt, "name"), addresses.Draw(rt, "address"), rapid.Bool().Draw(rt, "undone")
				would := map[string]string{name: address}
				for n, a := range want {
					if n != name {
						would[n] = a
					}
				}
				if address == "127.1.0.3" {
					delete(would, name)
				}
				errUndone := errors.New("undone")
				_, err := st.Update(t.Context(), func(tx store.Tx) error {
					err := hold(tx, name, would[name])
					if err != nil {
						return err
					}
					if look(tx, would); undone {
						return errUndone
					}
					return nil
				})
				if err != nil && !errors.Is(err, errUndone) {
					t.Fatal(err)
				}
				if !undone {
					want = would
				}
			},
		})
	})
}

// hold has a service, or a public IP address, hold an address; without one it is deleted.
func hold(tx store.Tx, name, address string) error {
	d := store.Document{ID: id(name), Type: serviceType}
	var status any = platform.ServiceStatus{Location: platform.Location{Hosting: platform.State{VIPs: []platform.VIP{{ID: name, Address: address}}}}}
	if name == "ip" {
		d = store.Document{ID: "/s/ip", Type: "microsoft.network/publicipaddresses"}
		status = map[string]string{"ipAddress": address}
	}
	if address == "" {
		return tx.Delete(d.ID)
	}
	var err error
	if d.Status, err = json.Marshal(status); err != nil {
		return err
	}
	_, err = tx.Put(d)
	return err
}
