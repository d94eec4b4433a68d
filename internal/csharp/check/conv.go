package check

import (
	"strconv"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// conversion is how one type becomes another.
type conversion struct {
	ok     bool
	kind   ConvKind
	user   *clr.Site // a user-defined operator
	pre    *clr.Type // converted to before the operator
	lifted bool
}

var none = conversion{}

func yes(k ConvKind) conversion { return conversion{ok: true, kind: k} }

// widening lists, for each number, what it converts to by itself.
var widening = map[clr.Code]string{
	clr.CodeSByte: "short int long float double decimal", clr.CodeByte: "short ushort int uint long ulong float double decimal",
	clr.CodeInt16: "int long float double decimal", clr.CodeUInt16: "int uint long ulong float double decimal",
	clr.CodeInt32: "long float double decimal", clr.CodeUInt32: "long ulong float double decimal",
	clr.CodeInt64: "float double decimal", clr.CodeUInt64: "float double decimal",
	clr.CodeChar: "ushort int uint long ulong float double decimal", clr.CodeSingle: "double",
}

var widens = func() (m [16][16]bool) {
	for from, list := range widening {
		for _, w := range splitWords(list) {
			m[from][clr.Keyword(w).Code] = true
		}
	}
	return m
}()

func splitWords(s string) []string {
	var out []string
	start := 0
	for i := 0; i <= len(s); i++ {
		if i == len(s) || s[i] == ' ' {
			if i > start {
				out = append(out, s[start:i])
			}
			start = i + 1
		}
	}
	return out
}

// standard finds a standard implicit conversion between types.
func standard(from, to *clr.Type) conversion {
	switch {
	case from.Kind == clr.ErrorKind || to.Kind == clr.ErrorKind:
		return yes(Nothing)
	case clr.Same(from, to):
		if from.Def == clr.TupleDef {
			return yes(Nothing)
		}
		return yes(Nothing)
	case from.Kind == clr.Void || to.Kind == clr.Void || from.Kind == clr.FuncKind:
		return none
	case from.Kind == clr.NullKind:
		if to.IsReference() || to.IsNullable() {
			return yes(Nothing)
		}
		return none
	case from.IsNumeric() && to.IsNumeric():
		if widens[from.Code][to.Code] {
			return yes(Number)
		}
		return none
	case to.IsNullable():
		if from.IsNullable() {
			c := standard(from.Args[0], to.Args[0])
			c.lifted = true
			return c
		}
		if !from.IsValueType() {
			return none
		}
		return standard(from, to.Args[0])
	case from.Def == clr.TupleDef && to.Def == clr.TupleDef:
		return tupleConv(from, to)
	}
	if from.Underlying().Inherits(to) && (from.IsReference() || !to.IsValueType()) {
		return yes(Nothing) // reference or boxing
	}
	return none
}

func tupleConv(from, to *clr.Type) conversion {
	if len(from.Args) != len(to.Args) {
		return none
	}
	for i := range from.Args {
		if !standard(from.Args[i], to.Args[i]).ok {
			return none
		}
	}
	return yes(ToTuple)
}

// implicit finds the implicit conversion of an expression.
func (b *binder) implicit(x Expr, to *clr.Type) conversion {
	b.spend(1)
	from := x.T()
	if isBad(x) || to.Kind == clr.ErrorKind {
		return yes(Nothing)
	}
	switch x := x.(type) {
	case *lambda:
		return b.lambdaFits(x, to)
	case *group, *funcGroup:
		if b.groupToDelegate(x, to, nil) != nil {
			return yes(Nothing)
		}
		return none
	case *defaultLit:
		return yes(Nothing)
	case *Throw:
		return yes(Nothing)
	case *NewRecord:
		if c := b.tupleLiteral(x, to); c.ok {
			return c
		}
	case *Const:
		if c := constConv(x, to); c.ok {
			return c
		}
	case *Cond:
		if x.Type.Kind == clr.NullKind {
			return standard(x.Type, to)
		}
	}
	if c := standard(from, to); c.ok {
		return c
	}
	return b.userConv(from, to, false)
}

func (b *binder) tupleLiteral(x *NewRecord, to *clr.Type) conversion {
	if to.Def != clr.TupleDef || len(x.Vals) != len(to.Args) || x.Type.Def != clr.TupleDef {
		return none
	}
	for i, v := range x.Vals {
		if !b.implicit(v, to.Args[i]).ok {
			return none
		}
	}
	return yes(ToTuple)
}

// constConv covers the constants that convert further than their type: small
// integers, and 0 to enums.
func constConv(x *Const, to *clr.Type) conversion {
	t := to.Underlying()
	if x.Type.Code == clr.CodeInt32 || x.Type.Code == clr.CodeInt64 {
		if t.Kind == clr.Enum && x.V.Int() == 0 && x.Type.Code == clr.CodeInt32 {
			return yes(Number)
		}
		small := t.Code >= clr.CodeSByte && t.Code <= clr.CodeUInt64
		if x.Type.Code == clr.CodeInt64 {
			small = t.Code == clr.CodeUInt64
		}
		if small && clr.Fits(x.V, t) {
			return yes(Number)
		}
	}
	return none
}

// userConv looks for a user-defined conversion in both types.
func (b *binder) userConv(from, to *clr.Type, explicit bool) conversion {
	if from.Kind == clr.Interface || to == clr.ObjectType && (!explicit || from.Kind == clr.NullKind) {
		return none
	}
	names := []string{"implicit"}
	if explicit {
		names = append(names, "explicit")
	}
	best, bestScore := none, 0
	seen := map[*clr.Member]bool{}
	for _, owner := range []*clr.Type{from.Underlying(), to.Underlying()} {
		for t := owner; t != nil; t = t.BaseOf() {
			for _, name := range names {
				for _, m := range b.u.Members(t, name) {
					if seen[m] {
						continue
					}
					seen[m] = true
					site := &clr.Site{Member: m, Class: t, Ret: m.Ret.Subst(t, nil)}
					c, score := userScore(m.Params[0].Type.Subst(t, nil), site, from, to, explicit)
					if c.ok && (!best.ok || score > bestScore) {
						best, bestScore = c, score
					}
				}
			}
		}
	}
	return best
}

// userScore prefers exact operand and result types.
func userScore(param *clr.Type, site *clr.Site, from, to *clr.Type, explicit bool) (conversion, int) {
	score := 0
	c := conversion{ok: true, user: site, pre: param}
	src := from
	switch {
	case clr.Same(src, param):
		score += 8
	case from.Kind == clr.NullKind:
		if !param.IsReference() && !param.IsNullable() {
			return none, 0
		}
		score += 2
	case standard(src, param).ok:
		score += 4
	case explicit && standard(param, src).ok:
		score++
	case from.IsNullable() && !param.IsNullable() && (to.IsNullable() || to.IsReference()) && clr.Same(from.Args[0], param):
		c.lifted = true
		score += 6
	case explicit && from.IsNullable() && clr.Same(from.Args[0], param):
		score += 3
	default:
		return none, 0
	}
	ret := site.Ret
	switch {
	case clr.Same(ret, to):
		score += 32
	case clr.Same(ret, to.Underlying()):
		score += 24
	case standard(ret, to).ok:
		score += 16
		if ret.IsNumeric() && to.IsNumeric() {
			score -= int(to.Code - ret.Code)
		}
	case explicit && (standard(to, ret).ok || ret.IsNumeric() && to.IsNumeric()) && !ret.IsOpen():
		score += 10 - min(9, abs(int(ret.Code)-int(to.Code)))
		if ret == clr.StringType {
			return none, 0
		}
	default:
		return none, 0
	}
	return c, score
}

func abs(n int) int { return max(n, -n) }

// convert applies the implicit conversion, or reports that there is none.
func (b *binder) convert(x Expr, to *clr.Type, at syntax.Node) Expr {
	if isBad(x) || to.Kind == clr.ErrorKind {
		return x
	}
	c := b.implicit(x, to)
	if !c.ok {
		b.noConversion(x, to, at)
		return bad()
	}
	return b.apply(x, c, to, at)
}

func (b *binder) noConversion(x Expr, to *clr.Type, at syntax.Node) {
	from := x.T()
	switch x := x.(type) {
	case *lambda:
		b.lambdaError(x, to, at)
		return
	case *group:
		b.groupError(x, x.name, x.at, to, at)
		return
	case *funcGroup:
		b.groupError(x, x.f.Name, at, to, at)
		return
	case *NewRecord:
		if to.Def == clr.TupleDef && len(to.Args) == len(x.Vals) {
			for i, v := range x.Vals {
				if !isBad(v) && !b.implicit(v, to.Args[i]).ok {
					b.noConversion(v, to.Args[i], elemNode(at, i))
				}
			}
			return
		}
	case *Const:
		if from.Kind == clr.NullKind && to.Kind == clr.TypeParam {
			b.err(at, "CS0403", "Cannot convert null to type parameter '"+to.String()+"' because it could be a non-nullable value type. Consider using 'default("+to.String()+")' instead.")
			return
		}
		if from.Kind == clr.NullKind {
			b.err(at, "CS0037", "Cannot convert null to '"+to.String()+"' because it is a non-nullable value type")
			return
		}
		if from.IsInteger() && to.IsInteger() && from.Code == clr.CodeInt32 && to != clr.Char {
			b.err(at, "CS0031", "Constant value '"+constText(x.V)+"' cannot be converted to a '"+to.String()+"'")
			return
		}
		if from.Code == clr.CodeDouble && (to.Code == clr.CodeDecimal || to.Code == clr.CodeSingle) {
			suffix := map[clr.Code]string{clr.CodeDecimal: "M", clr.CodeSingle: "F"}[to.Code]
			b.err(at, "CS0664", "Literal of type double cannot be implicitly converted to type '"+to.String()+"'; use an '"+suffix+"' suffix to create a literal of this type")
			return
		}
	}
	if b.explicit(x, to).ok {
		b.err(at, "CS0266", "Cannot implicitly convert type '"+displayQualified(x)+"' to '"+to.Qualified()+"'. An explicit conversion exists (are you missing a cast?)")
		return
	}
	b.err(at, "CS0029", "Cannot implicitly convert type '"+displayQualified(x)+"' to '"+to.Qualified()+"'")
}

// groupError explains why a method group does not become a delegate.
func (b *binder) groupError(x Expr, name string, nameAt syntax.Node, to *clr.Type, at syntax.Node) {
	s := invokeOf(to)
	if s == nil {
		b.err(nameAt, "CS0428", "Cannot convert method group '"+name+"' to non-delegate type '"+to.String()+"'. Did you intend to invoke the method?")
		return
	}
	if call := b.groupCall(x, s.types(), nil); call != nil {
		b.err(at, "CS0407", "'"+call.T().String()+" "+calledTitle(call)+"' has the wrong return type")
		return
	}
	b.err(nameAt, "CS0123", "No overload for '"+name+"' matches delegate '"+to.String()+"'")
}

func calledTitle(call Expr) string {
	switch c := call.(type) {
	case *Call:
		return title(c.Site.Member, c.Site.Class)
	case *LocalCall:
		return c.F.title()
	}
	return ""
}

// apply makes the node of a conversion, folding constants.
func (b *binder) apply(x Expr, c conversion, to *clr.Type, at syntax.Node) Expr {
	switch y := x.(type) {
	case *lambda:
		return b.finishLambda(y, to)
	case *group, *funcGroup:
		return b.groupToDelegate(y, to, at)
	case *defaultLit:
		return &Const{typed{to}, clr.Zero(to)}
	case *Throw:
		return &Throw{typed{to}, y.X}
	}
	if c.user != nil {
		return b.applyUser(x, c, to, at)
	}
	if c.kind == ToTuple {
		return b.applyTuple(x, to, at)
	}
	if k, ok := x.(*Const); ok {
		switch {
		case k.Type.Kind == clr.NullKind, c.kind == Nothing:
			return &Const{typed{to}, k.V}
		case c.kind == Number:
			return b.foldNumber(k, to, false, at)
		}
	}
	if c.kind == Nothing {
		if clr.Same(x.T(), to) && (to.Def != clr.TupleDef || len(to.Names) == 0) {
			return x
		}
		return &Conv{typed{to}, Nothing, x, false, false}
	}
	return &Conv{typed{to}, c.kind, x, b.checked, c.lifted || x.T().IsNullable()}
}

func (b *binder) applyTuple(x Expr, to *clr.Type, at syntax.Node) Expr {
	if lit, ok := x.(*NewRecord); ok {
		vals := make([]Expr, len(lit.Vals))
		for i, v := range lit.Vals {
			vals[i] = b.convert(v, to.Args[i], at)
		}
		return &NewRecord{typed{to}, vals}
	}
	v := b.temp(x.T())
	vals := make([]Expr, len(to.Args))
	for i := range to.Args {
		vals[i] = b.convert(&Field{typed{x.T().Args[i]}, &Local{typed{v.Type}, v}, i}, to.Args[i], at)
	}
	return &Let{typed{to}, v, x, nil, &NewRecord{typed{to}, vals}}
}

// applyUser calls a conversion operator between two standard conversions.
func (b *binder) applyUser(x Expr, c conversion, to *clr.Type, at syntax.Node) Expr {
	if c.lifted {
		v := b.temp(x.T())
		inner := c
		inner.lifted = false
		arg := &Conv{typed{x.T().Args[0]}, Unwrap, &Local{typed{v.Type}, v}, false, false}
		return &CondAccess{typed{to}, x, v, b.applyUser(arg, inner, to, at)}
	}
	arg := x
	if !clr.Same(x.T(), c.pre) {
		if k := b.implicit(x, c.pre); k.ok {
			arg = b.apply(x, k, c.pre, at)
		} else {
			arg = b.cast(x, c.pre, at)
		}
	}
	b.allowed(c.user.Member, c.user.Class, at)
	out := b.fold(&Call{typed{c.user.Ret}, c.user, nil, []Expr{arg}})
	if clr.Same(c.user.Ret, to) {
		return out
	}
	if k := standard(c.user.Ret, to); k.ok {
		return b.apply(out, k, to, at)
	}
	return b.cast(out, to, at)
}

// explicit finds what a cast does.
func (b *binder) explicit(x Expr, to *clr.Type) conversion {
	if c := b.implicit(x, to); c.ok {
		return c
	}
	from := x.T()
	fu, tu := from.Underlying(), to.Underlying()
	number := func(t *clr.Type) bool { return t.IsNumeric() || t.Kind == clr.Enum }
	switch {
	case from.Kind == clr.NullKind || from.Kind == clr.Void || from.Kind == clr.FuncKind:
		return none
	case from.IsNullable() && clr.Same(fu, to):
		return yes(Unwrap)
	case number(fu) && number(tu):
		c := yes(Number)
		c.lifted = to.IsNullable()
		return c
	case to.IsValueType() && (from == clr.ObjectType || from.Kind == clr.Interface && tu.Inherits(from) || from == clr.ValueType || from == clr.EnumBase && tu.Kind == clr.Enum):
		return yes(Unbox)
	}
	// A reference conversion comes before any that a type declares: a cast from object never calls one.
	if downcast(from, to) {
		return yes(Down)
	}
	return b.userConv(from, to, true)
}

// downcast says whether a reference of from may be cast to one of to.
func downcast(from, to *clr.Type) bool {
	if !from.IsReference() || !to.IsReference() || to.Kind == clr.NullKind {
		return false
	}
	switch {
	case to.Inherits(from), from.Kind == clr.Interface && !sealed(to), to.Kind == clr.Interface && !sealed(from):
		return true
	case from.Kind == clr.Array && to.Kind == clr.Array:
		return from.Elem.IsReference() && to.Elem.IsReference()
	}
	return to.Kind == clr.Array && from.Kind == clr.Interface
}

// sealed reports types of which no subclass can implement another interface.
func sealed(t *clr.Type) bool {
	return t.IsValueType() || t == clr.StringType || t.Kind == clr.Array || t.Kind == clr.Delegate
}

// cast applies an explicit conversion, or reports that there is none.
func (b *binder) cast(x Expr, to *clr.Type, at syntax.Node) Expr {
	if isBad(x) {
		return unknown(to)
	}
	if to.Kind == clr.ErrorKind {
		return bad()
	}
	if l, ok := x.(*lambda); ok {
		if c := b.implicit(l, to); !c.ok {
			b.noConversion(x, to, l.syn)
			return bad()
		}
	}
	c := b.explicit(x, to)
	if !c.ok {
		if x.T().Kind == clr.NullKind {
			b.err(at, "CS0037", "Cannot convert null to '"+to.String()+"' because it is a non-nullable value type")
		} else {
			b.err(at, "CS0030", "Cannot convert type '"+displayQualified(x)+"' to '"+to.Qualified()+"'")
		}
		return bad()
	}
	if k, ok := x.(*Const); ok && c.kind == Number && c.user == nil {
		return b.foldNumber(k, to, true, at)
	}
	if c.kind == Number && c.user == nil && x.T().IsNullable() && !to.IsNullable() {
		x = &Conv{typed{x.T().Args[0]}, Unwrap, x, false, false}
		return &Conv{typed{to}, Number, x, b.checked, false}
	}
	return b.apply(x, c, to, at)
}

// foldNumber converts a constant number.
func (b *binder) foldNumber(k *Const, to *clr.Type, cast bool, at syntax.Node) Expr {
	t := to.Underlying()
	whole := t.IsInteger() || t.Kind == clr.Enum
	integral := whole && (k.Type.IsInteger() || k.Type.Kind == clr.Enum)
	if cast && whole && !b.isUnchecked() {
		lost := integral && !clr.Fits(k.V, t)
		if k.Type.Code == clr.CodeDouble || k.Type.Code == clr.CodeSingle {
			lost = tryValue(func() clr.Value { return clr.ConvertNumber(k.V, k.Type, t, true) }) == nil
		}
		if lost {
			b.err(at, "CS0221", "Constant value '"+constText(k.V)+"' cannot be converted to a '"+t.String()+"' (use 'unchecked' syntax to override)")
			return bad()
		}
	}
	v := tryValue(func() clr.Value { return clr.ConvertNumber(k.V, k.Type, t, false) })
	if v == nil {
		b.err(at, "CS0031", "Constant value '"+constText(k.V)+"' cannot be converted to a '"+t.String()+"'")
		return bad()
	}
	return &Const{typed{to}, *v}
}

// tryValue gives nil when fn throws.
func tryValue(fn func() clr.Value) (out *clr.Value) {
	defer func() {
		if r := recover(); r != nil {
			switch r.(type) {
			case *clr.Exception, *clr.Stop:
				out = nil
			default:
				panic(r)
			}
		}
	}()
	v := fn()
	return &v
}

// natural settles what has no type of its own, as the result of a source.
func (b *binder) natural(x Expr, at syntax.Node) Expr {
	switch x := x.(type) {
	case *lambda, *group, *funcGroup:
		b.noConversion(x, clr.ObjectType, at)
		return bad()
	case *defaultLit:
		return &Const{typed{clr.ObjectType}, clr.Null}
	case *typeExpr:
		return b.notValue(x, at)
	case *NewRecord:
		if untyped(x.Type) {
			b.err(at, "CS8135", "Tuple with "+strconv.Itoa(len(x.Vals))+" elements cannot be converted to type 'object'.")
			return bad()
		}
	case *Const:
		if x.Type.Kind == clr.NullKind {
			return &Const{typed{clr.ObjectType}, clr.Null}
		}
	}
	return x
}
