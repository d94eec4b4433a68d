package management

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// view runs f on one state of the store.
func (q *request) view(f func(store.Reader) error) *arm.Error {
	return q.finish(q.opt.Store.View(q.r.Context(), f))
}

// update runs f in a transaction.
func (q *request) update(f func(store.Tx) error) *arm.Error {
	_, err := q.opt.Store.Update(q.r.Context(), f)
	return q.finish(err)
}

// hasETag says whether answers carry an ETag header: children of a service do.
func (q *request) hasETag() bool {
	return q.row.Shape == resource.Entity || q.row.Shape == resource.Singleton
}

// show is a document's body, with the ETag in the header where it belongs there.
func (q *request) show(p *place, d store.Document, query func(string) string) (resource.Object, error) {
	row := q.row
	if row.Shape == resource.Association {
		return nil, fmt.Errorf("show %s: an association has no body", d.ID)
	}
	o, err := q.engine.Show(row, q.version, d, q.env, query)
	if err != nil {
		return nil, err
	}
	if p != nil && p.revision != "" {
		id := p.shownID(d.ID)
		o["id"], o["name"] = id, id[strings.LastIndexByte(id, '/')+1:]
	}
	if q.hasETag() {
		q.header.Set("ETag", arm.QuoteETag(d.ETag))
	}
	return o, nil
}

func (q *request) get() (*reply, *arm.Error) {
	rep := &reply{status: http.StatusOK}
	err := q.view(func(t store.Reader) error {
		p, err := q.locate(t)
		if err != nil {
			return err
		}
		if err := q.readable(p); err != nil {
			return err
		}
		if p.doc == nil {
			return q.notFound(q.row, p.id)
		}
		rep.body, err = q.show(p, *p.doc, q.query)
		return err
	})
	if err == nil {
		q.asXML(rep)
	}
	return rep, err
}

// asXML answers old clients of policies that ask for the document itself.
func (q *request) asXML(rep *reply) {
	accept := strings.ToLower(q.r.Header.Get("Accept"))
	if q.row.Shape != resource.Singleton || !strings.HasPrefix(accept, "application/vnd.ms-azure-apim.policy") {
		return
	}
	o, _ := rep.body.(resource.Object)
	value := o.Text("properties.value")
	if value == "" {
		value = o.Text("properties.policyContent")
	}
	q.header.Set("Content-Type", accept)
	rep.raw, rep.body = []byte(value), nil
}

// head answers 200 with the ETag for children of a service, 204 for links and for what ARM itself owns.
func (q *request) head() (*reply, *arm.Error) {
	rep := &reply{status: http.StatusNoContent}
	err := q.view(func(t store.Reader) error {
		p, err := q.locate(t)
		if err != nil {
			return err
		}
		if err := q.readable(p); err != nil {
			return err
		}
		if p.doc == nil {
			return q.notFound(q.row, p.id)
		}
		if q.hasETag() {
			rep.status = http.StatusOK
			q.header.Set("ETag", arm.QuoteETag(p.doc.ETag))
		}
		return nil
	})
	return rep, err
}

// put creates or replaces; with patch it merges into what is there.
func (q *request) put(patch bool) (*reply, *arm.Error) {
	body, fresh, err := q.content(patch)
	if err != nil {
		return nil, err
	}
	pre := arm.Preconditions(q.r.Header)
	if patch && !q.row.NoIfMatch && pre.IfMatch == "" {
		return nil, ifMatchNeeded()
	}
	draft := &resource.Change{Row: q.row, Version: q.version, New: fresh, Engine: q.engine, Env: q.env}
	if !patch {
		if err := q.prepare(draft); err != nil {
			return nil, err
		}
	}
	rep := &reply{}
	err = q.update(func(tx store.Tx) error {
		p, err := q.locate(tx)
		if err != nil {
			return err
		}
		if err := q.writable(p); err != nil {
			return err
		}
		if patch && p.doc == nil {
			return q.notFound(q.row, p.id)
		}
		etag := ""
		if p.doc != nil {
			etag = p.doc.ETag
		}
		if err := pre.Check(etag); err != nil {
			return err
		}
		if q.row.Shape == resource.Association {
			rep.status, rep.body, err = q.link(tx, p)
			return err
		}
		c := *draft
		d, err := q.write(tx, p, &c, body, patch)
		if err != nil {
			return err
		}
		rep.status = http.StatusOK
		if p.doc == nil {
			rep.status = http.StatusCreated
		}
		if rep.body, err = q.show(p, d, q.answerFormat(draft.New)); patch && q.version.Before(q.row.PatchSilentUntil) {
			rep.status, rep.body = http.StatusNoContent, nil
		}
		return err
	})
	return rep, err
}

// answerFormat lets the answer to a policy's PUT have the format that was sent.
func (q *request) answerFormat(fresh resource.Object) func(string) string {
	format := fresh.Text("properties.format")
	return func(name string) string {
		if strings.EqualFold(name, "format") && strings.HasPrefix(format, "rawxml") {
			return "rawxml"
		}
		return q.query(name)
	}
}

func ifMatchNeeded() *arm.Error {
	e := arm.Invalid(resource.Finding("If-Match", "The If-Match header is required."))
	e.Message = "The If-Match header is required."
	return e
}

// content reads the body; for a PUT it is decoded too, a link may have none.
func (q *request) content(patch bool) ([]byte, resource.Object, *arm.Error) {
	body, err := q.readBody()
	if err != nil || patch {
		return body, nil, err
	}
	if q.row.Shape == resource.Association && len(body) == 0 {
		return body, resource.Object{}, nil
	}
	o, err := q.engine.Decode(q.row, q.version, body)
	return body, o, err
}

// prepare does what takes long before the transaction begins: imports are read, policies compiled. The check of a
// policy is repeated inside only if something it looked up has changed.
func (q *request) prepare(c *resource.Change) *arm.Error {
	if q.row.Prepare != nil {
		if err := q.row.Prepare(c); err != nil {
			return err
		}
	}
	if q.row.Shape != resource.Singleton {
		return nil
	}
	return q.view(func(t store.Reader) error {
		p, err := q.locate(t)
		if err != nil {
			return err
		}
		if err := q.writable(p); err != nil {
			return err
		}
		early := *c
		early.ID, early.Tree = p.id, t
		c.Checked = early.CheckPolicy()
		return nil
	})
}

// write completes, checks and stores one document and what belongs to it.
func (q *request) write(tx store.Tx, p *place, c *resource.Change, body []byte, patch bool) (store.Document, error) {
	c.ID, c.Revision, c.Tree = p.id, p.revision, tx
	c.Name = p.id[strings.LastIndexByte(p.id, '/')+1:]
	if p.doc != nil {
		old, err := q.engine.Open(*p.doc)
		if err != nil {
			return store.Document{}, err
		}
		c.Old = old
	}
	if patch {
		var err *arm.Error
		if c.New, err = q.engine.Patch(q.row, q.version, c.Old, body); err != nil {
			return store.Document{}, err
		}
	} else {
		c.New = c.New.Clone()
	}
	if err := q.checkLocation(c, p); err != nil {
		return store.Document{}, err
	}
	if err := c.Finish(); err != nil {
		return store.Document{}, err
	}
	d, err := q.engine.Document(q.row, p.id, c.New, p.doc)
	if err != nil {
		return d, err
	}
	if p.doc == nil && q.row.NewStatus != nil {
		st, err := q.row.NewStatus(c)
		if err != nil {
			return d, fmt.Errorf("status of %s: %w", p.id, err)
		}
		if d.Status, err = json.Marshal(st); err != nil {
			return d, fmt.Errorf("status of %s: %w", p.id, err)
		}
	}
	if d, err = tx.Put(d); err != nil {
		return d, err
	}
	return d, q.putOperations(tx, c)
}

// putOperations replaces the API operations of an API by those of an import. An operation that stays keeps what is
// below it.
func (q *request) putOperations(tx store.Tx, c *resource.Change) error {
	if c.Imported == nil {
		return nil
	}
	row, _ := q.engine.Row(resource.APIM + "/service/apis/operations")
	old, err := tx.List(store.Query{Type: strings.ToLower(row.Type()), Prefix: c.ID})
	if err != nil {
		return err
	}
	gone := map[string]*store.Document{}
	for i := range old {
		gone[store.Key(old[i].ID)] = &old[i]
	}
	for _, op := range c.Imported.Operations {
		id := c.ID + "/operations/" + op.Name
		d, err := q.engine.Document(row, id, resource.Object{"properties": op.Properties}, gone[store.Key(id)])
		if err != nil {
			return err
		}
		if _, err := tx.Put(d); err != nil {
			return err
		}
		delete(gone, store.Key(id))
	}
	for id := range gone {
		if err := deleteTree(tx, id); err != nil {
			return err
		}
	}
	return nil
}

// checkLocation asks for a location that exists, and that a resource stays where it is.
func (q *request) checkLocation(c *resource.Change, p *place) error {
	if q.row.Shape != resource.Tracked && q.row.Shape != resource.Group {
		return nil
	}
	where := c.New.Text("location")
	if where == "" {
		return problem(http.StatusBadRequest, "LocationRequired", "The location property is required for this definition.")
	}
	loc, ok := q.env.Location(where)
	if !ok {
		return q.badLocation(where)
	}
	was := resource.NormalLocation(c.Old.Text("location"))
	if was == "" || was == loc.Name {
		return nil
	}
	code := "InvalidResourceLocation"
	if q.row.Shape == resource.Group {
		code = "InvalidResourceGroupLocation"
	}
	return problem(http.StatusConflict, code,
		"The resource '%s' already exists in location '%s' in resource group '%s'. A resource with the same name cannot be created in location '%s'. Please select a new resource name.",
		c.Name, was, q.id.ResourceGroup, loc.Name)
}

func (q *request) badLocation(where string) *arm.Error {
	names := make([]string, len(q.opt.Locations))
	for i, l := range q.opt.Locations {
		names[i] = l.Name
	}
	list := strings.Join(names, ",")
	if q.row.Shape == resource.Group {
		return problem(http.StatusBadRequest, "LocationNotAvailableForResourceGroup", "The provided location '%s' is not available for resource group. List of available regions is '%s'.", where, list)
	}
	return problem(http.StatusBadRequest, "LocationNotAvailableForResourceType",
		"The provided location '%s' is not available for resource type '%s'. List of available regions for the resource type is '%s'.", where, q.row.Type(), list)
}

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
	status := http.StatusOK
	if p.doc == nil {
		status = http.StatusCreated
		id := p.parent + "/apis/" + linked.ID[strings.LastIndexByte(linked.ID, '/')+1:]
		if _, err := tx.Put(store.Document{ID: id, Type: strings.ToLower(q.row.Type()), Desired: json.RawMessage("{}")}); err != nil {
			return 0, nil, err
		}
	}
	o, err := q.engine.Show(row, q.version, *linked, q.env, nil)
	return status, o, err
}

// linkTarget is the ID of the entity that an association's ID names.
func linkTarget(row *resource.Row, id string) string {
	types := strings.Split(row.Path, "/")
	return resource.ServiceID(id) + "/" + types[len(types)-1] + "/" + id[strings.LastIndexByte(id, '/')+1:]
}

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
