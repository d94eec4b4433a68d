package check

import (
	"slices"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// flow checks one function: every path returns, and no variable is read before
// it is assigned.
func (b *binder) flow(f *Func) {
	w := &flow{b: b, f: f, assigned: newVarSet(f), declared: newVarSet(f)}
	w.stmt(f.Body)
	if !w.dead && f.Ret != nil && f.Ret.Kind != clr.Void && f.At != nil {
		code, what := "CS0161", "not all code paths return a value"
		if f.Parent != nil {
			code = "CS1643"
		}
		b.err(f.At, code, what)
	}
}

// varSet is a set of a function's variables, by slot. Those of outer functions
// are not in it: whether they have a value is known where they are declared.
type varSet []uint64

func newVarSet(f *Func) varSet { return make(varSet, (f.Slots+63)/64) }

func (s varSet) has(v *Var) bool { return s[v.Slot>>6]&(1<<(v.Slot&63)) != 0 }

// and keeps what o has too.
func (s varSet) and(o varSet) varSet {
	for i := range s {
		s[i] &= o[i]
	}
	return s
}

// or adds what o has.
func (s varSet) or(o varSet) varSet {
	for i := range s {
		s[i] |= o[i]
	}
	return s
}

// flow walks the tree in the order of execution. assigned holds the declared
// variables that surely have a value; dead says that this point is not reached.
type flow struct {
	b        *binder
	f        *Func
	assigned varSet
	declared varSet // without a value
	dead     bool
	breaks   []*exit
}

// exit collects the states in which a loop or switch is left.
type exit struct {
	states []varSet
	sw     bool
}

func (w *flow) copy() varSet { return slices.Clone(w.assigned) }

func (w *flow) assign(v *Var) { w.enter(w.assigned, v) }

func (w *flow) declare(v *Var) { w.enter(w.declared, v) }

func (w *flow) enter(s varSet, v *Var) {
	if v.Func == w.f {
		s[v.Slot>>6] |= 1 << (v.Slot & 63)
	}
}

// join makes the state after two branches, of which dead ones do not count.
func (w *flow) join(a varSet, aDead bool, c varSet, cDead bool) {
	switch {
	case aDead && cDead:
		w.assigned, w.dead = a, true
	case aDead:
		w.assigned, w.dead = c, false
	case cDead:
		w.assigned, w.dead = a, false
	default:
		w.assigned, w.dead = a.and(c), false
	}
}

func (w *flow) stmt(s Stmt) {
	switch s := s.(type) {
	case nil:
	case *Block:
		for _, x := range s.Stmts {
			w.stmt(x)
		}
	case *Declare:
		if s.X != nil {
			w.expr(s.X)
			w.assign(s.V)
		}
		w.declare(s.V)
	case *Eval:
		w.expr(s.X)
	case *If:
		w.ifStmt(s)
	case *Loop:
		w.loop(s)
	case *Foreach:
		w.expr(s.X)
		before := w.copy()
		w.breaks = append(w.breaks, &exit{})
		for _, x := range s.Setup {
			w.stmt(x)
		}
		w.stmt(s.Body)
		w.breaks = w.breaks[:len(w.breaks)-1]
		w.assigned, w.dead = before, false
	case *Switch:
		w.switchStmt(s)
	case *Return:
		if s.X != nil {
			w.expr(s.X)
		}
		w.dead = true
	case *ThrowStmt:
		if s.X != nil {
			w.expr(s.X)
		}
		w.dead = true
	case *Jump:
		w.jump(s)
	case *Try:
		w.try(s)
	case *Using:
		for _, d := range s.Decl {
			w.stmt(d)
		}
		w.stmt(s.Body)
	}
}

func (w *flow) ifStmt(s *If) {
	t, f := w.cond(s.Cond)
	start := w.dead
	w.assigned = t
	if k, ok := s.Cond.(*Const); ok && !k.V.Bool() {
		w.dead = true
	}
	w.stmt(s.Then)
	a, aDead := w.assigned, w.dead
	w.assigned, w.dead = f, start
	if k, ok := s.Cond.(*Const); ok && k.V.Bool() {
		w.dead = true
	}
	w.stmt(s.Else)
	w.join(a, aDead, w.assigned, w.dead)
}

func (w *flow) loop(s *Loop) {
	for _, i := range s.Init {
		w.stmt(i)
	}
	e := &exit{}
	w.breaks = append(w.breaks, e)
	after := w.copy()
	if s.Do {
		w.stmt(s.Body)
		w.dead = false
		if s.Cond != nil {
			_, after = w.cond(s.Cond)
		}
	} else {
		if s.Cond != nil {
			var t varSet
			t, after = w.cond(s.Cond)
			w.assigned = t
		}
		w.stmt(s.Body)
		w.dead = false
		for _, p := range s.Post {
			w.expr(p)
		}
	}
	w.breaks = w.breaks[:len(w.breaks)-1]
	w.assigned, w.dead = after, s.Const
	for _, st := range e.states {
		w.join(w.assigned, w.dead, st, false)
	}
}

func (w *flow) jump(s *Jump) {
	if s.Kind == "break" && len(w.breaks) > 0 {
		e := w.breaks[len(w.breaks)-1]
		if !w.dead {
			e.states = append(e.states, w.copy())
		}
	}
	w.dead = true
}

func (w *flow) switchStmt(s *Switch) {
	w.expr(s.X)
	before := w.copy()
	e := &exit{sw: true}
	w.breaks = append(w.breaks, e)
	for _, sec := range s.Sections {
		w.assigned, w.dead = slices.Clone(before), false
		var in varSet
		for _, t := range sec.Tests {
			w.assigned = slices.Clone(before)
			yes, _ := w.cond(t)
			if in == nil {
				in = yes
			} else {
				in = in.and(yes)
			}
		}
		if in != nil {
			w.assigned = in
		}
		for _, x := range sec.Body {
			w.stmt(x)
		}
		if !w.dead {
			w.b.err(sec.at, "CS0163", "Control cannot fall through from one case label to another")
		}
	}
	w.breaks = w.breaks[:len(w.breaks)-1]
	w.assigned, w.dead = before, s.Default >= 0
	for _, st := range e.states {
		w.join(w.assigned, w.dead, st, false)
	}
}

func (w *flow) try(s *Try) {
	before := w.copy()
	w.stmt(s.Body)
	end, endDead := w.assigned, w.dead
	for _, c := range s.Catches {
		w.assigned, w.dead = slices.Clone(before), false
		if c.When != nil {
			w.expr(c.When)
		}
		w.stmt(c.Body)
		w.join(end, endDead, w.assigned, w.dead)
		end, endDead = w.assigned, w.dead
	}
	if s.Finally != nil {
		w.assigned, w.dead = slices.Clone(before), false
		w.stmt(s.Finally)
		finDead := w.dead
		end = end.or(w.assigned)
		endDead = endDead || finDead
	}
	w.assigned, w.dead = end, endDead
}

// cond walks a condition and gives the states in which it is true and false. The
// state before it is used up.
func (w *flow) cond(x Expr) (t, f varSet) {
	switch x := x.(type) {
	case *Logic:
		lt, lf := w.cond(x.X)
		if x.And {
			w.assigned = lt
			rt, rf := w.cond(x.Y)
			return rt, lf.and(rf)
		}
		w.assigned = lf
		rt, rf := w.cond(x.Y)
		return lt.and(rt), rf
	case *Unary:
		if x.Op == "!" {
			t, f = w.cond(x.X)
			return f, t
		}
	case *Const:
		if x.V.Tag() == clr.Boolean {
			// Nothing is unassigned where control never comes.
			all := w.copy().or(w.declared)
			if x.V.Bool() {
				return w.assigned, all
			}
			return all, w.assigned
		}
	}
	w.expr(x)
	t, f = w.assigned, w.copy()
	if is, ok := x.(*Is); ok && is.V != nil {
		f[is.V.Slot>>6] &^= 1 << (is.V.Slot & 63)
		w.enter(t, is.V)
		w.declare(is.V)
	}
	return t, f
}

func (w *flow) exprs(xs []Expr) {
	for _, x := range xs {
		w.expr(x)
	}
}

// expr walks an expression.
func (w *flow) expr(x Expr) {
	switch x := x.(type) {
	case nil, *Const, *Global, *TypeOf, *Lambda:
	case *Local:
		w.read(x.V, w.b.uses[x])
	case *Call:
		if x.Recv != nil {
			w.expr(x.Recv)
		}
		w.exprs(x.Args)
	case *Store:
		if x.Recv != nil {
			w.expr(x.Recv)
		}
		w.exprs(x.Args)
		w.expr(x.Value)
	case *Element:
		w.expr(x.X)
		w.exprs(x.Indexes)
	case *Field:
		w.expr(x.X)
	case *NewArray:
		w.exprs(x.Sizes)
		w.exprs(x.Elems)
	case *NewRecord:
		w.exprs(x.Vals)
	case *Conv:
		w.expr(x.X)
	case *Unary:
		w.expr(x.X)
	case *Binary:
		w.expr(x.X)
		w.expr(x.Y)
	case *RefEq:
		w.expr(x.X)
		w.expr(x.Y)
	case *StrEq:
		w.expr(x.X)
		w.expr(x.Y)
	case *Logic:
		t, f := w.cond(x)
		w.assigned = t.and(f)
	case *Concat:
		w.exprs(x.Parts)
	case *Interp:
		for _, p := range x.Parts {
			if p.X != nil {
				w.expr(p.X)
			}
		}
	case *Coalesce:
		w.expr(x.X)
		before := w.copy()
		w.expr(x.Y)
		w.assigned = before
	case *Cond:
		t, f := w.cond(x.If)
		w.assigned = t
		w.expr(x.Then)
		a := w.assigned
		w.assigned = f
		w.expr(x.Else)
		switch {
		case isThrow(x.Then):
		case isThrow(x.Else):
			w.assigned = a
		default:
			w.assigned = w.assigned.and(a)
		}
	case *CondAccess:
		w.expr(x.X)
		w.assign(x.V)
		before := w.copy()
		w.expr(x.Then)
		w.assigned = before
	case *Assign:
		if l, ok := x.To.(*Local); ok {
			w.expr(x.Value)
			w.assign(l.V)
			return
		}
		w.expr(x.To)
		w.expr(x.Value)
	case *Let:
		w.expr(x.Init)
		w.assign(x.V)
		w.exprs(x.Steps)
		w.expr(x.Body)
	case *Invoke:
		w.expr(x.Fn)
		w.exprs(x.Args)
	case *LocalCall:
		w.exprs(x.Args)
	case *Is:
		w.expr(x.X)
		if x.V != nil {
			w.declare(x.V)
		}
	case *As:
		w.expr(x.X)
	case *Throw:
		w.expr(x.X)
	case *ByRef:
		if l, ok := x.To.(*Local); ok {
			if !x.Out {
				w.read(l.V, w.b.uses[l])
			}
			w.assign(l.V)
			w.declare(l.V)
			return
		}
		w.expr(x.To)
	}
}

func isThrow(x Expr) bool {
	_, ok := x.(*Throw)
	return ok
}

// read reports a variable that may have no value yet. Only variables whose
// declaration was seen count: captured ones are the outer function's business.
func (w *flow) read(v *Var, at syntax.Node) {
	if v != nil && v.Func == w.f && w.declared.has(v) && !w.assigned.has(v) && !w.dead && at != nil {
		w.b.err(at, "CS0165", "Use of unassigned local variable '"+v.Name+"'")
	}
}
