package check

import (
	"slices"

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
	b.begin(out, list)
	out.Stmts = b.statements(list)
	b.end(out)
	return out
}

// begin declares what is visible in the whole of a block.
func (b *binder) begin(out *Block, list []syntax.Stmt) {
	b.scope.list = list
	b.labels(list)
	for _, s := range list {
		if f, ok := unlabeled(s).(*syntax.LocalFunc); ok {
			out.Funcs = append(out.Funcs, b.declareFunc(f))
		}
	}
}

func (b *binder) statements(list []syntax.Stmt) []Stmt {
	var out []Stmt
	for _, s := range list {
		for l, ok := s.(*syntax.Labeled); ok; l, ok = s.(*syntax.Labeled) {
			out = append(out, &Mark{b.label(l.Name)})
			s = l.Body
		}
		if x := b.stmt(s); x != nil {
			out = append(out, x)
		}
	}
	return out
}

// end binds the local functions of a block, which see all its variables.
func (b *binder) end(out *Block) {
	for bound := 0; bound < len(out.Funcs); {
		for ; bound < len(out.Funcs); bound++ {
			b.bindFunc(out.Funcs[bound])
		}
		for _, f := range out.Funcs {
			out.Funcs = append(out.Funcs, f.instances...)
			f.instances = nil
		}
	}
	b.hoist(out)
}

// instance is a generic local function for certain type arguments. Its body is
// bound anew, so that default(T) and casts know what T is. Inside of the generic
// function itself nothing is known yet.
func (b *binder) localInstance(f *LocalFunc, targs []*clr.Type) *LocalFunc {
	if !f.Generic() || slices.ContainsFunc(targs, (*clr.Type).IsOpen) {
		return f
	}
	for _, i := range f.known {
		if slices.EqualFunc(i.targs, targs, b.identical) {
			return i
		}
	}
	parent := f.V.Func
	i := &LocalFunc{Name: f.Name, Ret: f.Ret.Subst(nil, targs), syn: f.syn, targs: targs}
	i.F = &Func{Parent: parent, At: f.syn, local: i, Ret: i.Ret}
	i.V = &Var{Name: f.Name, Type: clr.FuncT, Func: parent, Slot: parent.Slots, at: f.V.at}
	parent.Slots++
	parent.Vars = append(parent.Vars, i.V)
	for _, p := range f.Params {
		p.Type = p.Type.Subst(nil, targs)
		i.Params = append(i.Params, p)
	}
	i.scope = &scope{parent: f.scope.parent, fn: i.F, types: map[string]*clr.Type{}}
	for n, p := range f.TypeParams {
		i.scope.types[p.Name] = targs[n]
	}
	f.known, f.instances = append(f.known, i), append(f.instances, i)
	return i
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

// unlabeled is the statement behind labels.
func unlabeled(s syntax.Stmt) syntax.Stmt {
	for l, ok := s.(*syntax.Labeled); ok; l, ok = s.(*syntax.Labeled) {
		s = l.Body
	}
	return s
}

// labels declares the labels of a list of statements in the current scope.
func (b *binder) labels(list []syntax.Stmt) {
	for _, s := range list {
		for l, ok := s.(*syntax.Labeled); ok; l, ok = s.(*syntax.Labeled) {
			s = l.Body
			switch {
			case b.scope.labels[l.Name] != nil:
				b.err(l, "CS0140", "The label '"+l.Name+"' is a duplicate")
				continue
			case b.label(l.Name) != nil:
				b.err(l, "CS0158", "The label '"+l.Name+"' shadows another label by the same name in a contained scope")
			}
			if b.scope.labels == nil {
				b.scope.labels = map[string]*Label{}
			}
			b.scope.labels[l.Name] = &Label{ID: b.fn.Labels, depth: len(b.around)}
			b.fn.Labels++
		}
	}
}

// label finds a label of the current function.
func (b *binder) label(name string) *Label {
	for s := b.scope; s != nil && s.fn == b.fn; s = s.parent {
		if l := s.labels[name]; l != nil {
			return l
		}
	}
	return nil
}

// embedded binds the body of an if or loop.
func (b *binder) embedded(n syntax.Stmt) Stmt {
	b.push()
	defer b.pop()
	return b.stmt(n)
}

func (b *binder) body(n syntax.Stmt) (s Stmt) {
	b.within(region{kind: loopRegion}, func() { s = b.embedded(n) })
	return s
}

func (b *binder) stmt(n syntax.Stmt) Stmt {
	switch n := n.(type) {
	case *syntax.Block:
		return b.block(n)
	case *syntax.LocalDecl:
		return b.localDecl(n)
	case *syntax.ExprStmt:
		x := b.expr(n.X)
		if isBad(x) || !b.effect(n.X) {
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
			switch r, leaves := b.enclosing(func(k regionKind) bool { return k == catchRegion }); {
			case r == nil:
				b.err(n, "CS0156", "A throw statement with no arguments is not allowed outside of a catch clause")
			case leaves:
				b.err(n, "CS0724", "A throw statement with no arguments is not allowed in a finally clause that is nested inside the nearest enclosing catch clause")
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

// effect refuses an expression that does nothing as a statement.
func (b *binder) effect(n syntax.Expr) bool {
	if isEffect(n) {
		return true
	}
	b.err(n, "CS0201", "Only assignment, call, increment, decrement, await, and new object expressions can be used as a statement")
	return false
}

// isEffect reports whether an expression may stand as a statement.
func isEffect(n syntax.Node) bool {
	inner := n
	for c, ok := inner.(*syntax.CondAccess); ok; c, ok = inner.(*syntax.CondAccess) {
		inner = c.Then
	}
	switch x := inner.(type) {
	case *syntax.Call, *syntax.Assign, *syntax.New:
		return true
	case *syntax.Unary:
		return x.Op == "++" || x.Op == "--"
	}
	return false
}

func (b *binder) localDecl(n *syntax.LocalDecl) Stmt {
	out := &Block{}
	isVar := n.Type.IsVar()
	var t *clr.Type
	if !isVar {
		t = b.typ(n.Type)
	}
	if isVar && n.Const {
		b.err(n.Type, "CS0822", "Implicitly-typed variables cannot be constant")
	}
	if !isVar && t.Static {
		b.err(n, "CS0723", "Cannot declare a variable of static type '"+t.String()+"'")
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
			s = b.typedDecl(v, t)
		}
		if d, ok := s.(*Declare); ok && n.Const {
			b.constDecl(d, v, n)
			continue
		}
		if s != nil {
			out.Stmts = append(out.Stmts, s)
		}
	}
	return out
}

func (b *binder) constDecl(d *Declare, v *syntax.Variable, n *syntax.LocalDecl) {
	k, ok := d.X.(*Const)
	switch {
	case d.X == nil:
		b.err(v, "CS0145", "A const field requires a value to be provided")
	case isBad(d.X):
	case d.V.Type.IsValueType() && d.V.Type.Code == clr.CodeNone && d.V.Type.Kind != clr.Enum:
		b.err(n.Type, "CS0283", "The type '"+d.V.Type.String()+"' cannot be declared const")
	case !ok:
		b.err(v.X, "CS0133", "The expression being assigned to '"+v.Name+"' must be constant")
	case d.V.Type.IsReference() && d.V.Type != clr.StringType && !k.V.IsNull():
		b.err(v.X, "CS0134", "'"+v.Name+"' is of type '"+d.V.Type.String()+"'. A const field of a reference type other than string can only be initialized with null.")
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
	x := b.value(v.X)
	t := x.T()
	if untyped(t) || t.Kind == clr.Void {
		b.err(v, "CS0815", "Cannot assign "+display(x)+" to an implicitly-typed variable")
		t = clr.ErrorT
	}
	return &Declare{b.declare(v.Name, t, v), x}
}

func (b *binder) typedDecl(v *syntax.Variable, t *clr.Type) Stmt {
	// The variable is in scope in its own initializer: recursion of lambdas.
	nv := b.declare(v.Name, t, v)
	d := &Declare{V: nv}
	switch {
	case v.Init != nil:
		if t.Kind != clr.Array {
			if t.Kind != clr.ErrorKind {
				b.err(v.Init, "CS0622", "Can only use array initializer expressions to assign to array types. Try using a new expression instead.")
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
		x := b.expr(p)
		if !isBad(x) {
			b.effect(p)
		}
		l.Post = append(l.Post, x)
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

// elements is elemType of an expression, reporting when it has none.
func (b *binder) elements(x Expr, at syntax.Node) *clr.Type {
	t := x.T()
	switch t.Kind {
	case clr.ErrorKind:
		return nil
	case clr.NullKind:
		b.err(at, "CS0186", "Use of null is not valid in this context")
		return nil
	case clr.FuncKind:
		b.err(at, "CS0446", "Foreach cannot operate on a '"+display(x)+"'. Did you intend to invoke the '"+display(x)+"'?")
		return nil
	}
	elem := b.elemType(t)
	if elem == nil {
		b.err(at, "CS1579", "foreach statement cannot operate on variables of type '"+t.String()+"' because '"+t.String()+"' does not contain a public instance definition for 'GetEnumerator'")
	}
	return elem
}

func (b *binder) foreach(n *syntax.Foreach) Stmt {
	x := b.value(n.X)
	elem := b.elements(x, n.X)
	if elem == nil {
		elem = clr.ErrorT
	}
	b.push()
	defer b.pop()
	if elem.Kind != clr.ErrorKind {
		x = b.children(x)
	}
	f := &Foreach{X: x}
	f.Elem = b.temp(elem)
	item := Expr(&Local{typed{elem}, f.Elem})
	if n.Target != nil {
		if t, ok := n.Target.(*syntax.Tuple); ok && elem.Kind != clr.ErrorKind {
			f.Setup = append(f.Setup, &Eval{b.deconstruct(t, item, n.Target, n.X)})
		}
		f.Body = b.body(n.Body)
		return f
	}
	t := elem
	if !n.Type.IsVar() {
		t = b.typ(n.Type)
	}
	f.V = b.declare(n.Name, t, n)
	f.V.ReadOnly = "foreach iteration variable"
	f.Conv = item
	if elem.Kind != clr.ErrorKind {
		f.Conv = b.cast(item, t, n)
	}
	f.Body = b.body(n.Body)
	return f
}

func (b *binder) ret(n *syntax.Return) Stmt {
	r := &Return{At: n, stmt: n}
	if _, leaves := b.enclosing(func(regionKind) bool { return false }); leaves {
		b.leavesFinally(n)
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
			b.err(n, "CS0127", "Since '"+b.fn.local.title()+"' returns void, a return keyword must not be followed by an object expression")
		}
	} else if b.fn.Ret != nil && b.fn.Ret.Kind != clr.Void {
		b.err(n, "CS0126", "An object of a type convertible to '"+b.fn.Ret.String()+"' is required")
	}
	b.fn.Returns = append(b.fn.Returns, r)
	return r
}

func (b *binder) leavesFinally(n syntax.Node) {
	b.err(n, "CS0157", "Control cannot leave the body of a finally clause")
}

func (b *binder) jump(n *syntax.Jump) Stmt {
	j := &Jump{Kind: n.Kind, at: n, Target: -1}
	switch n.Kind {
	case "goto":
		return b.gotoLabel(j, n)
	case "goto case", "goto default":
		r, leaves := b.enclosing(func(k regionKind) bool { return k == switchRegion })
		switch {
		case r == nil:
			b.err(n, "CS0153", "A goto case is only valid inside a switch statement")
			return nil
		case leaves:
			b.leavesFinally(n)
		}
		if n.X != nil {
			j.value = b.value(n.X)
		}
		*r.jumps = append(*r.jumps, j)
		return j
	}
	r, leaves := b.enclosing(func(k regionKind) bool { return k == loopRegion || k == switchRegion && n.Kind == "break" })
	switch {
	case r == nil:
		b.err(n, "CS0139", "No enclosing loop out of which to break or continue")
	case leaves:
		b.leavesFinally(n)
	}
	return j
}

func (b *binder) gotoLabel(j *Jump, n *syntax.Jump) Stmt {
	j.Label = b.label(n.Label.Ident)
	if j.Label == nil {
		var at syntax.Node = &n.Label
		for s := b.scope; s != nil; s = s.parent {
			if s.labels[n.Label.Ident] != nil {
				at = n // a label of the function around
			}
		}
		b.err(at, "CS0159", "No such label '"+n.Label.Ident+"' within the scope of the goto statement")
		return nil
	}
	for _, r := range b.around[j.Label.depth:] {
		if r.kind == finallyRegion {
			b.leavesFinally(n)
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
					b.err(c.Type, "CS0160", "A previous catch clause already catches all exceptions of this or of a super type ('"+t.Catches[j].Type.String()+"')")
					break
				}
			}
			if c.Name != "" {
				out.V = b.declare(c.Name, out.Type, c.NameAt)
			}
		}
		if c.When != nil {
			out.When = b.condition(c.When)
		}
		b.within(region{kind: catchRegion}, func() { out.Body = b.block(c.Body) })
		b.pop()
		t.Catches = append(t.Catches, out)
	}
	if n.Finally != nil {
		b.within(region{kind: finallyRegion}, func() { t.Finally = b.block(n.Finally) })
	}
	return t
}

func (b *binder) using(n *syntax.Using) Stmt {
	b.push()
	defer b.pop()
	u := &Using{}
	check := func(t *clr.Type, name string, at syntax.Node) {
		if t.Kind != clr.ErrorKind && t.Kind != clr.NullKind && !t.Inherits(clr.Disposable) {
			b.err(at, "CS1674", "'"+name+"': type used in a using statement must be implicitly convertible to 'System.IDisposable'")
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
					dec.V.ReadOnly = "using variable"
					check(dec.V.Type, dec.V.Type.String(), n.Decl)
					if dec.X == nil {
						b.err(dec.V.at, "CS0210", "You must provide an initializer in a fixed or using statement declaration")
					}
				}
			}
		}
	} else {
		x := b.value(n.X)
		if !isBad(x) {
			v := b.temp(x.T())
			u.Decl = append(u.Decl, &Declare{v, x})
			u.V = append(u.V, v)
			check(x.T(), display(x), n.X)
		}
	}
	u.Body = b.embedded(n.Body)
	return u
}

// declareFunc enters a local function in the scope.
func (b *binder) declareFunc(n *syntax.LocalFunc) *LocalFunc {
	f := &LocalFunc{Name: n.Name, syn: n, F: &Func{Parent: b.fn, At: n}}
	f.F.local = f
	f.V = b.newVar(n.Name, clr.FuncT, n)
	b.enter(n.Name, f, n.NameAt)
	f.scope = &scope{parent: b.scope, fn: f.F, types: map[string]*clr.Type{}}
	for i, name := range n.TypeParams {
		if f.scope.types[name] != nil {
			b.err(n.TypeParamsAt[i], "CS0692", "Duplicate type parameter '"+name+"'")
		}
		t := &clr.Type{Name: name, Kind: clr.TypeParam, Index: i}
		f.TypeParams = append(f.TypeParams, t)
		f.scope.types[name] = t
	}
	old := b.scope
	b.scope = f.scope
	f.Ret = b.returnType(n.Ret)
	f.F.Ret = f.Ret
	for i := range n.Params {
		f.Params = append(f.Params, b.funcParam(n, i))
	}
	b.scope = old
	return f
}

// funcParam is a parameter of a local function.
func (b *binder) funcParam(n *syntax.LocalFunc, i int) clr.Param {
	p := &n.Params[i]
	par := clr.Param{Name: p.Name, Type: b.typ(p.Type)}
	if par.Type.Static {
		b.err(n.NameAt, "CS0721", "'"+par.Type.String()+"': static types cannot be used as parameters")
		par.Type = clr.ErrorT
	}
	switch {
	case p.Params:
		par.Mod = clr.Params
		if par.Type.Kind != clr.Array && par.Type.Kind != clr.ErrorKind {
			b.err(p, "CS0225", "The params parameter must be a single dimensional array")
			par.Type = clr.ErrorT
		}
		if i < len(n.Params)-1 {
			b.err(p, "CS0231", "A params parameter must be the last parameter in a formal parameter list")
		}
		if p.Default != nil {
			b.err(p, "CS1751", "Cannot specify a default value for a parameter array")
		}
		return par
	case p.Mod == "out":
		par.Mod = clr.Out
	case p.Mod == "ref":
		par.Mod = clr.Ref
	}
	switch {
	case p.Default == nil:
		if i > 0 && n.Params[i-1].Default != nil {
			b.err(syntax.Range{From: p.To, To: p.To}, "CS1737", "Optional parameters must appear after all required parameters")
		}
	case p.Mod != "":
		b.err(p, "CS1741", "A ref or out parameter cannot have a default value")
	default:
		par.Optional = true
		par.Default = b.paramDefault(p, par.Type)
	}
	return par
}

func (b *binder) paramDefault(p *syntax.FuncParam, t *clr.Type) clr.Value {
	x := b.value(p.Default)
	at := syntax.Range{From: p.NameAt, To: p.To}
	switch k, ok := x.(*Const); {
	case isBad(x) || t.Kind == clr.ErrorKind:
	case !ok && !isDefault(x):
		b.err(p.Default, "CS1736", "Default parameter value for '"+p.Name+"' must be a compile-time constant")
	case ok && !b.implicit(k, t).ok:
		b.err(at, "CS1750", "A value of type '"+display(x)+"' cannot be used as a default parameter because there are no standard conversions to type '"+t.String()+"'")
	default:
		if k, ok := b.convert(x, t, p.Default).(*Const); ok {
			return k.V
		}
	}
	return clr.Null
}

func isDefault(x Expr) bool {
	_, ok := x.(*defaultLit)
	return ok
}

// param declares a parameter of a local function or lambda.
func (b *binder) param(name string, t *clr.Type, n *syntax.LambdaParam) *Var {
	at := syntax.Range{From: n.NameAt, To: n.To}
	if b.scope.names[name] != nil {
		b.err(at, "CS0100", "The parameter name '"+name+"' is a duplicate")
		return b.newVar(name, t, at)
	}
	return b.declare(name, t, at)
}

// bindFunc binds the body of a local function, once.
func (b *binder) bindFunc(f *LocalFunc) {
	if f.bound {
		return
	}
	f.bound = true
	saved := *b
	b.scope, b.fn, b.around, b.checked, b.wraps = f.scope, f.F, nil, false, false
	b.push()
	for i, p := range f.Params {
		v := b.param(p.Name, p.Type, &f.syn.Params[i].LambdaParam)
		v.Param = true
		if p.Mod == clr.Out || p.Mod == clr.Ref {
			v.Captured = true // lives in the cell that the caller passes
			v.Out = p.Mod == clr.Out
			f.F.ByRef = true
		}
		f.F.Params = append(f.F.Params, v)
	}
	switch body := f.syn.Body.(type) {
	case nil:
		b.err(f.syn.NameAt, "CS8112", "'"+f.title()+"' is a local function and must therefore always have a body.")
	case *syntax.Block:
		f.F.Body = b.block(body)
	default:
		x := b.orThrow(body)
		if _, throws := x.(*Throw); throws {
			f.F.Body = &ThrowStmt{x.(*Throw).X}
		} else if f.Ret.Kind == clr.Void {
			if !isBad(x) {
				b.effect(body)
			}
			f.F.Body = &Eval{x}
		} else {
			f.F.Body = &Return{X: b.convert(x, f.Ret, body), stmt: body}
		}
	}
	b.pop()
	errs := b.errs
	*b = saved
	b.errs = errs
}
