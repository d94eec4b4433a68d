package resource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
)

// An Object is a JSON object in the newest spelling.
type Object map[string]any

func equalFold(a, b string) bool { return strings.EqualFold(a, b) }

// Get returns what a dotted path leads to, nil when there is nothing.
func (o Object) Get(path string) any {
	var v any = map[string]any(o)
	for name := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

// Text returns a string, "" when there is none.
func (o Object) Text(path string) string {
	s, _ := o.Get(path).(string)
	return s
}

// Flag returns a boolean, false when there is none.
func (o Object) Flag(path string) bool {
	b, _ := o.Get(path).(bool)
	return b
}

// Number returns a whole number.
func (o Object) Number(path string) (int64, bool) {
	switch n := o.Get(path).(type) {
	case int64:
		return n, true
	case int:
		return int64(n), true
	case float64:
		return int64(n), true
	case json.Number:
		i, err := n.Int64()
		return i, err == nil
	}
	return 0, false
}

// List returns an array's elements.
func (o Object) List(path string) []any {
	l, _ := o.Get(path).([]any)
	return l
}

// Texts returns the strings of an array.
func (o Object) Texts(path string) []string {
	var out []string
	for _, v := range o.List(path) {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// Set writes a value at a dotted path and makes the objects on the way.
func (o Object) Set(path string, v any) {
	m := map[string]any(o)
	for {
		name, rest, deeper := strings.Cut(path, ".")
		if !deeper {
			m[name] = v
			return
		}
		next, ok := m[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			m[name] = next
		}
		m, path = next, rest
	}
}

// SetDefault writes a value where there is none.
func (o Object) SetDefault(path string, v any) {
	if o.Get(path) == nil {
		o.Set(path, v)
	}
}

// Remove deletes what a dotted path leads to.
func (o Object) Remove(path string) {
	i := strings.LastIndexByte(path, '.')
	m := map[string]any(o)
	if i >= 0 {
		m, _ = o.Get(path[:i]).(map[string]any)
	}
	delete(m, path[i+1:])
}

// Clone copies an object with everything below.
func (o Object) Clone() Object {
	if o == nil {
		return nil
	}
	return Object(cloneValue(map[string]any(o)).(map[string]any))
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := maps.Clone(v)
		for k, e := range out {
			out[k] = cloneValue(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = cloneValue(e)
		}
		return out
	}
	return v
}

// parseObject reads one JSON object and nothing after it.
func parseObject(data []byte) (Object, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("unexpected end of content")
		}
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("unexpected content after the JSON value")
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("a JSON object is expected, got %s", kindOf(v))
	}
	return o, nil
}

// canonical is the stored form of an object: sorted names, no white space.
func canonical(o Object) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]any(o)); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case json.Number, float64, int64, int:
		return "a number"
	case []any:
		return "an array"
	}
	return "an object"
}

// mergePatch applies RFC 7396. The patch's names are canonical already.
func mergePatch(target, patch map[string]any, whole func(name string) bool) map[string]any {
	out := maps.Clone(target)
	if out == nil {
		out = map[string]any{}
	}
	for k, v := range patch {
		switch v := v.(type) {
		case nil:
			delete(out, k)
		case map[string]any:
			old, _ := out[k].(map[string]any)
			if whole != nil && whole(k) {
				old = nil
			}
			out[k] = mergePatch(old, v, nil)
		default:
			out[k] = v
		}
	}
	return out
}
