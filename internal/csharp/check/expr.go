package check

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// value binds an expression that must have a value: no type, no namespace, no
// method group that nothing calls.
func (b *binder) value(n syntax.Expr) Expr {
	return b.rvalue(b.expr(n), n)
}

func (b *binder) rvalue(x Expr, n syntax.Node) Expr {
	if p, ok := n.(*syntax.Paren); ok {
		return b.rvalue(x, p.X)
	}
	if _, ok := n.(*syntax.TypeName); ok {
		return bad() // the parser has said so
	}
	switch x.(type) {
	case *typeExpr, *space:
		return b.notValue(x, n)
	}
	return x
}

func (b *binder) notValue(x Expr, n syntax.Node) Expr {
	switch x := x.(type) {
	case *typeExpr:
		b.err(n, "CS0119", "'"+x.of.String()+"' is a type, which is not valid in the given context")
	case *space:
		b.err(n, "CS0118", "'"+x.name+"' is a namespace but is used like a variable")
	}
	return bad()
}

// notCalled reports a method group where a value must stand.
func (b *binder) notCalled(g *group) {
	first := candidate{}
	if len(g.members) > 0 {
		first = g.members[0]
	} else {
		first.m = b.u.Extensions(g.name)[0]
		first.class = first.m.Owner
	}
	b.err(g.at, "CS0119", "'"+title(first.m, first.class)+"' is a method, which is not valid in the given context")
}

// expr binds an expression.
func (b *binder) expr(n syntax.Expr) Expr {
	b.at = n
	b.spend(1)
	if b.depth++; b.depth > maxDepth {
		b.giveUp()
	}
	x := b.node(n)
	b.depth--
	if t := x.T(); t != nil && t.Size() > maxType {
		b.giveUp()
	}
	return x
}

func (b *binder) node(n syntax.Expr) Expr {
	switch n := n.(type) {
	case *syntax.Literal:
		return b.literal(n)
	case *syntax.Interp:
		return b.interp(n)
	case *syntax.Name:
		return b.name(n)
	case *syntax.TypeName:
		return &typeExpr{typed{clr.VoidType}, b.typ(n.Type)}
	case *syntax.Member:
		return b.member(n)
	case *syntax.Call:
		return b.call(n)
	case *syntax.Index:
		return b.index(n)
	case *syntax.CondAccess:
		return b.condAccess(n)
	case *syntax.Bound:
		l := b.bound[len(b.bound)-1]
		return b.use(l.V)
	case *syntax.Unary:
		return b.unary(n)
	case *syntax.Binary:
		return b.binary(n)
	case *syntax.Assign:
		return b.assign(n)
	case *syntax.Cond:
		return b.conditional(n)
	case *syntax.Cast:
		to := b.typ(n.Type)
		if to.Static {
			b.err(n, "CS0716", "Cannot convert to static type '"+to.String()+"'")
			return bad()
		}
		return b.cast(b.value(n.X), to, n)
	case *syntax.As:
		return b.as(n)
	case *syntax.Is:
		return b.is(n)
	case *syntax.Paren:
		return b.expr(n.X)
	case *syntax.New:
		return b.newObject(n)
	case *syntax.NewArray:
		return b.newArray(n)
	case *syntax.NewAnon:
		return b.newAnon(n)
	case *syntax.Lambda:
		return &lambda{typed: typed{clr.FuncT}, syn: n, scope: b.scope, fn: b.fn, chk: b.checked, wraps: b.wraps}
	case *syntax.TypeOf:
		b.unbound = true
		t := b.returnType(n.Type)
		b.unbound = false
		return &TypeOf{typed{clr.TypeType}, t}
	case *syntax.SizeOf:
		return b.sizeOf(n)
	case *syntax.Default:
		if n.Type == nil {
			return &defaultLit{typed{clr.NullT}}
		}
		t := b.typ(n.Type)
		if t.Kind == clr.ErrorKind {
			return bad()
		}
		return &Const{typed{t}, clr.Zero(t)}
	case *syntax.Checked:
		old, wraps := b.checked, b.wraps
		b.checked, b.wraps = n.On, !n.On
		x := b.expr(n.X)
		b.checked, b.wraps = old, wraps
		return x
	case *syntax.Tuple:
		return b.tuple(n)
	case *syntax.Throw:
		b.value(n.X)
		b.err(n, "CS8115", "A throw expression is not allowed in this context.")
	case *syntax.Query:
		return b.query(n)
	case *syntax.RangeValue:
		x := b.value(n.X)
		if t := x.T(); untyped(t) || t.Kind == clr.Void {
			b.err(n, "CS1932", "Cannot assign "+display(x)+" to a range variable")
			return bad()
		}
		return x
	case *syntax.Decl:
		b.err(n, "CS8185", "A declaration is not allowed in this context.")
	}
	return bad()
}

// orThrow is value where a throw expression may stand as well.
func (b *binder) orThrow(n syntax.Expr) Expr {
	if t, ok := n.(*syntax.Throw); ok {
		return &Throw{typed{clr.NullT}, b.exception(b.value(t.X), t.X)}
	}
	return b.value(n)
}

func (b *binder) sizeOf(n *syntax.SizeOf) Expr {
	t := b.typ(n.Type)
	if t.Kind == clr.ErrorKind {
		return bad()
	}
	size := map[clr.Code]int{
		clr.CodeBoolean: 1, clr.CodeSByte: 1, clr.CodeByte: 1, clr.CodeChar: 2, clr.CodeInt16: 2, clr.CodeUInt16: 2, clr.CodeInt32: 4,
		clr.CodeUInt32: 4, clr.CodeSingle: 4, clr.CodeInt64: 8, clr.CodeUInt64: 8, clr.CodeDouble: 8, clr.CodeDecimal: 16,
	}[t.Code]
	if t.Kind == clr.Enum {
		size = 4
	}
	if size == 0 {
		b.err(n, "CS0233", "'"+t.String()+"' does not have a predefined size, therefore sizeof can only be used in an unsafe context (consider using System.Runtime.InteropServices.Marshal.SizeOf)")
		return bad()
	}
	return &Const{typed{clr.Int32}, clr.Int(size)}
}

func (b *binder) exception(x Expr, at syntax.Node) Expr {
	if isBad(x) || x.T().Kind == clr.NullKind {
		return x
	}
	if !x.T().Inherits(clr.ExBase) {
		b.err(at, "CS0155", "The type caught or thrown must be derived from System.Exception")
		return bad()
	}
	return x
}

func (b *binder) literal(n *syntax.Literal) Expr {
	k := func(t *clr.Type, v clr.Value) Expr { return &Const{typed{t}, v} }
	t := &n.Tok
	switch t.Kind {
	case syntax.StringLit:
		return k(clr.StringType, clr.String(t.Text))
	case syntax.CharLit:
		return k(clr.Char, clr.Rune16(uint16(t.Lit.Int)))
	case syntax.IntLit:
		return b.integer(t.Lit.Int, t.Lit.Suffix)
	case syntax.RealLit:
		return b.realLit(n)
	}
	switch t.Text {
	case "true", "false":
		return k(clr.Boolean, clr.Bool(t.Text == "true"))
	}
	return k(clr.NullT, clr.Null)
}

func (b *binder) integer(v uint64, suffix string) Expr {
	t := clr.UInt64
	switch suffix {
	case "":
		switch {
		case v <= 1<<31-1:
			t = clr.Int32
		case v <= 1<<32-1:
			t = clr.UInt32
		case v <= 1<<63-1:
			t = clr.Int64
		}
	case "u":
		if v <= 1<<32-1 {
			t = clr.UInt32
		}
	case "l":
		if v <= 1<<63-1 {
			t = clr.Int64
		}
	case "f":
		return &Const{typed{clr.Single}, clr.Float32(float32(v))}
	case "d":
		return &Const{typed{clr.Double}, clr.Float(float64(v))}
	case "m":
		d, _ := clr.ParseDecimal(fmt.Sprint(v))
		return &Const{typed{clr.DecimalT}, clr.Dec(d)}
	}
	return &Const{typed{t}, clr.Scalar(t, int64(v))}
}

func (b *binder) realLit(n *syntax.Literal) Expr {
	v := n.Tok.Lit.Real
	switch n.Tok.Lit.Suffix {
	case "f":
		return &Const{typed{clr.Single}, clr.Float32(float32(v))}
	case "m":
		var d *clr.Decimal
		if tryValue(func() clr.Value { d, _ = clr.ParseDecimal(n.Tok.Text); return clr.Null }) == nil || d == nil {
			b.err(n, "CS0594", "Floating-point constant is outside the range of type 'decimal'")
			return bad()
		}
		return &Const{typed{clr.DecimalT}, clr.Dec(d)}
	}
	return &Const{typed{clr.Double}, clr.Float(v)}
}

func (b *binder) interp(n *syntax.Interp) Expr {
	out := &Interp{typed: typed{clr.StringType}}
	plain := true
	for _, p := range n.Parts {
		if p.X == nil {
			out.Parts = append(out.Parts, InterpPart{Text: p.Text})
			continue
		}
		x := b.natural(b.value(p.X), p.X)
		if isBad(x) {
			out.Type = clr.ErrorT
			continue
		}
		if x.T().Kind == clr.Void {
			b.err(p.X, "CS0029", "Cannot implicitly convert type 'void' to 'object'")
			out.Type = clr.ErrorT
		}
		part := InterpPart{X: x, Format: p.Format, HasFormat: p.HasFormat}
		if p.Align != nil {
			a := b.convert(b.value(p.Align), clr.Int32, p.Align)
			if k, ok := a.(*Const); ok {
				part.Align = int(k.V.Int())
			} else if !isBad(a) {
				b.err(p.Align, "CS0150", "A constant value is expected")
			}
		}
		plain = plain && part.Align == 0 && !part.HasFormat
		out.Parts = append(out.Parts, part)
	}
	if isBad(out) {
		return bad()
	}
	if plain {
		c := &Concat{typed: typed{clr.StringType}}
		for _, p := range out.Parts {
			if p.X == nil {
				p.X = &Const{typed{clr.StringType}, clr.String(p.Text)}
			}
			c.Parts = append(c.Parts, p.X)
		}
		return b.joined(c)
	}
	return out
}

// joined joins neighbouring constant strings of a concatenation.
func (b *binder) joined(c *Concat) Expr {
	out := c.Parts[:0]
	for i := 0; i < len(c.Parts); {
		n, size := 0, 0 // the run of constants that begins here
		for ; i+n < len(c.Parts) && isText(c.Parts[i+n]); n++ {
			size += len(c.Parts[i+n].(*Const).V.Str())
		}
		if n < 2 {
			if n == 0 || len(c.Parts[i].(*Const).V.Str()) > 0 {
				out = append(out, c.Parts[i])
			}
			i++
			continue
		}
		b.spend(size / 64)
		var text strings.Builder
		text.Grow(size)
		for _, p := range c.Parts[i : i+n] {
			text.WriteString(p.(*Const).V.Str())
		}
		if size > 0 {
			out = append(out, &Const{typed{clr.StringType}, clr.String(clr.Whole(text.String()))})
		}
		i += n
	}
	c.Parts = out
	if len(out) == 0 {
		return &Const{typed{clr.StringType}, clr.String("")}
	}
	if len(out) == 1 && isText(out[0]) {
		return out[0]
	}
	return c
}

// isText reports whether x is a constant string, or null, which adds nothing.
func isText(x Expr) bool {
	k, ok := x.(*Const)
	return ok && (k.V.IsString() || k.V.IsNull())
}

// otherSide reports a name that only the other side of the equals of a join has.
func (b *binder) otherSide(n *syntax.Name) bool {
	for s := b.scope; s != nil; s = s.parent {
		if s.side == nil {
			continue
		}
		const swap = ".  Consider swapping the expressions on either side of 'equals'."
		if slices.Contains(s.side.Left, n.Ident) {
			b.err(n, "CS1937", "The name '"+n.Ident+"' is not in scope on the left side of 'equals'"+swap)
			return true
		}
		if slices.Contains(s.side.Right, n.Ident) {
			b.err(n, "CS1938", "The name '"+n.Ident+"' is not in scope on the right side of 'equals'"+swap)
			return true
		}
	}
	return false
}

// before reports whether n stands before the declaration of v, which a local
// function further up can see.
func (b *binder) before(n syntax.Node, v *Var) bool {
	if v.at == nil || v.Param {
		return false
	}
	use, _ := n.Span()
	decl, _ := v.at.Span()
	return use < decl
}

// name binds a simple name.
func (b *binder) name(n *syntax.Name) Expr {
	if n.Args == nil {
		if s := b.find(n.Ident); s != nil {
			switch d := s.names[n.Ident].(type) {
			case *Var:
				if d.Const != nil {
					return &Const{typed{d.Type}, *d.Const}
				}
				if b.before(n, d) {
					b.err(n, "CS0841", "Cannot use local variable '"+n.Ident+"' before it is declared")
					return bad()
				}
				l := b.use(d)
				b.uses[l] = n
				return l
			case *LocalFunc:
				return &funcGroup{typed{clr.FuncT}, d}
			case syntax.Expr:
				return b.expr(d)
			}
		}
		if n.Ident == "context" && b.context != nil {
			return &Global{typed{b.context}}
		}
	} else if s := b.find(n.Ident); s != nil {
		if f, ok := s.names[n.Ident].(*LocalFunc); ok {
			return &funcGroup{typed{clr.FuncT}, f}
		}
	}
	if t := b.typeName([]syntax.NamePart{{Name: n.Ident, Args: n.Args}}); t != nil {
		return &typeExpr{typed{clr.VoidType}, t}
	}
	if n.Args == nil && b.u.IsSpace(n.Ident) {
		return &space{typed{clr.VoidType}, n.Ident}
	}
	if b.otherArity(syntax.NamePart{Name: n.Ident, Args: n.Args}, n) {
		return bad()
	}
	if b.findLater(b.scope, n.Ident) {
		b.err(n, "CS0841", "Cannot use local variable '"+n.Ident+"' before it is declared")
		return bad()
	}
	if b.otherSide(n) {
		return bad()
	}
	b.err(n, "CS0103", "The name '"+n.Ident+"' does not exist in the current context")
	return bad()
}

// member binds X.Name.
func (b *binder) member(n *syntax.Member) Expr {
	if n.Name.Name == "" {
		return bad()
	}
	x := b.expr(n.X)
	at := &n.Name
	switch y := x.(type) {
	case *space:
		full := y.name + "." + n.Name.Name
		if t := b.u.Lookup(full, len(n.Name.Args)); t != nil {
			return &typeExpr{typed{clr.VoidType}, b.instance(t, n.Name)}
		}
		if b.u.IsSpace(full) {
			return &space{typed{clr.VoidType}, full}
		}
		b.err(at, "CS0234", "The type or namespace name '"+n.Name.Name+"' does not exist in the namespace '"+y.name+"' (are you missing an assembly reference?)")
		return bad()
	case *typeExpr:
		return b.staticMember(y.of, n)
	}
	if t := b.colorColor(n.X, x); t != nil {
		if ms := b.lookup(t, n.Name.Name); len(ms) > 0 && ms[0].m.Static {
			return b.staticMember(t, n)
		}
	}
	return b.memberOf(x, &n.Name, n)
}

// colorColor finds the type that has the same name as the variable x: C# lets
// Formatting.None mean the type although a variable is called Formatting.
func (b *binder) colorColor(n syntax.Expr, x Expr) *clr.Type {
	name, ok := n.(*syntax.Name)
	if !ok || name.Args != nil || x.T() == nil {
		return nil
	}
	if t := b.u.Simple(name.Ident, 0); t != nil && clr.Same(t, x.T()) {
		return t
	}
	return nil
}

func (b *binder) targs(args []*syntax.Type) []*clr.Type {
	if args == nil {
		return nil
	}
	out := make([]*clr.Type, len(args))
	for i, a := range args {
		out[i] = b.typ(a)
	}
	return out
}

// staticMember binds T.Name.
func (b *binder) staticMember(t *clr.Type, n *syntax.Member) Expr {
	if isBad(&typeExpr{typed{t}, t}) {
		return bad()
	}
	at := &n.Name
	if nested := b.u.Lookup(t.FullName()+"."+n.Name.Name, len(n.Name.Args)); nested != nil {
		return &typeExpr{typed{clr.VoidType}, b.instance(nested, n.Name)}
	}
	ms := b.lookup(t, n.Name.Name)
	if len(ms) == 0 {
		if !b.refusedType(t, n) {
			b.err(at, "CS0117", "'"+t.String()+"' does not contain a definition for '"+n.Name.Name+"'")
		}
		return bad()
	}
	m := ms[0].m
	if m.Kind == clr.Method && !m.Refused {
		return &group{typed{clr.FuncT}, nil, t, n.Name.Name, ms, b.targs(n.Name.Args), at}
	}
	if !b.allowed(m, ms[0].class, n) {
		return bad()
	}
	if !m.Static {
		b.err(n, "CS0120", "An object reference is required for the non-static field, method, or property '"+t.String()+"."+m.Name+"'")
		return bad()
	}
	return b.property(nil, ms[0], nil)
}

// memberOf binds a member of a value.
func (b *binder) memberOf(x Expr, part *syntax.NamePart, n syntax.Node) Expr {
	if isBad(x) && !isUnknown(x) {
		return bad()
	}
	t := x.T()
	switch x := x.(type) {
	case *group:
		b.notCalled(x)
		return bad()
	}
	if untyped(t) || t.Kind == clr.Void {
		at := n
		if t.Kind == clr.Void {
			at = b.dotBefore(part)
		}
		b.err(at, "CS0023", "Operator '.' cannot be applied to operand of type '"+display(x)+"'")
		return bad()
	}
	if f := b.recordField(x, part.Name); f != nil {
		return f
	}
	if part.Name == "Invoke" && invokeOf(t) != nil {
		return x // the delegate itself: f.Invoke(1) is f(1)
	}
	ms := b.lookup(t, part.Name)
	ext := b.u.Extensions(part.Name)
	if len(ms) == 0 && len(ext) == 0 {
		b.noMember(t, part)
		return bad()
	}
	if len(ms) > 0 && ms[0].m.Kind != clr.Method || len(ms) > 0 && ms[0].m.Refused && len(ms) == 1 {
		m := ms[0].m
		if !b.allowed(m, ms[0].class, n) {
			return bad()
		}
		if m.Static {
			b.err(n, "CS0176", "Member '"+m.Owner.String()+"."+m.Name+"' cannot be accessed with an instance reference; qualify it with a type name instead")
			return bad()
		}
		return b.property(x, ms[0], nil)
	}
	return &group{typed{clr.FuncT}, x, nil, part.Name, ms, b.targs(part.Args), part}
}

func (b *binder) noMember(t *clr.Type, part *syntax.NamePart) {
	if b.refusedType(t.Definition(), part) {
		return
	}
	hint := ""
	if len(b.lookupFold(t, part.Name)) > 0 {
		hint = "; did you mean '" + b.lookupFold(t, part.Name) + "'?"
	}
	b.err(part, "CS1061", noMemberText(t, part.Name)+hint)
}

func noMemberText(t *clr.Type, name string) string {
	return "'" + t.String() + "' does not contain a definition for '" + name + "' and no accessible extension method '" + name +
		"' accepting a first argument of type '" + t.String() + "' could be found (are you missing a using directive or an assembly reference?)"
}

// lookupFold finds a member whose name differs in case only.
func (b *binder) lookupFold(t *clr.Type, name string) string {
	for c := t; c != nil; c = c.BaseOf() {
		for _, m := range b.u.All(c) {
			if strings.EqualFold(m.Name, name) {
				return m.Name
			}
		}
	}
	return ""
}

// recordField finds a field of an anonymous type or tuple.
func (b *binder) recordField(x Expr, name string) Expr {
	t := x.T()
	if t.Kind != clr.Anonymous && t.Def != clr.TupleDef {
		return nil
	}
	b.spend(len(t.Args) / 8)
	for i, n := range t.Names {
		if n == name {
			return &Field{typed{t.Args[i]}, x, i}
		}
	}
	if t.Def == clr.TupleDef {
		for i := range t.Args {
			if name == itemName(i) {
				return &Field{typed{t.Args[i]}, x, i}
			}
		}
	}
	return nil
}

// property makes the read of a property, or of an indexer with args.
func (b *binder) property(recv Expr, c candidate, args []Expr) Expr {
	ret := c.m.Ret.Subst(c.class, nil)
	if c.m.Const != nil {
		return &Const{typed{ret}, *c.m.Const}
	}
	return b.fold(&Call{typed{ret}, &clr.Site{Member: c.m, Class: c.class, Ret: ret}, recv, args})
}

// fold evaluates a call of a pure member with constants.
func (b *binder) fold(c *Call) Expr {
	m := c.Site.Member
	if !m.Pure || m.Call == nil || b.keep {
		return c
	}
	var args []clr.Value
	if c.Recv != nil {
		k, ok := c.Recv.(*Const)
		if !ok || k.V.IsNull() {
			return c
		}
		args = append(args, k.V)
	}
	for _, a := range c.Args {
		k, ok := a.(*Const)
		if !ok || len(k.V.Str()) > 4096 {
			return c
		}
		args = append(args, k.V)
	}
	v := b.evaluate(m, args)
	if v == nil || !v.IsString() && v.Tag() == nil {
		return c
	}
	return &Const{typed{c.Type}, *v}
}

// The budget for evaluating the constants of one source. What goes beyond it
// is left to the evaluation.
const (
	foldSteps  = 1 << 20
	foldMemory = 4 << 20
)

// evaluate calls a pure member; nil when it throws or the budget is spent.
func (b *binder) evaluate(m *clr.Member, args []clr.Value) *clr.Value {
	if b.folds == nil {
		b.folds = &clr.Frame{Types: b.u}
		b.folds.Reset(context.Background(), foldSteps, foldMemory)
	}
	sp, depth := b.folds.Mark()
	defer b.folds.Release(sp, depth)
	return tryValue(func() clr.Value { return m.Call(b.folds, args) })
}

func (b *binder) condAccess(n *syntax.CondAccess) Expr {
	x := b.rvalue(b.expr(n.X), n.X)
	if isBad(x) {
		return bad()
	}
	t := x.T()
	if t.Kind == clr.FuncKind || t.Kind == clr.NullKind || t.IsValueType() && !t.IsNullable() || t.Kind == clr.Void {
		if g, ok := x.(*group); ok {
			b.notCalled(g)
			return bad()
		}
		_, end := n.X.Span()
		b.err(syntax.Range{From: end, To: end}, "CS0023", "Operator '?' cannot be applied to operand of type '"+display(x)+"'")
		return bad()
	}
	v := b.temp(t.Underlying())
	b.bound = append(b.bound, &Local{typed{v.Type}, v})
	then := b.rvalue(b.expr(n.Then), n.Then)
	b.bound = b.bound[:len(b.bound)-1]
	if isBad(then) {
		return bad()
	}
	if then.T().Kind == clr.FuncKind {
		_, end := n.X.Span()
		b.err(syntax.Range{From: end, To: end}, "CS0023", "Operator '?' cannot be applied to operand of type '"+display(then)+"'")
		return bad()
	}
	res := then.T()
	if res.IsValueType() && !res.IsNullable() {
		res = clr.NullableOf(res)
	}
	return &CondAccess{typed{res}, x, v, then}
}

func (b *binder) conditional(n *syntax.Cond) Expr {
	cond := b.condition(n.If)
	then, els := b.orThrow(n.Then), b.orThrow(n.Else)
	if isBad(cond, then, els) {
		return bad()
	}
	t := b.commonOf(then, els)
	if t == nil {
		b.err(n, "CS0173", "Type of conditional expression cannot be determined because there is no implicit conversion between '"+displayQualified(then)+"' and '"+displayQualified(els)+"'")
		return bad()
	}
	return foldCond(&Cond{typed{t}, cond, b.convert(then, t, n.Then), b.convert(els, t, n.Else)})
}

func foldCond(c *Cond) Expr {
	k, ok := c.If.(*Const)
	if !ok {
		return c
	}
	pick := c.Else
	if k.V.Bool() {
		pick = c.Then
	}
	if _, ok := pick.(*Const); ok {
		return pick
	}
	return c
}

// commonOf is the type of a conditional with these branches.
func (b *binder) commonOf(x, y Expr) *clr.Type {
	xt, yt := x.T(), y.T()
	switch {
	case untyped(xt) && untyped(yt):
		return nil
	case clr.Same(xt, yt):
		return xt
	case untyped(xt):
		if b.implicit(x, yt).ok {
			return yt
		}
		return nil
	case untyped(yt):
		if b.implicit(y, xt).ok {
			return xt
		}
		return nil
	}
	xy, yx := b.implicit(x, yt).ok, b.implicit(y, xt).ok
	switch {
	case xy && !yx:
		return yt
	case yx && !xy:
		return xt
	case xy && yx:
		// A constant may fit both ways: the wider type wins.
		if standard(xt, yt).ok {
			return yt
		}
		return xt
	}
	return nil
}

// bestCommon is the best common type of several expressions, or nil.
func (b *binder) bestCommon(xs []Expr) *clr.Type {
	var best *clr.Type
	for _, x := range xs {
		if isBad(x) {
			return clr.ErrorT
		}
	}
	for _, x := range xs {
		t := x.T()
		if t.Kind == clr.NullKind || t.Kind == clr.FuncKind || t.Kind == clr.Void {
			continue
		}
		if best != nil && clr.Same(best, t) {
			continue
		}
		all := true
		for _, y := range xs {
			all = all && b.implicit(y, t).ok
		}
		if all && (best == nil || standard(best, t).ok) {
			best = t
		}
	}
	return best
}

func (b *binder) as(n *syntax.As) Expr {
	x, to := b.value(n.X), b.typ(n.Type)
	if isBad(x) || to.Kind == clr.ErrorKind {
		return bad()
	}
	if x.T().Kind == clr.FuncKind {
		b.err(n, "CS0837", "The first operand of an 'is' or 'as' operator may not be a lambda expression, anonymous method, or method group.")
		return bad()
	}
	if to.IsValueType() && !to.IsNullable() {
		b.err(n, "CS0077", "The as operator must be used with a reference type or nullable type ('"+to.String()+"' is a non-nullable value type)")
		return bad()
	}
	if x.T().Kind == clr.NullKind {
		return &Const{typed{to}, clr.Null}
	}
	c := b.explicit(x, to)
	if !c.ok || c.user != nil {
		b.err(n, "CS0039", "Cannot convert type '"+displayQualified(x)+"' to '"+to.Qualified()+"' via a reference conversion, boxing conversion, unboxing conversion, wrapping conversion, or null type conversion")
		return bad()
	}
	return &As{typed{to}, x}
}

func (b *binder) is(n *syntax.Is) Expr {
	x := b.value(n.X)
	if isBad(x) {
		return bad()
	}
	if p := n.Pattern; p.Type != nil && p.Name == "" && !p.IsVar {
		// A name may be a constant as well as a type.
		if len(p.Type.Parts) > 0 && !p.Type.Keyword && b.typeName(p.Type.Parts) == nil && b.known(p.Type.Parts[0].Name) {
			return b.patternTest(x, &syntax.Pattern{Range: p.Range, Const: partsExpr(p.Type)}, n)
		}
	}
	if x.T().Kind == clr.FuncKind {
		b.err(n.X, "CS0837", "The first operand of an 'is' or 'as' operator may not be a lambda expression, anonymous method, or method group.")
		return bad()
	}
	return b.patternTest(x, n.Pattern, n)
}

// known reports whether a simple name means something beside a type.
func (b *binder) known(name string) bool {
	return b.find(name) != nil || b.findLater(b.scope, name) || b.u.IsSpace(name) || b.u.Simple(name, 0) != nil
}

// partsExpr reads a dotted type as an expression.
func partsExpr(t *syntax.Type) syntax.Expr {
	var x syntax.Expr = &syntax.Name{Range: t.Parts[0].Range, Ident: t.Parts[0].Name, Args: t.Parts[0].Args}
	for _, p := range t.Parts[1:] {
		x = &syntax.Member{Range: t.Range, X: x, Name: p}
	}
	return x
}

// patternTest makes the condition that x matches a pattern.
func (b *binder) patternTest(x Expr, p *syntax.Pattern, at syntax.Node) Expr {
	switch {
	case p.IsVar:
		v := b.declare(p.Name, x.T(), p)
		return &Let{typed{clr.Boolean}, v, x, nil, &Const{typed{clr.Boolean}, clr.Bool(true)}}
	case p.Const != nil:
		return b.constPattern(x, p, at)
	}
	t := b.typ(p.Type)
	if t.Kind == clr.ErrorKind {
		return bad()
	}
	_, isCase := at.(*syntax.Label)
	if x.T().Kind != clr.NullKind && !b.explicit(x, t).ok && (isCase || p.Name != "") {
		b.err(p, "CS8121", "An expression of type '"+x.T().String()+"' cannot be handled by a pattern of type '"+t.String()+"'.")
		return bad()
	}
	if p.Name != "" && t.IsNullable() {
		b.err(p, "CS8116", "It is not legal to use nullable type '"+t.String()+"' in a pattern; use the underlying type '"+t.Underlying().String()+"' instead.")
		return bad()
	}
	is := &Is{typed{clr.Boolean}, x, t, nil}
	if p.Name != "" && p.Name != "_" {
		is.V = b.declare(p.Name, t, p)
	}
	return is
}

func (b *binder) constPattern(x Expr, p *syntax.Pattern, at syntax.Node) Expr {
	k := b.value(p.Const)
	if isBad(k) {
		return bad()
	}
	c, ok := k.(*Const)
	switch {
	case !ok && !b.implicit(k, x.T()).ok:
		b.noConversion(k, x.T(), p.Const)
		return bad()
	case !ok:
		b.err(p.Const, "CS0150", "A constant value is expected")
		return bad()
	case c.T().Kind == clr.NullKind && x.T().IsValueType() && !x.T().IsNullable():
		b.noConversion(c, x.T(), p.Const)
		return bad()
	}
	if c.T().Kind == clr.NullKind {
		return &RefEq{typed{clr.Boolean}, x, c, false}
	}
	t := x.T()
	if t == clr.ObjectType || t.Kind == clr.Interface {
		// object is 5: the type must match, then the value.
		v := b.temp(c.T())
		is := &Is{typed{clr.Boolean}, x, c.T(), v}
		eq := b.equality("==", &Local{typed{v.Type}, v}, c, at)
		return &Logic{typed{clr.Boolean}, true, is, eq}
	}
	y := b.convert(c, t, p.Const)
	if isBad(y) {
		return bad()
	}
	return b.equality("==", x, y, at)
}

func (b *binder) tuple(n *syntax.Tuple) Expr {
	vals := make([]Expr, len(n.Elems))
	args := make([]*clr.Type, len(n.Elems))
	names := make([]string, len(n.Elems))
	for i, e := range n.Elems {
		vals[i] = b.value(e.X)
		if isBad(vals[i]) {
			return bad()
		}
		args[i], names[i] = vals[i].T(), e.Name
		if e.Name == "" {
			names[i] = syntax.InferredName(e.X)
			continue
		}
		b.tupleName(names[:i], e.Name, &n.Elems[i])
	}
	t := clr.TupleOf(args, names)
	if slices.ContainsFunc(args, untyped) {
		// Like a lambda it gets its type from where it goes.
		own := *t
		own.Kind = clr.FuncKind
		t = &own
	}
	return &NewRecord{typed{t}, vals}
}

// untyped reports the types that stand for having none.
func untyped(t *clr.Type) bool { return t.Kind == clr.NullKind || t.Kind == clr.FuncKind }

func (b *binder) condition(n syntax.Expr) Expr {
	x := b.value(n)
	if isBad(x) {
		return bad()
	}
	return b.convert(x, clr.Boolean, n)
}

// dotBefore is the dot before the name of a member.
func (b *binder) dotBefore(part *syntax.NamePart) syntax.Node {
	from := part.From
	if i := strings.LastIndexByte(b.text[:min(int(from), len(b.text))], '.'); i >= 0 {
		from = syntax.Pos(i)
	}
	return syntax.Range{From: from, To: from + 1}
}
