package route

import (
	"net/url"
	"strings"
)

// node is a place in a trie over path segments. In the trie of APIs only literals and apis are used.
type node struct {
	apis     []leaf // of the trie of APIs: those that end here
	literals map[string]*node
	mixed    []*edge // in the order of the templates
	params   *node
	wild     []*operation // operations that end in a wildcard here
	ops      []*operation // operations that end here
}

// edge leads over a mixed segment.
type edge struct {
	pieces []piece
	shape  string
	to     *node
}

// maxFold is the longest literal segment that is looked up without allocating.
const maxFold = 64

// child finds the literal child for a segment of a request, without case.
func (n *node) child(seg string) *node {
	if n.literals == nil {
		return nil
	}
	if strings.IndexByte(seg, '%') >= 0 {
		if plain, err := url.PathUnescape(seg); err == nil {
			seg = plain
		}
	}
	if len(seg) > maxFold {
		return n.literals[strings.ToLower(seg)]
	}
	var buf [maxFold]byte
	for i := range len(seg) {
		c := seg[i]
		if c >= 0x80 {
			return n.literals[strings.ToLower(seg)]
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf[i] = c
	}
	return n.literals[string(buf[:len(seg)])]
}

// literal returns the child for a literal segment, making it when needed.
func (n *node) literal(seg string) *node {
	if plain, err := url.PathUnescape(seg); err == nil {
		seg = plain
	}
	key := strings.ToLower(seg)
	if n.literals == nil {
		n.literals = make(map[string]*node)
	}
	c := n.literals[key]
	if c == nil {
		c = &node{}
		n.literals[key] = c
	}
	return c
}

func (n *node) insert(op *operation) {
	for _, s := range op.segments {
		switch s.kind {
		case literal:
			n = n.literal(s.literal)
		case param:
			if n.params == nil {
				n.params = &node{}
			}
			n = n.params
		case mixed:
			n = n.over(s)
		case wildcard:
			n.wild = append(n.wild, op)
			return
		}
	}
	n.ops = append(n.ops, op)
}

// over returns the node behind a mixed segment. Segments of the same shape share one, whatever their names.
func (n *node) over(s segment) *node {
	var shape strings.Builder
	for _, p := range s.pieces {
		if p.name != "" {
			shape.WriteByte(0)
		}
		shape.WriteString(strings.ToLower(p.text))
	}
	for _, e := range n.mixed {
		if e.shape == shape.String() {
			return e.to
		}
	}
	e := &edge{pieces: s.pieces, shape: shape.String(), to: &node{}}
	n.mixed = append(n.mixed, e)
	return e.to
}

func (n *node) order() {
	sortOperations(n.ops)
	sortOperations(n.wild)
	for _, c := range n.literals {
		c.order()
	}
	for _, e := range n.mixed {
		e.to.order()
	}
	if n.params != nil {
		n.params.order()
	}
}
