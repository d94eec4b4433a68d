package clr

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// head is a declaration between its name and its members.
type head struct {
	decl Decl
	t    *Type
	p    *sigParser
}

// sigParser reads the C# declarations of the member table.
type sigParser struct {
	toks  []string
	i     int
	u     *Universe
	scope []*Type // type parameters in sight
}

func newSig(u *Universe, s string) *sigParser {
	var toks []string
	for i := 0; i < len(s); {
		c := rune(s[i])
		switch {
		case c == ' ':
			i++
		case c == '"':
			j := i + 1 + strings.IndexByte(s[i+1:], '"')
			toks = append(toks, s[i:j+1])
			i = j + 1
		case unicode.IsLetter(c) || c == '_' || unicode.IsDigit(c) || c == '-' && i+1 < len(s) && unicode.IsDigit(rune(s[i+1])):
			j := i + 1
			for j < len(s) && (unicode.IsLetter(rune(s[j])) || unicode.IsDigit(rune(s[j])) || s[j] == '_' || s[j] == '.') {
				j++
			}
			toks = append(toks, s[i:j])
			i = j
		default:
			toks = append(toks, s[i:i+1])
			i++
		}
	}
	return &sigParser{toks: toks, u: u}
}

func (p *sigParser) peek() string {
	if p.i < len(p.toks) {
		return p.toks[p.i]
	}
	return ""
}

func (p *sigParser) next() string {
	t := p.peek()
	p.i++
	return t
}

func (p *sigParser) accept(t string) bool {
	if p.peek() == t {
		p.i++
		return true
	}
	return false
}

func (p *sigParser) expect(t string) error {
	if !p.accept(t) {
		return fmt.Errorf("want %q, have %q", t, p.peek())
	}
	return nil
}

// declare makes the type of d, or finds the core type that it fills in.
func (u *Universe) declare(d Decl) (*head, error) {
	p := newSig(u, d.Sig)
	t := &Type{Access: d.Access}
	for {
		word := p.next()
		if word == "static" {
			t.Static = true
			continue
		}
		if word == "flags" {
			t.Flags = true
			continue
		}
		kinds := map[string]Kind{"class": Class, "struct": Struct, "interface": Interface, "enum": Enum, "delegate": Delegate}
		k, ok := kinds[word]
		if !ok {
			return nil, fmt.Errorf("unknown kind %q", word)
		}
		t.Kind = k
		break
	}
	if t.Kind == Delegate {
		return u.delegate(d, t)
	}
	t.setName(p.next())
	t.Outer = u.types[t.Space]
	t.Params = p.typeParams(t)
	if known := u.types[key(t.FullName(), len(t.Params))]; known != nil {
		if d.Access != AccessAll {
			known.Access = d.Access
		}
		return &head{decl: d, t: known}, nil
	}
	switch t.Kind {
	case Struct:
		t.Base = ValueType
	case Enum:
		t.Base = EnumBase
		if err := p.enum(t); err != nil {
			return nil, err
		}
	}
	u.add(t)
	return &head{decl: d, t: t, p: p}, nil
}

func (t *Type) setName(full string) {
	i := strings.LastIndexByte(full, '.')
	t.Space, t.Name = full[:max(i, 0)], full[i+1:]
}

// delegate reads "delegate R Name<T>(params)"; its types are resolved later.
func (u *Universe) delegate(d Decl, t *Type) (*head, error) {
	t.Base = DelegateBase
	open := strings.IndexByte(d.Sig, '(')
	left := strings.TrimSpace(d.Sig[:open])
	// The name is the last word outside angle brackets.
	depth, cut := 0, 0
	for i := len(left) - 1; i >= 0; i-- {
		switch left[i] {
		case '>':
			depth++
		case '<':
			depth--
		case ' ':
			if depth == 0 {
				cut = i
			}
		}
		if cut != 0 {
			break
		}
	}
	name := newSig(u, left[cut+1:])
	t.setName(name.next())
	t.Params = name.typeParams(t)
	u.add(t)
	return &head{decl: d, t: t, p: newSig(u, strings.TrimPrefix(left[:cut], "delegate ")+" Invoke"+d.Sig[open:])}, nil
}

func (p *sigParser) typeParams(owner *Type) []*Type {
	if !p.accept("<") {
		return nil
	}
	var out []*Type
	for {
		out = append(out, &Type{Name: p.next(), Kind: TypeParam, Index: len(out), Owner: owner})
		if !p.accept(",") {
			break
		}
	}
	p.accept(">")
	return out
}

func (p *sigParser) enum(t *Type) error {
	if err := p.expect("{"); err != nil {
		return err
	}
	next := int64(0)
	for !p.accept("}") {
		name := p.next()
		if p.accept("=") {
			n, err := strconv.ParseInt(p.next(), 0, 64)
			if err != nil {
				return err
			}
			next = n
		}
		t.Consts = append(t.Consts, EnumConst{name, next})
		next++
		p.accept(",")
	}
	return nil
}

// bases resolves what follows the name: base types, or a delegate's signature.
func (h *head) bases(u *Universe) error {
	if h.p == nil {
		return nil
	}
	h.p.scope = h.t.Params
	if h.t.Kind == Delegate {
		m, err := u.memberFrom(h.t, h.p, Row{})
		h.t.Invoke = m
		return err
	}
	if h.t.Kind == Enum || !h.p.accept(":") {
		return nil
	}
	for {
		b, err := h.p.typ()
		if err != nil {
			return err
		}
		if b.Kind == Interface {
			h.t.Ifaces = append(h.t.Ifaces, b)
		} else {
			h.t.Base = b
		}
		if !h.p.accept(",") {
			return nil
		}
	}
}

// typ reads a type.
func (p *sigParser) typ() (*Type, error) {
	name := p.next()
	var args []*Type
	if p.accept("<") {
		for {
			a, err := p.typ()
			if err != nil {
				return nil, err
			}
			args = append(args, a)
			if !p.accept(",") {
				break
			}
		}
		if err := p.expect(">"); err != nil {
			return nil, err
		}
	}
	t := p.named(name, len(args))
	if t == nil {
		return nil, fmt.Errorf("unknown type %q", key(name, len(args)))
	}
	if len(args) > 0 {
		t = Of(t, args...)
	}
	for {
		switch {
		case p.accept("?"):
			if t.IsValueType() || t.Kind == TypeParam {
				t = NullableOf(t)
			}
		case p.peek() == "[" && p.i+1 < len(p.toks) && p.toks[p.i+1] == "]":
			p.i += 2
			t = ArrayOf(t)
		default:
			return t, nil
		}
	}
}

// Keyword finds the type that a C# keyword names.
func Keyword(name string) *Type {
	if name == "void" {
		return VoidType
	}
	for c, k := range keywords {
		if k == name {
			for _, t := range CoreTypes() {
				if t.Code == c {
					return t
				}
			}
		}
	}
	return nil
}

func (p *sigParser) named(name string, arity int) *Type {
	if arity == 0 {
		for _, t := range p.scope {
			if t.Name == name {
				return t
			}
		}
		if t := Keyword(name); t != nil {
			return t
		}
	}
	if t := p.u.Simple(name, arity); t != nil {
		return t
	}
	if outer, nested, ok := strings.Cut(name, "."); ok {
		if t := p.u.Simple(outer, 0); t != nil {
			return p.u.Lookup(t.FullName()+"."+nested, arity)
		}
	}
	return p.u.Lookup(name, arity)
}

// member reads a row's signature.
func (u *Universe) member(owner *Type, row Row) (*Member, error) {
	p := newSig(u, row.Sig)
	p.scope = owner.Params
	return u.memberFrom(owner, p, row)
}

func (u *Universe) memberFrom(owner *Type, p *sigParser, row Row) (*Member, error) {
	m := &Member{Owner: owner, Sig: row.Sig, Set: row.Set, Pure: row.Pure}
	switch fn := row.Fn.(type) {
	case Func:
		m.Call = fn
	case Getter:
		m.Get = fn
		m.Call = func(f *Frame, a []Value) Value { return fn(f, a[0]) }
	case GenericFunc:
		m.Generic = fn
	case Value:
		m.Const = &fn
	case nil:
	default:
		return nil, fmt.Errorf("function has the wrong shape: %T", row.Fn)
	}
	m.Static = p.accept("static")
	var err error
	switch {
	case p.accept("new"):
		m.Kind, m.Name, m.Static, m.Ret = Constructor, ".ctor", true, owner
		if len(owner.Params) > 0 {
			m.Ret = Of(owner, owner.Params...)
		}
	case p.peek() == "implicit", p.peek() == "explicit":
		m.Kind, m.Name = Conversion, p.next()
		m.Explicit = m.Name == "explicit"
		p.next()
		if m.Ret, err = p.typ(); err != nil {
			return nil, err
		}
	default:
		if err := p.plain(m); err != nil {
			return nil, err
		}
	}
	if m.Kind == Property {
		return m, nil
	}
	closing := ")"
	if m.Kind == Indexer {
		closing = "]"
	}
	p.next()
	for !p.accept(closing) {
		if err := p.param(m); err != nil {
			return nil, err
		}
		p.accept(",")
	}
	if p.accept("where") { // T : class
		i := slices.IndexFunc(m.TypeParams, func(t *Type) bool { return t.Name == p.peek() })
		if i < 0 {
			return nil, fmt.Errorf("constraint on %q, which is no type parameter", p.peek())
		}
		m.RefParam = m.TypeParams[i]
	}
	return m, nil
}

// plain reads the result, the name and the type parameters of a member.
func (p *sigParser) plain(m *Member) error {
	// Type parameters may occur in the result, before the name declares them.
	for i := p.i; i+1 < len(p.toks) && p.toks[i] != "("; i++ {
		if p.toks[i+1] == "<" && p.isMethodName(i) {
			q := &sigParser{toks: p.toks, i: i + 1, u: p.u}
			m.TypeParams = q.typeParams(nil)
			p.scope = append(append([]*Type{}, p.scope...), m.TypeParams...)
		}
	}
	var err error
	if m.Ret, err = p.typ(); err != nil {
		return err
	}
	m.Name = p.next()
	switch m.Name {
	case "this":
		m.Kind, m.Name = Indexer, "this[]"
	case "operator":
		m.Kind, m.Name = Operator, "operator "
		for p.peek() != "(" {
			m.Name += p.next()
		}
	default:
		for p.peek() == "<" || m.TypeParams != nil && p.peek() != "(" {
			p.next()
		}
		m.Kind = Property
		if p.peek() == "(" {
			m.Kind = Method
		}
	}
	return nil
}

// isMethodName reports whether token i is followed by <…>( .
func (p *sigParser) isMethodName(i int) bool {
	depth := 0
	for j := i + 1; j < len(p.toks); j++ {
		switch p.toks[j] {
		case "<":
			depth++
		case ">":
			depth--
			if depth == 0 {
				return j+1 < len(p.toks) && p.toks[j+1] == "("
			}
		case "(":
			return false
		}
	}
	return false
}

func (p *sigParser) param(m *Member) error {
	var a Param
	switch p.peek() {
	case "this":
		p.next()
		m.Extension = true
	case "out":
		p.next()
		a.Mod = Out
	case "ref":
		p.next()
		a.Mod = Ref
	case "params":
		p.next()
		a.Mod = Params
	}
	var err error
	if a.Type, err = p.typ(); err != nil {
		return err
	}
	a.Name = p.next()
	if p.accept("=") {
		a.Optional = true
		if a.Default, err = p.constant(p.next(), a.Type); err != nil {
			return err
		}
	}
	m.Params = append(m.Params, a)
	return nil
}

func (p *sigParser) constant(s string, t *Type) (Value, error) {
	switch {
	case s == "null":
		return Null, nil
	case s == "true", s == "false":
		return Bool(s == "true"), nil
	case s[0] == '"':
		return String(s[1 : len(s)-1]), nil
	}
	if t.Kind == Enum {
		for _, c := range t.Consts {
			if strings.HasSuffix(s, c.Name) {
				return Scalar(t, c.Value), nil
			}
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return Scalar(t.Underlying(), n), err
}
