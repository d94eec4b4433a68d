package publish

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/secret"
	"github.com/portico-dev/portico/internal/snapshot"
	"github.com/portico-dev/portico/internal/store"
)

// What the resource engine seals is opened with the same engine, as the control plane wires it.
func TestPoll_OpensWhatTheResourceEngineSealed(t *testing.T) {
	t.Parallel()
	sealer, err := secret.NewSealer(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	engine := resource.NewEngine(sealer)
	w := newWorld(t, Options{})
	w.pub.open = func(d store.Document) (map[string]any, error) { return engine.Open(d) }
	w.put(shop, premium)
	for id, o := range map[string]resource.Object{
		shop + "/subscriptions/s": {"properties": map[string]any{"scope": shop + "/apis", "state": "active", "primaryKey": "first", "secondaryKey": "second"}},
		shop + "/namedValues/n":   {"properties": map[string]any{"displayName": "n", "secret": true, "value": "hidden"}},
		shop + "/backends/b": {"properties": map[string]any{
			"url": "http://b.example", "protocol": "http",
			"credentials": map[string]any{"header": map[string]any{"X": []any{"{{n}}"}}},
		}},
	} {
		row, ok := engine.Row(typeOf(id))
		if !ok {
			t.Fatalf("no row for %s", id)
		}
		d, err := engine.Document(row, id, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(d.Desired, sealedMark) {
			t.Fatalf("%s holds nothing sealed: %s", id, d.Desired)
		}
		if _, err := w.st.Update(t.Context(), func(tx store.Tx) error { _, err := tx.Put(d); return err }); err != nil {
			t.Fatal(err)
		}
	}
	m := w.machine(shop, "")
	m.poll()
	sub := held[[]snapshot.Subscription](m, shop, "subscriptions", shop)[0]
	if sub.PrimaryKey != "first" || sub.SecondaryKey != "second" {
		t.Errorf("keys %q and %q", sub.PrimaryKey, sub.SecondaryKey)
	}
	if d := cmp.Diff(map[string][]string{"X": {"hidden"}}, held[[]snapshot.Backend](m, shop, "backends", shop)[0].Header); d != "" {
		t.Error(d)
	}
}
