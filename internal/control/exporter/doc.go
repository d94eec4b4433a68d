package exporter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"gopkg.in/yaml.v3"
)

// A doc is an object whose fields have an order: that in which a person would write them.
type doc []field

type field struct {
	name  string
	value any // doc, []any, or what encoding/json writes
}

// set adds a field unless its value says nothing.
func (d *doc) set(name string, value any) {
	switch v := value.(type) {
	case nil:
		return
	case string:
		if v == "" {
			return
		}
	case doc:
		if len(v) == 0 {
			return
		}
	case []any:
		if len(v) == 0 {
			return
		}
	}
	*d = append(*d, field{name, value})
}

func (d doc) has(name string) bool {
	return slices.ContainsFunc(d, func(f field) bool { return f.name == name })
}

// MarshalJSON writes the fields in their order.
func (d doc) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range d {
		if i > 0 {
			b.WriteByte(',')
		}
		for j, v := range []any{f.name, f.value} {
			data, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			if j > 0 {
				b.WriteByte(':')
			}
			b.Write(data)
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// MarshalYAML does the same in YAML.
func (d doc) MarshalYAML() (any, error) {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range d {
		key, value := &yaml.Node{}, &yaml.Node{}
		if err := key.Encode(f.name); err != nil {
			return nil, err
		}
		if err := value.Encode(plain(f.value)); err != nil {
			return nil, err
		}
		n.Content = append(n.Content, key, value)
	}
	return n, nil
}

// plain turns numbers as JSON wrote them into numbers of YAML, which would take them for text.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = plain(e)
		}
		return out
	case map[string]any:
		return ordered(v, slices.Sorted(maps.Keys(v))...)
	}
	return v
}

// JSON is a document in JSON, indented.
func (d doc) JSON() ([]byte, error) {
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write description: %w", err)
	}
	return data, nil
}

// YAML is a document in YAML.
func (d doc) YAML() ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(d); err != nil {
		return nil, fmt.Errorf("write description: %w", err)
	}
	return b.Bytes(), enc.Close()
}

// ordered picks fields of an object.
func ordered(m map[string]any, names ...string) doc {
	var d doc
	for _, n := range names {
		if v, ok := m[n]; ok && v != nil {
			d = append(d, field{n, v})
		}
	}
	return d
}

func text(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func objects(v any) []map[string]any {
	list, _ := v.([]any)
	var out []map[string]any
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

func with(m map[string]any, name string, v any) map[string]any {
	out := maps.Clone(m)
	out[name] = v
	return out
}
