package check

import (
	"slices"
	"strconv"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// isUnchecked tells whether unchecked stands around: constants may wrap then.
func (b *binder) isUnchecked() bool { return b.wraps }

func (b *binder) unary(n *syntax.Unary) Expr {
	if n.Op == "++" || n.Op == "--" {
		return b.incDec(n)
	}
	if lit, ok := n.X.(*syntax.Literal); ok && n.Op == "-" && lit.Tok.Kind == syntax.IntLit {
		// -2147483648 and its long brother have no positive counterpart.
		if v, suffix := lit.Tok.Lit.Int, lit.Tok.Lit.Suffix; v == 1<<31 && suffix == "" {
			return &Const{typed{clr.Int32}, clr.Scalar(clr.Int32, -1<<31)}
		} else if v == 1<<63 && (suffix == "" || suffix == "l") {
			return &Const{typed{clr.Int64}, clr.Long(-1 << 63)}
		}
	}
	x := b.value(n.X)
	if isBad(x) {
		return bad()
	}
	t := x.T()
	if site := b.userUnary(n.Op, x); site != nil {
		return b.fold(&Call{typed{site.Ret}, site, nil, []Expr{b.convert(x, site.Member.Params[0].Type, n)}})
	}
	u := t.Underlying()
	var op *clr.Type
	switch n.Op {
	case "!":
		if u == clr.Boolean {
			op = u
		} else if b.userConv(t, clr.Boolean, false).ok {
			op = clr.Boolean
		}
	case "~":
		if u.Kind == clr.Enum {
			op = u
		} else if u.IsInteger() {
			op = promote1(u)
		}
	case "+", "-":
		if u.IsNumeric() {
			op = promote1(u)
			if u.Code == clr.CodeUInt32 && n.Op == "-" {
				op = clr.Int64
			}
			if u.Code == clr.CodeUInt64 && n.Op == "-" {
				op = nil
			}
		}
	}
	if op == nil {
		b.err(n, "CS0023", "Operator '"+n.Op+"' cannot be applied to operand of type '"+t.String()+"'")
		return bad()
	}
	res := op
	if t.IsNullable() {
		res = clr.NullableOf(op)
	}
	y := x
	if !clr.Same(t, res) && op.Kind != clr.Enum {
		y = b.convert(x, res, n)
	}
	if k, ok := y.(*Const); ok && !k.V.IsNull() {
		return b.foldUnary(n, k, op)
	}
	if n.Op == "+" {
		return y
	}
	return &Unary{typed{res}, n.Op, y, b.checked, t.IsNullable()}
}

func (b *binder) foldUnary(n *syntax.Unary, k *Const, t *clr.Type) Expr {
	switch n.Op {
	case "!":
		return &Const{typed{t}, clr.Bool(!k.V.Bool())}
	case "+":
		return k
	}
	v := tryValue(func() clr.Value { return clr.Negate(n.Op, t, k.V, !b.isUnchecked()) })
	if v == nil {
		b.err(n, "CS0220", "The operation overflows at compile time in checked mode")
		return bad()
	}
	return &Const{typed{t}, *v}
}

// promote1 is the type in which a unary operator works on t.
func promote1(t *clr.Type) *clr.Type {
	if t.Code >= clr.CodeChar && t.Code <= clr.CodeUInt16 {
		return clr.Int32
	}
	return t
}

// promote is the type in which a binary operator works, or nil.
func promote(x, y *clr.Type) *clr.Type {
	a, c := x.Code, y.Code
	either := func(k clr.Code) bool { return a == k || c == k }
	signed := func(k clr.Code) bool {
		return k == clr.CodeSByte || k == clr.CodeInt16 || k == clr.CodeInt32 || k == clr.CodeInt64
	}
	switch {
	case either(clr.CodeDecimal):
		if either(clr.CodeSingle) || either(clr.CodeDouble) {
			return nil
		}
		return clr.DecimalT
	case either(clr.CodeDouble):
		return clr.Double
	case either(clr.CodeSingle):
		return clr.Single
	case either(clr.CodeUInt64):
		if signed(a) || signed(c) {
			return nil
		}
		return clr.UInt64
	case either(clr.CodeInt64):
		return clr.Int64
	case either(clr.CodeUInt32):
		if signed(a) || signed(c) {
			return clr.Int64
		}
		return clr.UInt32
	}
	return clr.Int32
}

func (b *binder) binary(n *syntax.Binary) Expr {
	// Long chains of operators lean to the left: take them apart in a loop.
	var chain []*syntax.Binary
	cur := n
	for {
		chain = append(chain, cur)
		l, ok := cur.X.(*syntax.Binary)
		if !ok || l.Op == "??" || cur.Op == "??" {
			break
		}
		cur = l
	}
	x := b.value(chain[len(chain)-1].X)
	for _, c := range slices.Backward(chain) {

		b.spend(1)
		switch c.Op {
		case "&&", "||":
			x = b.logic(c, x)
		case "??":
			x = b.coalesce(c, x)
		default:
			y := b.value(c.Y)
			x = b.binaryOp(c.Op, x, y, c)
		}
	}
	return x
}

func (b *binder) logic(n *syntax.Binary, x Expr) Expr {
	y := b.value(n.Y)
	if isBad(x, y) {
		return bad()
	}
	if !b.implicit(x, clr.Boolean).ok || !b.implicit(y, clr.Boolean).ok {
		b.opError(n.Op, x, y, n)
		return bad()
	}
	x, y = b.convert(x, clr.Boolean, n.X), b.convert(y, clr.Boolean, n.Y)
	and := n.Op == "&&"
	kx, okX := x.(*Const)
	ky, okY := y.(*Const)
	if okX && okY {
		if and {
			return &Const{typed{clr.Boolean}, clr.Bool(kx.V.Bool() && ky.V.Bool())}
		}
		return &Const{typed{clr.Boolean}, clr.Bool(kx.V.Bool() || ky.V.Bool())}
	}
	return &Logic{typed{clr.Boolean}, and, x, y}
}

func (b *binder) coalesce(n *syntax.Binary, x Expr) Expr {
	y := b.orThrow(n.Y)
	if isBad(x, y) {
		return bad()
	}
	xt := x.T()
	switch {
	case xt.Kind == clr.NullKind && (y.T().IsReference() || y.T().IsNullable()) && !untyped(y.T()):
		return y
	case xt.Kind != clr.NullKind && (xt.IsReference() || xt.IsNullable()):
	default:
		b.opError("??", x, y, n)
		return bad()
	}
	var t *clr.Type
	switch {
	case xt.IsNullable() && b.implicit(y, xt.Args[0]).ok && y.T().Kind != clr.NullKind:
		t = xt.Args[0]
	case b.implicit(y, xt).ok:
		t = xt
	case b.implicit(x, y.T()).ok:
		t = y.T()
	case xt.IsNullable() && standard(xt.Args[0], y.T()).ok:
		v := b.temp(xt)
		inner := b.apply(&Conv{typed{xt.Args[0]}, Nothing, &Local{typed{xt.Args[0]}, v}, false, false}, standard(xt.Args[0], y.T()), y.T(), n)
		return &Coalesce{typed{y.T()}, &CondAccess{typed{y.T()}, x, v, inner}, y}
	default:
		b.opError("??", x, y, n)
		return bad()
	}
	left := x
	if !xt.IsNullable() {
		left = b.convert(x, t, n.X)
	}
	return &Coalesce{typed{t}, left, b.convert(y, t, n.Y)}
}

// binaryOp binds an operator on two bound operands.
func (b *binder) binaryOp(op string, x, y Expr, n syntax.Node) Expr {
	if isBad(x, y) {
		return bad()
	}
	x, y, ok := b.defaults(op, x, y, n)
	if !ok {
		return bad()
	}
	px, py := operand(x), operand(y)
	if isBad(px, py) {
		b.opError(op, x, y, n)
		return bad()
	}
	x, y = px, py
	if site := b.userBinary(op, x, y); site != nil {
		return b.callOperator(site, x, y, n)
	}
	if op == "+" {
		if out := b.concat(x, y); out != nil {
			return out
		}
	}
	if op == "==" || op == "!=" {
		return b.equality(op, x, y, n)
	}
	if out := b.builtin(op, x, y, n); out != nil {
		return out
	}
	if out := b.convertedOp(op, x, y, n); out != nil {
		return out
	}
	b.opError(op, x, y, n)
	return bad()
}

// defaults gives the literal default the type of the other operand, for the
// operators that it may stand at.
func (b *binder) defaults(op string, x, y Expr, n syntax.Node) (Expr, Expr, bool) {
	dx, dy := isDefault(x), isDefault(y)
	switch {
	case !dx && !dy:
		return x, y, true
	case dx && dy || op != "==" && op != "!=":
		b.err(n, "CS8310", "Operator '"+op+"' cannot be applied to operand 'default'")
		return x, y, false
	case dx:
		return b.convert(x, y.T(), n), y, true
	}
	return x, b.convert(y, x.T(), n), true
}

// operand keeps lambdas and the like out of operators.
func operand(x Expr) Expr {
	switch x.(type) {
	case *lambda, *group, *funcGroup, *Throw:
		return bad()
	}
	if t := x.T(); t.Kind == clr.FuncKind || t.Kind == clr.Void {
		return bad()
	}
	return x
}

// opError reports an operator that its operands do not have, or that is
// ambiguous: null has any type, and no type holds both signed numbers and ulong.
func (b *binder) opError(op string, x, y Expr, n syntax.Node) {
	null := func(x Expr) bool { return operand(x).T().Kind == clr.NullKind }
	xu, yu := x.T().Underlying(), y.T().Underlying()
	mixed := xu.IsInteger() && yu.IsInteger() && (xu == clr.UInt64) != (yu == clr.UInt64) && op != "<<" && op != ">>"
	if a, ok := n.(*syntax.Assign); ok {
		op = a.Op
	}
	code, what := "CS0019", "cannot be applied to"
	if mixed || null(x) && null(y) && op != "&&" && op != "||" && op != "??" {
		code, what = "CS0034", "is ambiguous on"
	}
	b.err(n, code, "Operator '"+op+"' "+what+" operands of type '"+display(x)+"' and '"+display(y)+"'")
}

// concat joins texts. The parts of a concatenation on the left go on growing in
// place, as a + b + c + … has no other use for it.
func (b *binder) concat(x, y Expr) Expr {
	str := func(x Expr) bool { return x.T() == clr.StringType }
	if !str(x) && !str(y) || x.T().Kind == clr.Void || y.T().Kind == clr.Void {
		return nil
	}
	c, ok := x.(*Concat)
	if !ok {
		c = &Concat{typed{clr.StringType}, []Expr{x}}
	}
	last := len(c.Parts) - 1
	if r, ok := y.(*Concat); ok {
		c.Parts = append(c.Parts, r.Parts...)
	} else {
		c.Parts = append(c.Parts, y)
	}
	end := b.joined(&Concat{typed{clr.StringType}, c.Parts[last:]})
	if last == 0 {
		return end
	}
	if tail, ok := end.(*Concat); ok {
		c.Parts = append(c.Parts[:last], tail.Parts...)
	} else if k := end.(*Const); k.V.Str() != "" {
		c.Parts = append(c.Parts[:last], k)
	} else {
		c.Parts = c.Parts[:last]
	}
	return c
}

// builtin binds the operators of numbers, bool, enums and delegates.
func (b *binder) builtin(op string, x, y Expr, n syntax.Node) Expr {
	xt, yt := x.T().Underlying(), y.T().Underlying()
	lifted := x.T().IsNullable() || y.T().IsNullable()
	if x.T().Kind == clr.NullKind && yt.IsValueType() {
		xt, lifted = yt, true
	}
	if y.T().Kind == clr.NullKind && xt.IsValueType() {
		yt, lifted = xt, true
	}
	var of, res *clr.Type
	rel := false
	switch op {
	case "<", ">", "<=", ">=":
		rel = true
		res = clr.Boolean
		if xt.IsNumeric() && yt.IsNumeric() {
			of = b.promoteConst(x, y, xt, yt)
		} else {
			of = enumPair(x, y, xt, yt)
		}
	case "+", "-", "*", "/", "%":
		switch {
		case xt.IsNumeric() && yt.IsNumeric():
			of = b.promoteConst(x, y, xt, yt)
			res = of
		case xt.Kind == clr.Enum && yt.Kind == clr.Enum && clr.Same(xt, yt) && op == "-":
			of, res = xt, clr.Int32
		case xt.Kind == clr.Enum && yt.IsInteger() && (op == "+" || op == "-"):
			of, res = xt, xt
		case yt.Kind == clr.Enum && xt.IsInteger() && (op == "+" || op == "-"):
			of, res = yt, yt
		}
	case "&", "|", "^":
		switch {
		case xt == clr.Boolean && yt == clr.Boolean:
			of = clr.Boolean
		case xt.IsInteger() && yt.IsInteger():
			of = b.promoteConst(x, y, xt, yt)
		default:
			of = enumPair(x, y, xt, yt)
		}
		res = of
	case "<<", ">>":
		if xt.IsInteger() && b.implicit(y, clr.Int32).ok || lifted && xt.IsInteger() && yt.Code == clr.CodeInt32 {
			of = promote1(xt)
			res = of
		}
	}
	if of == nil {
		return nil
	}
	opX, opY := of, of
	if op == "<<" || op == ">>" {
		opY = clr.Int32
	}
	if lifted {
		opX, opY = clr.NullableOf(opX), clr.NullableOf(opY)
		if !rel {
			res = clr.NullableOf(res)
		}
	}
	x, y = b.operandTo(x, opX, n), b.operandTo(y, opY, n)
	bin := &Binary{typed{res}, op, x, y, of, b.checked, lifted}
	return b.foldBinary(bin, n)
}

// operandTo converts an operand; integers become enums where those are mixed.
func (b *binder) operandTo(x Expr, t *clr.Type, n syntax.Node) Expr {
	if t.Underlying().Kind == clr.Enum && x.T().Underlying().IsInteger() {
		return b.cast(x, t, n)
	}
	return b.convert(x, t, n)
}

// promoteConst is promote, where a positive constant goes along with ulong.
func (b *binder) promoteConst(x, y Expr, xt, yt *clr.Type) *clr.Type {
	if t := promote(xt, yt); t != nil {
		if t == clr.Int64 && (xt == clr.UInt32 || yt == clr.UInt32) {
			if constConv2(x, clr.UInt32) && constConv2(y, clr.UInt32) {
				return clr.UInt32
			}
		}
		return t
	}
	for _, t := range []*clr.Type{clr.UInt64} {
		if b.implicit(x, t).ok && b.implicit(y, t).ok {
			return t
		}
	}
	return nil
}

func constConv2(x Expr, t *clr.Type) bool {
	k, ok := x.(*Const)
	return x.T() == t || ok && constConv(k, t).ok
}

func enumPair(x, y Expr, xt, yt *clr.Type) *clr.Type {
	zero := func(e Expr) bool { k, ok := e.(*Const); return ok && k.Type == clr.Int32 && k.V.Int() == 0 }
	switch {
	case xt.Kind == clr.Enum && (clr.Same(xt, yt) || zero(y)):
		return xt
	case yt.Kind == clr.Enum && zero(x):
		return yt
	}
	return nil
}

func (b *binder) foldBinary(n *Binary, at syntax.Node) Expr {
	kx, okX := n.X.(*Const)
	ky, okY := n.Y.(*Const)
	if okY && (n.Op == "/" || n.Op == "%") && (n.Of.IsInteger() && ky.V.Int() == 0 || n.Of == clr.DecimalT && ky.V.Decimal().Coefficient().Sign() == 0) && !n.Lifted {
		b.err(at, "CS0020", "Division by constant zero")
		return bad()
	}
	if !okX || !okY || kx.V.IsNull() || ky.V.IsNull() {
		return n
	}
	if n.Op == "%" && ky.V.Int() == -1 && n.Of.IsInteger() {
		return &Const{typed{n.Type}, clr.Scalar(n.Of, 0)} // the quotient may not fit, the remainder does
	}
	v := tryValue(func() clr.Value { return clr.Arith(n.Op, n.Of, kx.V, ky.V, !b.isUnchecked()) })
	if v == nil {
		b.err(at, "CS0220", "The operation overflows at compile time in checked mode")
		return bad()
	}
	if v.Tag() != nil && n.Type.Code != clr.CodeBoolean && n.Type.Kind != clr.Enum && v.Tag() != n.Type {
		return &Const{typed{n.Type}, clr.Scalar(n.Type.Underlying(), v.Int())}
	}
	return &Const{typed{n.Type}, *v}
}

// equality binds == and !=.
func (b *binder) equality(op string, x, y Expr, n syntax.Node) Expr {
	not := op == "!="
	xt, yt := x.T(), y.T()
	xu, yu := xt.Underlying(), yt.Underlying()
	str := func(t *clr.Type) bool { return t == clr.StringType }
	null := func(t *clr.Type) bool { return t.Kind == clr.NullKind }
	switch {
	case str(xt) && str(yt):
		if kx, ok := x.(*Const); ok {
			if ky, ok := y.(*Const); ok {
				eq := kx.V.IsNull() == ky.V.IsNull() && kx.V.Str() == ky.V.Str()
				return &Const{typed{clr.Boolean}, clr.Bool(eq != not)}
			}
		}
		return &StrEq{typed{clr.Boolean}, x, y, not}
	case null(xt) && null(yt):
		return &Const{typed{clr.Boolean}, clr.Bool(!not)}
	case null(yt) && (xt.IsReference() || xt.IsNullable()), null(xt) && (yt.IsReference() || yt.IsNullable()):
		return &RefEq{typed{clr.Boolean}, x, y, not}
	case (null(xt) || null(yt)) && b.comparesNull(xu) && b.comparesNull(yu):
		return &RefEq{typed{clr.Boolean}, x, y, not} // a value is never null
	case null(xt) || null(yt):
		b.opError(op, x, y, n)
		return bad()
	}
	lifted := xt.IsNullable() || yt.IsNullable()
	var of *clr.Type
	switch {
	case xu.IsNumeric() && yu.IsNumeric():
		of = b.promoteConst(x, y, xu, yu)
	case xu == clr.Boolean && yu == clr.Boolean:
		of = clr.Boolean
	default:
		of = enumPair(x, y, xu, yu)
	}
	if of != nil {
		t := of
		if lifted {
			t = clr.NullableOf(of)
		}
		bin := &Binary{typed{clr.Boolean}, op, b.operandTo(x, t, n), b.operandTo(y, t, n), of, false, lifted}
		return b.foldBinary(bin, n)
	}
	if xt.Def == clr.TupleDef && yt.Def == clr.TupleDef {
		return b.tupleEq(op, x, y, n)
	}
	if xt.IsReference() && yt.IsReference() && (b.explicit(x, yt).ok || b.explicit(y, xt).ok) {
		return &RefEq{typed{clr.Boolean}, x, y, not}
	}
	if out := b.convertedOp(op, x, y, n); out != nil {
		return out
	}
	b.opError(op, x, y, n)
	return bad()
}

// comparesNull reports whether values of t can be compared with null because t
// has an operator that is lifted.
func (b *binder) comparesNull(t *clr.Type) bool {
	return t.Kind == clr.NullKind || t.IsNumeric() || t == clr.Boolean || t.Kind == clr.Enum || len(b.lookup(t, "operator ==")) > 0
}

func (b *binder) tupleEq(op string, x, y Expr, n syntax.Node) Expr {
	if l, r := len(x.T().Args), len(y.T().Args); l != r {
		b.err(n, "CS8384", "Tuple types used as operands of an == or != operator must have matching cardinalities. But this operator has tuple types of cardinality "+strconv.Itoa(l)+" on the left and "+strconv.Itoa(r)+" on the right.")
		return bad()
	}
	vx, vy := b.temp(x.T()), b.temp(y.T())
	var out Expr
	for i := range x.T().Args {
		e := b.binaryOp(op, &Field{typed{x.T().Args[i]}, &Local{typed{vx.Type}, vx}, i}, &Field{typed{y.T().Args[i]}, &Local{typed{vy.Type}, vy}, i}, n)
		if isBad(e) {
			return bad()
		}
		if out == nil {
			out = e
		} else {
			out = &Logic{typed{clr.Boolean}, op == "==", out, e}
		}
	}
	return &Let{typed{clr.Boolean}, vx, x, nil, &Let{typed{clr.Boolean}, vy, y, nil, out}}
}

// convertedOp tries the operator after user-defined conversions of an operand to
// the other one's type, as (string)token == "a" without the cast.
func (b *binder) convertedOp(op string, x, y Expr, n syntax.Node) Expr {
	xt, yt := x.T(), y.T()
	try := func(t *clr.Type) Expr {
		u := t.Underlying()
		if !u.IsNumeric() && u != clr.Boolean && u != clr.StringType {
			return nil
		}
		cx, cy := b.implicit(x, t), b.implicit(y, t)
		if !cx.ok || !cy.ok || cx.user == nil && cy.user == nil {
			return nil
		}
		return b.binaryOp(op, b.apply(x, cx, t, n), b.apply(y, cy, t, n), n)
	}
	if out := try(yt); out != nil {
		return out
	}
	return try(xt)
}

// userUnary finds a user-defined unary operator.
func (b *binder) userUnary(op string, x Expr) *clr.Site {
	for t := x.T().Underlying(); t != nil; t = t.BaseOf() {
		for _, m := range b.u.Members(t, "operator "+op) {
			if len(m.Params) == 1 {
				return &clr.Site{Member: m, Class: t, Ret: m.Ret}
			}
		}
	}
	return nil
}

// userBinary finds the best user-defined operator of both operands' types.
func (b *binder) userBinary(op string, x, y Expr) *clr.Site {
	if x.T().Code != clr.CodeNone && y.T().Code != clr.CodeNone {
		return nil
	}
	var cands []candidate
	seen := map[*clr.Type]bool{}
	for _, t := range []*clr.Type{x.T().Underlying(), y.T().Underlying()} {
		for c := t; c != nil; c = c.BaseOf() {
			if seen[c.Definition()] {
				continue
			}
			seen[c.Definition()] = true
			for _, m := range b.u.Members(c, "operator "+op) {
				if len(m.Params) == 2 {
					cands = append(cands, candidate{m: m, class: c})
				}
			}
		}
	}
	if len(cands) == 0 {
		return nil
	}
	var args []arg
	for _, e := range []Expr{x, y} {
		if e.T().IsNullable() {
			e = &Local{typed{e.T().Args[0]}, nil}
		} else if e.T().Kind == clr.NullKind && (x.T().IsNullable() || y.T().IsNullable()) {
			return b.nullOperator(cands, x, y)
		}
		args = append(args, arg{x: e})
	}
	best, _ := b.choose(cands, nil, args, false)
	if best == nil {
		return nil
	}
	return &clr.Site{Member: best.m, Class: best.class, Ret: best.m.Ret}
}

// nullOperator handles date == null for a nullable date: equality only.
func (b *binder) nullOperator(cands []candidate, x, y Expr) *clr.Site { return nil }

// callOperator calls a user-defined operator, lifting it over nullables.
func (b *binder) callOperator(site *clr.Site, x, y Expr, n syntax.Node) Expr {
	b.allowed(site.Member, site.Class, n)
	p := site.Member.Params
	if !x.T().IsNullable() && !y.T().IsNullable() {
		return b.fold(&Call{typed{site.Ret}, site, nil, []Expr{b.convert(x, p[0].Type, n), b.convert(y, p[1].Type, n)}})
	}
	res := site.Ret
	rel := res == clr.Boolean
	if !rel {
		res = clr.NullableOf(res)
	}
	vx, vy := b.temp(x.T()), b.temp(y.T())
	lx, ly := &Local{typed{x.T().Underlying()}, vx}, &Local{typed{y.T().Underlying()}, vy}
	call := &Call{typed{site.Ret}, site, nil, []Expr{b.convert(lx, p[0].Type, n), b.convert(ly, p[1].Type, n)}}
	null := &Const{typed{clr.NullT}, clr.Null}
	eitherNull := &Logic{typed{clr.Boolean}, false, &RefEq{typed{clr.Boolean}, lx, null, false}, &RefEq{typed{clr.Boolean}, ly, null, false}}
	var otherwise Expr = &Const{typed{res}, clr.Null}
	if rel {
		otherwise = &Const{typed{clr.Boolean}, clr.Bool(false)}
		both := &Binary{typed{clr.Boolean}, "==", &RefEq{typed{clr.Boolean}, lx, null, false}, &RefEq{typed{clr.Boolean}, ly, null, false}, clr.Boolean, false, false}
		switch site.Member.Name {
		case "operator ==":
			otherwise = both
		case "operator !=":
			otherwise = &Unary{typed{clr.Boolean}, "!", both, false, false}
		}
	}
	cond := &Cond{typed{res}, eitherNull, otherwise, call}
	return &Let{typed{res}, vx, x, nil, &Let{typed{res}, vy, y, nil, cond}}
}
