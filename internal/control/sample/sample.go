// Package sample makes up a body that a schema of OpenAPI or Swagger describes: what mock-response answers with where an
// API operation has a schema and no example. The same schema always gives the same body. What the values of each type
// are is not documented for the hosted service; these are the ones that its documents show, and those that are usual
// among tools for API descriptions.
//
// Start reading at Types.Body.
package sample

import (
	"encoding/json"
	"maps"
	"mime"
	"slices"
	"strings"
)

// Bounds of a body. What would be longer or deeper is left out.
const (
	maxValues = 1000
	maxDepth  = 12
	maxString = 1000 // characters that are added to reach a minLength
)

// Types are named schemas, as decoded JSON.
type Types map[string]any

// Body makes a body of a media type out of a named schema. It reports false when there is no such schema, or nothing
// can be made of it: for media types that are neither JSON nor XML only a text is.
func (t Types) Body(mediaType, name string) (string, bool) {
	schema, ok := t[name]
	if !ok {
		return "", false
	}
	s := &sampler{types: t}
	v := s.value(map[string]any{"$ref": "#/" + name}, 0)
	switch bare := bareType(mediaType); {
	case isXML(bare):
		return s.xml(name, schema, v), true
	case isJSON(bare):
		data, err := json.MarshalIndent(v, "", "  ")
		return string(data), err == nil
	}
	text, ok := v.(string)
	return text, ok
}

func bareType(mediaType string) string {
	if bare, _, err := mime.ParseMediaType(mediaType); err == nil {
		return bare
	}
	return strings.ToLower(mediaType)
}

func isJSON(bare string) bool {
	return strings.HasSuffix(bare, "/json") || strings.HasSuffix(bare, "+json") || strings.HasSuffix(bare, "/*")
}

func isXML(bare string) bool {
	return strings.HasSuffix(bare, "/xml") || strings.HasSuffix(bare, "+xml")
}

// A sampler makes one body.
type sampler struct {
	types Types
	made  int
	open  []string // named schemas that contain the current one
}

// value makes a value: what encoding/json makes of JSON. Schemas that contain themselves end in an empty value.
func (s *sampler) value(schema any, depth int) any {
	m, _ := schema.(map[string]any)
	if s.made++; m == nil || s.made > maxValues || depth > maxDepth {
		return nil
	}
	if ref, ok := m["$ref"].(string); ok {
		return s.named(ref, depth)
	}
	if v, ok := given(m); ok {
		return v
	}
	for _, key := range []string{"oneOf", "anyOf"} {
		if list, _ := m[key].([]any); len(list) > 0 {
			return s.value(merged(without(m, key), list[0]), depth+1)
		}
	}
	if list, _ := m["allOf"].([]any); len(list) > 0 {
		return s.all(without(m, "allOf"), list, depth)
	}
	switch typeOf(m) {
	case "object":
		return s.object(m, depth)
	case "array":
		return s.array(m, depth)
	case "integer", "number":
		return number(m)
	case "boolean":
		return true
	case "string":
		return text(m)
	}
	return nil
}

func (s *sampler) named(ref string, depth int) any {
	name := typeName(ref)
	target, ok := s.types[name]
	if !ok || slices.Contains(s.open, name) {
		return empty(target)
	}
	s.open = append(s.open, name)
	defer func() { s.open = s.open[:len(s.open)-1] }()
	return s.value(target, depth)
}

// typeName is the name at the end of a reference.
func typeName(ref string) string {
	name := ref[strings.LastIndexByte(ref, '/')+1:]
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
}

// empty stands for a value of a schema that is not looked into again.
func empty(schema any) any {
	m, _ := schema.(map[string]any)
	switch typeOf(m) {
	case "object":
		return map[string]any{}
	case "array":
		return []any{}
	}
	return nil
}

// given is a value that the schema itself names.
func given(m map[string]any) (any, bool) {
	for _, key := range []string{"example", "default", "const"} {
		if v, ok := m[key]; ok {
			return v, true
		}
	}
	for _, key := range []string{"examples", "enum"} {
		if list, _ := m[key].([]any); len(list) > 0 {
			return list[0], true
		}
	}
	return nil, false
}

// typeOf is the type of a schema, guessed by what it says where it does not say it.
func typeOf(m map[string]any) string {
	switch t := m["type"].(type) {
	case string:
		return t
	case []any:
		for _, x := range t {
			if s, _ := x.(string); s != "null" {
				return s
			}
		}
	}
	for _, guess := range []struct{ key, kind string }{
		{"properties", "object"},
		{"additionalProperties", "object"},
		{"allOf", "object"},
		{"items", "array"},
		{"minimum", "number"},
		{"maximum", "number"},
		{"minLength", "string"},
		{"maxLength", "string"},
		{"pattern", "string"},
		{"format", "string"},
	} {
		if _, ok := m[guess.key]; ok {
			return guess.kind
		}
	}
	return ""
}

func without(m map[string]any, key string) map[string]any {
	out := maps.Clone(m)
	delete(out, key)
	return out
}

// merged puts what stands beside oneOf or anyOf into the chosen schema.
func merged(beside map[string]any, chosen any) any {
	c, _ := chosen.(map[string]any)
	if len(beside) == 0 || c["$ref"] != nil && beside["properties"] == nil {
		return chosen
	}
	if beside["properties"] != nil {
		return map[string]any{"allOf": []any{beside, chosen}}
	}
	out := maps.Clone(beside)
	maps.Copy(out, c)
	return out
}

// all joins the values of several schemas: objects as one, else the last that has a value.
func (s *sampler) all(beside map[string]any, list []any, depth int) any {
	var out any
	joined := map[string]any{}
	for _, part := range append(slices.Clone(list), any(beside)) {
		switch v := s.value(part, depth+1).(type) {
		case map[string]any:
			maps.Copy(joined, v)
			out = joined
		case nil:
		default:
			out = v
		}
	}
	return out
}

func (s *sampler) object(m map[string]any, depth int) any {
	out := map[string]any{}
	properties, _ := m["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		p, _ := properties[name].(map[string]any)
		if p == nil || p["writeOnly"] == true {
			continue
		}
		if s.made >= maxValues {
			break
		}
		out[name] = s.value(p, depth+1)
	}
	if more, _ := m["additionalProperties"].(map[string]any); len(more) > 0 && len(properties) == 0 {
		for _, name := range []string{"property1", "property2"} {
			out[name] = s.value(more, depth+1)
		}
	}
	return out
}

func (s *sampler) array(m map[string]any, depth int) any {
	out := []any{}
	n := max(1, whole(m["minItems"], 1))
	for len(out) < n && s.made < maxValues && depth < maxDepth && m["items"] != nil {
		v := s.value(m["items"], depth+1)
		if v == nil {
			break
		}
		out = append(out, v)
	}
	return out
}
