package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/portico-dev/portico/internal/store"
)

// errEnded is returned when a Reader or Tx is used after its function returned.
var errEnded = errors.New("the transaction has ended")

// A reader reads the state of the transaction that its connection is in.
type reader struct {
	ctx   context.Context //nolint:containedctx // Reader has no context of its own; this one lives as long as the reader
	c     *conn
	seq   int64
	floor int64 // of the change log
	err   error // first error of the database: the transaction is of no more use
}

// end makes all further use fail.
func (r *reader) end() { r.err = errEnded }

// usable returns what keeps the reader from being used. The end of the context stays: a transaction of which a part
// was refused must not be committed.
func (r *reader) usable() error {
	if r.err == nil {
		r.err = r.ctx.Err()
	}
	return r.err
}

// fail keeps the first database error.
func (r *reader) fail(doing string, err error) error {
	r.err = fmt.Errorf("%s: %w", doing, err)
	return r.err
}

func (r *reader) Seq() int64 { return r.seq }

func (r *reader) Get(id string) (store.Document, error) {
	if err := r.usable(); err != nil {
		return store.Document{}, err
	}
	d, err := scanDocument(func(dest ...any) error {
		return r.c.row("SELECT "+columns+" FROM documents WHERE key = ?", []any{store.Key(id)}, dest...)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return store.Document{}, fmt.Errorf("%w: %s", store.ErrNotFound, id)
	}
	if err != nil {
		return store.Document{}, r.fail("get "+id, err)
	}
	return d, nil
}

func (r *reader) List(q store.Query) ([]store.Document, error) {
	if err := r.usable(); err != nil {
		return nil, err
	}
	from, args := selection(q)
	text := "SELECT " + columns + from + " ORDER BY key LIMIT ? OFFSET ?"
	var docs []store.Document
	err := r.c.each(text, append(args, limit(q), q.Skip), func(scan func(...any) error) (bool, error) {
		d, err := scanDocument(scan)
		docs = append(docs, d)
		return true, err
	})
	if err != nil {
		return nil, r.fail("list documents", err)
	}
	return docs, nil
}

func (r *reader) Count(q store.Query) (int, error) {
	if err := r.usable(); err != nil {
		return 0, err
	}
	from, args := selection(q)
	n := 0
	text := "SELECT count(*) FROM (SELECT 1" + from + " LIMIT ? OFFSET ?)"
	if err := r.c.row(text, append(args, limit(q), q.Skip), &n); err != nil {
		return 0, r.fail("count documents", err)
	}
	return n, nil
}

// limit is the LIMIT of a query; SQLite takes -1 for none.
func limit(q store.Query) int {
	if q.Limit <= 0 {
		return -1
	}
	return q.Limit
}

// selection is FROM and WHERE of a query. There are few texts, so prepared statements can be kept by text.
func selection(q store.Query) (text string, args []any) {
	after := store.Key(q.After)
	where := " WHERE key > ?"
	if q.Prefix == "" {
		args = append(args, after)
	} else {
		// Below "/a/b" are the keys from "/a/b/" to before "/a/b0", the byte after the slash. No key ends in a slash.
		prefix := store.Key(q.Prefix)
		where += " AND key < ?"
		args = append(args, max(after, prefix+"/"), prefix+"0")
	}
	if q.Type != "" {
		where += " AND type = ?"
		args = append(args, q.Type)
	}
	if q.Lookup != "" {
		where += " AND lookup = ? AND lookup <> ''" // the second half names the partial index
		args = append(args, q.Lookup)
	}
	if q.Since > 0 { // SQLite cannot know that little has changed since
		return " FROM documents INDEXED BY documents_seq" + where + " AND seq > ?", append(args, q.Since)
	}
	return " FROM documents" + where, args
}

// columns are what scanDocument reads.
const columns = "id, type, etag, seq, lookup, desired, status"

func scanDocument(scan func(...any) error) (store.Document, error) {
	var (
		d               store.Document
		etag            int64
		desired, status []byte
	)
	if err := scan(&d.ID, &d.Type, &etag, &d.Seq, &d.Lookup, &desired, &status); err != nil {
		return store.Document{}, err
	}
	d.ETag, d.Desired, d.Status = store.ETagOf(etag), json.RawMessage(desired), json.RawMessage(status)
	return d, nil
}
