package management

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// list answers a collection: a page of a service's children with their count, or an ARM list.
func (q *request) list() (*reply, *arm.Error) {
	if q.row.Verbs&resource.List == 0 {
		return nil, q.noSuchMethod()
	}
	return q.listOf(q.members)
}

// A collection is what a list pages through.
type collection interface {
	count(t store.Reader) (int, error)
	slice(t store.Reader, from, to int) ([]store.Document, error)
}

// these are documents at hand.
type these []store.Document

func (d these) count(store.Reader) (int, error) { return len(d), nil }

func (d these) slice(_ store.Reader, from, to int) ([]store.Document, error) { return d[from:to], nil }

// stored are the documents that a query selects, of which a page reads its own alone.
type stored store.Query

func (s stored) count(t store.Reader) (int, error) { return t.Count(store.Query(s)) }

func (s stored) slice(t store.Reader, from, to int) ([]store.Document, error) {
	if from == to {
		return nil, nil
	}
	s.Skip, s.Limit = from, to-from
	return t.List(store.Query(s))
}

// listOf pages, filters and shows the documents of a collection.
func (q *request) listOf(members func(store.Reader) (collection, error)) (*reply, *arm.Error) {
	page, perr := arm.ParsePage(q.r.URL.Query())
	if perr != nil {
		return nil, perr
	}
	filter, perr := q.filter()
	if perr != nil {
		return nil, perr
	}
	var items []any
	total := 0
	err := q.view(func(t store.Reader) error {
		all, err := members(t)
		if err != nil {
			return err
		}
		if total, err = all.count(t); err != nil {
			return err
		}
		from, to := 0, total
		if filter == nil {
			from, to, _ = page.Slice(total)
		}
		docs, err := all.slice(t, from, to)
		if err != nil {
			return err
		}
		if items, err = q.showAll(t, docs, filter); err != nil || filter == nil {
			return err
		}
		total = len(items)
		from, to, _ = page.Slice(total)
		items = items[from:to]
		return nil
	})
	if err != nil {
		return nil, err
	}
	ofARM := q.row.Namespace != resource.APIM || q.row.Uncounted || q.row.Shape == resource.Tracked || q.row.Shape == resource.Proxy
	return q.pageOf(items, total, page, ofARM), nil
}

// pageOf wraps the items of a page. The lists of ARM itself have no count and page with an opaque token.
func (q *request) pageOf(items []any, total int, page arm.Page, armList bool) *reply {
	if items == nil {
		items = []any{}
	}
	body := map[string]any{"value": items}
	if !armList {
		body["count"] = total
	}
	if _, _, more := page.Slice(total); more {
		body["nextLink"] = arm.NextLink(q.base, q.r.URL, page, armList)
	}
	return &reply{status: http.StatusOK, body: body}
}

// members are the documents of a collection, in the order of their IDs.
func (q *request) members(t store.Reader) (collection, error) {
	p, err := q.locate(t)
	if err != nil {
		return nil, err
	}
	if err := q.readable(p); err != nil {
		return nil, err
	}
	prefix := p.id
	if q.row.Shape == resource.Tracked || q.row.Shape == resource.Group {
		prefix, _, _ = strings.Cut(p.id, "/providers/")
	}
	if q.row.Shape == resource.Proxy {
		prefix = "/subscriptions/" + q.opt.Subscription.ID
	}
	all := store.Query{Type: strings.ToLower(q.row.Type()), Prefix: prefix}
	var pick func(t store.Reader, docs []store.Document, service string) ([]store.Document, error)
	switch {
	case q.row.Path == "service/tags" && q.query("scope") != "":
		pick = q.ofScope
	case q.row.Tagged() && q.query("tags") != "":
		pick = q.withTags
	default:
		return stored(all), nil
	}
	docs, err := t.List(all)
	if err == nil {
		docs, err = pick(t, docs, p.service.ID)
	}
	return these(docs), err
}

func (q *request) showAll(t store.Reader, docs []store.Document, filter *resource.Filter) ([]any, error) {
	items := make([]any, 0, len(docs))
	for _, d := range docs {
		row := q.row
		if row.Shape == resource.Association {
			row = q.linkedRow()
			linked, err := get(t, linkTarget(row, d.ID))
			if err != nil {
				return nil, err
			}
			if linked == nil {
				continue
			}
			d = *linked
		}
		if filter != nil && !q.passes(row, d, filter) {
			continue
		}
		o, err := q.engine.Show(row, q.version, d, resource.Around{Env: q.env, Tree: t, Query: q.query, Listed: true})
		if err != nil {
			return nil, err
		}
		items = append(items, o)
	}
	return items, nil
}

// passes applies a filter to what is stored, not to what the api-version shows: its names are the newest.
func (q *request) passes(row *resource.Row, d store.Document, f *resource.Filter) bool {
	o, err := q.engine.Open(d)
	if err != nil {
		return false
	}
	return f.Match(func(name string) any {
		path := row.Filters[name]
		switch path {
		case "properties.isCurrent":
			_, revision := resource.SplitRevision(d.ID)
			return revision == ""
		case "name":
			return lastSegment(d.ID)
		}
		return o.Get(path)
	})
}

// filter parses $filter and refuses fields that the collection cannot be filtered by.
func (q *request) filter() (*resource.Filter, *arm.Error) {
	row := q.row
	if row.Shape == resource.Association {
		row = q.linkedRow()
	}
	return q.filterBy(row.Filters)
}

// filterBy parses $filter, whose fields must be among those given.
func (q *request) filterBy(fields map[string]string) (*resource.Filter, *arm.Error) {
	f, err := resource.ParseFilter(q.query("$filter"))
	if err != nil {
		return nil, badFilter(q.query("$filter"), err.Error())
	}
	if f == nil {
		return nil, nil
	}
	for _, name := range f.Fields {
		if fields[name] == "" {
			return nil, badFilter(q.query("$filter"), "the collection cannot be filtered by '"+name+"'")
		}
	}
	return f, nil
}

func badFilter(text, why string) *arm.Error {
	e := problem(http.StatusBadRequest, "ValidationError", "Invalid value '%s' of query parameter '$filter': %s.", text, why)
	e.Target = "$filter"
	return e
}

// listResources is the generic list of tracked resources of a subscription or a group.
func (q *request) listResources() (*reply, *arm.Error) {
	page, perr := arm.ParsePage(q.r.URL.Query())
	if perr != nil {
		return nil, perr
	}
	f, err := resource.ParseFilter(q.query("$filter"))
	if err != nil {
		return nil, badFilter(q.query("$filter"), err.Error())
	}
	if f != nil {
		if perr := checkResourceFilter(f, q.r.URL.Query()); perr != nil {
			return nil, perr
		}
	}
	prefix := "/subscriptions/" + q.opt.Subscription.ID
	var items []any
	perr = q.view(func(t store.Reader) error {
		if q.id.ResourceGroup != "" {
			p, err := q.locate(t)
			if err != nil {
				return err
			}
			if p.doc == nil {
				return problem(http.StatusNotFound, "ResourceGroupNotFound", "Resource group '%s' could not be found.", q.id.ResourceGroup)
			}
			prefix = p.id
		}
		for _, row := range q.engine.Rows() {
			if row.Shape != resource.Tracked {
				continue
			}
			docs, err := t.List(store.Query{Type: strings.ToLower(row.Type()), Prefix: prefix})
			if err != nil {
				return err
			}
			for _, d := range docs {
				o, err := q.engine.Show(row, row.Versions[0], d, resource.Around{Env: q.env, Tree: t, Listed: true})
				if err != nil {
					return err
				}
				if f.Match(genericField(o)) {
					items = append(items, q.generic(o))
				}
			}
		}
		return nil
	})
	if perr != nil {
		return nil, perr
	}
	slices.SortStableFunc(items, func(a, b any) int {
		return strings.Compare(store.Key(a.(resource.Object).Text("id")), store.Key(b.(resource.Object).Text("id")))
	})
	from, to, _ := page.Slice(len(items))
	return q.pageOf(items[from:to], len(items), page, true), nil
}

// checkResourceFilter refuses unknown fields, and tags mixed with others.
func checkResourceFilter(f *resource.Filter, query url.Values) *arm.Error {
	text := arm.QueryValue(query, "$filter")
	tags, others := false, false
	for _, name := range f.Fields {
		switch strings.ToLower(name) {
		case "tagname", "tagvalue":
			tags = true
		case "resourcetype", "resourcegroup", "name", "location":
			others = true
		default:
			return badFilter(text, "resources cannot be filtered by '"+name+"'")
		}
	}
	if tags && others {
		return badFilter(text, "tagName and tagValue cannot be combined with other fields")
	}
	return nil
}

// genericField resolves the names that resource filters use. tagName and tagValue look at any tag.
func genericField(o resource.Object) func(string) any {
	id, _ := arm.ParseID(o.Text("id"))
	return func(name string) any {
		switch strings.ToLower(name) {
		case "resourcetype":
			return o.Text("type")
		case "resourcegroup":
			return id.ResourceGroup
		case "name":
			return o.Text("name")
		case "location":
			return resource.NormalLocation(o.Text("location"))
		}
		tags, _ := o["tags"].(map[string]any)
		var list []any
		for k, v := range tags {
			if strings.EqualFold(name, "tagname") {
				list = append(list, k)
			} else {
				list = append(list, v)
			}
		}
		return list
	}
}

// generic cuts a resource down to what generic lists show.
func (q *request) generic(o resource.Object) resource.Object {
	out := resource.Object{"location": resource.NormalLocation(o.Text("location"))}
	for _, name := range []string{"id", "name", "type", "tags", "sku", "zones", "identity"} {
		if v, ok := o[name]; ok {
			out[name] = v
		}
	}
	for name := range strings.SplitSeq(q.query("$expand"), ",") {
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "provisioningstate":
			out["provisioningState"] = o.Text("properties.provisioningState")
		case "createdtime":
			if t := o.Text("properties.createdAtUtc"); t != "" {
				out["createdTime"] = t
			}
		case "changedtime":
			if t := o.Text("systemData.lastModifiedAt"); t != "" {
				out["changedTime"] = t
			}
		}
	}
	return out
}
