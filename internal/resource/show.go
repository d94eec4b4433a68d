package resource

import (
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/store"
)

// Shown is an answer in the making. Compute adds to Object what is not stored, in the newest spelling; what the
// api-version does not know is dropped afterwards.
type Shown struct {
	Object  Object
	Doc     store.Document
	Version arm.Version
	Engine  *Engine
	Around
}

// Around is what an answer may depend on besides its document.
type Around struct {
	Env  *Env
	Tree store.Reader // the state that the document was read in
	// Query is the request's query; nil for none.
	Query  func(name string) string
	Listed bool // the document is an element of a collection
}

// asks says whether the request has a query parameter that says true.
func (a Around) asks(name string) bool {
	return a.Query != nil && strings.EqualFold(a.Query(name), "true")
}

// Show is a document as api-version v knows it: with id, name and type, without secrets.
func (e *Engine) Show(r *Row, v arm.Version, d store.Document, around Around) (Object, error) {
	o, err := e.open(r, d)
	if err != nil {
		return nil, err
	}
	if r.Compute != nil {
		r.Compute(&Shown{Object: o, Doc: d, Version: v, Engine: e, Around: around})
	}
	out := e.asVersion(r, v, o, false)
	out["id"] = d.ID
	out["name"] = d.ID[strings.LastIndexByte(d.ID, '/')+1:]
	out["type"] = r.Type()
	if r.WireType != "" {
		out["type"] = r.WireType
	}
	if etag, ok := o["etag"]; ok {
		out["etag"] = etag
	}
	return out, nil
}

// asVersion is a plain object in the spelling of api-version v. With all, secrets and write-only fields stay: the
// form that a patch is applied to.
func (e *Engine) asVersion(r *Row, v arm.Version, o Object, all bool) Object {
	o = o.Clone()
	for _, f := range r.Fields {
		if !all && f.As == "" && f.Flags&Masked != 0 && !v.Before(f.MaskedFrom) {
			o.Remove(f.Path)
		}
	}
	for _, f := range r.Fields {
		if f.As != "" && v.In(f.From, f.Until) {
			if val := o.Get(f.As); val != nil {
				o.Set(f.Path, cloneValue(val))
			}
		}
	}
	return Object(prune(e.trees.of(r, v), o, v, all))
}

// prune drops what the tree does not know, and words that api-version v does not know.
func prune(n *node, in map[string]any, v arm.Version, all bool) map[string]any {
	out := make(map[string]any, len(in))
	for name, val := range in {
		kid := n.kids[strings.ToLower(name)]
		if kid == nil || val == nil || (!all && kid.field.Flags&WriteOnly != 0) {
			continue
		}
		if val, ok := pruneValue(kid, val, v, all); ok {
			out[name] = val
		}
	}
	return out
}

func pruneValue(n *node, val any, v arm.Version, all bool) (any, bool) {
	switch x := val.(type) {
	case map[string]any:
		switch {
		case n.kind == object:
			return prune(n, x, v, all), true
		case n.kind == Map && n.elem != nil:
			out := make(map[string]any, len(x))
			for k, e := range x {
				if e, ok := pruneValue(n.elem, e, v, all); ok {
					out[k] = e
				}
			}
			return out, true
		}
	case []any:
		if n.kind != Array {
			break
		}
		elem, out := n.each(), make([]any, 0, len(x))
		for _, e := range x {
			if e, ok := pruneValue(elem, e, v, all); ok {
				out = append(out, e)
			}
		}
		return out, true
	case string:
		return older(n.field, x, v)
	}
	return val, true
}

// older maps an enumeration's word down to what api-version v knows.
func older(f Field, s string, v arm.Version) (any, bool) {
	for _, e := range f.newer {
		if e.Name == s && v.Before(e.From) {
			return e.Older, e.Older != ""
		}
	}
	return s, true
}
