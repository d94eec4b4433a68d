package check

import (
	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// block binds { … } in a scope of its own.
func (b *binder) block(n *syntax.Block) Stmt {
	b.push()
	defer b.pop()
	return b.stmts(n.Stmts)
}

// stmts binds statements in the current scope. Local functions are visible in
// the whole of it.
func (b *binder) stmts(list []syntax.Stmt) *Block {
	out := &Block{}
	for _, s := range list {
		if f, ok := s.(*syntax.LocalFunc); ok {
			out.Funcs = append(out.Funcs, b.declareFunc(f))
		}
	}
	for _, s := range list {
		if x := b.stmt(s); x != nil {
			out.Stmts = append(out.Stmts, x)
		}
	}
	for _, f := range out.Funcs {
		b.bindFunc(f)
	}
	b.hoist(out)
	return out
}

// hoist marks the variables of the current scope that local functions of the
// block captured: they begin with the block, as the closures hold them from then
// on.
func (b *binder) hoist(out *Block) {
	for _, f := range out.Funcs {
		for _, v := range f.F.Captures {
			if v.Func == b.fn && !v.Hoisted && !v.Param && b.scope.names[v.Name] == any(v) {
				v.Hoisted = true
				out.Hoisted = append(out.Hoisted, v)
			}
		}
	}
}

// embedded binds the body of an if or loop.
func (b *binder) embedded(n syntax.Stmt) Stmt {
	b.push()
	defer b.pop()
	return b.stmt(n)
}

func (b *binder) body(n syntax.Stmt) Stmt {
	b.loops++
	defer func() { b.loops-- }()
	return b.embedded(n)
}

func (b *binder) stmt(n syntax.Stmt) Stmt {
	switch n := n.(type) {
	case *syntax.Block:
		return b.block(n)
	case *syntax.LocalDecl:
		return b.localDecl(n)
	case *syntax.ExprStmt:
		x := b.expr(n.X)
		if isBad(x) {
			return nil
		}
		return &Eval{x}
	case *syntax.If: // variables of the condition belong to the scope around it
		s := &If{Cond: b.condition(n.Cond)}
		s.Then = b.embedded(n.Then)
		if n.Else != nil {
			s.Else = b.embedded(n.Else)
		}
		return s
	case *syntax.While:
		return b.while(n)
	case *syntax.For:
		return b.forLoop(n)
	case *syntax.Foreach:
		return b.foreach(n)
	case *syntax.Switch:
		return b.switchStmt(n)
	case *syntax.Return:
		return b.ret(n)
	case *syntax.Jump:
		return b.jump(n)
	case *syntax.Try:
		return b.try(n)
	case *syntax.ThrowStmt:
		if n.X == nil {
			if b.catches == 0 {
				b.err(n, "CS0156", "A throw statement with no arguments is not allowed outside of a catch clause")
			}
			return &ThrowStmt{}
		}
		return &ThrowStmt{b.exception(b.value(n.X), n.X)}
	case *syntax.Using:
		return b.using(n)
	case *syntax.Lock:
		x := b.value(n.X)
		if !isBad(x) && !x.T().IsReference() {
			b.err(n.X, "CS0185", "'"+x.T().String()+"' is not a reference type as required by the lock statement")
		}
		return &Block{Stmts: []Stmt{&Eval{x}, b.embedded(n.Body)}}
	case *syntax.CheckedStmt:
		old, wraps := b.checked, b.wraps
		b.checked, b.wraps = n.On, !n.On
		s := b.block(n.Body)
		b.checked, b.wraps = old, wraps
		return s
	}
	return nil
}

func (b *binder) localDecl(n *syntax.LocalDecl) Stmt {
	out := &Block{}
	isVar := n.Type.IsVar() && b.u.Simple("var", 0) == nil
	var t *clr.Type
	if !isVar {
		t = b.typ(n.Type)
		if t.Kind == clr.Void {
			b.err(n.Type, "CS1547", "Keyword 'void' cannot be used in this context")
			t = clr.ErrorT
		}
	}
	if isVar && len(n.Vars) > 1 {
		b.err(n, "CS0819", "Implicitly-typed variables cannot have multiple declarators")
	}
	for i := range n.Vars {
		v := &n.Vars[i]
		var s Stmt
		if isVar {
			s = b.varDecl(v)
		} else {
			s = b.typedDecl(v, t, n)
		}
		if d, ok := s.(*Declare); ok && n.Const {
			b.constDecl(d, v)
			continue
		}
		if s != nil {
			out.Stmts = append(out.Stmts, s)
		}
	}
	return out
}

func (b *binder) constDecl(d *Declare, v *syntax.Variable) {
	k, ok := d.X.(*Const)
	switch {
	case d.X == nil:
		b.err(v, "CS0145", "A const field requires a value to be provided")
	case isBad(d.X):
	case !ok:
		b.err(v.X, "CS0133", "The expression being assigned to '"+v.Name+"' must be constant")
	default:
		d.V.Const = &k.V
	}
}

func (b *binder) varDecl(v *syntax.Variable) Stmt {
	if v.X == nil {
		if v.Init != nil {
			b.err(v, "CS0820", "Cannot initialize an implicitly-typed variable with an array initializer")
		} else {
			b.err(v, "CS0818", "Implicitly-typed variables must be initialized")
		}
		b.declare(v.Name, clr.ErrorT, v)
		return nil
	}
	x := b.typedValue(v.X)
	t := x.T()
	switch t.Kind {
	case clr.NullKind:
		b.err(v, "CS0815", "Cannot assign <null> to an implicitly-typed variable")
		t = clr.ErrorT
	case clr.Void:
		b.err(v, "CS0815", "Cannot assign void to an implicitly-typed variable")
		t = clr.ErrorT
	}
	return &Declare{b.declare(v.Name, t, v), x}
}

func (b *binder) typedDecl(v *syntax.Variable, t *clr.Type, n *syntax.LocalDecl) Stmt {
	// The variable is in scope in its own initializer: recursion of lambdas.
	nv := b.declare(v.Name, t, v)
	d := &Declare{V: nv}
	switch {
	case v.Init != nil:
		if t.Kind != clr.Array {
			if t.Kind != clr.ErrorKind {
				b.err(v, "CS0622", "Can only use array initializer expressions to assign to array types. Try using a new expression instead.")
			}
			return nil
		}
		d.X = b.arrayInit(t.Elem, t.Rank, v.Init, v)
	case v.X != nil:
		d.X = b.convert(b.value(v.X), t, v.X)
	}
	return d
}

func (b *binder) while(n *syntax.While) Stmt {
	l := &Loop{Do: n.Do}
	if n.Do {
		l.Body = b.body(n.Body)
		l.Cond = b.condition(n.Cond)
	} else {
		b.push()
		defer b.pop()
		l.Cond = b.condition(n.Cond)
		l.Body = b.body(n.Body)
	}
	k, ok := l.Cond.(*Const)
	l.Const = ok && k.V.Bool()
	return l
}

func (b *binder) forLoop(n *syntax.For) Stmt {
	b.push()
	defer b.pop()
	l := &Loop{}
	for _, s := range n.Init {
		l.Init = append(l.Init, b.stmt(s))
	}
	l.Const = true
	if n.Cond != nil {
		l.Cond = b.condition(n.Cond)
		k, ok := l.Cond.(*Const)
		l.Const = ok && k.V.Bool()
	}
	l.Body = b.body(n.Body)
	for _, p := range n.Post {
		l.Post = append(l.Post, b.expr(p))
	}
	return l
}

// elemType is what foreach over t yields; nil when it cannot.
func (b *binder) elemType(t *clr.Type) *clr.Type {
	switch {
	case t.Kind == clr.Array:
		return t.Elem
	case t == clr.StringType:
		return clr.Char
	case t.Kind == clr.ErrorKind:
		return t
	}
	if i := t.AsInstance(clr.EnumerableDef); i != nil {
		return i.Args[0]
	}
	// A class that enumerates more precisely says so by an indexer.
	if t.Inherits(clr.Enumerable) {
		if e := b.u.Members(t, "GetEnumerator"); len(e) > 0 && len(e[0].Ret.Args) == 1 {
			return e[0].Ret.Subst(t, nil).Args[0]
		}
		return clr.ObjectType
	}
	return nil
}

func (b *binder) foreach(n *syntax.Foreach) Stmt {
	x := b.typedValue(n.X)
	var elem *clr.Type
	if !isBad(x) {
		elem = b.elemType(x.T())
		if elem == nil {
			b.err(n.X, "CS1579", "foreach statement cannot operate on variables of type '"+x.T().String()+"' because '"+x.T().String()+"' does not contain a public definition for 'GetEnumerator'")
		}
	}
	if elem == nil {
		elem = clr.ErrorT
	}
	b.push()
	defer b.pop()
	if !isBad(x) {
		x = b.children(x)
	}
	f := &Foreach{X: x}
	f.Elem = b.temp(elem)
	item := Expr(&Local{typed{elem}, f.Elem})
	if n.Target != nil {
		if t, ok := n.Target.(*syntax.Tuple); ok && elem.Kind != clr.ErrorKind {
			f.Setup = append(f.Setup, &Eval{b.deconstruct(t, item, n.Target)})
		}
		f.Body = b.body(n.Body)
		return f
	}
	t := elem
	if !n.Type.IsVar() {
		t = b.typ(n.Type)
	}
	f.V = b.declare(n.Name, t, n)
	f.V.ReadOnly = true
	f.Conv = item
	if elem.Kind != clr.ErrorKind {
		f.Conv = b.cast(item, t, n.Type)
	}
	f.Body = b.body(n.Body)
	return f
}

func (b *binder) ret(n *syntax.Return) Stmt {
	r := &Return{At: n}
	if b.finals > 0 {
		b.err(n, "CS0157", "Control cannot leave the body of a finally clause")
	}
	if n.X != nil {
		r.X = b.value(n.X)
		r.At = n.X
		if r.X.T().Kind == clr.Void {
			b.err(n.X, "CS0029", "Cannot implicitly convert type 'void' to 'object'")
			r.X = bad()
		}
		if b.fn.Ret != nil && b.fn.Ret.Kind != clr.Void {
			r.X = b.convert(r.X, b.fn.Ret, n.X)
		} else if b.fn.Ret != nil {
			b.err(n, "CS0127", "Since the function returns void, a return keyword must not be followed by an object expression")
		}
	} else if b.fn.Ret != nil && b.fn.Ret.Kind != clr.Void {
		b.err(n, "CS0126", "An object of a type convertible to '"+b.fn.Ret.String()+"' is required")
	}
	b.fn.Returns = append(b.fn.Returns, r)
	return r
}

func (b *binder) jump(n *syntax.Jump) Stmt {
	j := &Jump{Kind: n.Kind, at: n, Target: -1}
	switch n.Kind {
	case "goto case", "goto default":
		if len(b.jumps) == 0 {
			b.err(n, "CS0153", "A goto case is only valid inside a switch statement")
			return nil
		}
		if n.X != nil {
			j.value = b.value(n.X)
		}
		list := b.jumps[len(b.jumps)-1]
		*list = append(*list, j)
	case "break":
		if b.loops == 0 && len(b.jumps) == 0 {
			b.err(n, "CS0139", "No enclosing loop out of which to break or continue")
		}
	case "continue":
		if b.loops == 0 {
			b.err(n, "CS0139", "No enclosing loop out of which to break or continue")
		}
	}
	return j
}

func (b *binder) try(n *syntax.Try) Stmt {
	t := &Try{Body: b.block(n.Body)}
	for i := range n.Catches {
		c := &n.Catches[i]
		if i > 0 && n.Catches[i-1].Type == nil && n.Catches[i-1].When == nil {
			b.err(c, "CS1017", "Catch clauses cannot follow the general catch clause of a try statement")
		}
		b.push()
		out := Catch{}
		if c.Type != nil {
			out.Type = b.typ(c.Type)
			if out.Type.Kind != clr.ErrorKind && !out.Type.Inherits(clr.ExBase) {
				b.err(c.Type, "CS0155", "The type caught or thrown must be derived from System.Exception")
			}
			for j, p := range t.Catches {
				if p.Type != nil && p.When == nil && out.Type.Kind != clr.ErrorKind && out.Type.Inherits(p.Type) {
					b.err(c.Type, "CS0160", "A previous catch clause already catches all exceptions of this or of a super type ('"+t.Catches[j].Type.FullName()+"')")
					break
				}
			}
			if c.Name != "" {
				out.V = b.declare(c.Name, out.Type, c)
			}
		}
		if c.When != nil {
			out.When = b.condition(c.When)
		}
		b.catches++
		out.Body = b.block(c.Body)
		b.catches--
		b.pop()
		t.Catches = append(t.Catches, out)
	}
	if n.Finally != nil {
		b.finals++
		loops := b.loops
		b.loops = 0
		t.Finally = b.block(n.Finally)
		b.loops = loops
		b.finals--
	}
	return t
}

func (b *binder) using(n *syntax.Using) Stmt {
	b.push()
	defer b.pop()
	u := &Using{}
	check := func(t *clr.Type, at syntax.Node) {
		if t.Kind != clr.ErrorKind && !t.Inherits(clr.Disposable) {
			b.err(at, "CS1674", "'"+t.String()+"': type used in a using statement must be implicitly convertible to 'System.IDisposable'")
		}
	}
	if n.Decl != nil {
		d := b.localDecl(n.Decl)
		u.Decl = append(u.Decl, d)
		blk, ok := d.(*Block)
		if ok {
			for _, s := range blk.Stmts {
				if dec, ok := s.(*Declare); ok {
					u.V = append(u.V, dec.V)
					dec.V.ReadOnly = true
					check(dec.V.Type, n.Decl)
				}
			}
		}
	} else {
		x := b.typedValue(n.X)
		if !isBad(x) {
			v := b.temp(x.T())
			u.Decl = append(u.Decl, &Declare{v, x})
			u.V = append(u.V, v)
			check(x.T(), n.X)
		}
	}
	u.Body = b.embedded(n.Body)
	return u
}

func (b *binder) switchStmt(n *syntax.Switch) Stmt {
	x := b.typedValue(n.X)
	b.push()
	defer b.pop()
	s := &Switch{X: x, V: b.temp(x.T()), Default: -1}
	var jumps []*Jump
	b.jumps = append(b.jumps, &jumps)
	defer func() { b.jumps = b.jumps[:len(b.jumps)-1] }()
	subject := func() Expr { return &Local{typed{x.T()}, s.V} }
	var consts []Expr
	var owner []int
	for i := range n.Sections {
		sec := &n.Sections[i]
		b.push()
		out := Section{}
		if len(sec.Labels) > 0 {
			out.at = &sec.Labels[len(sec.Labels)-1]
		}
		for j := range sec.Labels {
			l := &sec.Labels[j]
			if l.Default {
				if s.Default >= 0 {
					b.err(l, "CS0152", "The switch statement contains multiple cases with the label value 'default'")
				}
				s.Default = i
				continue
			}
			if isBad(x) {
				continue
			}
			test := b.caseTest(subject(), l)
			if k := constOf(test); k != nil && l.When == nil {
				for _, o := range consts {
					if o.(*Const).V == k.(*Const).V && !k.(*Const).V.IsString() || o.(*Const).V.IsString() && k.(*Const).V.IsString() && o.(*Const).V.Str() == k.(*Const).V.Str() {
						b.err(l, "CS0152", "The switch statement contains multiple cases with the label value '"+constText(k.(*Const).V)+"'")
					}
				}
				consts = append(consts, k)
				owner = append(owner, i)
			}
			out.Tests = append(out.Tests, test)
		}
		out.Body = b.stmts(sec.Body).Stmts
		if blk := b.lastFuncs(sec.Body); blk {
			b.err(n, "CS8059", "Local functions are not supported in switch sections")
		}
		b.pop()
		s.Sections = append(s.Sections, out)
	}
	for _, j := range jumps {
		b.resolveJump(j, s, consts, owner)
	}
	return s
}

func (b *binder) lastFuncs(list []syntax.Stmt) bool {
	for _, s := range list {
		if _, ok := s.(*syntax.LocalFunc); ok {
			return true
		}
	}
	return false
}

// caseTest is the condition of one label.
func (b *binder) caseTest(x Expr, l *syntax.Label) Expr {
	p := l.Pattern
	if p.Type != nil && p.Name == "" && !p.IsVar && len(p.Type.Parts) > 0 {
		if p.Type.Keyword || b.typeName(p.Type.Parts) != nil {
			b.err(p, "CS0119", "'"+p.Type.Parts[0].Name+"' is a type, which is not valid in the given context")
			return bad()
		}
		p = &syntax.Pattern{Range: p.Range, Const: partsExpr(p.Type)}
	}
	test := b.patternTest(x, p, l)
	if l.When != nil {
		w := b.condition(l.When)
		if isBad(test, w) {
			return bad()
		}
		test = &Logic{typed{clr.Boolean}, true, test, w}
	}
	return test
}

// constOf is the constant that a label's condition compares with.
func constOf(test Expr) Expr {
	var y Expr
	switch t := test.(type) {
	case *StrEq:
		y = t.Y
	case *Binary:
		y = t.Y
	}
	if k, ok := y.(*Const); ok {
		return k
	}
	return nil
}

func (b *binder) resolveJump(j *Jump, s *Switch, consts []Expr, owner []int) {
	if j.Kind == "goto default" {
		j.Target = s.Default
	} else if j.value != nil && !isBad(j.value) {
		v := b.convert(j.value, s.V.Type, j.at)
		if k, ok := v.(*Const); ok {
			for i, c := range consts {
				o := c.(*Const).V
				if o.Str() == k.V.Str() && o.IsString() == k.V.IsString() && o.Int() == k.V.Int() {
					j.Target = owner[i]
				}
			}
		}
	}
	if j.Target < 0 {
		b.err(j.at, "CS0159", "No such label within the scope of the goto statement")
	}
}

// declareFunc enters a local function in the scope.
func (b *binder) declareFunc(n *syntax.LocalFunc) *LocalFunc {
	f := &LocalFunc{Name: n.Name, syn: n, F: &Func{Parent: b.fn, At: n}}
	f.V = b.newVar(n.Name, clr.FuncT, n)
	b.enter(n.Name, f, n)
	f.scope = &scope{parent: b.scope, fn: f.F, types: map[string]*clr.Type{}}
	for i, name := range n.TypeParams {
		t := &clr.Type{Name: name, Kind: clr.TypeParam, Index: i}
		f.TypeParams = append(f.TypeParams, t)
		f.scope.types[name] = t
	}
	old := b.scope
	b.scope = f.scope
	f.Ret = b.typ(n.Ret)
	f.F.Ret = f.Ret
	for _, p := range n.Params {
		par := clr.Param{Name: p.Name, Type: b.typ(p.Type)}
		switch {
		case p.Params:
			par.Mod = clr.Params
		case p.Mod == "out":
			par.Mod = clr.Out
		case p.Mod == "ref":
			par.Mod = clr.Ref
		}
		if p.Default != nil {
			par.Optional = true
			if k, ok := b.convert(b.value(p.Default), par.Type, p.Default).(*Const); ok {
				par.Default = k.V
			} else {
				b.err(p.Default, "CS1736", "Default parameter value for '"+p.Name+"' must be a compile-time constant")
			}
		}
		f.Params = append(f.Params, par)
	}
	b.scope = old
	return f
}

// bindFunc binds the body of a local function, once.
func (b *binder) bindFunc(f *LocalFunc) {
	if f.bound {
		return
	}
	f.bound = true
	saved := *b
	b.scope, b.fn, b.loops, b.catches, b.finals, b.jumps, b.checked, b.wraps = f.scope, f.F, 0, 0, 0, nil, false, false
	b.push()
	for i, p := range f.Params {
		v := b.declare(p.Name, p.Type, &f.syn.Params[i])
		v.Param = true
		if p.Mod == clr.Out || p.Mod == clr.Ref {
			v.Captured = true // lives in the cell that the caller passes
			f.F.ByRef = true
		}
		f.F.Params = append(f.F.Params, v)
	}
	if blk, ok := f.syn.Body.(*syntax.Block); ok {
		f.F.Body = b.block(blk)
	} else {
		x := b.value(f.syn.Body)
		if f.Ret.Kind == clr.Void {
			f.F.Body = &Eval{x}
		} else {
			f.F.Body = &Return{X: b.convert(x, f.Ret, f.syn.Body)}
		}
	}
	b.pop()
	errs, nodes, found := b.errs, b.nodes, b.found
	*b = saved
	b.errs, b.nodes, b.found = errs, nodes, found
	if len(b.errs) == 0 {
		b.flow(f.F)
	}
}
