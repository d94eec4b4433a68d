package management

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// A factList is a collection of things that are no resources: they have no type and no address of their own.
type factList struct {
	from   arm.Version // the first api-version that has it
	method string      // empty: GET
	// make lists the things, in their order. p is the place of what the collection is below.
	make func(q *request, t store.Reader, p *place) ([]any, error)
	// uncounted lists have no count.
	uncounted bool
	// filters maps names that $filter may use to paths in a thing.
	filters map[string]string
}

var factLists = map[string]factList{
	"service/regions":                        {make: regions},
	"service/skus":                           {make: serviceSKUs, uncounted: true},
	"service/users/identities":               {make: userIdentities},
	"service/policyfragments/listreferences": {from: "2021-12-01-preview", method: http.MethodPost, make: fragmentReferences},
	"service/apis/revisions":                 {from: "2017-03-01", make: apiRevisions, filters: map[string]string{"apiRevision": "apiRevision"}},
	"service/apisbytags":                     {from: "2017-03-01", make: byTags(taggedAPIs), filters: byTagFilters("api")},
	"service/productsbytags":                 {from: "2019-01-01", make: byTags(taggedProducts), filters: byTagFilters("product")},
	"service/apis/operationsbytags":          {from: "2017-03-01", make: byTags(taggedOperations), filters: byTagFilters("operation")},
	"service/tagresources":                   {from: "2017-03-01", make: byTags(taggedAPIs, taggedOperations, taggedProducts), filters: byTagFilters("*")},
}

// facts answers such a collection; ok is false when the path is none.
func (q *request) facts() (rep *reply, err *arm.Error, ok bool) {
	what, ok := factLists[strings.ToLower(q.id.TypePath())]
	if !ok || !q.id.IsCollection() || !strings.EqualFold(q.id.Provider, resource.APIM) || q.version.Before(what.from) {
		return nil, nil, false
	}
	if q.r.Method != cmp.Or(what.method, http.MethodGet) {
		return nil, q.noSuchMethod(), true
	}
	// The collection is described by the row of what it is below.
	q.row, _ = q.rowAt(len(q.id.Names) - 1)
	q.id.Types = q.id.Types[:len(q.id.Names)]
	q.canonicalTypes()
	if err := q.checkVersion(); err != nil {
		return nil, err, true
	}
	rep, err = q.listFacts(what)
	return rep, err, true
}

func (q *request) listFacts(what factList) (*reply, *arm.Error) {
	page, perr := arm.ParsePage(q.r.URL.Query())
	if perr != nil {
		return nil, perr
	}
	filter, perr := q.filterBy(what.filters)
	if perr != nil {
		return nil, perr
	}
	var items []any
	err := q.view(func(t store.Reader) error {
		p, err := q.locate(t)
		if err != nil {
			return err
		}
		if err := q.readable(p); err != nil {
			return err
		}
		if p.doc == nil && q.row.Shape != resource.Link {
			return q.notFound(q.row, p.id)
		}
		all, err := what.make(q, t, p)
		for _, item := range all {
			o, _ := item.(map[string]any)
			if filter == nil || filter.Match(func(name string) any { return factField(o, what.filters[name]) }) {
				items = append(items, item)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	from, to, _ := page.Slice(len(items))
	return q.pageOf(items[from:to], len(items), page, what.uncounted), nil
}

func userIdentities(q *request, _ store.Reader, p *place) ([]any, error) {
	o, err := q.engine.Open(*p.doc)
	return o.List("properties.identities"), err
}

func fragmentReferences(q *request, t store.Reader, p *place) ([]any, error) {
	docs, err := resource.FragmentUsers(t, p.id)
	var out []any
	for _, d := range docs {
		row, ok := q.engine.Row(d.Type)
		if ok {
			out = append(out, map[string]any{"id": d.ID, "name": lastSegment(d.ID), "type": row.Type()})
		}
	}
	return out, err
}

// factField finds a value in a thing; "*" at the beginning of a path stands for any of its parts.
func factField(thing resource.Object, path string) any {
	rest, any := strings.CutPrefix(path, "*")
	if !any {
		return thing.Get(path)
	}
	for _, name := range slices.Sorted(maps.Keys(thing)) {
		if v := thing.Get(name + rest); v != nil && name != "tag" {
			return v
		}
	}
	return nil
}

// byTagFilters are what lists by tags can be filtered by.
func byTagFilters(part string) map[string]string {
	fields := map[string]string{"displayName": part + ".name", "aid": part + ".id"}
	for _, name := range []string{
		"name", "description", "path", "serviceUrl", "apiRevision", "isCurrent", "apiName", "method", "urlTemplate", "terms", "state",
	} {
		fields[name] = part + "." + name
	}
	return fields
}

// apiRevisions lists the revisions of an API by their numbers.
func apiRevisions(q *request, t store.Reader, p *place) ([]any, error) {
	docs, err := resource.Revisions(t, p.id)
	if err != nil {
		return nil, err
	}
	schemes, err := q.versionSchemes(t, p.service.ID)
	if err != nil {
		return nil, err
	}
	var out []any
	for _, d := range docs {
		o, err := q.engine.Open(d)
		if err != nil {
			return nil, err
		}
		api, revision := resource.SplitRevision(d.ID)
		number := o.Text("properties.apiRevision")
		item := map[string]any{
			"apiId": api + ";rev=" + number, "apiRevision": number, "isOnline": true, "isCurrent": revision == "",
			"privateUrl": "/" + resource.RequestPath(o, schemes) + ";rev=" + number,
		}
		for name, path := range map[string]string{
			"description": "properties.apiRevisionDescription", "createdDateTime": "times.created", "updatedDateTime": "times.updated",
		} {
			if v := o.Text(path); v != "" {
				item[name] = v
			}
		}
		out = append(out, item)
	}
	slices.SortStableFunc(out, func(a, b any) int {
		x, y := a.(map[string]any)["apiRevision"].(string), b.(map[string]any)["apiRevision"].(string)
		return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y))
	})
	return out, nil
}
