package importer

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// SchemaName is the name of the schema that a description brings along. An import replaces all schemas of an API, so
// that no other can have it.
const SchemaName = "imported"

// A Schema is the document with all types that a description defines, in the shape that the management API gives it.
type Schema struct {
	ContentType string
	Document    map[string]any // components with schemas, or definitions
}

// Content types of schemas.
const (
	componentsType  = "application/vnd.oai.openapi.components+json"
	definitionsType = "application/vnd.ms-azure-apim.swagger.definitions+json"
)

// types are the named schemas of a description: its own, and those that are written where they are used, which get
// names of their own.
type types struct {
	all   map[string]any
	named map[*node]string // those without a name in the description
}

// place is where a description keeps its named schemas, as a JSON pointer.
func (r *reader) place() string {
	if r.swagger {
		return "#/definitions/"
	}
	return "#/components/schemas/"
}

// readTypes copies the named schemas of the description.
func (r *reader) readTypes() {
	r.types = types{all: map[string]any{}, named: map[*node]string{}}
	holder := r.root.get("components").get("schemas")
	if r.swagger {
		holder = r.root.get("definitions")
	}
	for _, f := range holder.object() {
		r.types.all[f.key] = r.schema(f.value, nil)
	}
}

// schemas is what readTypes and the walk have found; nil for nothing.
func (r *reader) schemas() *Schema {
	switch {
	case len(r.types.all) == 0:
		return nil
	case r.swagger:
		return &Schema{definitionsType, map[string]any{"definitions": r.types.all}}
	}
	return &Schema{componentsType, map[string]any{"components": map[string]any{"schemas": r.types.all}}}
}

// typed says in a representation which type it has. One that is written in place is named after the words where it is
// used, as the hosted service does (inferred).
func (r *reader) typed(representation map[string]any, schema *node, words ...string) {
	if schema == nil || schema.kind != objectKind || len(schema.fields) == 0 {
		return
	}
	name, local := r.localName(schema)
	if !local {
		name = r.types.named[schema]
		if name == "" {
			name = r.types.free(words)
			r.types.named[schema] = name
			r.types.all[name] = nil // taken
			r.types.all[name] = r.schema(schema, nil)
		}
	}
	representation["schemaId"], representation["typeName"] = SchemaName, name
}

// localName is the name that a reference to one of the named schemas gives.
func (r *reader) localName(n *node) (string, bool) {
	ref := n.get("$ref")
	if ref == nil || ref.kind != stringKind {
		return "", false
	}
	name, ok := strings.CutPrefix(ref.text, r.place())
	_, known := r.types.all[name]
	if !known { // names are read before the values that refer to them
		known = r.lookup(r.place()+name) != nil
	}
	return name, ok && known && !strings.ContainsAny(name, "/~%")
}

// free makes a name out of words that no other schema has.
func (t *types) free(words []string) string {
	var b strings.Builder
	for _, w := range words {
		up := true
		for _, c := range w {
			switch {
			case c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c):
				up = true
			case up:
				b.WriteRune(unicode.ToUpper(c))
				up = false
			default:
				b.WriteRune(c)
			}
		}
	}
	name := b.String()
	for i := 1; ; i++ {
		if _, taken := t.all[name]; !taken {
			return name
		}
		name = b.String() + "-" + strconv.Itoa(i)
	}
}

// schema copies a schema. What it refers to outside the named schemas is put in its place, unless that contains itself.
func (r *reader) schema(n *node, open []*node) any {
	if !r.spend(1) || len(open) > maxRefs {
		return map[string]any{}
	}
	switch n.kind {
	case listKind:
		out := make([]any, len(n.items))
		for i, item := range n.items {
			out[i] = r.schema(item, open)
		}
		return out
	case objectKind:
		if ref := n.get("$ref"); ref != nil && ref.kind == stringKind {
			return r.referred(n, ref.text, open)
		}
		out := make(map[string]any, len(n.fields))
		for _, f := range n.fields {
			out[f.key] = r.keyword(f, open)
		}
		return out
	}
	return n.value()
}

// keyword copies the value of one key of a schema.
func (r *reader) keyword(f field, open []*node) any {
	switch {
	case isData(f.key):
		if !r.spend(f.value.size) {
			return nil
		}
		return f.value.value()
	case f.key == "properties" || f.key == "patternProperties": // whose keys are names
		out := make(map[string]any, len(f.value.object()))
		for _, p := range f.value.object() {
			out[p.key] = r.schema(p.value, open)
		}
		return out
	}
	return r.schema(f.value, open)
}

func (r *reader) referred(n *node, ref string, open []*node) any {
	if _, ok := r.localName(n); ok {
		return map[string]any{"$ref": ref}
	}
	target := r.resolve(n)
	if slices.Contains(open, target) {
		return map[string]any{}
	}
	if target == nil {
		return map[string]any{}
	}
	return r.schema(target, append(open, target))
}

// isData says whether a key of a schema holds values, in which "$ref" means nothing.
func isData(key string) bool {
	switch key {
	case "example", "examples", "default", "enum", "const":
		return true
	}
	return strings.HasPrefix(key, "x-")
}
