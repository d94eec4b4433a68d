package resource

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/portico-dev/portico/internal/arm"
)

// A decoder turns a client's object into the canonical one and notes everything that is wrong with it.
type decoder struct {
	shape   []arm.ErrorDetail // not the declared shape
	values  []arm.ErrorDetail // declared shape, wrong value
	partial bool              // a patch: nothing is required, null is kept
	asIs    []string          // paths of what is canonical already
}

// Decode reads the body of a PUT as api-version v declares it. Names are matched without case, unknown and read-only
// properties are dropped, old spellings are translated.
func (e *Engine) Decode(r *Row, v arm.Version, body []byte) (Object, *arm.Error) {
	o, err := parseObject(body)
	if err != nil {
		return nil, badContent(err.Error(), nil)
	}
	return e.decode(r, v, o)
}

func (e *Engine) decode(r *Row, v arm.Version, o Object, asIs ...string) (Object, *arm.Error) {
	d := &decoder{asIs: asIs}
	out := d.object(e.trees.of(r, v), o, "")
	if err := d.result(); err != nil {
		return nil, err
	}
	translate(r, v, out)
	return out, nil
}

// DecodePatch reads a merge patch as api-version v declares it.
func (e *Engine) DecodePatch(r *Row, v arm.Version, body []byte) (Object, *arm.Error) {
	patch, err := parseObject(body)
	if err != nil {
		return nil, badContent(err.Error(), nil)
	}
	d := &decoder{partial: true}
	p := d.object(e.trees.of(r, v), patch, "")
	return p, d.result()
}

// Patch applies a merge patch to a plain object as api-version v sees it, and returns it in the newest spelling, read
// like the body of a PUT.
func (e *Engine) Patch(r *Row, v arm.Version, old Object, body []byte) (Object, *arm.Error) {
	p, perr := e.DecodePatch(r, v, body)
	if perr != nil {
		return nil, perr
	}
	// Tags are replaced as a whole on resources that ARM tracks.
	whole := func(name string) bool { return name == "tags" }
	was := e.asVersion(r, v, old, true)
	merged := mergePatch(was, p, whole)
	if change, ok := p["identity"].(map[string]any); ok {
		had, _ := was["identity"].(map[string]any)
		merged["identity"] = patchIdentity(had, change)
	}
	if props, ok := p["properties"].(map[string]any); ok {
		if cp, ok := props["customProperties"].(map[string]any); ok { // those left out return to their defaults
			Object(merged).Set("properties.customProperties", cp)
		}
	}
	var asIs []string
	for _, path := range grown(r) {
		if was := old.Get(path); was != nil && !mentions(p, path) && !hasOldSpelling(r, path, v) {
			Object(merged).Set(path, cloneValue(was))
			asIs = append(asIs, path)
		}
	}
	return e.decode(r, v, merged, asIs...)
}

// grown lists the paths of what an older api-version may know in part: arrays whose elements have fields, and
// enumerations with newer words.
func grown(r *Row) (paths []string) {
	for _, f := range r.Fields {
		path, _, in := strings.Cut(f.Path, "[")
		words := slices.ContainsFunc(f.Enum, func(word Value) bool { return word.From != "" })
		if (in || words) && !strings.Contains(path, "{") && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// mentions says whether a patch says anything of a path, null included.
func mentions(patch Object, path string) bool {
	o := map[string]any(patch)
	for {
		name, rest, more := strings.Cut(path, ".")
		v, ok := o[name]
		if !ok || !more {
			return ok
		}
		if o, ok = v.(map[string]any); !ok {
			return true
		}
		path = rest
	}
}

// translate moves the values of old spellings to the fields that hold them now.
func translate(r *Row, v arm.Version, o Object) {
	for _, f := range r.Fields {
		if f.As == "" || !v.In(f.From, f.Until) {
			continue
		}
		if val := o.Get(f.Path); val != nil {
			o.Remove(f.Path)
			if whole := f.Path[:strings.LastIndexByte(f.Path, '.')]; whole != "properties" && isEmpty(o.Get(whole)) {
				o.Remove(whole)
			}
			o.Set(f.As, val)
		}
	}
}

func isEmpty(v any) bool {
	m, ok := v.(map[string]any)
	return ok && len(m) == 0
}

func (d *decoder) result() *arm.Error {
	if len(d.shape) > 0 {
		return badContent(d.shape[0].Message, append(d.shape, d.values...))
	}
	if len(d.values) > 0 {
		return arm.Invalid(d.values...)
	}
	return nil
}

func badContent(text string, details []arm.ErrorDetail) *arm.Error {
	return &arm.Error{
		Status: http.StatusBadRequest, Code: "InvalidRequestContent", Details: details,
		Message: "The request content was invalid and could not be deserialized: '" + text + "'.",
	}
}

func (d *decoder) object(n *node, in map[string]any, path string) map[string]any {
	out := make(map[string]any, len(in))
	given := make(map[string]bool, len(in))
	for _, name := range slices.Sorted(maps.Keys(in)) {
		kid := n.kids[strings.ToLower(name)]
		if kid == nil || kid.readOnly() {
			continue
		}
		v := in[name]
		if v == nil {
			if d.partial {
				out[kid.name] = nil
			}
			continue
		}
		given[kid.name] = true
		if at := join(path, kid.name); slices.Contains(d.asIs, at) {
			out[kid.name] = v
			continue
		}
		if v, ok := d.value(kid, v, join(path, kid.name)); ok {
			out[kid.name] = v
		}
	}
	if !d.partial {
		d.required(n, given, path)
	}
	return out
}

// required notes missing properties. An absent object is looked into only when it is the bag of the resource.
func (d *decoder) required(n *node, given map[string]bool, path string) {
	for _, key := range slices.Sorted(maps.Keys(n.kids)) {
		kid := n.kids[key]
		if given[kid.name] {
			continue
		}
		if kid.field.Flags&Required != 0 {
			d.wrong(join(path, kid.name), "'%s' must not be empty.", kid.name)
		} else if path == "" && kid.kind == object && (kid.name == "properties" || kid.name == "sku") {
			d.required(kid, nil, kid.name)
		}
	}
}

func (d *decoder) value(n *node, v any, path string) (any, bool) {
	switch n.kind {
	case object:
		m, ok := v.(map[string]any)
		if !ok {
			return d.mistyped(path, "an object", v)
		}
		return d.object(n, m, path), true
	case Array:
		return d.array(n, v, path)
	case Map:
		return d.dict(n, v, path)
	case String, Time:
		s, ok := v.(string)
		if !ok {
			return d.mistyped(path, "a string", v)
		}
		return d.text(n.field, s, path), true
	case Bool:
		b, ok := v.(bool)
		if !ok {
			return d.mistyped(path, "a boolean", v)
		}
		return b, true
	case Int:
		return d.whole(n.field, v, path)
	case Number:
		return d.number(n.field, v, path)
	}
	return v, true
}

func (d *decoder) array(n *node, v any, path string) (any, bool) {
	in, ok := v.([]any)
	if !ok {
		return d.mistyped(path, "an array", v)
	}
	if n.field.MaxItems > 0 && len(in) > n.field.MaxItems {
		d.wrong(path, "'%s' may have at most %d elements.", n.name, n.field.MaxItems)
	}
	elem, whole := n.each(), &decoder{} // elements of a patch are whole values
	out := make([]any, 0, len(in))
	for i, e := range in {
		at := fmt.Sprintf("%s[%d]", path, i)
		if e == nil {
			d.mistyped(at, "a value", e)
			continue
		}
		if e, ok := whole.value(elem, e, at); ok {
			out = append(out, e)
		}
	}
	d.shape, d.values = append(d.shape, whole.shape...), append(d.values, whole.values...)
	return out, true
}

func (d *decoder) dict(n *node, v any, path string) (any, bool) {
	in, ok := v.(map[string]any)
	if !ok {
		return d.mistyped(path, "an object", v)
	}
	elem := n.each()
	out := make(map[string]any, len(in))
	for _, k := range slices.Sorted(maps.Keys(in)) {
		if in[k] == nil {
			if d.partial {
				out[k] = nil
			}
			continue
		}
		if e, ok := d.value(elem, in[k], path+"."+k); ok {
			out[k] = e
		}
	}
	return out, true
}

// number keeps a number as it was written.
func (d *decoder) number(f Field, v any, path string) (any, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return d.mistyped(path, "a number", v)
	}
	x, err := n.Float64()
	if err != nil || f.Min != nil && x < float64(*f.Min) || f.Max != nil && x > float64(*f.Max) {
		d.wrong(path, "'%s' is out of range.", last(path))
	}
	return n, true
}

func (d *decoder) whole(f Field, v any, path string) (any, bool) {
	var i int64
	switch n := v.(type) {
	case json.Number:
		var err error
		if i, err = n.Int64(); err != nil {
			return d.mistyped(path, "a whole number", v)
		}
	case int64:
		i = n
	default:
		return d.mistyped(path, "a whole number", v)
	}
	if f.Min != nil && i < *f.Min || f.Max != nil && i > *f.Max {
		d.wrong(path, "'%s' is out of range.", last(path))
	}
	return i, true
}

// text checks a string and gives an enumeration's word its canonical spelling.
func (d *decoder) text(f Field, s, path string) string {
	name := last(path)
	if len(f.Enum) > 0 {
		for _, e := range f.Enum {
			if strings.EqualFold(e.Name, s) {
				return e.Name
			}
		}
		d.wrong(path, "'%s' is not a valid value of '%s'. Possible values: %s.", s, name, enumNames(f.Enum))
		return s
	}
	n := utf8.RuneCountInString(s)
	switch {
	case n < f.MinLen && n == 0:
		d.wrong(path, "'%s' must not be empty.", name)
	case n < f.MinLen:
		d.wrong(path, "'%s' must have at least %d characters.", name, f.MinLen)
	case f.MaxLen > 0 && n > f.MaxLen:
		d.wrong(path, "'%s' must be between %d and %d characters. You entered %d characters.", name, f.MinLen, f.MaxLen, n)
	case f.Pattern != nil && !f.Pattern.MatchString(s):
		d.wrong(path, "'%s' has the wrong form; it must match %s.", name, f.Pattern)
	case f.Kind == Time && !isTime(s):
		d.wrong(path, "'%s' is not a date and time.", name)
	}
	return s
}

func isTime(s string) bool {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}

func (d *decoder) mistyped(path, want string, got any) (any, bool) {
	d.shape = append(d.shape, arm.ErrorDetail{
		Code: "InvalidRequestContent", Target: target(path),
		Message: fmt.Sprintf("%s must be %s, got %s", target(path), want, kindOf(got)),
	})
	return nil, false
}

func (d *decoder) wrong(path, format string, args ...any) {
	d.values = append(d.values, Finding(target(path), format, args...))
}

// Finding is one detail of a ValidationError.
func Finding(target, format string, args ...any) arm.ErrorDetail {
	return arm.ErrorDetail{Code: "ValidationError", Target: target, Message: fmt.Sprintf(format, args...)}
}

// target is how messages name a property: without the bag that all of them are in.
func target(path string) string { return strings.TrimPrefix(path, "properties.") }

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func last(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

func enumNames(vs []Value) string {
	names := make([]string, len(vs))
	for i, v := range vs {
		names[i] = v.Name
	}
	return strings.Join(names, ", ")
}

// ReadObject reads a JSON object of any shape, its names as they are but for the case of the first level.
func ReadObject(body []byte) (Object, *arm.Error) {
	o, err := parseObject(body)
	if err != nil {
		return nil, badContent(err.Error(), nil)
	}
	for k, v := range o {
		if low := strings.ToLower(k[:min(1, len(k))]) + k[min(1, len(k)):]; low != k {
			delete(o, k)
			o[low] = v
		}
	}
	return o, nil
}
