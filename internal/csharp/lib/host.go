package lib

import (
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// What package apim needs beyond the rows.

// Quote writes a JSON string.
func Quote(s string) string { return quote(s) }

// Unescape undoes the escaping of a form field.
func Unescape(s string) string { return unpercent(s, true) }

// ParseJSON reads JSON as JObject, JArray or JToken do.
func ParseJSON(f F, s, class string) V {
	kind := map[string]uint8{"JObject": jObject, "JArray": jArray}[class]
	return clr.Object(parseJSON(f, s, class, kind))
}

// TryParseObject reads a JSON object without turning dates into tokens of their
// own.
func TryParseObject(f F, s string) (v V, ok bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, is := r.(*clr.Exception); !is {
				panic(r)
			}
			v, ok = clr.Null, false
		}
	}()
	f.Alloc(len(s))
	r := &jsonReader{f: f, s: s}
	r.skip()
	if r.i >= len(s) || s[r.i] != '{' {
		return clr.Null, false
	}
	return clr.Object(r.value()), true
}

// ParseXML reads a document, or its root element alone.
func ParseXML(f F, s string, root bool) V {
	d := parseXML(f, s, false, false)
	if !root {
		return clr.Object(d)
	}
	r := d.root()
	r.parent = nil
	return clr.Object(r)
}

// TokenNames are the names of an object's properties.
func TokenNames(v V) []string {
	t := tok(v)
	out := make([]string, len(t.kids))
	for i, k := range t.kids {
		out[i] = k.name
	}
	return out
}

// TokenStrings are the values of a claim: one for each item of an array, JSON
// text for what is no string; nil when absent.
func TokenStrings(f F, v V, name string) []string {
	t := tok(v)
	p := t.property(name)
	if p == nil {
		return nil
	}
	text := func(x *Token) string {
		if x.kind == jString {
			return x.val.Str()
		}
		return writeJSON(f, x, false)
	}
	x := p.kids[0]
	if x.kind != jArray {
		return []string{text(x)}
	}
	out := make([]string, len(x.kids))
	for i, k := range x.kids {
		out[i] = text(k)
	}
	return out
}

// TokenText is the value of a claim, its items joined with commas.
func TokenText(f F, v V, name string) (string, bool) {
	if p := tok(v).property(name); p != nil && p.kids[0].kind == jString {
		return p.kids[0].val.Str(), true
	}
	list := TokenStrings(f, v, name)
	return strings.Join(list, ","), list != nil
}

// TokenNumber is the number of a property.
func TokenNumber(f F, v V, name string) (float64, bool) {
	p := tok(v).property(name)
	if p == nil || p.kids[0].container() {
		return 0, false
	}
	return readFloat(Text(f, p.kids[0].val))
}

// NewDict makes a Dictionary.
func NewDict(key, val *clr.Type) *Dict {
	return &Dict{T: clr.Of(Universe().Lookup("System.Collections.Generic.Dictionary", 2), key, val)}
}

// Put sets an entry.
func (d *Dict) Put(f F, k, v V) { d.put(f, k, v) }

// NewList makes an empty List.
func NewList(elem *clr.Type) V { return newList(elem, nil) }

// AddTo appends to a List.
func AddTo(f F, l, v V) { x := list(l); x.insert(f, len(x.V), v) }

// PairParts takes a KeyValuePair apart.
func PairParts(v V) (key, val V) { p := pairOf(v); return p.Key, p.Val }

// JSON writes a value as JsonConvert does; hosts use it to show results.
func JSON(f F, v V) string { return writeJSON(f, fromObject(f, v), false) }
