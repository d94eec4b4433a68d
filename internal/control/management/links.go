package management

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// A namedLink is an association seen as a link: from an owner, under a name, to another entity.
type namedLink struct {
	id, name string
	to       string         // ID of the other end
	doc      store.Document // the association
}

// field is the name of the property that says where a link leads.
func (q *request) linkField() string { return q.row.Fields[0].Path }

// fromTag says that the association is below the other end, and named after the tag that owns the link.
func (q *request) fromTag() bool { return strings.HasSuffix(q.row.Link, "/tags") }

// linksOf lists the links of an owner. One that was made as an association has a name that is made of its ID.
func (q *request) linksOf(t store.Reader, owner string) ([]namedLink, error) {
	below := owner
	if q.fromTag() {
		below = resource.ServiceID(owner)
	}
	docs, err := t.List(store.Query{Type: strings.ToLower(resource.APIM + "/" + q.row.Link), Prefix: below})
	if err != nil {
		return nil, err
	}
	end, _ := q.engine.Row(resource.APIM + "/" + q.row.LinkEnd)
	kind := lastSegment(q.row.Path)
	var out []namedLink
	for _, d := range docs {
		l := namedLink{doc: d}
		if q.fromTag() {
			if !strings.EqualFold(lastSegment(d.ID), lastSegment(owner)) {
				continue
			}
			l.to = d.ID[:strings.LastIndex(d.ID, "/tags/")]
		} else {
			l.to = linkTarget(end, d.ID)
		}
		target, err := get(t, l.to)
		if err != nil {
			return nil, err
		}
		if target == nil {
			continue
		}
		l.to, l.name = target.ID, linkName(d)
		l.id = owner + "/" + kind + "/" + l.name
		out = append(out, l)
	}
	return out, nil
}

func linkName(d store.Document) string {
	var stored struct{ Link string }
	if json.Unmarshal(d.Desired, &stored) == nil && stored.Link != "" {
		return stored.Link
	}
	sum := sha256.Sum256([]byte(store.Key(d.ID)))
	return hex.EncodeToString(sum[:12])
}

func (q *request) linkBody(l namedLink) resource.Object {
	o := resource.Object{"id": l.id, "name": l.name, "type": q.row.Type()}
	o.Set(q.linkField(), l.to)
	return o
}

// linkNamed finds a link of the place's owner by its name.
func (q *request) linkNamed(t store.Reader, p *place) (*namedLink, error) {
	all, err := q.linksOf(t, p.parent)
	if err != nil {
		return nil, err
	}
	for _, l := range all {
		if strings.EqualFold(l.name, lastSegment(p.id)) {
			return &l, nil
		}
	}
	return nil, nil
}

func (q *request) getLink() (*reply, *arm.Error) {
	rep := &reply{status: http.StatusOK}
	err := q.view(func(t store.Reader) error {
		p, err := q.locate(t)
		if err != nil {
			return err
		}
		if err := q.readable(p); err != nil {
			return err
		}
		l, err := q.linkNamed(t, p)
		if err != nil {
			return err
		}
		if l == nil {
			return arm.NotFound(q.row.Entity)
		}
		rep.body = q.linkBody(*l)
		return nil
	})
	return rep, err
}

func (q *request) listLinks() (*reply, *arm.Error) {
	return q.listFacts(factList{
		make: func(q *request, t store.Reader, p *place) ([]any, error) {
			all, err := q.linksOf(t, p.parent)
			var out []any
			for _, l := range all {
				out = append(out, map[string]any(q.linkBody(l)))
			}
			return out, err
		},
		filters: q.row.Filters,
	})
}

// putLink makes a link, or leads one that is there to another entity.
func (q *request) putLink() (*reply, *arm.Error) {
	_, o, err := q.content(false)
	if err != nil {
		return nil, err
	}
	rep := &reply{status: http.StatusOK}
	err = q.update(func(tx store.Tx) error {
		p, err := q.locate(tx)
		if err != nil {
			return err
		}
		if err := q.writable(p); err != nil {
			return err
		}
		target, err := q.linkedEntity(tx, p, o.Text(q.linkField()))
		if err != nil {
			return err
		}
		all, err := q.linksOf(tx, p.parent)
		if err != nil {
			return err
		}
		name := lastSegment(p.id)
		rep.status = http.StatusCreated
		for _, l := range all {
			switch mine, there := strings.EqualFold(l.name, name), store.Key(l.to) == store.Key(target); {
			case mine && there:
				name, rep.status = l.name, http.StatusOK
			case mine: // it leads elsewhere from now on
				rep.status = http.StatusOK
				if err := tx.Delete(l.doc.ID); err != nil {
					return err
				}
			case there && len(l.doc.Desired) > len("{}"):
				return arm.Invalid(resource.Finding(strings.TrimPrefix(q.linkField(), "properties."), "'%s' is linked already, by '%s'.", target, l.id))
			}
		}
		if err := q.storeLink(tx, p.parent, target, name); err != nil {
			return err
		}
		rep.body = q.linkBody(namedLink{id: p.parent + "/" + lastSegment(q.row.Path) + "/" + name, name: name, to: target})
		return nil
	})
	return rep, err
}

// storeLink writes the association that a link is.
func (q *request) storeLink(tx store.Tx, owner, target, name string) error {
	id := owner + "/" + lastSegment(q.row.Link) + "/" + lastSegment(target)
	if q.fromTag() {
		id = target + "/tags/" + lastSegment(owner)
	}
	desired, err := json.Marshal(map[string]string{"link": name})
	if err != nil {
		return err
	}
	_, err = tx.Put(store.Document{ID: id, Type: strings.ToLower(resource.APIM + "/" + q.row.Link), Desired: desired})
	return err
}

// linkedEntity is the ID of the entity that a body names, with or without the part up to the service.
func (q *request) linkedEntity(t store.Reader, p *place, ref string) (string, error) {
	rest := strings.TrimRight(ref, "/")
	if service := resource.ServiceID(rest); service != "" {
		if !arm.SameID(service, p.service.ID) {
			rest = ""
		}
		rest = strings.TrimPrefix(rest, service)
	}
	segs := strings.Split(strings.Trim(rest, "/"), "/")
	types := strings.Split(q.row.LinkEnd, "/")[1:]
	end, _ := q.engine.Row(resource.APIM + "/" + q.row.LinkEnd)
	field := strings.TrimPrefix(q.linkField(), "properties.")
	wrong := arm.Invalid(resource.Finding(field, "'%s' is not the ID of an entity of this service that can be linked.", ref))
	if len(segs) != 2*len(types) {
		return "", wrong
	}
	id := p.service.ID
	for i, typ := range types {
		if !strings.EqualFold(segs[2*i], typ) {
			return "", wrong
		}
		bare, revision := segs[2*i+1], ""
		if typ == "apis" {
			bare, revision = resource.SplitRevision(bare)
		}
		id += "/" + typ + "/" + bare
		if revision != "" && q.fromTag() {
			d, err := resource.RevisionDocument(t, id, revision)
			if err != nil {
				return "", err
			}
			if d != nil {
				id = d.ID
			}
		}
	}
	d, err := get(t, id)
	if err != nil {
		return "", err
	}
	if d == nil {
		return "", arm.Invalid(resource.Finding(field, "%s '%s' could not be found.", end.Entity, ref))
	}
	return d.ID, nil
}

func (q *request) deleteLink() (*reply, *arm.Error) {
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
		l, err := q.linkNamed(tx, p)
		if err != nil || l == nil {
			return err
		}
		rep.status = http.StatusOK
		return tx.Delete(l.doc.ID)
	})
	return rep, err
}
