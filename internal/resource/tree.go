package resource

import (
	"slices"
	"strings"
	"sync"

	"github.com/portico-dev/portico/internal/arm"
)

// A node is a property with what may be below it. Names are found without case.
type node struct {
	name  string
	field Field
	kind  Kind
	kids  map[string]*node // by lower-case name
	elem  *node            // of an array or a map of objects
}

// stored selects the fields as they are kept: all versions, no old spellings.
const stored arm.Version = "stored"

// trees compiles the fields of a row for one api-version at a time, on first use.
type trees struct{ m sync.Map }

func (t *trees) of(r *Row, v arm.Version) *node {
	type key struct {
		r *Row
		v arm.Version
	}
	if n, ok := t.m.Load(key{r, v}); ok {
		return n.(*node)
	}
	n, _ := t.m.LoadOrStore(key{r, v}, compile(r.Fields, v))
	return n.(*node)
}

func compile(fields []Field, v arm.Version) *node {
	root := &node{kind: object}
	for _, f := range fields {
		if v == stored && f.As != "" || v != stored && !v.In(f.From, f.Until) {
			continue
		}
		if v != stored {
			f.newer, f.Enum = f.Enum, known(f.Enum, v)
		}
		root.insert(f)
	}
	return root
}

func (n *node) insert(f Field) {
	path := f.Path
	for path != "" {
		name, rest, _ := strings.Cut(path, ".")
		path = rest
		bare := strings.TrimSuffix(strings.TrimSuffix(name, "[]"), "{}")
		kid := n.kid(bare)
		switch {
		case path == "":
			kid.field, kid.kind = f, f.Kind
		case strings.HasSuffix(name, "[]"):
			kid.kind, kid.field.Of = Array, object
			kid = kid.element()
		case strings.HasSuffix(name, "{}"):
			kid.kind, kid.field.Of = Map, object
			kid = kid.element()
		}
		n = kid
	}
}

func (n *node) kid(name string) *node {
	if n.kids == nil {
		n.kids = map[string]*node{}
	}
	k := n.kids[strings.ToLower(name)]
	if k == nil {
		k = &node{name: name, kind: object}
		n.kids[strings.ToLower(name)] = k
	}
	return k
}

func (n *node) element() *node {
	if n.elem == nil {
		n.elem = &node{kind: object}
	}
	return n.elem
}

// readOnly says whether clients can write nothing of a property: of an object, no part.
func (n *node) readOnly() bool {
	if n.kind != object || len(n.kids) == 0 {
		return n.field.Flags&ReadOnly != 0
	}
	for _, kid := range n.kids {
		if !kid.readOnly() {
			return false
		}
	}
	return true
}

// each is the node of the elements of an array or map.
func (n *node) each() *node {
	if n.elem != nil {
		return n.elem
	}
	f := n.field
	f.Flags &^= Required | Sealed | Masked
	return &node{field: f, kind: n.field.Of}
}

// known are the words of an enumeration that api-version v has.
func known(enum []Value, v arm.Version) []Value {
	for _, e := range enum {
		if v.Before(e.From) {
			return slices.DeleteFunc(slices.Clone(enum), func(e Value) bool { return v.Before(e.From) })
		}
	}
	return enum
}
