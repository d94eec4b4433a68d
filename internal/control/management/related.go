package management

import (
	"net/http"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// related are collections below an entity that show entities of another type. Each says which type it shows and
// whether a document belongs to the entity above.
var related = map[string]struct {
	shows   string
	belongs func(q *request, t store.Reader, parent string, d store.Document) (bool, error)
}{
	"service/apis/products": {"service/products", func(_ *request, t store.Reader, parent string, d store.Document) (bool, error) {
		link, err := get(t, d.ID+"/apis/"+lastSegment(parent))
		return link != nil, err
	}},
	"service/products/subscriptions": {"service/subscriptions", func(q *request, _ store.Reader, parent string, d store.Document) (bool, error) {
		o, err := q.engine.Open(d)
		return arm.SameID(o.Text("properties.scope"), parent), err
	}},
}

// relatedList answers such a collection; ok is false when the path is none.
func (q *request) relatedList() (rep *reply, err *arm.Error, ok bool) {
	what, ok := related[strings.ToLower(q.id.TypePath())]
	if !ok || !q.id.IsCollection() || !strings.EqualFold(q.id.Provider, resource.APIM) {
		return nil, nil, false
	}
	q.row, _ = q.engine.Row(resource.APIM + "/" + what.shows)
	q.id.Provider = resource.APIM
	if err := q.checkVersion(); err != nil {
		return nil, err, true
	}
	if q.r.Method != http.MethodGet {
		return nil, q.noSuchMethod(), true
	}
	rep, err = q.listOf(func(t store.Reader) ([]store.Document, error) {
		p, err := q.locate(t)
		if err != nil {
			return nil, err
		}
		if err := q.readable(p); err != nil {
			return nil, err
		}
		all, err := t.List(store.Query{Type: strings.ToLower(q.row.Type()), Prefix: p.service.ID})
		if err != nil {
			return nil, err
		}
		var docs []store.Document
		for _, d := range all {
			mine, err := what.belongs(q, t, p.id, d)
			if err != nil {
				return nil, err
			}
			if mine {
				docs = append(docs, d)
			}
		}
		return docs, nil
	})
	return rep, err, true
}
