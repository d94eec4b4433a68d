package check

import (
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

func (b *binder) assign(n *syntax.Assign) Expr {
	if n.Op == "=" {
		if t, ok := n.X.(*syntax.Tuple); ok {
			return b.deconstruct(t, b.value(n.Y), n, n.Y)
		}
		if name, ok := n.X.(*syntax.Name); ok && name.Ident == "_" && b.find("_") == nil {
			return b.discard(n)
		}
		x := b.rvalue(b.variable(n.X), n.X)
		y := b.value(n.Y)
		if isBad(x, y) || !b.assignable(x, n.X) {
			return bad()
		}
		return b.store(x, b.convert(y, x.T(), n.Y))
	}
	x := b.rvalue(b.variable(n.X), n.X)
	y := b.value(n.Y)
	if isBad(x, y) || !b.assignable(x, n.X) {
		return bad()
	}
	op := strings.TrimSuffix(n.Op, "=")
	return b.once(x, func(x Expr) Expr {
		return b.compound(op, x, y, n)
	})
}

// discard binds _ = y.
func (b *binder) discard(n *syntax.Assign) Expr {
	x := b.value(n.Y)
	if untyped(x.T()) {
		b.err(n.X, "CS8183", "Cannot infer the type of implicitly-typed discard.")
		return bad()
	}
	return x
}

// variable binds what is assigned to: it stays a property though its value is
// known.
func (b *binder) variable(n syntax.Expr) Expr {
	old := b.keep
	b.keep = true
	defer func() { b.keep = old }()
	return b.expr(n)
}

// compound makes x = (T)(x op y).
func (b *binder) compound(op string, x, y Expr, n syntax.Node) Expr {
	r := b.binaryOp(op, x, y, n)
	if isBad(r) {
		return bad()
	}
	if b.implicit(r, x.T()).ok {
		return b.store(x, b.convert(r, x.T(), n))
	}
	if c := b.explicit(r, x.T()); c.ok && (b.implicit(y, x.T()).ok || op == "<<" || op == ">>") {
		return b.store(x, b.apply(r, c, x.T(), n))
	}
	return b.store(x, b.convert(r, x.T(), n))
}

// once evaluates the parts of a target once: fn gets a target that reads and
// writes the same place.
func (b *binder) once(x Expr, fn func(Expr) Expr) Expr {
	type step struct {
		v *Var
		x Expr
	}
	var lets []step
	temp := func(e Expr) Expr {
		switch e.(type) {
		case *Const, *Global:
			return e
		}
		v := b.temp(e.T())
		lets = append(lets, step{v, e})
		return &Local{typed{e.T()}, v}
	}
	switch t := x.(type) {
	case *Element:
		e := &Element{typed: t.typed, X: temp(t.X)}
		for _, i := range t.Indexes {
			e.Indexes = append(e.Indexes, temp(i))
		}
		x = e
	case *Call:
		c := &Call{typed: t.typed, Site: t.Site}
		if t.Recv != nil {
			c.Recv = temp(t.Recv)
		}
		for _, a := range t.Args {
			c.Args = append(c.Args, temp(a))
		}
		x = c
	}
	out := fn(x)
	for i := len(lets) - 1; i >= 0 && !isBad(out); i-- {
		out = &Let{typed{out.T()}, lets[i].v, lets[i].x, nil, out}
	}
	return out
}

// assignable reports whether x can stand left of =.
func (b *binder) assignable(x Expr, at syntax.Node) bool {
	switch t := x.(type) {
	case *Local:
		if t.V.ReadOnly == "range variable" {
			b.err(at, "CS1947", "Range variable '"+b.quote(at)+"' cannot be assigned to -- it is read only")
			return false
		}
		if t.V.ReadOnly != "" {
			b.err(at, "CS1656", "Cannot assign to '"+t.V.Name+"' because it is a '"+t.V.ReadOnly+"'")
			return false
		}
		return true
	case *Element:
		return true
	case *Call:
		m := t.Site.Member
		if m.Kind != clr.Property && m.Kind != clr.Indexer {
			break
		}
		if m.Set == nil {
			name := m.Owner.String() + "." + m.Name
			if m.Kind == clr.Indexer {
				name = t.Site.Class.String() + ".this[" + m.Params[0].Type.Subst(t.Site.Class, nil).String() + "]"
			}
			b.err(at, "CS0200", "Property or indexer '"+name+"' cannot be assigned to -- it is read only")
			return false
		}
		return true
	case *Global:
		b.err(at, "CS1656", "Cannot assign to 'context' because it is read only")
		return false
	case *Field:
		if t.X.T().Def == clr.TupleDef {
			return b.assignable(t.X, at)
		}
		b.err(at, "CS0200", "Property or indexer '"+t.X.T().String()+"."+t.X.T().Names[t.I]+"' cannot be assigned to -- it is read only")
		return false
	}
	b.err(at, "CS0131", "The left-hand side of an assignment must be a variable, property or indexer")
	return false
}

// isVariable reports whether x is a place for a value, if perhaps a read-only one.
func isVariable(x Expr) bool {
	switch x.(type) {
	case *Local, *Element, *Field, *Global:
		return true
	}
	return isProperty(x)
}

func (b *binder) store(to, value Expr) Expr {
	if isBad(to, value) {
		return bad()
	}
	if c, ok := to.(*Call); ok {
		return &Store{typed{to.T()}, c.Site, c.Recv, c.Args, value}
	}
	if f, ok := to.(*Field); ok {
		return b.storeField(f, value)
	}
	return &Assign{typed: typed{to.T()}, To: to, Value: value}
}

// storeField gives a tuple's variable a copy with another field: tuples are
// values.
func (b *binder) storeField(f *Field, value Expr) Expr {
	v := b.temp(f.Type)
	l := &Local{typed{f.Type}, v}
	t := f.X.T()
	vals := make([]Expr, len(t.Args))
	for i := range vals {
		vals[i] = &Field{typed{t.Args[i]}, f.X, i}
	}
	vals[f.I] = l
	store := b.store(f.X, &NewRecord{typed{t}, vals})
	if a, ok := store.(*Assign); ok {
		a.field = f.I + 1
	}
	return &Let{typed{f.Type}, v, value, []Expr{store}, l}
}

func (b *binder) incDec(n *syntax.Unary) Expr {
	x := b.rvalue(b.variable(n.X), n.X)
	if isBad(x) {
		return bad()
	}
	if !isVariable(x) {
		b.err(n.X, "CS1059", "The operand of an increment or decrement operator must be a variable, property or indexer")
		return bad()
	}
	if !b.assignable(x, n.X) {
		return bad()
	}
	t := x.T().Underlying()
	if !t.IsNumeric() && t.Kind != clr.Enum {
		b.err(n, "CS0023", "Operator '"+n.Op+"' cannot be applied to operand of type '"+x.T().String()+"'")
		return bad()
	}
	op := n.Op[:1]
	one := &Const{typed{clr.Int32}, clr.Int(1)}
	// The result goes back to the operand's type although 1 may not convert to it, as for char.
	next := func(x Expr) Expr {
		r := b.binaryOp(op, x, one, n)
		if isBad(r) {
			return bad()
		}
		return b.apply(r, b.explicit(r, x.T()), x.T(), n)
	}
	return b.once(x, func(x Expr) Expr {
		if !n.Postfix {
			return b.store(x, next(x))
		}
		v := b.temp(x.T())
		old := &Local{typed{x.T()}, v}
		step := b.store(x, next(old))
		if isBad(step) {
			return bad()
		}
		return &Let{typed{x.T()}, v, x, []Expr{step}, old}
	})
}

// deconstruct binds (a, var b) = y.
func (b *binder) deconstruct(t *syntax.Tuple, y Expr, n, right syntax.Node) Expr {
	if decls, others := declares(t); decls && others {
		b.err(t, "CS8184", "A deconstruction cannot mix declarations and expressions on the left-hand-side.")
		b.undeclared(t, 0)
		return bad()
	}
	if lit, ok := y.(*NewRecord); ok && untyped(lit.Type) && len(lit.Vals) == len(t.Elems) {
		y = b.settle(t, lit)
	}
	yt := y.T()
	switch {
	case isBad(y):
		b.undeclared(t, 0)
		return bad()
	case untyped(yt):
		b.undeclared(t, 0)
		b.err(right, "CS8131", "Deconstruct assignment requires an expression with a type on the right-hand-side.")
		return bad()
	}
	var parts func(v *Var) []Expr
	count := 0
	switch {
	case yt.Def == clr.TupleDef:
		count = len(yt.Args)
		parts = func(v *Var) []Expr {
			out := make([]Expr, count)
			for i := range out {
				out[i] = &Field{typed{yt.Args[i]}, &Local{typed{yt}, v}, i}
			}
			return out
		}
	case yt.Def == clr.KeyValueDef:
		count = 2
		parts = func(v *Var) []Expr {
			l := &Local{typed{yt}, v}
			return []Expr{
				b.memberOf(l, &syntax.NamePart{Name: "Key"}, n),
				b.memberOf(l, &syntax.NamePart{Name: "Value"}, n),
			}
		}
	default:
		b.undeclared(t, 0)
		b.err(right, "CS1061", noMemberText(yt, "Deconstruct"))
		b.err(right, "CS8129", "No suitable Deconstruct instance or extension method was found for type '"+yt.String()+"', with "+strconv.Itoa(len(t.Elems))+" out parameters and a void return type.")
		return bad()
	}
	if count != len(t.Elems) {
		b.undeclared(t, count)
		b.err(n, "CS8132", "Cannot deconstruct a tuple of '"+strconv.Itoa(count)+"' elements into '"+strconv.Itoa(len(t.Elems))+"' variables.")
		return bad()
	}
	v := b.temp(yt)
	values := parts(v)
	var temps []*Var
	var steps []Expr
	// Values are taken before any variable changes, so that (a, b) = (b, a) swaps.
	for i := range values {
		tv := b.temp(values[i].T())
		temps = append(temps, tv)
		steps = append(steps, &Assign{typed: typed{tv.Type}, To: &Local{typed{tv.Type}, tv}, Value: values[i]})
	}
	for i, e := range t.Elems {
		val := &Local{typed{temps[i].Type}, temps[i]}
		if nested, ok := e.X.(*syntax.Tuple); ok {
			step := b.deconstruct(nested, val, n, right)
			if isBad(step) {
				return bad()
			}
			steps = append(steps, step)
			continue
		}
		target := b.target(e.X, val)
		if target == nil {
			continue // a discard
		}
		if isBad(target) {
			return bad()
		}
		steps = append(steps, b.store(target, b.convert(val, target.T(), elemNode(right, i))))
	}
	return &Let{typed{yt}, v, y, steps, &Local{typed{yt}, v}}
}

// elemNode is an element of a tuple literal, or the whole of anything else.
func elemNode(n syntax.Node, i int) syntax.Node {
	if t, ok := n.(*syntax.Tuple); ok && i < len(t.Elems) {
		return t.Elems[i].X
	}
	return n
}

// declares reports whether a deconstruction has declarations, and others than
// declarations.
func declares(t *syntax.Tuple) (decls, others bool) {
	for _, e := range t.Elems {
		switch x := e.X.(type) {
		case *syntax.Decl:
			decls = true
		case *syntax.Tuple:
			d, o := declares(x)
			decls, others = decls || d, others || o
		case *syntax.Name:
			others = others || x.Ident != "_"
		default:
			others = true
		}
	}
	return decls, others
}

// undeclared declares the variables of a deconstruction that is not understood.
// Those from some element on have no type to infer.
func (b *binder) undeclared(t *syntax.Tuple, from int) {
	for i, e := range t.Elems {
		switch x := e.X.(type) {
		case *syntax.Tuple:
			b.undeclared(x, max(0, from-i))
		case *syntax.Decl:
			typ := clr.ErrorT
			switch {
			case !x.Type.IsVar():
				typ = b.typ(x.Type)
			case i >= from && !b.reported(x, "CS8130"):
				b.err(x, "CS8130", "Cannot infer the type of implicitly-typed deconstruction variable '"+x.Name+"'.")
			}
			if x.Name != "_" {
				b.declare(x.Name, typ, x)
			}
		}
	}
}

// settle gives the elements of a tuple literal that have no type of their own
// the types of what they are assigned to.
func (b *binder) settle(t *syntax.Tuple, lit *NewRecord) Expr {
	vals := make([]Expr, len(lit.Vals))
	types := make([]*clr.Type, len(lit.Vals))
	for i, e := range t.Elems {
		x := lit.Vals[i]
		nested, isTuple := e.X.(*syntax.Tuple)
		inner, isLit := x.(*NewRecord)
		switch {
		case !untyped(x.T()):
		case isTuple && isLit && len(inner.Vals) == len(nested.Elems):
			x = b.settle(nested, inner)
		default:
			x = b.settleOne(e.X, x)
		}
		if isBad(x) {
			return bad()
		}
		vals[i], types[i] = x, x.T()
	}
	return &NewRecord{typed{clr.TupleOf(types, lit.Type.Names)}, vals}
}

func (b *binder) settleOne(to syntax.Expr, x Expr) Expr {
	if d, ok := to.(*syntax.Decl); ok {
		if d.Type.IsVar() {
			b.err(d, "CS8130", "Cannot infer the type of implicitly-typed deconstruction variable '"+d.Name+"'.")
			return bad()
		}
		return b.convert(x, b.typ(d.Type), to)
	}
	if n, ok := to.(*syntax.Name); ok && n.Ident == "_" && b.find("_") == nil {
		b.err(n, "CS8130", "Cannot infer the type of implicitly-typed deconstruction variable '_'.")
		b.err(n, "CS8183", "Cannot infer the type of implicitly-typed discard.")
		return bad()
	}
	return b.convert(x, b.expr(to).T(), to)
}

// target binds an element of a deconstruction; nil is a discard.
func (b *binder) target(x syntax.Expr, val Expr) Expr {
	switch d := x.(type) {
	case *syntax.Decl:
		if d.Name == "_" {
			return nil
		}
		t := val.T()
		if !d.Type.IsVar() {
			t = b.typ(d.Type)
		}
		v := b.declare(d.Name, t, d)
		return &Local{typed{t}, v}
	case *syntax.Name:
		if d.Ident == "_" && b.find("_") == nil {
			return nil
		}
	}
	to := b.rvalue(b.expr(x), x)
	if isBad(to) || !b.assignable(to, x) {
		return bad()
	}
	return to
}
