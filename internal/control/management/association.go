package management

import (
	"net/http"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// link makes an association and answers with the linked entity.
func (q *request) link(tx store.Tx, p *place) (int, any, error) {
	row, _ := q.engine.Row(resource.APIM + "/" + q.row.Link)
	linked, err := get(tx, linkTarget(row, p.id))
	if err != nil {
		return 0, nil, err
	}
	if linked == nil {
		return 0, nil, arm.NotFound(row.Entity)
	}
	c := &resource.Change{Row: q.row, Version: q.version, ID: p.id, Tree: tx, Engine: q.engine, Env: q.env}
	if err := c.Check(); err != nil {
		return 0, nil, err
	}
	status := http.StatusOK
	if p.doc == nil {
		status = http.StatusCreated
		if err := resource.PutLink(tx, p.parent, q.row.Path, lastSegment(linked.ID)); err != nil {
			return 0, nil, err
		}
	}
	o, err := q.engine.Show(row, q.version, *linked, resource.Around{Env: q.env, Tree: tx, Listed: true})
	return status, o, err
}

// linkTarget is the ID of the entity that an association's ID names.
func linkTarget(row *resource.Row, id string) string {
	types := strings.Split(row.Path, "/")
	return resource.ServiceID(id) + "/" + types[len(types)-1] + "/" + id[strings.LastIndexByte(id, '/')+1:]
}
