package storetest

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/store"
)

// A modelled store is the contract in its simplest form.
type modelled struct {
	seq  int64
	docs map[string]store.Document // by key
	log  map[string]store.Change   // by key
}

func (m *modelled) clone() *modelled {
	return &modelled{seq: m.seq, docs: maps.Clone(m.docs), log: maps.Clone(m.log)}
}

// put writes d as part of transaction seq.
func (m *modelled) put(d store.Document, seq int64) store.Document {
	key := store.Key(d.ID)
	old, ok := m.docs[key]
	d.Seq, d.ETag = seq, store.ETagOf(seq)
	if ok {
		d.ID = old.ID
		if string(old.Desired) == string(d.Desired) {
			d.ETag = old.ETag
			if old.Type == d.Type && old.Lookup == d.Lookup && string(old.Status) == string(d.Status) {
				return old
			}
		}
	}
	m.seq, m.docs[key], m.log[key] = seq, d, store.Change{Seq: seq, ID: d.ID, Type: d.Type}
	return d
}

func (m *modelled) remove(id string, seq int64) {
	key := store.Key(id)
	if d, ok := m.docs[key]; ok {
		m.seq, m.log[key] = seq, store.Change{Seq: seq, ID: d.ID, Type: d.Type, Deleted: true}
		delete(m.docs, key)
	}
}

func (m *modelled) list(q store.Query) []store.Document {
	var docs []store.Document
	skip := q.Skip
	for _, key := range slices.Sorted(maps.Keys(m.docs)) {
		switch {
		case q.Limit > 0 && len(docs) == q.Limit:
		case q.Type != "" && m.docs[key].Type != q.Type:
		case q.Lookup != "" && m.docs[key].Lookup != q.Lookup:
		case q.Prefix != "" && !strings.HasPrefix(key, store.Key(q.Prefix)+"/"):
		case q.After != "" && key <= store.Key(q.After):
		case m.docs[key].Seq <= q.Since:
		case skip > 0:
			skip--
		default:
			docs = append(docs, m.docs[key])
		}
	}
	return docs
}

func (m *modelled) changes(after int64) []store.Change {
	var changes []store.Change
	for _, key := range slices.Sorted(maps.Keys(m.log)) {
		if c := m.log[key]; c.Seq > after {
			changes = append(changes, c)
		}
	}
	slices.SortStableFunc(changes, func(a, b store.Change) int { return int(a.Seq - b.Seq) })
	return changes
}

// IDs are few and near each other, so that they meet.
func ids() *rapid.Generator[string] {
	return rapid.StringMatching(`(/[aAb0.\-é]{1,2}){1,3}/?`)
}

func queries() *rapid.Generator[store.Query] {
	return rapid.Custom(func(t *rapid.T) store.Query {
		return store.Query{
			Type:   rapid.SampledFrom([]string{"", "t/1", "t/2"}).Draw(t, "type"),
			Prefix: rapid.OneOf(rapid.Just(""), ids()).Draw(t, "prefix"),
			After:  rapid.OneOf(rapid.Just(""), ids()).Draw(t, "after"),
			Lookup: rapid.SampledFrom([]string{"", "", "w1", "w2"}).Draw(t, "lookup"),
			Since:  rapid.SampledFrom([]int64{0, 0, 1, 2, 5}).Draw(t, "since"),
			Skip:   rapid.IntRange(0, 2).Draw(t, "skip"),
			Limit:  rapid.IntRange(0, 4).Draw(t, "limit"),
		}
	})
}

func documents() *rapid.Generator[store.Document] {
	body := rapid.SampledFrom([]json.RawMessage{nil, json.RawMessage(`1`), json.RawMessage(`{"a":2}`)})
	return rapid.Custom(func(t *rapid.T) store.Document {
		return store.Document{
			ID:      ids().Draw(t, "id"),
			Type:    rapid.SampledFrom([]string{"t/1", "t/2"}).Draw(t, "type"),
			Lookup:  rapid.SampledFrom([]string{"", "w1", "w2"}).Draw(t, "lookup"),
			Desired: body.Draw(t, "desired"),
			Status:  body.Draw(t, "status"),
		}
	})
}

// model runs random transactions against a store and the model and compares whatever can be seen, each round with a
// new store.
func model(t *testing.T, open Open) {
	rapid.Check(t, func(rt *rapid.T) {
		st := open(t)
		m := &modelled{docs: map[string]store.Document{}, log: map[string]store.Change{}}
		rt.Repeat(map[string]func(*rapid.T){
			"update": func(rt *rapid.T) { m = modelUpdate(t, rt, st, m) },
			"list": func(rt *rapid.T) {
				q := queries().Draw(rt, "query")
				view(t, st, func(r store.Reader) error { return compareList(rt, r, m, q) })
			},
			"changes": func(rt *rapid.T) {
				after := rapid.Int64Range(0, m.seq).Draw(rt, "after")
				if d := cmp.Diff(m.changes(after), changes(t, st, after, 0)); d != "" {
					rt.Fatalf("changes after %d (-want +got):\n%s", after, d)
				}
			},
			"": func(rt *rapid.T) {
				view(t, st, func(r store.Reader) error {
					if r.Seq() != m.seq {
						rt.Fatalf("seq %d, want %d", r.Seq(), m.seq)
					}
					return compareList(rt, r, m, store.Query{})
				})
			},
		})
		if err := st.Close(); err != nil {
			rt.Fatalf("close: %v", err)
		}
	})
}

// modelUpdate runs one transaction of a few writes, which may give up at its end, and returns the model after it.
func modelUpdate(t *testing.T, rt *rapid.T, st store.Store, m *modelled) *modelled {
	after := m.clone()
	giveUp := errors.New("given up")
	fails := rapid.IntRange(0, 4).Draw(rt, "fails") == 0
	seq, err := st.Update(t.Context(), func(tx store.Tx) error {
		for range rapid.IntRange(0, 4).Draw(rt, "writes") {
			if rapid.IntRange(0, 2).Draw(rt, "delete") == 0 {
				id := ids().Draw(rt, "id")
				after.remove(id, m.seq+1)
				if err := tx.Delete(id); err != nil {
					return err
				}
				continue
			}
			d := documents().Draw(rt, "document")
			want := after.put(d, m.seq+1)
			got, err := tx.Put(d)
			if err != nil {
				return err
			}
			if d := cmp.Diff(want, got); d != "" {
				rt.Fatalf("put (-want +got):\n%s", d)
			}
		}
		if err := compareList(rt, tx, after, queries().Draw(rt, "query")); err != nil {
			return err
		}
		if fails {
			return giveUp
		}
		return nil
	})
	if fails {
		if !errors.Is(err, giveUp) {
			rt.Fatalf("update: %v, want the function's error", err)
		}
		return m
	}
	if err != nil || seq != after.seq {
		rt.Fatalf("update: seq %d, error %v; want seq %d", seq, err, after.seq)
	}
	return after
}

func compareList(rt *rapid.T, r store.Reader, m *modelled, q store.Query) error {
	want := m.list(q)
	got, err := r.List(q)
	if err != nil {
		return err
	}
	if d := cmp.Diff(want, got); d != "" {
		rt.Fatalf("list %+v (-want +got):\n%s", q, d)
	}
	n, err := r.Count(q)
	if n != len(want) {
		rt.Fatalf("count %+v: %d, want %d", q, n, len(want))
	}
	return err
}
