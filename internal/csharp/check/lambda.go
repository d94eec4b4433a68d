package check

import (
	"slices"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// bindLambda binds a lambda for parameter types; each combination once. It gives
// nil when the number of parameters differs.
func (b *binder) bindLambda(l *lambda, in []*clr.Type) *boundLambda {
	if !l.syn.NoSig && len(l.syn.Params) != len(in) {
		return nil
	}
	types := make([]*clr.Type, len(in))
	for i := range in {
		types[i] = in[i]
		if !l.syn.NoSig && l.syn.Params[i].Type != nil {
			types[i] = b.typ(l.syn.Params[i].Type)
		}
	}
	for _, bl := range l.cache {
		if slices.EqualFunc(bl.in, types, b.identical) {
			return bl
		}
	}
	saved := *b
	b.errs, b.scope, b.fn, b.checked, b.wraps, b.around = nil, l.scope, &Func{Parent: l.fn}, l.chk, l.wraps, nil
	b.fn.At = l.syn
	bl := &boundLambda{in: types, fn: b.fn}
	b.push()
	if l.syn.Left != nil || l.syn.Right != nil {
		b.scope.side = l.syn
	}
	for i := range types {
		name := ""
		if !l.syn.NoSig {
			name = l.syn.Params[i].Name
		}
		var v *Var
		if name == "" || name == "_" {
			v = b.newVar(name, types[i], l.syn)
			if name == "_" && b.scope.names["_"] == nil {
				b.scope.set("_", v)
			}
		} else {
			v = b.lambdaParam(name, types[i], l.syn, i)
			b.unpack(name, l.syn.Params[i].Range)
		}
		if l.syn.Query {
			v.ReadOnly = "range variable"
		}
		v.Param = true
		b.fn.Params = append(b.fn.Params, v)
	}
	if block, ok := l.syn.Body.(*syntax.Block); ok {
		b.fn.Body = b.block(block)
		bl.ret = b.lambdaReturn(bl.fn)
	} else {
		bl.expr = b.orThrow(l.syn.Body)
		switch t := bl.expr.T(); t.Kind {
		case clr.NullKind, clr.FuncKind, clr.ErrorKind:
		default:
			bl.ret = t
		}
	}
	b.pop()
	bl.errs = b.errs
	*b = saved
	l.cache = append(l.cache, bl)
	return bl
}

// identical reports whether two types are the same and the items of their tuples
// have the same names.
func (b *binder) identical(x, y *clr.Type) bool {
	if x == y {
		return true
	}
	b.spend(min(x.Size(), y.Size()))
	return clr.Same(x, y) && x.String() == y.String()
}

func (b *binder) lambdaParam(name string, t *clr.Type, l *syntax.Lambda, i int) *Var {
	if !l.Query {
		return b.param(name, t, &l.Params[i])
	}
	v := b.newVar(name, t, l) // checked where the clause declares it
	b.scope.set(name, v)
	return v
}

func (b *binder) lambdaReturn(f *Func) *clr.Type {
	var xs []Expr
	for _, r := range f.Returns {
		if r.X != nil {
			xs = append(xs, r.X)
		}
	}
	if len(xs) == 0 {
		return clr.VoidType
	}
	t := b.bestCommon(xs)
	if t != nil && t.Kind == clr.ErrorKind {
		return nil
	}
	return t
}

// lambdaFits tells whether a lambda converts to a delegate type.
func (b *binder) lambdaFits(l *lambda, to *clr.Type) conversion {
	s := invokeOf(to)
	if s == nil {
		return none
	}
	bl := b.bindLambda(l, s.types())
	if bl == nil || len(bl.errs) > 0 {
		return none
	}
	if !l.syn.NoSig {
		for i := range l.syn.Params {
			if b.paramError(i, &l.syn.Params[i], &s.params[i]) != nil {
				return none
			}
		}
	}
	if bl.expr != nil {
		if s.ret.Kind == clr.Void && isEffect(l.syn.Body) || s.ret.Kind != clr.Void && b.implicit(bl.expr, s.ret).ok && bl.expr.T().Kind != clr.Void {
			return yes(Nothing)
		}
		return none
	}
	for _, r := range bl.fn.Returns {
		if (r.X == nil) != (s.ret.Kind == clr.Void) {
			return none
		}
		if r.X != nil && !b.implicit(r.X, s.ret).ok {
			return none
		}
	}
	if s.ret.Kind != clr.Void && len(bl.fn.Returns) == 0 && b.comesBack(bl.fn) {
		return none
	}
	return yes(Nothing)
}

// paramError finds what is wrong with a declared parameter of a lambda for a
// delegate with this one, or nil.
func (b *binder) paramError(i int, p *syntax.LambdaParam, want *clr.Param) *syntax.Error {
	no, mod := strconv.Itoa(i+1), strings.TrimSpace(modWord(want.Mod))
	fail := func(code, msg string) *syntax.Error {
		return &syntax.Error{Pos: p.NameAt, End: p.To, Code: code, Message: msg}
	}
	switch {
	case p.Type == nil:
		return nil
	case mod != p.Mod && mod == "":
		return fail("CS1677", "Parameter "+no+" should not be declared with the '"+p.Mod+"' keyword")
	case mod != p.Mod:
		return fail("CS1676", "Parameter "+no+" must be declared with the '"+mod+"' keyword")
	}
	if t := b.typ(p.Type); !clr.Same(t, want.Type) && t.Kind != clr.ErrorKind {
		return fail("CS1678", "Parameter "+no+" is declared as type '"+t.String()+"' but should be '"+want.Type.String()+"'")
	}
	return nil
}

// finishLambda makes the delegate. The bound body is used as it is; only its
// results are converted.
func (b *binder) finishLambda(l *lambda, to *clr.Type) Expr {
	s := invokeOf(to)
	bl := b.bindLambda(l, s.types())
	b.report(bl.errs...)
	f := bl.fn
	if f.Ret != nil {
		return &Lambda{typed{to}, f} // converted before, for the same type
	}
	f.Ret, f.delegate = s.ret, to
	old := b.fn
	b.fn = f
	defer func() { b.fn = old }()
	if bl.expr != nil {
		if s.ret.Kind == clr.Void {
			f.Body = &Eval{bl.expr}
		} else {
			f.Body = &Return{X: b.convert(bl.expr, s.ret, l.syn.Body)}
		}
	} else {
		for _, r := range f.Returns {
			if r.X != nil {
				r.X = b.convert(r.X, s.ret, r.At)
			}
		}
	}
	return &Lambda{typed{to}, f}
}

// reportLambda reports the errors inside a lambda that no overload accepted.
func (b *binder) reportLambda(l *lambda) bool {
	for _, bl := range l.cache {
		if len(bl.errs) > 0 || bl.expr != nil && isBad(bl.expr) {
			b.report(bl.errs...)
			return true
		}
	}
	return false
}

// badReturn reports a result of a lambda that does not convert.
func (b *binder) badReturn(l *lambda, x Expr, to *clr.Type, at syntax.Node) {
	n := len(b.errs)
	b.noConversion(x, to, at)
	if len(b.errs) > n && b.errs[n].Code != "CS1662" {
		b.err(at, "CS1662", "Cannot convert "+lambdaWord(l)+" to intended delegate type because some of the return types in the block are not implicitly convertible to the delegate return type")
	}
}

func (b *binder) lambdaError(l *lambda, to *clr.Type, at syntax.Node) {
	s := invokeOf(to)
	if s == nil {
		if to.Kind != clr.ErrorKind {
			b.err(at, "CS1660", "Cannot convert "+lambdaWord(l)+" to type '"+to.String()+"' because it is not a delegate type")
		}
		return
	}
	bl := b.bindLambda(l, s.types())
	if bl == nil {
		b.err(at, "CS1593", "Delegate '"+to.String()+"' does not take "+strconv.Itoa(len(l.syn.Params))+" arguments")
		return
	}
	if len(bl.errs) > 0 {
		b.report(bl.errs...)
		return
	}
	for i := range l.syn.Params {
		if e := b.paramError(i, &l.syn.Params[i], &s.params[i]); e != nil {
			b.err(at, "CS1661", "Cannot convert "+lambdaWord(l)+" to type '"+to.String()+"' because the parameter types do not match the delegate parameter types")
			b.report(e)
			return
		}
	}
	if bl.expr != nil {
		if s.ret.Kind == clr.Void {
			b.effect(l.syn.Body)
		} else {
			b.badReturn(l, bl.expr, s.ret, l.syn.Body)
		}
		return
	}
	for _, r := range bl.fn.Returns {
		switch {
		case r.X == nil && s.ret.Kind != clr.Void:
			b.err(r.At, "CS0126", "An object of a type convertible to '"+s.ret.String()+"' is required")
		case r.X != nil && s.ret.Kind == clr.Void:
			b.err(r.stmt, "CS8030", "Anonymous function converted to a void returning delegate cannot return a value")
		case r.X != nil && !b.implicit(r.X, s.ret).ok:
			b.badReturn(l, r.X, s.ret, r.At)
		}
	}
	if len(bl.fn.Returns) == 0 {
		b.err(l.syn.Arrow, "CS1643", "Not all code paths return a value in "+lambdaWord(l)+" of type '"+to.String()+"'")
	}
}

// groupToDelegate converts a method group to a delegate, by a lambda that calls
// it; nil when no overload fits.
func (b *binder) groupToDelegate(x Expr, to *clr.Type, at syntax.Node) Expr {
	s := invokeOf(to)
	if s == nil {
		return nil
	}
	var out Expr
	var recv Expr
	var recvVar *Var
	if g, ok := x.(*group); ok && g.recv != nil {
		recvVar = b.temp(g.recv.T())
		recv = g.recv
		h := *g
		h.recv = &Local{typed{g.recv.T()}, recvVar}
		x = &h
	}
	f := &Func{Parent: b.fn, Ret: s.ret}
	old := b.fn
	b.fn = f
	for _, p := range s.params {
		v := b.temp(p.Type)
		v.Param = true
		f.Params = append(f.Params, v)
	}
	if recvVar != nil {
		b.use(recvVar)
	}
	call := b.groupCall(x, s.types(), f.Params)
	if call != nil {
		if s.ret.Kind == clr.Void {
			f.Body = &Eval{call}
			out = &Lambda{typed{to}, f}
		} else if call.T().Kind != clr.Void && b.implicit(call, s.ret).ok {
			f.Body = &Return{X: b.convert(call, s.ret, at)}
			out = &Lambda{typed{to}, f}
		}
	}
	b.fn = old
	if out != nil && recvVar != nil {
		out = &Let{typed{to}, recvVar, recv, nil, out}
	}
	return out
}

// groupCall binds the call of a method group with values of the given types,
// silently: nil when it does not work out.
func (b *binder) groupCall(x Expr, in []*clr.Type, params []*Var) Expr {
	args := make([]arg, len(in))
	for i, t := range in {
		args[i].x = &Local{typed{t}, nil}
		if params != nil {
			args[i].x = &Local{typed{t}, params[i]}
		}
	}
	errs := len(b.errs)
	var out Expr
	switch g := x.(type) {
	case *group:
		out = b.callGroup(g, args, g.at)
	case *funcGroup:
		out = b.callLocal(g.f, nil, args, nil)
	}
	failed := len(b.errs) > errs
	b.errs = b.errs[:errs]
	if failed || isBad(out) {
		return nil
	}
	return out
}
