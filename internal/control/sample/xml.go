package sample

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// xml writes a value as a document, with the names that the schema gives its elements.
func (s *sampler) xml(name string, schema, v any) string {
	var b strings.Builder
	b.WriteString(xml.Header)
	s.element(&b, name, s.resolved(schema), v, 0)
	return b.String()
}

// resolved follows references, and joins the parts of an allOf, as far as names are concerned.
func (s *sampler) resolved(schema any) map[string]any {
	m, _ := schema.(map[string]any)
	for range maxDepth {
		ref, ok := m["$ref"].(string)
		if !ok {
			break
		}
		m, _ = s.types[typeName(ref)].(map[string]any)
	}
	list, _ := m["allOf"].([]any)
	if len(list) == 0 {
		return m
	}
	out, properties := maps.Clone(m), map[string]any{}
	delete(out, "allOf")
	for _, part := range append(slices.Clone(list), any(out)) {
		p, _ := part.(map[string]any)
		if _, nested := p["allOf"]; nested || p["$ref"] != nil {
			p = s.resolvedOnce(p)
		}
		own, _ := p["properties"].(map[string]any)
		maps.Copy(properties, own)
	}
	out["properties"] = properties
	return out
}

func (s *sampler) resolvedOnce(m map[string]any) map[string]any {
	ref, _ := m["$ref"].(string)
	target, _ := s.types[typeName(ref)].(map[string]any)
	return target
}

func hint(schema map[string]any, key string) any {
	x, _ := schema["xml"].(map[string]any)
	return x[key]
}

// element writes one element. Arrays are a row of elements, inside one of their own where the schema wraps them.
func (s *sampler) element(b *strings.Builder, name string, schema map[string]any, v any, depth int) {
	if n, _ := hint(schema, "name").(string); n != "" {
		name = n
	}
	name = elementName(name)
	if list, ok := v.([]any); ok {
		s.list(b, name, schema, list, depth)
		return
	}
	indent(b, depth)
	object, ok := v.(map[string]any)
	if !ok {
		fmt.Fprintf(b, "<%s>%s</%s>", name, escaped(v), name)
		return
	}
	properties, _ := schema["properties"].(map[string]any)
	b.WriteString("<" + name)
	inner := 0
	for _, key := range slices.Sorted(maps.Keys(object)) {
		p := s.resolved(properties[key])
		if hint(p, "attribute") != true {
			inner++
			continue
		}
		attribute := key
		if n, _ := hint(p, "name").(string); n != "" {
			attribute = n
		}
		fmt.Fprintf(b, ` %s="%s"`, elementName(attribute), escaped(object[key]))
	}
	if inner == 0 {
		b.WriteString(" />")
		return
	}
	b.WriteString(">")
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if p := s.resolved(properties[key]); hint(p, "attribute") != true {
			s.element(b, key, p, object[key], depth+1)
		}
	}
	indent(b, depth)
	b.WriteString("</" + name + ">")
}

func (s *sampler) list(b *strings.Builder, name string, schema map[string]any, list []any, depth int) {
	wrapped := hint(schema, "wrapped") == true || depth == 0
	if wrapped {
		indent(b, depth)
		b.WriteString("<" + name + ">")
	}
	items := s.resolved(schema["items"])
	for _, v := range list {
		if wrapped {
			s.element(b, name, items, v, depth+1)
		} else {
			s.element(b, name, items, v, depth)
		}
	}
	if wrapped {
		indent(b, depth)
		b.WriteString("</" + name + ">")
	}
}

func indent(b *strings.Builder, depth int) {
	if depth > 0 || !strings.HasSuffix(b.String(), "\n") {
		b.WriteString("\n" + strings.Repeat("  ", depth))
	}
}

// elementName makes a name that XML allows.
func elementName(name string) string {
	valid := func(i int, c rune) bool {
		return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || i > 0 && (c == '-' || c == '.' || '0' <= c && c <= '9')
	}
	var b strings.Builder
	for i, c := range name {
		if !valid(i, c) {
			c = '_'
		}
		b.WriteRune(c)
	}
	if b.Len() == 0 {
		return "_"
	}
	return b.String()
}

func escaped(v any) string {
	text, ok := v.(string)
	if !ok && v != nil {
		data, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		text = string(data)
	}
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a builder takes everything
	return b.String()
}
