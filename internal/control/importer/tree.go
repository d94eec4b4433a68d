package importer

import (
	"encoding/json"
	"strings"
)

// Bounds of a tree. Depth is that of nesting; maxNodes counts a value as often as aliases make it appear, which is
// what stops a small text from describing an enormous document.
const (
	maxDepth = 200
	maxNodes = 1 << 20
)

type kind uint8

const (
	nullKind kind = iota
	boolKind
	numberKind
	stringKind
	listKind
	objectKind
)

func (k kind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "a list", "an object"}[k]
}

// A node is a value of a description with its place in the text. Trees are read-only once parsed; aliases make them
// directed graphs without cycles.
type node struct {
	kind      kind
	text      string // of a scalar, as written
	line, col int    // from 1
	items     []*node
	fields    []field
	index     map[string]*node // of fields, when there are many
	size      int              // nodes below and including this one, aliases counted in full
	height    int              // of the longest way down, 0 for a scalar
}

type field struct {
	key   string
	value *node
}

// grow counts a value that now belongs to n.
func (n *node) grow(v *node) {
	n.size += v.size
	n.height = max(n.height, v.height+1)
}

// get returns the value of a key, or nil when n is no object or has no such key.
func (n *node) get(key string) *node {
	if n == nil || n.kind != objectKind {
		return nil
	}
	if n.index != nil {
		return n.index[key]
	}
	for i := range n.fields {
		if n.fields[i].key == key {
			return n.fields[i].value
		}
	}
	return nil
}

// add appends a field and says whether the key is new.
func (n *node) add(key string, v *node) bool {
	if n.get(key) != nil {
		return false
	}
	n.fields = append(n.fields, field{key, v})
	const many = 12
	switch {
	case n.index != nil:
		n.index[key] = v
	case len(n.fields) > many:
		n.index = make(map[string]*node, 2*len(n.fields))
		for _, f := range n.fields {
			n.index[f.key] = f.value
		}
	}
	return true
}

// str returns the text of a string, "" for anything else. Numbers count as strings: YAML authors write versions so.
func (n *node) str() string {
	if n == nil || n.kind != stringKind && n.kind != numberKind {
		return ""
	}
	return n.text
}

func (n *node) isTrue() bool { return n != nil && n.kind == boolKind && n.text == "true" }

// list returns the items of a list, nil for anything else.
func (n *node) list() []*node {
	if n == nil || n.kind != listKind {
		return nil
	}
	return n.items
}

// object returns the fields of an object in the order of the text, nil for anything else.
func (n *node) object() []field {
	if n == nil || n.kind != objectKind {
		return nil
	}
	return n.fields
}

// at follows one step of a JSON pointer.
func (n *node) at(token string) *node {
	if n == nil {
		return nil
	}
	if n.kind != listKind {
		return n.get(token)
	}
	i := 0
	for _, c := range token {
		if c < '0' || c > '9' || i > len(n.items) {
			return nil
		}
		i = 10*i + int(c-'0')
	}
	if token == "" || i >= len(n.items) {
		return nil
	}
	return n.items[i]
}

// value is the node as encoding/json would decode it, numbers as json.Number.
func (n *node) value() any {
	switch n.kind {
	case boolKind:
		return n.text == "true"
	case numberKind:
		if json.Valid([]byte(n.text)) {
			return json.Number(n.text)
		}
		return n.text
	case stringKind:
		return n.text
	case listKind:
		out := make([]any, len(n.items))
		for i, v := range n.items {
			out[i] = v.value()
		}
		return out
	case objectKind:
		out := make(map[string]any, len(n.fields))
		for _, f := range n.fields {
			out[f.key] = f.value.value()
		}
		return out
	}
	return nil
}

// flat is the node as one string: a scalar as written, anything else as JSON.
func (n *node) flat() string {
	if n.kind != listKind && n.kind != objectKind {
		return n.text
	}
	b, err := json.Marshal(n.value())
	if err != nil { // values are made of what JSON can express
		return ""
	}
	return string(b)
}

// parse reads JSON when the text begins like a JSON object, YAML otherwise.
func parse(text string) (*node, *finding) {
	text = strings.TrimPrefix(text, "\uFEFF")
	// Every value but the first needs a comma or a line break: parsers need not find out that there are too many.
	if strings.Count(text, ",")+strings.Count(text, "\n") > maxNodes {
		return nil, &finding{text: "the document has too many values"}
	}
	read := parseYAML
	if looksLikeJSON(text) {
		read = parseJSON
	}
	root, err := read(text)
	switch {
	case err != nil:
		return nil, err
	case root.kind != objectKind:
		return nil, &finding{"the document must be an object and is " + root.kind.String(), root.line, root.col}
	}
	return root, nil
}

// looksLikeJSON tells {"a":1} and {} from the flow mapping {a: 1} of YAML.
func looksLikeJSON(text string) bool {
	rest, ok := strings.CutPrefix(strings.TrimLeft(text, " \t\r\n"), "{")
	rest = strings.TrimLeft(rest, " \t\r\n")
	return ok && (rest == "" || rest[0] == '"' || rest[0] == '}')
}
