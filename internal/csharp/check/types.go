package check

import (
	"slices"
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
			b.tupleName(names[:i], e.Name, e.NameAt)
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
	if t.Keyword && t.Parts[0].Name == "void" {
		b.err(t, "CS1547", "Keyword 'void' cannot be used in this context")
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
		if b.misusedName(t, last) {
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
	outer := b.typeName(t.Parts[:len(t.Parts)-1])
	switch {
	case outer != nil:
		b.err(last, "CS0426", "The type name '"+last.Name+"' does not exist in the type '"+outer.String()+"'")
	case b.u.IsSpace(names[0]):
		b.err(last, "CS0234", "The type or namespace name '"+last.Name+"' does not exist in the namespace '"+prefix+"' (are you missing an assembly reference?)")
	default:
		b.err(t, "CS0246", "The type or namespace name '"+names[0]+"' could not be found (are you missing a using directive or an assembly reference?)")
	}
	return clr.ErrorT
}

// misusedName reports a name that means something other than a type, or a type
// with another number of arguments.
func (b *binder) misusedName(t *syntax.Type, p syntax.NamePart) bool {
	what := ""
	switch s := b.find(p.Name); {
	case p.Name == "dynamic":
		b.err(t, sandbox, "Dynamic member invocation is not supported")
		return true
	case p.Name == "var":
		b.err(t, "CS0825", "The contextual keyword 'var' may only appear within a local variable declaration or in script code")
		return true
	case b.otherArity(p, t):
		return true
	case s != nil:
		if _, ok := s.names[p.Name].(*LocalFunc); ok {
			return false
		}
		what = "variable"
	case b.u.IsSpace(p.Name):
		what = "namespace"
	default:
		return false
	}
	b.err(t, "CS0118", "'"+p.Name+"' is a "+what+" but is used like a type")
	return true
}

// otherArity reports a generic type with the wrong number of arguments.
func (b *binder) otherArity(p syntax.NamePart, at syntax.Node) bool {
	for n := range 9 {
		t := b.u.Simple(p.Name, n)
		switch {
		case t == nil || n == len(p.Args):
			continue
		case n == 0:
			b.err(at, "CS0308", "The non-generic type '"+t.String()+"' cannot be used with type arguments")
		default:
			b.err(at, "CS0305", "Using the generic type '"+t.String()+"' requires "+strconv.Itoa(n)+" type arguments")
		}
		return true
	}
	return false
}

// returnType is typ where void may stand.
func (b *binder) returnType(t *syntax.Type) *clr.Type {
	if t.Keyword && t.Parts[0].Name == "void" {
		return clr.VoidType
	}
	return b.typ(t)
}

// tupleName refuses a name of an element that another has, or that tuples have
// for themselves.
func (b *binder) tupleName(before []string, name string, at syntax.Node) {
	item, isItem := strings.CutPrefix(name, "Item")
	n, err := strconv.Atoi(item)
	switch {
	case name == "":
	case slices.Contains(before, name):
		b.err(at, "CS8127", "Tuple element names must be unique.")
	case isItem && err == nil && n > 0 && n != len(before)+1:
		b.err(at, "CS8125", "Tuple element name '"+name+"' is only allowed at position "+item+".")
	case slices.Contains([]string{"CompareTo", "Deconstruct", "Equals", "GetHashCode", "Rest", "ToString"}, name):
		b.err(at, "CS8126", "Tuple element name '"+name+"' is disallowed at any position.")
	}
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
		var prefix strings.Builder
		prefix.WriteString(first.Name)
		for ; i < len(parts); i++ {
			prefix.WriteString("." + parts[i].Name)
			if t = b.u.Lookup(prefix.String(), len(parts[i].Args)); t != nil {
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
		if ts[i].Static {
			b.err(a, "CS0718", "'"+ts[i].String()+"': static types cannot be used as type arguments")
			return clr.ErrorT
		}
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
			return d.String() + "M"
		}
	}
	return strconv.FormatInt(v.Int(), 10)
}
