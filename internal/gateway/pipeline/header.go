package pipeline

import "strings"

// A Field is one header field, or one query parameter: a name and a value.
type Field struct{ Name, Value string }

// Header is an ordered list of fields. Names compare without case and keep the spelling they came with. The zero
// value is empty and ready.
type Header struct{ fields []Field }

// NewHeader makes a header that owns the given fields.
func NewHeader(fields ...Field) Header { return Header{fields: fields} }

// Fields is the list itself; callers do not change it.
func (h *Header) Fields() []Field { return h.fields }

// Len is the number of fields.
func (h *Header) Len() int { return len(h.fields) }

// Get is the first value of a name, or "".
func (h *Header) Get(name string) string {
	for i := range h.fields {
		if strings.EqualFold(h.fields[i].Name, name) {
			return h.fields[i].Value
		}
	}
	return ""
}

// Has reports whether there is a field of that name.
func (h *Header) Has(name string) bool {
	for i := range h.fields {
		if strings.EqualFold(h.fields[i].Name, name) {
			return true
		}
	}
	return false
}

// Values lists the values of a name.
func (h *Header) Values(name string) []string {
	var out []string
	for i := range h.fields {
		if strings.EqualFold(h.fields[i].Name, name) {
			out = append(out, h.fields[i].Value)
		}
	}
	return out
}

// Add appends a field.
func (h *Header) Add(name, value string) { h.fields = append(h.fields, Field{name, value}) }

// Set puts values in the place of all fields of that name; the first takes the place of the first.
func (h *Header) Set(name string, values ...string) {
	at := -1
	kept := h.fields[:0]
	for _, f := range h.fields {
		if !strings.EqualFold(f.Name, name) {
			kept = append(kept, f)
			continue
		}
		if at < 0 && len(values) > 0 {
			at = len(kept)
			kept = append(kept, Field{name, values[0]})
		}
	}
	h.fields = kept
	for i, v := range values {
		if i == 0 && at >= 0 {
			continue
		}
		h.Add(name, v)
	}
}

// Del removes all fields of that name.
func (h *Header) Del(name string) { h.Set(name) }

// Reset empties the header and keeps its memory.
func (h *Header) Reset() {
	clear(h.fields)
	h.fields = h.fields[:0]
}

// Clone copies the list.
func (h *Header) Clone() Header { return Header{fields: append([]Field(nil), h.fields...)} }
