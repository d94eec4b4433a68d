package management

import (
	"context"
	"net/http"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// view runs f on one state of the store.
func (q *request) view(f func(store.Reader) error) *arm.Error {
	return q.finish(q.opt.Store.View(q.r.Context(), f))
}

// update runs f in a transaction, unless a lock forbids it.
func (q *request) update(f func(store.Tx) error) *arm.Error {
	if q.dry != nil {
		return q.finish(q.dry.run(q.r.Context(), q.opt.Store, f))
	}
	return q.finish(q.commit(q.r.Context(), "write", func(tx store.Tx) error {
		if err := q.unlocked(tx); err != nil {
			return err
		}
		if q.first != nil {
			if err := q.first(tx); err != nil {
				return err
			}
		}
		return f(tx)
	}))
}

// commit runs a transaction between two failpoints.
func (h *Handler) commit(ctx context.Context, doing string, f func(store.Tx) error) error {
	failpoint.Hit("management." + doing + ".before")
	_, err := h.opt.Store.Update(ctx, f)
	if err == nil {
		failpoint.Hit("management." + doing + ".after")
	}
	return err
}

// hasETag says whether answers carry an ETag header: children of a service do.
func (q *request) hasETag() bool {
	return q.row.Shape == resource.Entity || q.row.Shape == resource.Singleton || q.row.Shape == resource.Association && q.row.Can(resource.Get)
}

// show is a document's body, with the ETag in the header where it belongs there.
func (q *request) show(t store.Reader, p *place, d store.Document, query func(string) string) (resource.Object, error) {
	row := q.row
	if row.Shape == resource.Association {
		row = q.linkedRow()
	}
	o, err := q.engine.Show(row, q.version, d, resource.Around{Env: q.env, Tree: t, Query: query})
	if err != nil {
		return nil, err
	}
	if p != nil && p.api != "" {
		id := p.shownID(d.ID)
		o["id"], o["name"] = id, id[strings.LastIndexByte(id, '/')+1:]
	}
	if q.hasETag() {
		q.header.Set("ETag", arm.QuoteETag(d.ETag))
	}
	return o, nil
}

func (q *request) get() (*reply, *arm.Error) {
	if q.row.Path == "service/apis" && strings.EqualFold(q.query("export"), "true") {
		return q.export()
	}
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
		d, err := q.linked(t, p)
		if err != nil {
			return err
		}
		rep.body, err = q.show(t, p, d, q.query)
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
	if q.row.Policy == "" || !strings.HasPrefix(accept, "application/vnd.ms-azure-apim.policy") {
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
			d, err := q.linked(t, p)
			if err != nil {
				return err
			}
			rep.status = http.StatusOK
			q.header.Set("ETag", arm.QuoteETag(d.ETag))
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
		if err := q.withinLimits(tx, &c, p.doc == nil); err != nil {
			return err
		}
		rep.status = http.StatusOK
		if p.doc == nil {
			rep.status = http.StatusCreated
		}
		if rep.body, err = q.show(tx, p, d, q.answerFormat(draft.New)); patch && q.version.Before(q.row.PatchSilentUntil) {
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

// prepare does what takes long before the transaction begins: links are followed, imports read, policies compiled. What
// would be refused anyway is so before that. The check of a policy is repeated inside only if something it looked up has
// changed.
func (q *request) prepare(c *resource.Change) *arm.Error {
	if q.row.Prepare == nil && q.row.Policy == "" {
		return nil
	}
	early := func(then func(store.Reader, *place)) *arm.Error {
		return q.view(func(t store.Reader) error {
			p, err := q.locate(t)
			if err == nil {
				err = q.writable(p)
			}
			if err == nil {
				then(t, p)
			}
			return err
		})
	}
	if q.row.Prepare != nil {
		if err := early(func(store.Reader, *place) {}); err != nil {
			return err
		}
		if err := q.row.Prepare(q.r.Context(), c); err != nil {
			return err
		}
	}
	if q.row.Policy == "" {
		return nil
	}
	return early(func(t store.Reader, p *place) {
		draft := *c
		draft.ID, draft.Tree = p.id, t
		c.Checked = draft.CheckPolicy()
	})
}
