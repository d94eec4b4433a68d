package management_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/portico-dev/portico/internal/store"
)

// memory is a store for tests that need a new one for each of many cases.
type memory struct {
	mu   sync.Mutex
	docs map[string]store.Document
	seq  int64
}

func newMemory() *memory { return &memory{docs: map[string]store.Document{}} }

type memoryTx struct {
	docs  map[string]store.Document
	seq   int64
	dirty bool
}

func (m *memory) View(_ context.Context, f func(store.Reader) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return f(&memoryTx{docs: m.docs, seq: m.seq})
}

func (m *memory) Update(_ context.Context, f func(store.Tx) error) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	tx := &memoryTx{docs: maps.Clone(m.docs), seq: m.seq + 1}
	if err := f(tx); err != nil {
		return 0, err
	}
	if tx.dirty {
		m.docs, m.seq = tx.docs, tx.seq
	}
	return m.seq, nil
}

func (m *memory) Changes(context.Context, int64, int) ([]store.Change, bool, error) {
	return nil, false, errors.New("not kept")
}
func (m *memory) Wait(context.Context, int64) (int64, error) { return 0, errors.New("not kept") }
func (m *memory) Close() error                               { return nil }

func (t *memoryTx) Get(id string) (store.Document, error) {
	d, ok := t.docs[store.Key(id)]
	if !ok {
		return d, store.ErrNotFound
	}
	return d, nil
}

func (t *memoryTx) List(q store.Query) ([]store.Document, error) {
	var out []store.Document
	for _, k := range slices.Sorted(maps.Keys(t.docs)) {
		d := t.docs[k]
		if (q.Type == "" || d.Type == q.Type) && (q.Lookup == "" || d.Lookup == q.Lookup) && (q.Prefix == "" || strings.HasPrefix(k, store.Key(q.Prefix)+"/")) && (q.After == "" || k > store.Key(q.After)) {
			if out = append(out, d); q.Limit > 0 && len(out) == q.Limit {
				break
			}
		}
	}
	return out, nil
}

func (t *memoryTx) Count(q store.Query) (int, error) {
	docs, err := t.List(q)
	return len(docs), err
}

func (t *memoryTx) Seq() int64 { return t.seq }

func (t *memoryTx) Put(d store.Document) (store.Document, error) {
	if err := d.Validate(); err != nil {
		return d, err
	}
	k := store.Key(d.ID)
	old, ok := t.docs[k]
	if ok {
		d.ID, d.ETag = old.ID, old.ETag
		if string(old.Desired) == string(d.Desired) && string(old.Status) == string(d.Status) {
			return old, nil
		}
	}
	if !ok || string(old.Desired) != string(d.Desired) {
		d.ETag = store.ETagOf(t.seq)
	}
	d.Seq, t.dirty = t.seq, true
	t.docs[k] = d
	return d, nil
}

func (t *memoryTx) Delete(id string) error {
	if _, ok := t.docs[store.Key(id)]; ok {
		delete(t.docs, store.Key(id))
		t.dirty = true
	}
	return nil
}
