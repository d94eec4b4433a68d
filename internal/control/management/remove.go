package management

import (
	"net/http"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// delete removes one resource with what is below it. One that is not there is no error.
func (q *request) delete() (*reply, *arm.Error) {
	pre := arm.Preconditions(q.r.Header)
	if !q.row.NoIfMatch && pre.IfMatch == "" {
		return nil, ifMatchNeeded()
	}
	rep := &reply{status: http.StatusNoContent}
	err := q.update(func(tx store.Tx) error {
		p, err := q.locate(tx)
		if err != nil {
			return err
		}
		if p.missing != nil {
			return q.readable(p)
		}
		if err := q.writable(p); err != nil {
			return err
		}
		if p.doc == nil {
			return nil
		}
		if err := pre.Check(p.doc.ETag); err != nil {
			return err
		}
		if q.row.DeletedFrom == "" || q.version.Before(q.row.DeletedFrom) {
			rep.status = http.StatusOK
		}
		return q.remove(tx, p.doc)
	})
	return rep, err
}

// remove deletes a document, what is below it and what goes with it.
func (q *request) remove(tx store.Tx, d *store.Document) error {
	rm := &resource.Removal{ID: d.ID, Query: q.query, Tree: tx, Version: q.version}
	if q.row.OnDelete != nil {
		o, err := q.engine.Open(*d)
		if err != nil {
			return err
		}
		rm.Object = o
		if err := q.row.OnDelete(rm); err != nil {
			return err
		}
	}
	for _, id := range append(rm.Also, d.ID) {
		if err := deleteTree(tx, id); err != nil {
			return err
		}
	}
	if q.row.Removed != nil {
		return q.row.Removed(tx, d.ID)
	}
	return nil
}

// deleteTree deletes a document and everything below it.
func deleteTree(tx store.Tx, id string) error {
	docs, err := tx.List(store.Query{Prefix: id})
	if err != nil {
		return err
	}
	for _, d := range docs {
		if err := tx.Delete(d.ID); err != nil {
			return err
		}
	}
	return tx.Delete(id)
}
