package rollout

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
	"github.com/portico-dev/portico/internal/store/sqlite"
)

// BenchmarkTurn is one look at a rollout that bakes, with ten thousand Consumption services that it has upgraded, and one
// after a change of one of them.
func BenchmarkTurn(b *testing.B) {
	st, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "store.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = st.Close() })
	x := New(st, &host{units: map[string]hosting.Units{}}, slog.New(slog.DiscardHandler), Options{Gateway: "1.0"})
	if _, err := x.Start(b.Context(), Ask{Version: "2.0", AnyTime: true}); err != nil {
		b.Fatal(err)
	}
	status, err := json.Marshal(platform.ServiceStatus{
		ProvisioningState: "Succeeded",
		Location:          platform.Location{Name: "westeurope", Wish: platform.Wish{Platform: platform.MTv1, Tier: platform.Consumption, Gateway: "2.0"}},
	})
	if err != nil {
		b.Fatal(err)
	}
	const services = 10_000
	if _, err := st.Update(b.Context(), func(tx store.Tx) error {
		for i := range services {
			id := serviceID(fmt.Sprint("s", i))
			if _, err := tx.Put(store.Document{ID: id, Type: typeService, Desired: json.RawMessage(`{}`), Status: status}); err != nil {
				return err
			}
			if err := putMember(tx, 1, Member{Service: id, Place: Upgraded, From: "1.0", To: "2.0"}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	for range 3 { // to the group, and to bake
		if _, err := x.turn(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	for _, change := range []bool{false, true} {
		b.Run(fmt.Sprintf("change=%v", change), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if change {
					if _, err := st.Update(b.Context(), func(tx store.Tx) error {
						d, err := tx.Get(serviceID("s7"))
						if err != nil {
							return err
						}
						d.Desired = json.RawMessage(fmt.Sprintf(`{"n":%d}`, d.Seq))
						_, err = tx.Put(d)
						return err
					}); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := x.turn(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
