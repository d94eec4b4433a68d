package clr

import (
	"slices"
	"strconv"
	"strings"
)

// Kind says what a type is.
type Kind uint8

// The kinds of types. Null, Func and Error exist only while checking: the type
// of the literal null, of a lambda that has no delegate type yet, and of an
// expression that was already reported.
const (
	Class Kind = iota
	Struct
	Interface
	Enum
	Delegate
	Array
	TypeParam
	Anonymous
	Void
	NullKind
	FuncKind
	ErrorKind
)

// Code numbers the types that the language itself knows.
type Code uint8

// The codes, in the order in which numeric types widen.
const (
	CodeNone Code = iota
	CodeBoolean
	CodeChar
	CodeSByte
	CodeByte
	CodeInt16
	CodeUInt16
	CodeInt32
	CodeUInt32
	CodeInt64
	CodeUInt64
	CodeSingle
	CodeDouble
	CodeDecimal
	CodeString
	CodeObject
)

// Access is the sandbox's word on a type.
type Access uint8

// A type is wholly usable, usable for its listed members, or known and refused.
const (
	AccessAll Access = iota
	AccessListed
	AccessNone
)

// Type is a C# type. Types are immutable once their universe is built. Generic
// instances are not interned: compare with Same.
type Type struct {
	Space, Name string
	Kind        Kind
	Code        Code
	Access      Access
	Static      bool
	Base        *Type
	Ifaces      []*Type // in terms of Params
	Params      []*Type // of a generic definition
	Def         *Type   // the definition of an instance
	Args        []*Type // of an instance, a tuple, an anonymous type
	Names       []string
	Elem        *Type // of an array
	Rank        int
	Invoke      *Member // of a delegate
	Consts      []EnumConst
	Flags       bool  // [Flags] enum
	Index       int   // of a type parameter
	Owner       *Type // the class of a class's type parameter, nil for a method's
	Outer       *Type // the class that a nested type is declared in; Space is its full name
	size        int   // of constructed types, see Size
}

// EnumConst is one member of an enum.
type EnumConst struct {
	Name  string
	Value int64
}

// Definition is the generic definition of an instance and t itself otherwise.
func (t *Type) Definition() *Type {
	if t.Def != nil {
		return t.Def
	}
	return t
}

// FullName is the name with its namespace, without generic arguments.
func (t *Type) FullName() string {
	d := t.Definition()
	if d.Space == "" {
		return d.Name
	}
	return d.Space + "." + d.Name
}

// ReflectionName is the name that Type.ToString gives: List`1[System.String].
func (t *Type) ReflectionName() string {
	if t.Kind == Array {
		return t.Elem.ReflectionName() + "[" + strings.Repeat(",", t.Rank-1) + "]"
	}
	if t.Kind == Anonymous {
		return "<>f__AnonymousType0"
	}
	args := t.Args
	if len(args) == 0 {
		args = t.Params
	}
	if t.Outer != nil {
		return t.Outer.ReflectionName() + "+" + t.Name
	}
	if len(args) == 0 {
		return t.FullName()
	}
	names := make([]string, len(args))
	for i, a := range args {
		names[i] = a.ReflectionName()
	}
	return t.FullName() + "`" + strconv.Itoa(len(args)) + "[" + strings.Join(names, ",") + "]"
}

var keywords = map[Code]string{
	CodeBoolean: "bool", CodeChar: "char", CodeSByte: "sbyte", CodeByte: "byte", CodeInt16: "short",
	CodeUInt16: "ushort", CodeInt32: "int", CodeUInt32: "uint", CodeInt64: "long", CodeUInt64: "ulong",
	CodeSingle: "float", CodeDouble: "double", CodeDecimal: "decimal", CodeString: "string", CodeObject: "object",
}

// String is the name as the C# compiler prints it in most messages.
func (t *Type) String() string { return t.display(false) }

// Qualified is the name with its namespace, as the compiler prints it where two
// types are told apart. The namespace of the context object is not a real one.
func (t *Type) Qualified() string { return t.display(true) }

func (t *Type) display(qualified bool) string {
	switch {
	case t == nil:
		return "?"
	case t.Code != CodeNone:
		return keywords[t.Code]
	case t.Kind == Void:
		return "void"
	case t.Kind == Array:
		elem, ranks := t, "" // the first rank is the outermost
		for elem != nil && elem.Kind == Array {
			ranks += "[" + strings.Repeat(",", elem.Rank-1) + "]"
			elem = elem.Elem
		}
		return elem.display(qualified) + ranks
	case t.Kind == Anonymous:
		return "<anonymous type: " + fields(t, qualified) + ">"
	case t.Def == NullableDef:
		return t.Args[0].display(qualified) + "?"
	case t.Def == TupleDef:
		return "(" + fields(t, qualified) + ")"
	}
	name := t.Name
	if t.Outer != nil {
		return t.Outer.display(qualified) + "." + name
	}
	if qualified && t.Space != "" && t.Space != "Gateway" {
		name = t.Space + "." + name
	}
	args := t.Args
	if len(args) == 0 {
		args = t.Params
	}
	if len(args) == 0 {
		return name
	}
	names := make([]string, len(args))
	for i, a := range args {
		names[i] = a.display(qualified)
	}
	return name + "<" + strings.Join(names, ", ") + ">"
}

func fields(t *Type, qualified bool) string {
	parts := make([]string, len(t.Args))
	for i, a := range t.Args {
		parts[i] = a.display(qualified)
		if i < len(t.Names) && t.Names[i] != "" {
			parts[i] += " " + t.Names[i]
		}
	}
	return strings.Join(parts, ", ")
}

// Same reports whether a and b are one type.
func Same(a, b *Type) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil || a.Kind != b.Kind {
		return false
	}
	switch a.Kind {
	case Array:
		return a.Rank == b.Rank && Same(a.Elem, b.Elem)
	case Anonymous:
		return slices.Equal(a.Names, b.Names) && sameAll(a.Args, b.Args)
	}
	return a.Def != nil && a.Def == b.Def && sameAll(a.Args, b.Args)
}

func sameAll(a, b []*Type) bool { return slices.EqualFunc(a, b, Same) }

// Of makes the instance of a generic definition.
func Of(def *Type, args ...*Type) *Type {
	t := *def
	t.Def, t.Args, t.Params = def, args, nil
	t.measure()
	return &t
}

// Size is the number of types that t is made of, each counted as often as it
// occurs, and the length of its names. Types share their parts: a tuple of two
// equal tuples costs one tuple more and has twice the size, and its name and
// comparisons take as long.
func (t *Type) Size() int { return max(1, t.size) }

// measure sets the size. It stops counting where nobody asks for more.
func (t *Type) measure() {
	n := 1
	for _, a := range t.Args {
		n += a.Size()
	}
	for _, name := range t.Names {
		n += len(name) / 16
	}
	if t.Elem != nil {
		n += t.Elem.Size()
	}
	t.size = min(n, 1<<30)
}

// ArrayOf is the one-dimensional array type of elem.
func ArrayOf(elem *Type) *Type {
	t := &Type{Kind: Array, Name: elem.Name + "[]", Elem: elem, Rank: 1, Base: ArrayBase}
	t.measure()
	return t
}

// NullableOf is t?.
func NullableOf(t *Type) *Type { return Of(NullableDef, t) }

// TupleOf is a tuple type; names may be nil.
func TupleOf(args []*Type, names []string) *Type {
	t := Of(TupleDef, args...)
	t.Names = names
	t.measure()
	return t
}

// AnonymousOf is an anonymous type.
func AnonymousOf(args []*Type, names []string) *Type {
	t := &Type{Kind: Anonymous, Name: "<anonymous type>", Base: ObjectType, Names: names, Args: args}
	t.measure()
	return t
}

// IsNullable reports whether t is T?.
func (t *Type) IsNullable() bool { return t.Def == NullableDef }

// Underlying is T for T?, and t itself otherwise.
func (t *Type) Underlying() *Type {
	if t.IsNullable() {
		return t.Args[0]
	}
	return t
}

// IsValueType reports whether t is a struct or enum.
func (t *Type) IsValueType() bool { return t.Kind == Struct || t.Kind == Enum }

// IsReference reports whether null is a value of t (class, interface, array …).
func (t *Type) IsReference() bool {
	switch t.Kind {
	case Class, Interface, Delegate, Array, Anonymous, NullKind:
		return true
	}
	return false
}

// IsNumeric reports whether t is one of the built-in numbers, char included.
func (t *Type) IsNumeric() bool { return t.Code >= CodeChar && t.Code <= CodeDecimal }

// IsInteger reports whether t is a built-in integer, char included.
func (t *Type) IsInteger() bool { return t.Code >= CodeChar && t.Code <= CodeUInt64 }

// IsOpen reports whether t mentions a type parameter.
func (t *Type) IsOpen() bool {
	switch {
	case t == nil:
		return false
	case t.Kind == TypeParam:
		return true
	case t.Kind == Array:
		return t.Elem.IsOpen()
	}
	return slices.ContainsFunc(t.Args, (*Type).IsOpen)
}

// Subst replaces type parameters: those of class by its arguments, those of
// methods by margs. A missing argument leaves the parameter in place.
func (t *Type) Subst(class *Type, margs []*Type) *Type {
	if t == nil || len(margs) == 0 && (class == nil || len(class.Args) == 0) || !t.IsOpen() {
		return t
	}
	switch {
	case t.Kind == TypeParam:
		args := margs
		if t.Owner != nil {
			if class == nil || class.Definition() != t.Owner {
				return t
			}
			args = class.Args
		}
		if t.Index < len(args) && args[t.Index] != nil {
			return args[t.Index]
		}
		return t
	case t.Kind == Array:
		a := *t
		a.Elem = t.Elem.Subst(class, margs)
		a.Name = a.Elem.Name + "[]"
		a.measure()
		return &a
	}
	out := *t
	out.Args = make([]*Type, len(t.Args))
	for i, a := range t.Args {
		out.Args[i] = a.Subst(class, margs)
	}
	out.measure()
	return &out
}

// BaseOf is the base class of t with its arguments filled in.
func (t *Type) BaseOf() *Type {
	if t.Kind == Interface || t == ObjectType {
		return nil
	}
	d := t.Definition()
	if d.Base == nil {
		return ObjectType
	}
	return d.Base.Subst(t, nil)
}

// Interfaces are all interfaces of the interface t, inherited ones included.
func (t *Type) Interfaces() []*Type {
	var out []*Type
	add := func(i *Type) {
		if !slices.ContainsFunc(out, func(o *Type) bool { return Same(o, i) }) {
			out = append(out, i)
		}
	}
	for _, i := range t.Definition().Ifaces {
		i = i.Subst(t, nil)
		add(i)
		for _, j := range i.Interfaces() {
			add(j)
		}
	}
	return out
}

// AsInstance finds the base class or interface of t whose definition is def.
func (t *Type) AsInstance(def *Type) *Type {
	for c := t; c != nil; c = c.BaseOf() {
		if c.Definition() == def {
			return c
		}
	}
	var out *Type
	t.instances(def, func(i *Type) bool { out = i; return false })
	return out
}

// instances yields the interfaces of t whose definition is def, until told to
// stop; it reports whether it was. What does not lead to def is not looked at:
// overload resolution asks this all the time.
func (t *Type) instances(def *Type, yield func(*Type) bool) bool {
	for c := t; c != nil; c = c.BaseOf() {
		if c.Kind == Array && c.Rank == 1 {
			for _, d := range ArrayIfaces {
				if d == def && !yield(Of(d, c.Elem)) || d.leadsTo(def) && !Of(d, c.Elem).instances(def, yield) {
					return false
				}
			}
		}
		for _, i := range c.Definition().Ifaces {
			d := i.Definition()
			if d == def && !yield(i.Subst(c, nil)) || d.leadsTo(def) && !i.Subst(c, nil).instances(def, yield) {
				return false
			}
		}
	}
	return true
}

// leadsTo reports whether a definition has an interface whose definition is def.
func (t *Type) leadsTo(def *Type) bool {
	for _, i := range t.Ifaces {
		if d := i.Definition(); d == def || d.leadsTo(def) {
			return true
		}
	}
	return false
}

// Inherits reports whether a reference to t is a reference to base: same type,
// base class, interface, array covariance or variance of an interface.
func (t *Type) Inherits(base *Type) bool {
	if Same(t, base) || base == ObjectType {
		return true
	}
	if t.Kind == Array && base.Kind == Array {
		return t.Rank == base.Rank && t.Elem.IsReference() && t.Elem.Inherits(base.Elem)
	}
	for c := t; c != nil; c = c.BaseOf() {
		if Same(c, base) {
			return true
		}
	}
	if base.Kind != Interface {
		return base.Kind == Delegate && base.Def != nil && t.Def == base.Def && variant(t, base)
	}
	fits := func(i *Type) bool { return Same(i, base) || i.Def != nil && i.Def == base.Def && variant(i, base) }
	return fits(t) || !t.instances(base.Definition(), func(i *Type) bool { return !fits(i) })
}

// variant applies covariance to generic interfaces: every argument of i must be
// the same as that of base, or a reference to it.
func variant(i, base *Type) bool {
	if !Covariant[i.Def.Name] {
		return false
	}
	for n, a := range i.Args {
		if !Same(a, base.Args[n]) && !(a.IsReference() && a.Inherits(base.Args[n])) {
			return false
		}
	}
	return true
}

// Covariant names the generic types whose arguments vary.
var Covariant = map[string]bool{
	"IEnumerable": true, "IReadOnlyCollection": true, "IReadOnlyList": true, "IEnumerator": true, "IGrouping": true,
	"IOrderedEnumerable": true, "IJEnumerable": true,
}
