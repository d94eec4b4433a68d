package route

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
)

// node is a place in the trie over the segments of an API's templates.
type node struct {
	literals []branch    // by segment
	mixed    []*edge     // in the order of the templates
	params   *node       // behind a parameter
	wild     []operation // that end in a wildcard here
	ops      []operation // that end here
}

// branch leads over a literal segment.
type branch struct {
	segment string // decoded and in lower case
	to      *node
}

// edge leads over a mixed segment.
type edge struct {
	pieces []piece
	shape  string
	to     *node
}

// maxFold is the longest segment that is looked up without allocating.
const maxFold = 64

// fold is a segment of a request as it is compared: decoded and in lower case.
func fold(seg string, buf *[maxFold]byte) []byte {
	if strings.IndexByte(seg, '%') >= 0 {
		if plain, err := url.PathUnescape(seg); err == nil {
			seg = plain
		}
	}
	if len(seg) > maxFold {
		return []byte(strings.ToLower(seg))
	}
	for i := range len(seg) {
		c := seg[i]
		if c >= 0x80 {
			return []byte(strings.ToLower(seg))
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf[i] = c
	}
	return buf[:len(seg)]
}

// plain is a segment of a path or template as it is compared.
func plain(seg string) string {
	if decoded, err := url.PathUnescape(seg); err == nil {
		seg = decoded
	}
	return strings.ToLower(seg)
}

// child finds the literal child for a segment of a request.
func (n *node) child(seg string) *node {
	if len(n.literals) == 0 {
		return nil
	}
	var buf [maxFold]byte
	key := fold(seg, &buf)
	low, high := 0, len(n.literals)
	for low < high {
		if mid := (low + high) / 2; n.literals[mid].segment < string(key) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low < len(n.literals) && n.literals[low].segment == string(key) {
		return n.literals[low].to
	}
	return nil
}

// literal returns the child for a literal segment, making it when needed.
func (n *node) literal(seg string) *node {
	key := plain(seg)
	i, found := slices.BinarySearchFunc(n.literals, key, func(b branch, key string) int { return cmp.Compare(b.segment, key) })
	if !found {
		n.literals = slices.Insert(n.literals, i, branch{key, &node{}})
	}
	return n.literals[i].to
}

func (n *node) insert(segments []segment, op operation) {
	for _, s := range segments {
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

// order puts what belongs to a node into its final form.
func (n *node) order() {
	n.ops, n.wild = sorted(n.ops), sorted(n.wild)
	n.literals, n.mixed = tight(n.literals), tight(n.mixed)
	for _, b := range n.literals {
		b.to.order()
	}
	for _, e := range n.mixed {
		e.to.order()
	}
	if n.params != nil {
		n.params.order()
	}
}

// sorted puts the operations of one place in the order in which they are tried: more required query parameters first,
// an exact method before "*", then as listed.
func sorted(ops []operation) []operation {
	slices.SortStableFunc(ops, func(a, b operation) int {
		return cmp.Or(cmp.Compare(len(b.query), len(a.query)), cmp.Compare(wildcards(a), wildcards(b)))
	})
	return tight(ops)
}

// tight is a list without room for more: nothing will be added to it.
func tight[T any](list []T) []T {
	if len(list) == cap(list) {
		return list
	}
	return append(make([]T, 0, len(list)), list...)
}

func wildcards(o operation) int {
	if o.method == "*" {
		return 1
	}
	return 0
}
