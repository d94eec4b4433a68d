package check

import (
	"slices"
	"strconv"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// args binds arguments; variables that out arguments declare come later, when
// the parameter's type is known.
func (b *binder) args(list []syntax.Argument) ([]arg, bool) {
	out := make([]arg, len(list))
	ok := true
	for i, a := range list {
		at := a
		out[i] = arg{name: a.Name, mod: a.Mod, at: &at}
		if d, isDecl := a.X.(*syntax.Decl); isDecl {
			out[i].decl = d
			if !d.Type.IsVar() {
				out[i].x = &Local{typed{b.typ(d.Type)}, nil}
			}
			continue
		}
		if n, isName := a.X.(*syntax.Name); isName && a.Mod == "out" && n.Ident == "_" && b.find("_") == nil {
			out[i].decl = &syntax.Decl{Range: n.Range, Type: &syntax.Type{Parts: []syntax.NamePart{{Name: "var"}}}, Name: "_"}
			continue
		}
		if a.Mod == "" {
			out[i].x = b.value(a.X)
		} else {
			out[i].x = b.reference(a.X)
		}
		if isBad(out[i].x) {
			ok = false
		}
	}
	return out, ok
}

// call binds Fn(Args).
func (b *binder) call(n *syntax.Call) Expr {
	if name, ok := n.Fn.(*syntax.Name); ok && name.Ident == "nameof" && b.find("nameof") == nil && len(n.Args) == 1 {
		return b.nameOf(n)
	}
	var fn Expr
	if m, ok := n.Fn.(*syntax.Member); ok {
		fn = b.invoked(m)
	} else {
		fn = b.expr(n.Fn)
	}
	args, ok := b.args(n.Args)
	if isBad(fn) || !ok {
		b.skim(args)
		b.forget(args)
		if f, isLocal := fn.(*funcGroup); isLocal && !f.f.Generic() {
			return unknown(f.f.Ret)
		}
		return bad()
	}
	switch f := fn.(type) {
	case *group:
		return b.callGroup(f, args, n)
	case *funcGroup:
		var targs []*clr.Type
		if name, ok := n.Fn.(*syntax.Name); ok {
			targs = b.targs(name.Args)
		}
		return b.callLocal(f.f, targs, args, n)
	case *typeExpr:
		b.err(callName(n), "CS1955", "Non-invocable member '"+f.of.String()+"' cannot be used like a method.")
		return bad()
	case *space:
		return b.notValue(f, n.Fn)
	}
	if s := invokeOf(fn.T()); s != nil {
		return b.invoke(fn, s, args, n)
	}
	if c, ok := fn.(*Call); ok && c.Site.Member.Kind == clr.Property {
		b.err(callName(n), "CS1955", "Non-invocable member '"+c.Site.Member.Owner.String()+"."+c.Site.Member.Name+"' cannot be used like a method.")
		return bad()
	}
	b.err(n.Fn, "CS0149", "Method name expected")
	return bad()
}

// invoked binds the x.Name of x.Name(…). A property that cannot be called does
// not hide methods of base classes or extension methods: token.First() is a
// call although JToken has a property First.
func (b *binder) invoked(m *syntax.Member) Expr {
	fn := b.expr(m)
	c, ok := fn.(*Call)
	if !ok || c.Recv == nil || c.Site.Member.Kind != clr.Property || c.Site.Member.Name != m.Name.Name || invokeOf(c.T()) != nil {
		return fn
	}
	var methods []candidate
	for _, k := range b.lookup(c.Recv.T(), m.Name.Name) {
		if k.m.Kind == clr.Method {
			methods = append(methods, k)
		}
	}
	if len(methods) == 0 && len(b.u.Extensions(m.Name.Name)) == 0 {
		return fn
	}
	return &group{typed{clr.FuncT}, c.Recv, nil, m.Name.Name, methods, b.targs(m.Name.Args), &m.Name}
}

// children makes a JToken a sequence of its children. Values of tokens are the
// same whatever their static type, but a JObject enumerates pairs and the same
// object as JToken enumerates properties.
func (b *binder) children(x Expr) Expr {
	const ns = "Newtonsoft.Json.Linq."
	if n := x.T().FullName(); n != ns+"JToken" && n != ns+"JContainer" {
		return x
	}
	for _, m := range b.u.Extensions("AsJEnumerable") {
		return &Call{typed{m.Ret}, &clr.Site{Member: m, Class: m.Owner, Ret: m.Ret}, nil, []Expr{x}}
	}
	return x
}

func (b *binder) nameOf(n *syntax.Call) Expr {
	name := syntax.InferredName(n.Args[0].X)
	if name == "" {
		b.err(n.Args[0].X, "CS8081", "Expression does not have a name.")
		return bad()
	}
	before := len(b.errs)
	x := b.expr(n.Args[0].X)
	if isBad(x) {
		if len(b.errs) != before+1 || b.errs[before].Code != "CS0120" {
			return bad()
		}
		b.errs = b.errs[:before] // nameof(string.Length) needs no string
	}
	return &Const{typed{clr.StringType}, clr.String(name)}
}

// callGroup resolves the overload of a method group.
func (b *binder) callGroup(g *group, args []arg, at syntax.Node) Expr {
	var near *picked
	methods := g.members
	if len(g.targs) > 0 {
		methods = nil
		for _, c := range g.members {
			if len(c.m.TypeParams) == len(g.targs) {
				methods = append(methods, c)
			}
		}
	}
	if p, n := b.choose(methods, g.targs, args, false); p != nil {
		if g.recv == nil && !p.m.Static {
			b.err(at, "CS0120", "An object reference is required for the non-static field, method, or property '"+title(p.m, p.class)+"'")
			return bad()
		}
		if g.recv != nil && p.m.Static {
			b.err(at, "CS0176", "Member '"+title(p.m, p.class)+"' cannot be accessed with an instance reference; qualify it with a type name instead")
			return bad()
		}
		return b.finish(p, g.recv, args, at)
	} else if n != nil {
		near = n
	}
	if g.recv != nil {
		if out, n := b.callExtension(g, args, at); out != nil {
			return out
		} else if near == nil {
			near = n
		}
	}
	for _, c := range g.members {
		if c.m.Refused {
			b.allowed(c.m, c.class, at)
			return bad()
		}
	}
	b.noOverload(g, near, args, at)
	b.forget(args)
	return bad()
}

// callExtension resolves an extension method. Those of other types are looked at
// only when no other fits, for the message.
func (b *binder) callExtension(g *group, args []arg, at syntax.Node) (Expr, *picked) {
	list := b.u.Extensions(g.name)
	cands := make([]candidate, 0, len(list))
	collect := func(own bool) {
		for _, m := range list {
			if (len(g.targs) == 0 || len(m.TypeParams) == len(g.targs)) && mayExtend(m.Params[0].Type, g.recv.T()) == own {
				cands = append(cands, candidate{m: m, class: m.Owner})
			}
		}
	}
	full := append(append(make([]arg, 0, 1+len(args)), arg{x: g.recv, at: at}), args...)
	collect(true)
	p, near := b.choose(cands, g.targs, full, true)
	if p == nil {
		collect(false)
		p, near = b.choose(cands, g.targs, full, true)
	}
	if p == nil {
		return nil, near
	}
	return b.finish(p, nil, full, at), nil
}

// mayExtend reports whether an extension method with this first parameter can
// be one of t. It looks at no type arguments.
func mayExtend(param, t *clr.Type) bool {
	switch {
	case t.Kind == clr.NullKind || t.Kind == clr.ErrorKind || param.Kind == clr.TypeParam:
		return true
	case param.Kind == clr.Array:
		return t.Kind == clr.Array
	case param.Def != nil:
		return t.AsInstance(param.Def) != nil
	}
	return standard(t, param).ok
}

// finish makes the call of a chosen overload.
func (b *binder) finish(p *picked, recv Expr, args []arg, at syntax.Node) Expr {
	if p.m.Kind != clr.Operator && !b.allowed(p.m, p.class, at) {
		return bad()
	}
	if p.rival != nil {
		b.err(callName(at), "CS0121", "The call is ambiguous between the following methods or properties: '"+title(p.m, p.class)+"' and '"+title(p.rival.m, p.rival.class)+"'")
		return bad()
	}
	if c := p.m.RefParam; c != nil && p.targs[c.Index].IsValueType() {
		b.err(callName(at), "CS0452", "The type '"+p.targs[c.Index].String()+"' must be a reference type in order to use it as parameter '"+c.Name+"' in the generic type or method '"+title(p.m, p.class)+"'")
		return bad()
	}
	full := b.fill(p, args)
	if full == nil {
		return bad()
	}
	ret := p.m.Ret.Subst(p.class, p.targs)
	for _, t := range p.targs {
		if t.Kind == clr.ErrorKind {
			return bad()
		}
	}
	site := &clr.Site{Member: p.m, Class: p.class, Args: p.targs, Ret: ret}
	if p.m.Kind == clr.Constructor {
		ret = p.class
		site.Ret = ret
	}
	return b.fold(&Call{typed{ret}, site, recv, full})
}

// fill converts arguments and puts them in the order of the parameters, with
// defaults and the array of params.
func (b *binder) fill(p *picked, args []arg) []Expr {
	out := make([]Expr, len(p.m.Params))
	var rest []Expr
	ok := true
	for i, a := range args {
		t := p.types[i]
		if t.Name == "IEnumerable" && !isBad(a.x) && a.x.T() != nil && p.m.Owner.FullName() != "Newtonsoft.Json.Linq.Extensions" {
			a.x = b.children(a.x)
		}
		x := b.argument(a, t)
		if isBad(x) {
			ok = false
		}
		if p.expanded && p.order[i] == len(out)-1 {
			rest = append(rest, x)
		} else {
			out[p.order[i]] = x
		}
	}
	for i, par := range p.m.Params {
		if out[i] != nil {
			continue
		}
		t := par.Type.Subst(p.class, p.targs)
		if p.expanded && i == len(out)-1 {
			out[i] = &NewArray{typed{t}, nil, rest, []int{len(rest)}}
		} else {
			v := par.Default
			if v.IsNull() {
				v = clr.Zero(t)
			}
			out[i] = &Const{typed{t}, v}
		}
	}
	if !ok {
		return nil
	}
	b.keepOrder(p, out)
	return out
}

// keepOrder evaluates named arguments in the order in which they are written:
// the first parameter's expression takes them all into temporaries.
func (b *binder) keepOrder(p *picked, out []Expr) {
	if p.expanded || slices.IsSorted(p.order) {
		return
	}
	for _, x := range out {
		if _, ok := x.(*ByRef); ok {
			return
		}
	}
	var first *Let
	for _, i := range p.order {
		v := b.temp(out[i].T())
		l := &Local{typed{v.Type}, v}
		if first == nil {
			first = &Let{V: v, Init: out[i]}
		} else {
			first.Steps = append(first.Steps, &Assign{typed: typed{v.Type}, To: l, Value: out[i]})
		}
		out[i] = l
	}
	first.typed, first.Body = typed{out[0].T()}, out[0]
	out[0] = first
}

// argument converts one argument to its parameter.
func (b *binder) argument(a arg, t *clr.Type) Expr {
	if a.mod == "" {
		return b.convert(a.x, t, a.at)
	}
	if a.decl != nil {
		v := &Var{}
		if a.decl.Name == "_" {
			v = b.temp(t)
		} else {
			v = b.declare(a.decl.Name, t, a.decl)
		}
		return &ByRef{typed{t}, &Local{typed{t}, v}, true}
	}
	return &ByRef{typed{t}, a.x, a.mod == "out"}
}

// reference binds an argument that is passed by reference.
func (b *binder) reference(n syntax.Expr) Expr {
	x := b.rvalue(b.variable(n), n)
	switch y := x.(type) {
	case *Bad, *Element:
		return x
	case *Local:
		if y.V.ReadOnly == "" {
			return x
		}
		b.err(n, "CS1657", "Cannot use '"+y.V.Name+"' as a ref or out value because it is a '"+y.V.ReadOnly+"'")
		return bad()
	}
	if isProperty(x) {
		b.err(n, "CS0206", "A property or indexer may not be passed as an out or ref parameter")
	} else {
		b.err(n, "CS1510", "A ref or out value must be an assignable variable")
	}
	return bad()
}

func isProperty(x Expr) bool {
	c, ok := x.(*Call)
	return ok && (c.Site.Member.Kind == clr.Property || c.Site.Member.Kind == clr.Indexer)
}

// invoke calls a delegate.
func (b *binder) invoke(fn Expr, s *signature, args []arg, at syntax.Node) Expr {
	m := &clr.Member{Name: fn.T().Name, Owner: fn.T().Definition(), Params: s.params, Ret: s.ret}
	cands := []candidate{{m: m, class: fn.T()}}
	p, near := b.choose(cands, nil, args, false)
	if p == nil {
		switch {
		case near != nil:
			b.argErrors(near, args, at, m.Name)
		case b.namedErrors(cands, args, m.Name):
		case len(args) < len(s.params):
			b.err(at, "CS7036", "There is no argument given that corresponds to the required formal parameter '"+s.params[len(args)].Name+"' of '"+fn.T().String()+"'")
		default:
			b.err(at, "CS1593", "Delegate '"+fn.T().String()+"' does not take "+strconv.Itoa(len(args))+" arguments")
		}
		b.forget(args)
		return bad()
	}
	full := b.fill(p, args)
	if full == nil {
		return bad()
	}
	return &Invoke{typed{s.ret}, fn, full}
}

// callLocal calls a local function.
func (b *binder) callLocal(f *LocalFunc, targs []*clr.Type, args []arg, at syntax.Node) Expr {
	m := f.member()
	cands := []candidate{{m: m, class: m.Owner}}
	if len(targs) > 0 && len(targs) != len(m.TypeParams) {
		b.typeArity(cands, at)
		b.forget(args)
		return bad()
	}
	p, near := b.choose(cands, targs, args, false)
	if p == nil {
		if near != nil {
			b.nearError(near, args, at, f.Name)
		} else {
			b.noPlace(cands, args, at, "method '"+f.Name+"'", f.Name)
		}
		b.forget(args)
		return unknown(f.Ret)
	}
	full := b.fill(p, args)
	if full == nil {
		return bad()
	}
	f = b.localInstance(f, p.targs)
	b.use(f.V)
	return &LocalCall{typed{f.Ret.Subst(nil, p.targs)}, f, full, at}
}

// index binds X[Args].
func (b *binder) index(n *syntax.Index) Expr {
	x := b.rvalue(b.expr(n.X), n.X)
	args, ok := b.args(n.Args)
	if isBad(x) || !ok {
		return bad()
	}
	return b.indexOf(x, args, n)
}

func (b *binder) indexOf(x Expr, args []arg, n syntax.Node) Expr {
	t := x.T()
	if t.Kind == clr.Array {
		if len(args) != t.Rank {
			b.err(n, "CS0022", "Wrong number of indices inside []; expected "+strconv.Itoa(t.Rank))
			return bad()
		}
		e := &Element{typed{t.Elem}, x, nil}
		for _, a := range args {
			to := clr.Int32
			if !b.implicit(a.x, to).ok && b.implicit(a.x, clr.Int64).ok {
				to = clr.Int64
			}
			i := b.convert(a.x, to, a.at)
			if isBad(i) {
				return bad()
			}
			e.Indexes = append(e.Indexes, i)
		}
		return e
	}
	cands := b.lookup(t, "this[]")
	if len(cands) == 0 {
		if t.Kind == clr.FuncKind || !b.refusedType(t.Definition(), n) {
			b.err(n, "CS0021", "Cannot apply indexing with [] to an expression of type '"+t.String()+"'")
		}
		return bad()
	}
	p, near := b.choose(cands, nil, args, false)
	if p == nil {
		if near != nil {
			b.argErrors(near, args, n, "this")
		} else {
			b.noPlace(cands, args, n, "method 'this'", "this")
		}
		return bad()
	}
	return b.finish(p, x, args, n)
}
