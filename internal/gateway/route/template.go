package route

import (
	"errors"
	"strings"
)

// template is a parsed one.
type template struct {
	segments []segment
	query    []queryParam
}

// segment is one part of a template's path between slashes.
type segment struct {
	kind    kind
	literal string  // of a literal, as written
	name    string  // of a parameter or a wildcard; "" for a bare *
	pieces  []piece // of a mixed one
}

// operation is what is kept of an operation: there may be very many.
type operation struct {
	index    int
	method   string
	captures []capture
	query    []queryParam
}

// capture is a segment of the path that holds parameters.
type capture struct {
	at     int32 // which segment
	kind   kind
	name   string
	pieces []piece
}

type kind uint8

// The kinds in the order in which they are preferred.
const (
	literal  kind = iota
	mixed         // text and parameters in one segment: Products({id})
	param         // {id}
	wildcard      // * or {*rest}: all that is left, also nothing
)

// piece is a stretch of a mixed segment: fixed text, or a parameter.
type piece struct{ text, name string }

// queryParam is a parameter that the request's query must have; with a text it must have just that value.
type queryParam struct{ key, name, text string }

// ErrTemplate is the cause of every template that New refuses.
var ErrTemplate = errors.New("invalid URL template")

func parse(text string) (*template, error) {
	t := &template{}
	path, query, _ := strings.Cut(text, "?")
	for seg, rest := cut(path); seg != "" || rest != ""; seg, rest = cut(rest) {
		s, err := parseSegment(seg)
		if err != nil {
			return nil, err
		}
		if s.kind == wildcard && rest != "" && rest != "/" {
			return nil, ErrTemplate
		}
		t.segments = append(t.segments, s)
	}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		q := queryParam{key: key, text: value}
		if name, ok := placeholder(value); ok {
			q.name, q.text = name, ""
		}
		t.query = append(t.query, q)
	}
	return t, nil
}

func (t *template) operation(index int, method string) operation {
	op := operation{index: index, method: strings.ToUpper(method), query: tight(t.query)}
	for i, s := range t.segments {
		if s.name != "" || len(s.pieces) > 0 {
			op.captures = append(op.captures, capture{int32(i), s.kind, s.name, s.pieces})
		}
	}
	op.captures = tight(op.captures)
	return op
}

// placeholder reports whether s is exactly one {name}.
func placeholder(s string) (string, bool) {
	if len(s) < 3 || s[0] != '{' || strings.IndexByte(s, '}') != len(s)-1 {
		return "", false
	}
	return s[1 : len(s)-1], true
}

func parseSegment(seg string) (segment, error) {
	if seg == "*" {
		return segment{kind: wildcard}, nil
	}
	if name, ok := placeholder(seg); ok {
		if name[0] == '*' {
			return segment{kind: wildcard, name: name[1:]}, nil
		}
		return segment{kind: param, name: name}, nil
	}
	if !strings.ContainsAny(seg, "{}") {
		return segment{kind: literal, literal: seg}, nil
	}
	s := segment{kind: mixed}
	for rest := seg; rest != ""; {
		open := strings.IndexByte(rest, '{')
		if open < 0 {
			s.pieces = append(s.pieces, piece{text: rest})
			break
		}
		end := strings.IndexByte(rest, '}')
		if end < open+2 {
			return segment{}, ErrTemplate
		}
		if open > 0 {
			s.pieces = append(s.pieces, piece{text: rest[:open]})
		} else if len(s.pieces) > 0 {
			return segment{}, ErrTemplate // two parameters with nothing between them
		}
		s.pieces = append(s.pieces, piece{name: rest[open+1 : end]})
		rest = rest[end+1:]
	}
	for _, p := range s.pieces {
		if strings.ContainsAny(p.text, "{}") {
			return segment{}, ErrTemplate
		}
	}
	return s, nil
}

// Names lists the parameters of a template, path before query.
func Names(text string) ([]string, error) {
	t, err := parse(text)
	if err != nil {
		return nil, err
	}
	return t.names(), nil
}

// QueryKeys lists the keys of the query parameters that a template declares.
func QueryKeys(text string) []string {
	t, err := parse(text)
	if err != nil {
		return nil
	}
	keys := make([]string, 0, len(t.query))
	for _, q := range t.query {
		keys = append(keys, q.key)
	}
	return keys
}

func (t *template) names() []string {
	var names []string
	for _, s := range t.segments {
		if s.name != "" {
			names = append(names, s.name)
		}
		for _, p := range s.pieces {
			if p.name != "" {
				names = append(names, p.name)
			}
		}
	}
	for _, q := range t.query {
		if q.name != "" {
			names = append(names, q.name)
		}
	}
	return names
}
