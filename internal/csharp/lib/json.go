package lib

import (
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// The kinds of tokens, numbered as JTokenType.
const (
	jNone = iota
	jObject
	jArray
	jConstructor
	jProperty
	jComment
	jInteger
	jFloat
	jString
	jBoolean
	jNull
	jUndefined
	jDate
	jRaw
	jBytes
	jGuid
	jURI
	jTimeSpan
)

// Token is any JToken. Properties hold their value as only child.
type Token struct {
	kind   uint8
	names  uint32 // of an object: a bit for each name that it may have
	line   int32  // of a value that was parsed: where it ended
	col    int32
	parent *Token
	name   string // of a property or constructor
	val    V      // of a value
	kids   []*Token
	index  map[string]int // of an object with many properties, from indexedFrom; nil when stale
}

// RuntimeType is the class of the token.
func (t *Token) RuntimeType() *clr.Type {
	Universe()
	return table.tokens[t.kind]
}

// tokenClasses finds the classes of tokens in the table.
func tokenClasses(u *clr.Universe) (out [jTimeSpan + 1]*clr.Type) {
	for kind := range out {
		out[kind] = u.Lookup(jns+"JValue", 0)
	}
	for kind, name := range map[int]string{jNone: "JToken", jObject: "JObject", jArray: "JArray", jProperty: "JProperty", jConstructor: "JConstructor", jRaw: "JRaw"} {
		out[kind] = u.Lookup(jns+name, 0)
	}
	return out
}

func (t *Token) container() bool {
	return t.kind == jObject || t.kind == jArray || t.kind == jProperty || t.kind == jConstructor
}

// Text is ToString(): indented JSON, or the plain text of a value.
func (t *Token) Text(f F) string {
	switch {
	case t.container() || t.kind == jProperty:
		return writeJSON(f, t, true)
	case t.kind == jBytes:
		return Text(f, t.val)
	}
	return Text(f, t.val)
}

// FormatAs formats the value inside.
func (t *Token) FormatAs(f F, format string) string {
	if t.container() {
		return t.Text(f)
	}
	return Format(f, t.val, format)
}

// Each yields children; an object yields its properties as pairs where it is
// seen as a dictionary and as JProperty where it is seen as a token. C# decides
// by the static type; foreach and LINQ over a JObject see pairs.
func (t *Token) Each(f F, yield func(V) bool) {
	n := len(t.kids)
	for i := range n {
		f.Step(1)
		k := t.kids[i]
		v := clr.Object(k)
		if t.kind == jObject {
			v = Pair(clr.StringType, tokenType(), clr.String(k.name), clr.Object(k.kids[0]))
		}
		if !yield(v) {
			return
		}
		if n != len(t.kids) || t.kids[i] != k && t.kind != jObject {
			clr.Throw(clr.ExInvalidOp, "Collection was modified; enumeration operation may not execute.")
		}
	}
}

func tokenType() *clr.Type {
	Universe()
	return table.tokens[jNone]
}

// Count is the number of children.
func (t *Token) Count(F) int { return len(t.kids) }

// Lookup finds a property's value.
func (t *Token) Lookup(_ F, key V) (V, bool) {
	if p := t.property(key.Str()); p != nil {
		return clr.Object(p.kids[0]), true
	}
	return clr.Null, false
}

// Equal is reference equality, and that of values for values.
func (t *Token) Equal(f F, o V) bool {
	u, ok := o.Ref().(*Token)
	if !ok {
		return false
	}
	return t == u || !t.container() && !u.container() && deepEqual(f, t, u)
}

// nameBit tells most names apart.
func nameBit(name string) uint32 {
	h := len(name)
	if h > 0 {
		h += int(name[0]) + 2*int(name[h-1])
	}
	return 1 << (h & 31)
}

// push adds a child at the end.
func (t *Token) push(k *Token) {
	k.parent = t
	if t.kind == jObject {
		t.names |= nameBit(k.name)
		if t.index != nil {
			t.index[k.name] = len(t.kids)
		}
	}
	t.kids = append(t.kids, k)
}

// indexedFrom is the number of properties from which on an object looks them up
// in a map: below, comparing names takes less than making one.
const indexedFrom = 32

func (t *Token) property(name string) *Token {
	if t.names&nameBit(name) == 0 {
		return nil
	}
	if len(t.kids) > indexedFrom {
		if t.index == nil {
			t.index = make(map[string]int, len(t.kids))
			for i, k := range t.kids {
				t.index[k.name] = i
			}
		}
		if i, ok := t.index[name]; ok {
			return t.kids[i]
		}
		return nil
	}
	for _, k := range t.kids {
		if k.name == name {
			return k
		}
	}
	return nil
}

// insert puts a child at i; one that has a parent already is copied, as
// Newtonsoft does.
func (t *Token) insert(f F, i int, k *Token) {
	f.Alloc(96)
	if t.kind == jProperty {
		clr.Throw(clr.ExJSON, t.RuntimeType().FullName()+" cannot have multiple values.")
	}
	if k.parent != nil || k == t.root() {
		k = clone(f, k)
	}
	if t.kind == jObject {
		if k.kind != jProperty {
			clr.Throw(clr.ExArgument, "Can not add "+k.RuntimeType().FullName()+" to "+t.RuntimeType().FullName()+".")
		}
		if t.property(k.name) != nil {
			clr.Throw(clr.ExArgument, "Can not add property "+k.name+" to "+t.RuntimeType().FullName()+". Property with the same name already exists on object.")
		}
	} else if k.kind == jProperty {
		clr.Throw(clr.ExArgument, "Can not add "+k.RuntimeType().FullName()+" to "+t.RuntimeType().FullName()+".")
	}
	t.push(k)
	if last := len(t.kids) - 1; i < last {
		copy(t.kids[i+1:], t.kids[i:last])
		t.kids[i] = k
		t.index = nil
	}
}

func (t *Token) root() *Token {
	for t.parent != nil {
		t = t.parent
	}
	return t
}

func (t *Token) place() int { return slices.Index(t.parent.kids, t) }

func (t *Token) removeAt(i int) {
	t.kids[i].parent = nil
	t.kids = slices.Delete(t.kids, i, i+1)
	t.index = nil
}

func (t *Token) removeName(name string) bool {
	p := t.property(name)
	if p == nil {
		return false
	}
	t.removeAt(p.place())
	return true
}

// setValue replaces the value of a property.
func (t *Token) setValue(f F, v *Token) {
	if v.parent != nil || v == t.root() {
		v = clone(f, v)
	}
	v.parent = t
	if len(t.kids) > 0 {
		t.kids[0].parent = nil
	}
	t.kids = []*Token{v}
}

func clone(f F, t *Token) *Token {
	f.Alloc(96)
	out := &Token{kind: t.kind, name: t.name, val: t.val}
	for _, k := range t.kids {
		out.push(clone(f, k))
	}
	return out
}

func tok(v V) *Token {
	t, _ := v.Ref().(*Token)
	return t
}

func tokenValue(t *Token) V {
	if t == nil {
		return clr.Null
	}
	return clr.Object(t)
}

// newValue makes a JValue.
func newValue(kind uint8, v V) *Token { return &Token{kind: kind, val: v} }

// toToken makes a token of a value without looking into objects: what operators
// and JProperty do.
func toToken(f F, v V) *Token {
	if t := tok(v); t != nil {
		return t
	}
	kind, v := valueKind(f, v)
	if kind == jNone {
		return nil
	}
	return newValue(kind, v)
}

// valueKind is the kind of JValue that a value makes, and what is kept in it;
// jNone for what is no JValue.
func valueKind(f F, v V) (uint8, V) {
	if v.IsString() {
		return jString, v
	}
	if t := v.Tag(); t != nil {
		switch {
		case t == clr.Boolean:
			return jBoolean, v
		case t == clr.Char:
			return jString, clr.String(Text(f, v))
		case t == clr.DateTime:
			return jDate, v
		case t == clr.TimeSpan:
			return jTimeSpan, v
		case t == clr.Double || t == clr.Single:
			return jFloat, v
		case t.IsInteger() || t.Kind == clr.Enum:
			return jInteger, v
		}
		return jNone, v
	}
	switch o := v.Ref().(type) {
	case nil:
		return jNull, v
	case *clr.Decimal:
		return jFloat, v
	case *Guid:
		return jGuid, v
	case *DateTimeOffset:
		return jDate, v
	case *URI:
		return jURI, v
	case *clr.Arr:
		if o.B != nil {
			return jBytes, v
		}
	case *clr.Unset:
		return valueKind(f, unset(o.T))
	}
	return jNone, v
}

// cell is a property with a value that is no container, in one piece.
type cell struct {
	property, value Token
	kid             [1]*Token
}

// newCell takes a cell from those that were made for the evaluation together:
// two, then four, then eight at a time.
func newCell(f F) *cell {
	left, _ := f.Room.(*cells)
	if left == nil {
		left = &cells{}
		f.Room = left
	}
	if len(left.free) == 0 {
		left.made = min(max(2, 2*left.made), 8)
		left.free = make([]cell, left.made)
	}
	c := &left.free[0]
	left.free = left.free[1:]
	f.Alloc(208)
	return c
}

type cells struct {
	free []cell
	made int
}

// newProperty makes a JProperty; content is anything that contentToken takes.
func newProperty(f F, name string, content V) *Token {
	if tok(content) == nil {
		if kind, v := valueKind(f, content); kind != jNone {
			c := newCell(f)
			c.property.kind, c.property.name = jProperty, name
			c.value.kind, c.value.val, c.value.parent = kind, v, &c.property
			c.kid[0] = &c.value
			c.property.kids = c.kid[:]
			return &c.property
		}
	}
	p := &Token{kind: jProperty, name: name}
	p.setValue(f, contentToken(f, content))
	return p
}

// contentToken is toToken for content given to containers; sequences become
// arrays.
func contentToken(f F, v V) *Token {
	if t := toToken(f, v); t != nil {
		return t
	}
	if s, ok := v.Ref().(clr.Seq); ok {
		out := &Token{kind: jArray}
		s.Each(f, func(x V) bool { out.insert(f, len(out.kids), contentToken(f, x)); return true })
		return out
	}
	clr.Throw(clr.ExArgument, "Could not determine JSON object type for type "+f.TypeOf(v).ReflectionName()+".")
	return nil
}

// addContent adds content to a container; a sequence adds its items.
func addContent(f F, t *Token, v V) {
	switch s := v.Ref().(type) {
	case *Token:
	case *clr.Arr:
		if s.B != nil {
			break
		}
		t.kids = slices.Grow(t.kids, len(s.V))
		for _, x := range s.V {
			addContent(f, t, x)
		}
		return
	case clr.Seq:
		s.Each(f, func(x V) bool { addContent(f, t, x); return true })
		return
	}
	t.insert(f, len(t.kids), contentToken(f, v))
}

func setProperty(f F, t *Token, name string, v V) {
	x := contentToken(f, v)
	if p := t.property(name); p != nil {
		p.setValue(f, x)
		return
	}
	addProperty(f, t, name, clr.Object(x))
}

func addProperty(f F, t *Token, name string, v V) {
	t.insert(f, len(t.kids), newProperty(f, name, v))
}

// writeJSON serialises a token.
func writeJSON(f F, t *Token, indent bool) string {
	w := jsonWriter{f: f, indent: indent}
	w.token(t, 0)
	return w.b.String()
}

type jsonWriter struct {
	f      F
	b      strings.Builder
	indent bool
}

func (w *jsonWriter) line(depth int) {
	if w.indent {
		w.b.WriteString("\r\n")
		for range depth {
			w.b.WriteString("  ")
		}
	}
}

func (w *jsonWriter) token(t *Token, depth int) {
	w.f.Alloc(16)
	switch t.kind {
	case jProperty:
		w.str(t.name)
		w.b.WriteString(":")
		if w.indent {
			w.b.WriteByte(' ')
		}
		w.token(t.kids[0], depth)
	case jObject:
		w.list(t, '{', '}', depth)
	case jArray:
		w.list(t, '[', ']', depth)
	case jConstructor:
		w.b.WriteString("new " + t.name)
		w.list(t, '(', ')', depth)
	default:
		w.value(t)
	}
}

func (w *jsonWriter) list(t *Token, open, closing byte, depth int) {
	if depth > jsonWriteDepth {
		tooDeepJSON()
	}
	w.b.WriteByte(open)
	for i, k := range t.kids {
		if i > 0 {
			w.b.WriteByte(',')
		}
		w.line(depth + 1)
		w.token(k, depth+1)
	}
	if len(t.kids) > 0 {
		w.line(depth)
	}
	w.b.WriteByte(closing)
}

func (w *jsonWriter) value(t *Token) {
	v := t.val
	switch t.kind {
	case jNull:
		w.b.WriteString("null")
	case jString:
		if v.IsNull() {
			w.b.WriteString("null")
			return
		}
		w.str(v.Str())
	case jUndefined:
		w.b.WriteString("undefined")
	case jBoolean:
		w.b.WriteString(strconv.FormatBool(v.Bool()))
	case jInteger:
		if v.Tag() != nil && v.Tag().Kind == clr.Enum {
			w.b.WriteString(strconv.FormatInt(v.Int(), 10))
			return
		}
		w.b.WriteString(Text(w.f, v))
	case jFloat:
		w.b.WriteString(jsonFloat(w.f, v))
	case jRaw:
		w.b.WriteString(Text(w.f, v))
	case jComment:
		w.b.WriteString("/*" + v.Str() + "*/")
	case jBytes:
		w.str(base64.StdEncoding.EncodeToString(v.Ref().(*clr.Arr).B))
	case jDate:
		w.str(jsonDate(v))
	case jURI:
		w.str(v.Ref().(*URI).orig)
	default:
		w.str(Text(w.f, v))
	}
}

func jsonFloat(f F, v V) string {
	s := Text(f, v)
	if v.Tag() != nil {
		x := v.Float()
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return `"` + s + `"`
		}
	}
	if !strings.ContainsAny(s, ".E") {
		s += ".0"
	}
	return s
}

func jsonDate(v V) string {
	if o, ok := v.Ref().(*DateTimeOffset); ok {
		return formatOffset(o, "yyyy-MM-ddTHH:mm:ss.FFFFFFFK")
	}
	return formatDate(dateOf(v), "yyyy-MM-ddTHH:mm:ss.FFFFFFFK")
}

func (w *jsonWriter) str(s string) {
	w.f.Alloc(len(s))
	writeQuoted(&w.b, s)
}

// quote is JsonConvert.ToString(string).
func quote(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 2)
	writeQuoted(&b, s)
	return b.String()
}

// writeQuoted writes quote(s). Most texts need no escapes and go in one piece.
func writeQuoted(b *strings.Builder, s string) {
	b.WriteByte('"')
	from := 0
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 0x20 && c != '"' && c != '\\' && c != 0xC2 && c != 0xE2 {
			continue
		}
		esc, n := escaped(s[i:])
		if n == 0 {
			continue
		}
		b.WriteString(s[from:i])
		b.WriteString(esc)
		i += n - 1
		from = i + 1
	}
	b.WriteString(s[from:])
	b.WriteByte('"')
}

// escaped is the escape for the character that s begins with, and its length in
// s; 0 when it needs none.
func escaped(s string) (string, int) {
	switch c := s[0]; {
	case c == '"' || c == '\\':
		return `\` + s[:1], 1
	case c == '\n':
		return `\n`, 1
	case c == '\r':
		return `\r`, 1
	case c == '\t':
		return `\t`, 1
	case c == '\b':
		return `\b`, 1
	case c == '\f':
		return `\f`, 1
	case c < 0x20:
		return `\u00` + string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15]), 1
	case strings.HasPrefix(s, "\u0085"):
		return `\u0085`, 2
	case strings.HasPrefix(s, "\u2028"), strings.HasPrefix(s, "\u2029"):
		return `\u202` + string('8'+s[2]-0xA8), 3
	}
	return "", 0
}

// deepEqual is JToken.DeepEquals.
func deepEqual(f F, a, b *Token) bool {
	if a == nil || b == nil {
		return a == b
	}
	f.Step(1)
	if a.container() || b.container() {
		if a.kind != b.kind || len(a.kids) != len(b.kids) || a.name != b.name {
			return false
		}
		for i, k := range a.kids {
			o := b.kids[i]
			if a.kind == jObject {
				if o = b.property(k.name); o == nil {
					return false
				}
			}
			if !deepEqual(f, k, o) {
				return false
			}
		}
		return true
	}
	if a.kind == jInteger && b.kind == jInteger && a.val.Tag() != nil && b.val.Tag() != nil {
		return a.val.Int() == b.val.Int()
	}
	if a.kind == jFloat && b.kind == jFloat {
		return Text(f, a.val) == Text(f, b.val)
	}
	return a.kind == b.kind && Equal(f, a.val, b.val)
}

// path is the path of a token from its root.
func (t *Token) path() string {
	if t.parent == nil {
		return ""
	}
	up := t.parent.path()
	switch {
	case t.kind == jProperty:
		if strings.ContainsAny(t.name, ". '/\"[]()\t\n\r\f\b\\\u0085\u2028\u2029") {
			return up + "['" + strings.NewReplacer("\\", "\\\\", "'", "\\'").Replace(t.name) + "']"
		}
		if up != "" {
			up += "."
		}
		return up + t.name
	case t.parent.kind == jArray:
		return up + "[" + strconv.Itoa(t.place()) + "]"
	}
	return up
}
