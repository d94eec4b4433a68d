package lib

import (
	"slices"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// jsonWriteDepth bounds what is written, and what objects are looked into.
const jsonWriteDepth = 400

func tooDeepJSON() {
	clr.Throw(clr.ExJSONWriter, "The writer's MaxDepth of "+strconv.Itoa(jsonWriteDepth)+" has been exceeded.")
}

// fromObject turns any value into a token, looking into objects.
func fromObject(f F, v V) *Token { return (&tokenizer{f: f}).token(v, "") }

// tokenizer turns objects into tokens, as JsonSerializer writes them.
type tokenizer struct {
	f    F
	open []V      // the objects around the value
	path []string // where it is in each of them
}

// token makes the token of a value; property is the name of the one it is in.
func (z *tokenizer) token(v V, property string) *Token {
	z.f.Alloc(64)
	if t := tok(v); t != nil {
		return clone(z.f, t)
	}
	if t := toToken(z.f, v); t != nil {
		return t
	}
	z.checkLoop(v, property)
	z.open = append(z.open, v)
	defer func() { z.open = z.open[:len(z.open)-1] }()
	switch o := v.Ref().(type) {
	case *clr.Record:
		return z.record(o)
	case Map:
		return z.dictionary(o)
	case clr.Seq:
		return z.array(o)
	}
	return z.properties(v)
}

// checkLoop throws for objects that contain themselves.
func (z *tokenizer) checkLoop(v V, property string) {
	if len(z.open) > jsonWriteDepth {
		tooDeepJSON()
	}
	if !slices.ContainsFunc(z.open, func(o V) bool { return clr.SameRef(o, v) }) {
		return
	}
	msg := "Self referencing loop detected"
	if property != "" {
		msg += " for property '" + property + "'"
	}
	var path strings.Builder
	for _, s := range z.path[:len(z.path)-1] {
		joinPath(&path, s)
	}
	clr.Throw(clr.ExJSONSerial, msg+" with type '"+z.f.TypeOf(v).ReflectionName()+"'. Path '"+path.String()+"'.")
}

// joinPath adds a place to a path.
func joinPath(b *strings.Builder, place string) {
	if b.Len() > 0 && place != "" && place[0] != '[' {
		b.WriteByte('.')
	}
	b.WriteString(place)
}

// within makes the token of a value that is at a place of the innermost object.
func (z *tokenizer) within(at string, v V, property string) *Token {
	z.path = append(z.path, at)
	t := z.token(v, property)
	z.path = z.path[:len(z.path)-1]
	return t
}

func (z *tokenizer) record(o *clr.Record) *Token {
	out := &Token{kind: jObject}
	for i, x := range o.Vals {
		name := "Item" + strconv.Itoa(i+1)
		if o.T.Kind == clr.Anonymous {
			name = o.T.Names[i]
		}
		addProperty(z.f, out, name, clr.Object(z.within(place(name), x, name)))
	}
	return out
}

func (z *tokenizer) dictionary(o Map) *Token {
	out := &Token{kind: jObject}
	o.Each(z.f, func(e V) bool {
		p := pairOf(e)
		name := Text(z.f, p.Key)
		addProperty(z.f, out, name, clr.Object(z.within(place(name), p.Val, "")))
		return true
	})
	return out
}

func (z *tokenizer) array(o clr.Seq) *Token {
	out := &Token{kind: jArray}
	o.Each(z.f, func(x V) bool {
		n := len(out.kids)
		out.insert(z.f, n, z.within("["+strconv.Itoa(n)+"]", x, ""))
		return true
	})
	return out
}

// properties reads the public properties that the table has for an object.
func (z *tokenizer) properties(v V) *Token {
	out := &Token{kind: jObject}
	for t := z.f.TypeOf(v); t != nil && t != clr.ObjectType; t = t.BaseOf() {
		for _, m := range z.f.Types.All(t) {
			if m.Kind == clr.Property && !m.Static && m.Call != nil && out.property(m.Name) == nil {
				x := m.Call(z.f, []V{v})
				addProperty(z.f, out, m.Name, clr.Object(z.within(place(m.Name), x, m.Name)))
			}
		}
	}
	return out
}
