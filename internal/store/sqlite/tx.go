package sqlite

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/portico-dev/portico/internal/store"
)

// A tx is one Update's part of the writer's transaction.
type tx struct {
	reader
	base    int64 // newest Seq before this Update
	deleted int   // documents deleted
}

// take gives this Update its Seq with the first change.
func (t *tx) take() int64 {
	t.seq = t.base + 1
	return t.seq
}

func (t *tx) Put(d store.Document) (store.Document, error) {
	if err := d.Validate(); err != nil {
		return store.Document{}, err
	}
	if err := t.usable(); err != nil {
		return store.Document{}, err
	}
	d.Desired, d.Status = emptyAsNil(d.Desired), emptyAsNil(d.Status)
	old, err := t.Get(d.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return t.insert(d)
	case err != nil:
		return store.Document{}, err
	}
	sameDesired := bytes.Equal(old.Desired, d.Desired)
	if sameDesired && bytes.Equal(old.Status, d.Status) && old.Type == d.Type && old.Lookup == d.Lookup {
		return old, nil
	}
	return t.replace(old, d, sameDesired)
}

func (t *tx) insert(d store.Document) (store.Document, error) {
	d.Seq = t.take()
	d.ETag = store.ETagOf(d.Seq)
	key := store.Key(d.ID)
	if err := t.c.exec("INSERT INTO documents (key, id, type, etag, seq, lookup, desired, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		key, d.ID, d.Type, d.Seq, d.Seq, d.Lookup, []byte(d.Desired), []byte(d.Status)); err != nil {
		return store.Document{}, t.fail("put "+d.ID, err)
	}
	if err := t.c.exec("DELETE FROM tombstones WHERE key = ?", key); err != nil {
		return store.Document{}, t.fail("put "+d.ID, err)
	}
	return d, nil
}

// replace writes d over old. The bodies are written separately so that a change of Status, the frequent one, does
// not copy Desired.
func (t *tx) replace(old, d store.Document, sameDesired bool) (store.Document, error) {
	key := store.Key(d.ID)
	d.ID, d.ETag, d.Seq = old.ID, old.ETag, t.take()
	err := t.c.exec("UPDATE documents SET type = ?, seq = ?, lookup = ?, status = ? WHERE key = ?", d.Type, d.Seq, d.Lookup, []byte(d.Status), key)
	if err == nil && !sameDesired {
		d.ETag = store.ETagOf(d.Seq)
		err = t.c.exec("UPDATE documents SET etag = ?, desired = ? WHERE key = ?", d.Seq, []byte(d.Desired), key)
	}
	if err != nil {
		return store.Document{}, t.fail("put "+d.ID, err)
	}
	return d, nil
}

func (t *tx) Delete(id string) error {
	if err := t.usable(); err != nil {
		return err
	}
	key, found := store.Key(id), 0
	if err := t.c.row("SELECT count(*) FROM documents WHERE key = ?", []any{key}, &found); err != nil {
		return t.fail("delete "+id, err)
	}
	if found == 0 {
		return nil
	}
	if err := t.c.exec("INSERT OR REPLACE INTO tombstones (key, id, type, seq) SELECT key, id, type, ? FROM documents WHERE key = ?",
		t.take(), key); err != nil {
		return t.fail("delete "+id, err)
	}
	if err := t.c.exec("DELETE FROM documents WHERE key = ?", key); err != nil {
		return t.fail("delete "+id, err)
	}
	t.deleted++
	return nil
}

// emptyAsNil makes no difference between no body and an empty one, as the file makes none.
func emptyAsNil(b json.RawMessage) json.RawMessage {
	if len(b) == 0 {
		return nil
	}
	return b
}

// sweep prunes the oldest tombstones beyond keep. A reader that was last told of a Seq below the new floor may have
// missed one and must start over.
func (c *conn) sweep(keep int) error {
	if err := c.exec(`UPDATE log SET floor = coalesce(
		(SELECT seq FROM tombstones ORDER BY seq DESC, key DESC LIMIT 1 OFFSET ?), floor)`, keep); err != nil {
		return fmt.Errorf("prune change log: %w", err)
	}
	if err := c.exec("DELETE FROM tombstones WHERE seq <= (SELECT floor FROM log)"); err != nil {
		return fmt.Errorf("prune change log: %w", err)
	}
	return nil
}
