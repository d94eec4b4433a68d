package management

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// isTags says whether a path is the tags of a resource or a resource group as a resource of their own.
func (q *request) isTags() bool {
	return strings.EqualFold(q.id.Provider, resource.Resources) && strings.EqualFold(q.id.TypePath(), "tags") &&
		len(q.id.Names) == 1 && strings.EqualFold(q.id.Names[0], "default") && (q.id.Scope != nil || q.id.ResourceGroup != "")
}

// tagsPath answers for tags at a scope.
func (q *request) tagsPath() (*reply, *arm.Error) {
	if !slices.Contains(scopeVersions, q.version) {
		return nil, q.invalidVersion(string(q.version), scopeVersions)
	}
	switch q.r.Method {
	case http.MethodGet:
		return q.getTags()
	case http.MethodPut, http.MethodPatch, http.MethodDelete:
		return q.changeTags()
	}
	return nil, q.noSuchMethod()
}

// tagScope leads the request to the resource that the tags are of.
func (q *request) tagScope() *arm.Error {
	if q.id.Scope != nil {
		q.id = *q.id.Scope
	} else {
		q.id = arm.ID{Subscription: q.id.Subscription, ResourceGroup: q.id.ResourceGroup}
	}
	row, ok := q.engine.Row(q.id.Type())
	if !ok || q.id.IsCollection() || row.Shape != resource.Tracked && row.Shape != resource.Group {
		return q.noSuchPath()
	}
	if q.row = row; row.Shape == resource.Tracked {
		q.canonicalTypes()
	}
	return nil
}

func showTags(id string, tags map[string]any) map[string]any {
	if tags == nil {
		tags = map[string]any{}
	}
	return map[string]any{"id": id + "/providers/" + resource.Resources + "/tags/default", "name": "default", "type": resource.Resources + "/tags", "properties": map[string]any{"tags": tags}}
}

func (q *request) getTags() (*reply, *arm.Error) {
	if err := q.tagScope(); err != nil {
		return nil, err
	}
	rep := &reply{status: http.StatusOK}
	err := q.view(func(t store.Reader) error {
		p, err := q.locate(t)
		if err != nil {
			return err
		}
		if p.doc == nil {
			return q.notFound(q.row, p.id)
		}
		o, err := q.engine.Open(*p.doc)
		tags, _ := o["tags"].(map[string]any)
		rep.body = showTags(p.id, tags)
		return err
	})
	return rep, err
}

// A tagChange is what becomes of tags.
type tagChange func(map[string]any) map[string]any

// readTagChange reads what the request asks for.
func (q *request) readTagChange() (tagChange, *arm.Error) {
	if q.r.Method == http.MethodDelete {
		return func(map[string]any) map[string]any { return nil }, nil
	}
	body, err := q.readBody()
	if err != nil {
		return nil, err
	}
	var in struct {
		Operation  string `json:"operation"`
		Properties struct {
			Tags map[string]string `json:"tags"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, badBody(err)
	}
	given := map[string]any{}
	for name, value := range in.Properties.Tags {
		given[name] = value
	}
	switch op := strings.ToLower(in.Operation); {
	case q.r.Method == http.MethodPut || op == "replace":
		return func(map[string]any) map[string]any { return given }, nil
	case op == "merge":
		return func(tags map[string]any) map[string]any {
			out := without(tags, given)
			maps.Copy(out, given)
			return out
		}, nil
	case op == "delete":
		return func(tags map[string]any) map[string]any { return without(tags, given) }, nil
	}
	return nil, problem(http.StatusBadRequest, "InvalidRequestContent", "The tags patch operation '%s' is not supported. The supported operations are 'Merge,Replace,Delete'.", in.Operation)
}

// without is tags but for those named, without case.
func without(tags, named map[string]any) map[string]any {
	out := map[string]any{}
	for name, value := range tags {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(named)), func(n string) bool { return strings.EqualFold(n, name) }) {
			out[name] = value
		}
	}
	return out
}

// changeTags changes the tags of a resource and nothing else of it.
func (q *request) changeTags() (*reply, *arm.Error) {
	change, perr := q.readTagChange()
	if perr != nil {
		return nil, perr
	}
	if err := q.tagScope(); err != nil {
		return nil, err
	}
	rep := &reply{status: http.StatusOK}
	err := q.update(func(tx store.Tx) error {
		p, err := q.existing(tx)
		if err != nil {
			return err
		}
		isService := q.row.Path == "service"
		if isService && serviceStatus(p.doc).Operation != "" {
			return locked(p.doc.ID)
		}
		c := resource.Change{Row: q.row, Version: q.version, ID: p.id, Name: lastSegment(p.id), Engine: q.engine, Env: q.env, Tree: tx}
		if c.Old, err = q.engine.Open(*p.doc); err != nil {
			return err
		}
		was, _ := c.Old["tags"].(map[string]any)
		c.New = c.Old.Clone()
		tags := change(was)
		if delete(c.New, "tags"); len(tags) > 0 {
			c.New["tags"] = tags
		}
		if err := c.CheckTags(); err != nil {
			return err
		}
		if err := q.limitTags(c.New); isService && err != nil {
			return err
		}
		d, err := q.engine.Document(q.row, p.id, c.New, p.doc)
		if err != nil {
			return err
		}
		if rep.body = showTags(p.id, tags); q.r.Method == http.MethodDelete {
			rep.body = nil
		}
		_, err = tx.Put(d)
		return err
	})
	return rep, err
}
