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
		name, _ := resource.SplitRevision(lastSegment(parent))
		link, err := get(t, d.ID+"/apis/"+name)
		return link != nil, err
	}},
	"service/users/groups": {"service/groups", func(_ *request, t store.Reader, parent string, d store.Document) (bool, error) {
		link, err := get(t, d.ID+"/users/"+lastSegment(parent))
		return link != nil, err
	}},
	"service/users/subscriptions": {"service/subscriptions", func(q *request, _ store.Reader, parent string, d store.Document) (bool, error) {
		o, err := q.engine.Open(d)
		return arm.SameID(o.Text("properties.ownerId"), parent), err
	}},
	"service/products/subscriptions": {"service/subscriptions", func(q *request, _ store.Reader, parent string, d store.Document) (bool, error) {
		o, err := q.engine.Open(d)
		return arm.SameID(o.Text("properties.scope"), parent), err
	}},
}

// relatedPath answers such a collection, and the one kind of item of one that can be read; ok is false when the path is
// neither.
func (q *request) relatedPath() (rep *reply, err *arm.Error, ok bool) {
	path := strings.ToLower(q.id.TypePath())
	what, ok := related[path]
	if !ok || !strings.EqualFold(q.id.Provider, resource.APIM) {
		return nil, nil, false
	}
	if !q.id.IsCollection() && (path != "service/users/subscriptions" || q.version.Before("2020-06-01-preview")) {
		return nil, q.noSuchType(), true
	}
	q.row, _ = q.engine.Row(resource.APIM + "/" + what.shows)
	q.id.Provider = resource.APIM
	if err := q.checkVersion(); err != nil {
		return nil, err, true
	}
	if q.r.Method != http.MethodGet {
		return nil, q.noSuchMethod(), true
	}
	if !q.id.IsCollection() {
		rep, err = q.userSubscription()
		return rep, err, true
	}
	rep, err = q.listOf(func(t store.Reader) (collection, error) {
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
		var docs these
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

// userSubscription is a subscription as one of those that a user owns.
func (q *request) userSubscription() (*reply, *arm.Error) {
	rep := &reply{status: http.StatusOK}
	err := q.view(func(t store.Reader) error {
		user, name := q.id, q.id.Names[2]
		user.Types, user.Names = user.Types[:2], user.Names[:2]
		row := q.row
		q.id = user
		p, err := q.locate(t)
		if err != nil {
			return err
		}
		if q.row, _ = q.engine.Row(resource.APIM + "/service/users"); p.doc == nil {
			return q.notFound(q.row, p.id)
		}
		if err := q.readable(p); err != nil {
			return err
		}
		q.row = row
		d, err := get(t, p.service.ID+"/subscriptions/"+name)
		if err != nil {
			return err
		}
		if d == nil {
			return arm.NotFound(row.Entity)
		}
		o, err := q.engine.Open(*d)
		if err != nil {
			return err
		}
		if !arm.SameID(o.Text("properties.ownerId"), p.id) {
			return arm.NotFound(row.Entity)
		}
		rep.body, err = q.show(t, nil, *d, q.query)
		return err
	})
	return rep, err
}
