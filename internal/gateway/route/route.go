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

// A Table matches requests against APIs.
type Table struct {
	apis node // trie over path segments; leaf is the index of an API
	list []*templates
}

// templates is the compiled form of one API's operations.
type templates struct {
	root node
	ops  []*operation
}

// New compiles a table. A template that cannot be read is reported with its operation; of two APIs with the same
// path the first one wins.
func New(apis []API) (*Table, error) {
	t := &Table{apis: node{leaf: -1}}
	for i, a := range apis {
		c, err := compile(a)
		if err != nil {
			return nil, err
		}
		t.Add(i, a.Path, c)
	}
	return t, nil
}

// Compiled is one API ready to be added to any number of tables.
type Compiled = *templates

// Compile prepares the operations of one API, so that a table can be rebuilt without reading templates again.
func Compile(ops []Operation) (Compiled, error) { return compile(API{Operations: ops}) }

// NewFrom builds a table of compiled APIs. paths and apis have the same length.
func NewFrom(paths []string, apis []Compiled) *Table {
	t := &Table{apis: node{leaf: -1}}
	for i, p := range paths {
		t.Add(i, p, apis[i])
	}
	return t
}

// Add puts an API into a table that nobody reads yet.
func (t *Table) Add(index int, path string, c Compiled) {
	n := &t.apis
	for seg, rest := cut(path); seg != "" || rest != ""; seg, rest = cut(rest) {
		if seg != "" {
			n = n.literal(seg)
		}
	}
	if n.leaf < 0 {
		n.leaf = len(t.list)
		t.list = append(t.list, c)
		n.api = index
	}
}

func compile(a API) (*templates, error) {
	c := &templates{root: node{leaf: -1}}
	for i, o := range a.Operations {
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

// Match finds the API with the longest path that path begins with, whole segments and without case, and in it the
// operation that fits best. params is used for captures and may be nil. ok is false when no API fits.
//
// path is the escaped path of the request; query its raw query.
func (t *Table) Match(method, path, query string, params []Param) (m Match, ok bool) {
	n, rest := &t.apis, path
	best, bestRest := -1, ""
	var found *node
	for {
		if n.leaf >= 0 {
			best, bestRest, found = n.leaf, rest, n
		}
		seg, tail := cut(rest)
		if seg == "" && tail == "" {
			break
		}
		next := n.child(seg)
		if next == nil {
			break
		}
		n, rest = next, tail
	}
	if best < 0 {
		return Match{}, false
	}
	m = Match{API: found.api, Operation: -1, Rest: bestRest}
	s := search{method: method, query: query, params: params[:0]}
	if op := s.find(&t.list[best].root, bestRest); op != nil {
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
