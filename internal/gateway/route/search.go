package route

import (
	"net/url"
	"strings"
)

// search is one walk through the operations of an API. Captures are taken once the operation is known, since
// templates of the same shape may name their parameters differently.
type search struct {
	method, query string
	params        []Param
	path          string
}

// find returns the operation that fits path best: at each segment a literal is preferred to a mixed segment, that to
// a parameter, that to a wildcard; a choice that leads nowhere is taken back.
func (s *search) find(root *node, path string) *operation {
	s.path = path
	op := s.walk(root, path)
	if op != nil {
		s.capture(op)
	}
	return op
}

func (s *search) walk(n *node, path string) *operation {
	seg, rest := cut(path)
	if seg == "" && rest == "" {
		if op := s.pick(n.ops); op != nil {
			return op
		}
		return s.pick(n.wild)
	}
	if c := n.child(seg); c != nil {
		if op := s.walk(c, rest); op != nil {
			return op
		}
	}
	if seg != "" {
		for _, e := range n.mixed {
			if fits(e.pieces, seg, nil) {
				if op := s.walk(e.to, rest); op != nil {
					return op
				}
			}
		}
		if n.params != nil {
			if op := s.walk(n.params, rest); op != nil {
				return op
			}
		}
	}
	return s.pick(n.wild)
}

// pick returns the first operation of a leaf that takes the method and whose query parameters are there.
func (s *search) pick(ops []operation) *operation {
next:
	for i := range ops {
		op := &ops[i]
		if op.method != "*" && op.method != s.method {
			continue
		}
		for _, q := range op.query {
			v, ok := queryValue(s.query, q.key)
			if !ok || (q.name == "" && q.text != "" && v != q.text) {
				continue next
			}
		}
		return op
	}
	return nil
}

func (s *search) capture(op *operation) {
	path, at := s.path, int32(0)
	for _, c := range op.captures {
		for ; at < c.at; at++ {
			_, path = cut(path)
		}
		seg, _ := cut(path)
		switch c.kind {
		case param:
			s.params = append(s.params, Param{Name: c.name, Value: seg})
		case mixed:
			fits(c.pieces, seg, &s.params)
		case wildcard:
			s.params = append(s.params, Param{Name: c.name, Value: strings.TrimPrefix(path, "/")})
		case literal:
		}
	}
	for _, q := range op.query {
		if q.name != "" {
			v, _ := queryValue(s.query, q.key)
			s.params = append(s.params, Param{Name: q.name, Value: v, Query: true})
		}
	}
}

// fits matches a mixed segment: text without case, each parameter up to the next text, the last one to the end.
func fits(pieces []piece, seg string, out *[]Param) bool {
	for i, p := range pieces {
		if p.name == "" {
			if len(seg) < len(p.text) || !strings.EqualFold(seg[:len(p.text)], p.text) {
				return false
			}
			seg = seg[len(p.text):]
			continue
		}
		end := len(seg)
		switch {
		case i == len(pieces)-2: // the text that follows is the last piece: it stands at the very end
			end = len(seg) - len(pieces[i+1].text)
		case i < len(pieces)-1:
			end = indexFold(seg, pieces[i+1].text)
		}
		if end < 1 {
			return false
		}
		if out != nil {
			*out = append(*out, Param{Name: p.name, Value: seg[:end]})
		}
		seg = seg[end:]
	}
	return seg == ""
}

// indexFold finds text at position 1 or later, without case; a parameter is never empty.
func indexFold(s, text string) int {
	for i := 1; i+len(text) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(text)], text) {
			return i
		}
	}
	return -1
}

// queryValue finds the first value of a key in a raw query, still encoded. Keys compare without case, as the
// service's names of template parameters do.
func queryValue(query, key string) (string, bool) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		k, v, _ := strings.Cut(pair, "=")
		if strings.IndexByte(k, '%') >= 0 || strings.IndexByte(k, '+') >= 0 {
			if plain, err := url.QueryUnescape(k); err == nil {
				k = plain
			}
		}
		if strings.EqualFold(k, key) {
			return v, true
		}
	}
	return "", false
}
