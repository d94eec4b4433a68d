package management

import (
	"cmp"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// withTags keeps the documents that have one of the tags that the query names, by id or by display name.
func (q *request) withTags(t store.Reader, docs []store.Document, service string) ([]store.Document, error) {
	wanted := strings.Split(q.query("tags"), ",")
	all, err := q.tags(t, service)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, tag := range all {
		if slices.ContainsFunc(wanted, func(w string) bool {
			w = strings.TrimSpace(w)
			return strings.EqualFold(w, tag.name) || strings.EqualFold(w, tag.displayName)
		}) {
			names = append(names, tag.name)
		}
	}
	return keep(docs, func(d store.Document) (bool, error) {
		for _, name := range names {
			if link, err := get(t, d.ID+"/tags/"+name); link != nil || err != nil {
				return link != nil, err
			}
		}
		return false, nil
	})
}

// ofScope keeps the tags that something in a scope has: "apis", "products", or "apis/{apiId}" for the API operations of
// one API.
func (q *request) ofScope(t store.Reader, docs []store.Document, service string) ([]store.Document, error) {
	scope := strings.Trim(q.query("scope"), "/")
	kind, below := "", service
	switch head, api, one := strings.Cut(scope, "/"); {
	case strings.EqualFold(head, "apis") && one:
		kind, below = "service/apis/operations", service+"/apis/"+api
	case strings.EqualFold(head, "apis"):
		kind = "service/apis"
	case strings.EqualFold(head, "products") && !one:
		kind = "service/products"
	default:
		return nil, arm.Invalid(resource.Finding("scope", "'%s' is no scope of tags. Possible values: apis, products, apis/{apiId}.", scope))
	}
	links, err := t.List(store.Query{Type: strings.ToLower(resource.APIM + "/" + kind + "/tags"), Prefix: below})
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, l := range links {
		used[strings.ToLower(lastSegment(l.ID))] = true
	}
	return keep(docs, func(d store.Document) (bool, error) { return used[strings.ToLower(lastSegment(d.ID))], nil })
}

func keep(docs []store.Document, want func(store.Document) (bool, error)) ([]store.Document, error) {
	var out []store.Document
	for _, d := range docs {
		ok, err := want(d)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, d)
		}
	}
	return out, nil
}

type tag struct{ name, displayName string }

// tags lists the tags of a service by display name.
func (q *request) tags(t store.Reader, service string) ([]tag, error) {
	docs, err := t.List(store.Query{Type: strings.ToLower(resource.APIM + "/service/tags"), Prefix: service})
	if err != nil {
		return nil, err
	}
	out := make([]tag, 0, len(docs))
	for _, d := range docs {
		o, err := q.engine.Open(d)
		if err != nil {
			return nil, err
		}
		out = append(out, tag{lastSegment(d.ID), o.Text("properties.displayName")})
	}
	slices.SortFunc(out, func(a, b tag) int { return cmp.Compare(a.displayName, b.displayName) })
	return out, nil
}

// A taggedKind is a type of which there is a list by tags.
type taggedKind struct {
	path, name string // service/apis, and what it is called in the list
	untagged   string // query parameter that asks also for those without a tag
}

var (
	taggedAPIs       = taggedKind{"service/apis", "api", "includeNotTaggedApis"}
	taggedOperations = taggedKind{"service/apis/operations", "operation", "includeNotTaggedOperations"}
	taggedProducts   = taggedKind{"service/products", "product", "includeNotTaggedProducts"}
)

// byTags lists each pair of a tag and an entity of one of the kinds below a place, by the display names of the tags.
func byTags(kinds ...taggedKind) func(*request, store.Reader, *place) ([]any, error) {
	return func(q *request, t store.Reader, p *place) ([]any, error) {
		all, err := q.tags(t, p.service.ID)
		if err != nil {
			return nil, err
		}
		var out, without []any
		byTag := map[string][]any{}
		for _, k := range kinds {
			docs, err := t.List(store.Query{Type: strings.ToLower(resource.APIM + "/" + k.path), Prefix: p.id})
			if err != nil {
				return nil, err
			}
			on, err := tagsOf(t, k, p.id)
			if err != nil {
				return nil, err
			}
			for _, d := range docs {
				names := on[store.Key(d.ID)]
				free := len(names) == 0 && strings.EqualFold(q.query(k.untagged), "true")
				if len(names) == 0 && !free {
					continue
				}
				thing, err := q.taggedThing(t, k, d)
				if err != nil {
					return nil, err
				}
				if free {
					without = append(without, map[string]any{k.name: thing})
				}
				for _, name := range names {
					byTag[name] = append(byTag[name], map[string]any{k.name: thing})
				}
			}
		}
		for _, tag := range all {
			for _, item := range byTag[strings.ToLower(tag.name)] {
				item.(map[string]any)["tag"] = map[string]any{"id": "/tags/" + tag.name, "name": tag.displayName}
				out = append(out, item)
			}
		}
		return append(out, without...), nil
	}
}

// tagsOf maps the key of each entity of a kind to the names of its tags, lower case.
func tagsOf(t store.Reader, k taggedKind, below string) (map[string][]string, error) {
	links, err := t.List(store.Query{Type: strings.ToLower(resource.APIM + "/" + k.path + "/tags"), Prefix: below})
	if err != nil {
		return nil, err
	}
	on := map[string][]string{}
	for _, l := range links {
		key := store.Key(l.ID)
		i := strings.LastIndex(key, "/tags/")
		on[key[:i]] = append(on[key[:i]], key[i+len("/tags/"):])
	}
	return on, nil
}

// taggedThing is an entity as lists by tags show it: flat, its id relative to the service, its display name as name.
func (q *request) taggedThing(t store.Reader, k taggedKind, d store.Document) (map[string]any, error) {
	row, _ := q.engine.Row(resource.APIM + "/" + k.path)
	o, err := q.engine.Show(row, q.version, d, resource.Around{Env: q.env, Tree: t, Listed: true})
	if err != nil {
		return nil, err
	}
	thing, _ := o["properties"].(map[string]any)
	if thing == nil {
		thing = map[string]any{}
	}
	thing["id"], thing["name"] = strings.TrimPrefix(d.ID, resource.ServiceID(d.ID)), thing["displayName"]
	delete(thing, "displayName")
	if k.name != "operation" {
		return thing, nil
	}
	out := map[string]any{}
	for _, name := range []string{"id", "name", "description", "method", "urlTemplate"} {
		if v, ok := thing[name]; ok {
			out[name] = v
		}
	}
	api, err := t.Get(d.ID[:strings.LastIndex(d.ID, "/operations/")])
	if err != nil {
		return nil, err
	}
	a, err := q.engine.Open(api)
	for name, path := range map[string]string{"apiName": "displayName", "apiRevision": "apiRevision", "apiVersion": "apiVersion"} {
		if v := a.Text("properties." + path); v != "" {
			out[name] = v
		}
	}
	return out, err
}
