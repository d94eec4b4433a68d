// Package route finds the API and the API operation that a request is for. It knows paths, methods and templates
// and nothing else: hosts are the engine's business, keys the service's.
//
// A Table is immutable. With and Without make another one that shares with it whatever they do not touch; Match reads,
// and a match on the plain path allocates nothing beyond what the caller's slice of parameters needs.
package route

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
)

// An Operation is a method and a URL template such as /orders/{id}?page={page}.
type Operation struct {
	Method   string // upper case; "*" for any
	Template string
}

// A Param is a captured template parameter. Value is as it stands in the request, still percent-encoded.
type Param struct {
	Name, Value string
	Query       bool // captured from the query, where "+" is a space
}

// A Match is where a request belongs. Operation is -1 when the API was found and none of its operations fit.
type Match[T any] struct {
	API       T       // of the entry
	Operation int     // index into that API's operations
	Rest      string  // the path below the API, with its leading slash; "" when there is nothing
	Params    []Param // in the order of the template, path before query
}

// A Request is what a table looks at. Path is escaped, Query raw.
type Request struct {
	Method, Path, Query string
	Header              Headers // nil for none
}

// Headers are those of a request. Names compare without case.
type Headers interface {
	Has(name string) bool
	Get(name string) string
}

// A Table matches requests against APIs, of which it knows what T is. The zero value has none.
type Table[T any] struct{ root *place[T] }

// An Entry is an API of a table.
type Entry[T any] struct {
	Path       string // without slashes at the ends; may be empty
	Version    Version
	Operations *Compiled
	// Rank tells an entry from others with its path. Of two with the same path and version the one with the lower rank
	// is found.
	Rank string
	API  T
}

// With is the table with an entry, in the place of one with the same path and rank.
func (t Table[T]) With(e Entry[T]) Table[T] {
	return Table[T]{t.root.edit(e.Path, func(list []leaf[T]) []leaf[T] {
		l := leaf[T]{e.API, e.Rank, e.Version, e.Operations}
		i, found := slices.BinarySearchFunc(list, e.Rank, leaf[T].compare)
		if found {
			list[i] = l
			return list
		}
		return slices.Insert(list, i, l)
	})}
}

// Without is the table without an entry.
func (t Table[T]) Without(path, rank string) Table[T] {
	return Table[T]{t.root.edit(path, func(list []leaf[T]) []leaf[T] {
		if i, found := slices.BinarySearchFunc(list, rank, leaf[T].compare); found {
			return slices.Delete(list, i, i+1)
		}
		return list
	})}
}

// Compiled are the operations of one API, ready for any number of tables. What it takes to search them is made when a
// request first asks: a service may have thousands of APIs of which few are called.
type Compiled struct {
	list func() []Operation
	root atomic.Pointer[node]
}

// Compile checks the operations of one API, which list gives, now and later. A template that cannot be read is reported
// with its operation.
func Compile(list func() []Operation) (*Compiled, error) {
	for _, o := range list() {
		if _, err := parse(o.Template); err != nil {
			return nil, fmt.Errorf("operation %s %s: %w", o.Method, o.Template, err)
		}
	}
	return &Compiled{list: list}, nil
}

// tree is where the search begins. Requests that come at the same time may each make one; the last is kept.
func (c *Compiled) tree() *node {
	if root := c.root.Load(); root != nil {
		return root
	}
	root := &node{}
	for i, o := range c.list() {
		if t, err := parse(o.Template); err == nil { // Compile made sure
			root.insert(t.segments, t.operation(i, o.Method))
		}
	}
	root.order()
	c.root.Store(root)
	return root
}

// Match finds the API with the longest path that the request's path begins with, whole segments and without case,
// whose version the request asks for, and in it the operation that fits best. params is used for captures and may be
// nil. ok is false when no API fits.
func (t Table[T]) Match(r Request, params []Param) (m Match[T], ok bool) {
	var found *leaf[T]
	p, rest := t.root, r.Path
	for p != nil {
		if l := p.version(r); l != nil {
			found, m.Rest = l, rest
		}
		seg, tail := cut(rest)
		if seg == "" && tail == "" {
			break
		}
		p, rest = p.child(seg), tail
	}
	if found == nil {
		return Match[T]{}, false
	}
	m.API, m.Operation = found.api, -1
	s := search{method: r.Method, query: r.Query, params: params[:0]}
	if op := s.find(found.operations.tree(), m.Rest); op != nil {
		m.Operation, m.Params = op.index, s.params
	}
	return m, true
}

// cut takes the first segment off a path: "/a/b" gives "a" and "/b". Both are empty at the end, with or without a
// slash there.
func cut(path string) (seg, rest string) {
	if path != "" && path[0] == '/' {
		path = path[1:]
	}
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}
