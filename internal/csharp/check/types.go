package check

import (
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// typ resolves a type as written, reporting what is unknown.
func (b *binder) typ(t *syntax.Type) *clr.Type {
	switch {
	case t == nil:
		return clr.ErrorT
	case t.Omitted:
		b.err(t, "CS7003", "Unexpected use of an unbound generic name")
		return clr.ErrorT
	case t.Tuple != nil:
		args := make([]*clr.Type, len(t.Tuple))
		names := make([]string, len(t.Tuple))
		for i, e := range t.Tuple {
			args[i], names[i] = b.typ(e.Type), e.Name
		}
		return clr.TupleOf(args, names)
	case t.Nullable:
		elem := b.typ(t.Elem)
		if elem.Kind == clr.ErrorKind {
			return elem
		}
		if !elem.IsValueType() || elem.IsNullable() {
			b.err(t, "CS0453", "The type '"+elem.String()+"' must be a non-nullable value type in order to use it as parameter 'T' in the generic type or method 'Nullable<T>'")
			return clr.ErrorT
		}
		return clr.NullableOf(elem)
	case t.Elem != nil:
		elem := b.typ(t.Elem)
		if elem.Kind == clr.ErrorKind {
			return elem
		}
		a := *clr.ArrayOf(elem)
		a.Rank = t.Rank
		return &a
	case len(t.Parts) == 0:
		return clr.ErrorT
	}
	if t.Keyword {
		return clr.Keyword(t.Parts[0].Name)
	}
	if r := b.typeName(t.Parts); r != nil {
		return r
	}
	last := t.Parts[len(t.Parts)-1]
	if len(t.Parts) == 1 {
		if last.Name == "dynamic" {
			b.err(t, "CS1980", "Dynamic member invocation is not supported")
			return clr.ErrorT
		}
		b.err(t, "CS0246", "The type or namespace name '"+last.Name+arity(last)+"' could not be found (are you missing a using directive or an assembly reference?)")
		return clr.ErrorT
	}
	var names []string
	for _, p := range t.Parts[:len(t.Parts)-1] {
		names = append(names, p.Name)
	}
	prefix := strings.Join(names, ".")
	switch {
	case b.u.IsSpace(prefix):
		b.err(t, "CS0234", "The type or namespace name '"+last.Name+"' does not exist in the namespace '"+prefix+"' (are you missing an assembly reference?)")
	case b.u.IsSpace(names[0]) || b.u.Simple(names[0], 0) != nil:
		b.err(t, "CS0234", "The type or namespace name '"+last.Name+"' does not exist in the namespace '"+prefix+"' (are you missing an assembly reference?)")
	default:
		b.err(t, "CS0246", "The type or namespace name '"+names[0]+"' could not be found (are you missing a using directive or an assembly reference?)")
	}
	return clr.ErrorT
}

func arity(p syntax.NamePart) string {
	if len(p.Args) == 0 {
		return ""
	}
	return "<" + strings.Repeat(",", len(p.Args)-1) + ">"
}

// typeName resolves a dotted name to a type, or nil.
func (b *binder) typeName(parts []syntax.NamePart) *clr.Type {
	first := parts[0]
	var t *clr.Type
	i := 1
	for s := b.scope; s != nil && len(first.Args) == 0; s = s.parent {
		if p := s.types[first.Name]; p != nil {
			t = p
			break
		}
	}
	if t == nil {
		t = b.u.Simple(first.Name, len(first.Args))
	}
	if t == nil {
		prefix := first.Name
		for ; i < len(parts); i++ {
			prefix += "." + parts[i].Name
			if t = b.u.Lookup(prefix, len(parts[i].Args)); t != nil {
				i++
				break
			}
		}
	}
	if t == nil {
		return nil
	}
	for ; i < len(parts); i++ {
		// Nested types are declared with a dotted name.
		t = b.u.Lookup(t.FullName()+"."+parts[i].Name, len(parts[i].Args))
		if t == nil {
			return nil
		}
	}
	return b.instance(t, parts[i-1])
}

func (b *binder) instance(def *clr.Type, name syntax.NamePart) *clr.Type {
	args := name.Args
	if len(def.Params) == 0 || b.unbound && args[0].Omitted {
		return def
	}
	if args[0].Omitted {
		b.err(name, "CS7003", "Unexpected use of an unbound generic name")
		return clr.ErrorT
	}
	b.unbound = false
	ts := make([]*clr.Type, len(args))
	for i, a := range args {
		ts[i] = b.typ(a)
		if ts[i].Kind == clr.ErrorKind {
			return clr.ErrorT
		}
	}
	return clr.Of(def, ts...)
}

// allowed enforces the sandbox for a use of m through the constructed type t.
func (b *binder) allowed(m *clr.Member, t *clr.Type, at syntax.Node) bool {
	owner := m.Owner
	if owner == nil {
		owner = t
	}
	if m.Refused {
		b.err(at, sandbox, "Usage of member '"+memberTitle(m)+"' of type '"+owner.FullName()+"' is not supported within expressions")
		return false
	}
	if owner.Access == clr.AccessNone {
		b.err(at, sandbox, "Usage of type '"+owner.FullName()+"' is not supported within expressions")
		return false
	}
	return true
}

// sandbox is the code of findings that the C# compiler would not have.
const sandbox = "SANDBOX"

func memberTitle(m *clr.Member) string { return m.Name }

// refusedType reports a use of a type that the sandbox does not have.
func (b *binder) refusedType(t *clr.Type, at syntax.Node) bool {
	if t.Access == clr.AccessNone {
		b.err(at, sandbox, "Usage of type '"+t.FullName()+"' is not supported within expressions")
		return true
	}
	return false
}

func constText(v clr.Value) string {
	switch {
	case v.IsString():
		return v.Str()
	case v.Tag() == clr.Boolean:
		return map[bool]string{true: "True", false: "False"}[v.Bool()]
	case v.Tag() == clr.Char:
		return string(rune(v.Int()))
	case v.Tag() == clr.UInt64:
		return strconv.FormatUint(v.Bits(), 10)
	case v.Tag() == clr.Double || v.Tag() == clr.Single:
		return strings.ToUpper(strconv.FormatFloat(v.Float(), 'g', 15, 64))
	case v.Tag() == nil:
		if d, ok := v.Ref().(*clr.Decimal); ok {
			return d.String()
		}
	}
	return strconv.FormatInt(v.Int(), 10)
}
