package management

import (
	"net/http"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// linkedRow is the type that an association leads to.
func (q *request) linkedRow() *resource.Row {
	row, _ := q.engine.Row(resource.APIM + "/" + q.row.Link)
	return row
}

// linked is the document that an answer about a place shows: of an association, the entity that it leads to.
func (q *request) linked(t store.Reader, p *place) (store.Document, error) {
	if q.row.Shape != resource.Association {
		return *p.doc, nil
	}
	row := q.linkedRow()
	d, err := get(t, linkTarget(row, p.id))
	if err != nil {
		return store.Document{}, err
	}
	if d == nil {
		return store.Document{}, arm.NotFound(row.Entity)
	}
	return *d, nil
}

// link makes an association and answers with the linked entity.
func (q *request) link(tx store.Tx, p *place) (int, any, error) {
	d, err := q.linked(tx, p)
	if err != nil {
		return 0, nil, err
	}
	c := &resource.Change{Row: q.row, Version: q.version, ID: p.id, Tree: tx, Engine: q.engine, Env: q.env}
	if err := c.Check(); err != nil {
		return 0, nil, err
	}
	status := http.StatusOK
	if p.doc == nil {
		status = http.StatusCreated
		if err := resource.PutLink(tx, p.parent, q.row.Path, lastSegment(d.ID)); err != nil {
			return 0, nil, err
		}
	}
	o, err := q.show(tx, nil, d, nil)
	return status, o, err
}

// linkTarget is the ID of the entity that an association's ID names.
func linkTarget(row *resource.Row, id string) string {
	types := strings.Split(row.Path, "/")
	return resource.ServiceID(id) + "/" + types[len(types)-1] + "/" + id[strings.LastIndexByte(id, '/')+1:]
}
