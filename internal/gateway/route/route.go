// Package route finds the API and the API operation that a request is for. It knows paths, methods and templates
// and nothing else: hosts are the engine's business, keys the service's.
//
// A Table is immutable. New builds one, Match reads it; a match on the plain path allocates nothing beyond what the
// caller's slice of parameters needs.
package route

import (
	"fmt"
	"sort"
	"strings"
)

// An API is one entry of a table: a path and the templates below it.
type API struct {
	Path       string // without slashes at the ends; may be empty
	Version    Version
	Operations []Operation
}

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
type Match struct {
	API       int     // index into the list that New got
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

// A Table matches requests against APIs.
type Table struct {
	apis node // trie over path segments
}

// templates is the compiled form of one API's operations.
type templates struct {
	root node
	ops  []*operation
}

// New compiles a table. A template that cannot be read is reported with its operation; of two APIs with the same
// path and version the first one wins.
func New(apis []API) (*Table, error) {
	entries := make([]Entry, len(apis))
	for i, a := range apis {
		c, err := Compile(a.Operations)
		if err != nil {
			return nil, err
		}
		entries[i] = Entry{a.Path, a.Version, c}
	}
	return NewFrom(entries), nil
}

// Compiled is one API ready to be added to any number of tables.
type Compiled = *templates

// An Entry is an API of a table whose operations are compiled already.
type Entry struct {
	Path       string
	Version    Version
	Operations Compiled
}

// NewFrom builds a table without reading templates again. Match.API is an index into entries.
func NewFrom(entries []Entry) *Table {
	t := &Table{}
	for i, e := range entries {
		n := &t.apis
		for seg, rest := cut(e.Path); seg != "" || rest != ""; seg, rest = cut(rest) {
			if seg != "" {
				n = n.literal(seg)
			}
		}
		n.apis = append(n.apis, leaf{i, e.Version, e.Operations})
	}
	return t
}

// Compile prepares the operations of one API.
func Compile(ops []Operation) (Compiled, error) {
	c := &templates{}
	for i, o := range ops {
		op, err := parse(o)
		if err != nil {
			return nil, fmt.Errorf("operation %s %s: %w", o.Method, o.Template, err)
		}
		op.index = i
		c.ops = append(c.ops, op)
		c.root.insert(op)
	}
	c.root.order()
	return c, nil
}

// Match finds the API with the longest path that the request's path begins with, whole segments and without case,
// whose version the request asks for, and in it the operation that fits best. params is used for captures and may be
// nil. ok is false when no API fits.
func (t *Table) Match(r Request, params []Param) (m Match, ok bool) {
	var found *leaf
	n, rest := &t.apis, r.Path
	for n != nil {
		if l := n.version(r); l != nil {
			found, m.Rest = l, rest
		}
		seg, tail := cut(rest)
		if seg == "" && tail == "" {
			break
		}
		n, rest = n.child(seg), tail
	}
	if found == nil {
		return Match{}, false
	}
	m.API, m.Operation = found.api, -1
	s := search{method: r.Method, query: r.Query, params: params[:0]}
	if op := s.find(&found.templates.root, m.Rest); op != nil {
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

// sortOperations puts the operations of one leaf in the order in which they are tried: more required query
// parameters first, an exact method before "*", then as listed.
func sortOperations(ops []*operation) {
	sort.SliceStable(ops, func(i, j int) bool {
		a, b := ops[i], ops[j]
		if len(a.query) != len(b.query) {
			return len(a.query) > len(b.query)
		}
		return a.method != "*" && b.method == "*"
	})
}
