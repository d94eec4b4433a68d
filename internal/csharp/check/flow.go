package check

import (
	"slices"
	"strconv"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// flow checks a whole source: every path returns, no variable is read before it
// is assigned, and no section of a switch falls into the next.
func (b *binder) flow(main *Func) {
	w := &flow{b: b}
	w.function(main)
}

// flow walks the tree in the order of execution, lambdas where they are made.
type flow struct {
	b       *binder
	st      state // at the point reached
	fields  map[place]int
	pending []pending
	targets []*target
	local   *LocalFunc // whose summary is being made
	funcs   map[*LocalFunc]*summary
	gotos   map[*Label]int   // jumps to a label that wait for it
	back    map[*Label]state // of the jumps that lead backwards
}

// place is a field of a variable that is a tuple.
type place struct {
	v     *Var
	field int
}

// state is the set of variables and fields that surely have a value, by bit. A
// dead state is of a point that is not reached: everything holds there.
type state struct {
	bits []uint64
	dead bool
}

func (s state) has(i int) bool {
	return s.dead || i>>6 < len(s.bits) && s.bits[i>>6]&(1<<(i&63)) != 0
}

func (s state) clone() state { return state{slices.Clone(s.bits), s.dead} }

// set changes one bit.
func (s *state) set(i int, on bool) {
	for len(s.bits) <= i>>6 {
		s.bits = append(s.bits, 0)
	}
	if on {
		s.bits[i>>6] |= 1 << (i & 63)
	} else {
		s.bits[i>>6] &^= 1 << (i & 63)
	}
}

// join is what holds after either of two branches. It uses up a.
func join(a, c state) state {
	switch {
	case a.dead:
		return c.clone()
	case c.dead:
		return a
	}
	for i := range a.bits {
		if i < len(c.bits) {
			a.bits[i] &= c.bits[i]
		} else {
			a.bits[i] = 0
		}
	}
	return a
}

// add puts in what holds in c as well.
func (s *state) add(c state) {
	for i, bits := range c.bits {
		if i == len(s.bits) {
			s.bits = append(s.bits, 0)
		}
		s.bits[i] |= bits
	}
	s.dead = s.dead || c.dead
}

// target is a loop or switch that jumps lead out of.
type target struct {
	loop  bool
	first int // pending jump that may be one of its own
}

func (w *flow) target(loop bool) *target { return &target{loop, len(w.pending)} }

// pending is a jump that has not yet come to where it leads.
type pending struct {
	kind  string // break, continue, goto, return
	to    *target
	label *Label
	at    syntax.Node
	st    state
}

// summary is what a call of a local function means for the variables around it.
type summary struct {
	reads  []*Var
	writes state
}

func (w *flow) bit(v *Var) int {
	if v.bit == 0 {
		w.b.bits++
		v.bit = w.b.bits
	}
	return v.bit
}

func (w *flow) field(v *Var, i int) int {
	p := place{v, i}
	if w.fields[p] == 0 {
		if w.fields == nil {
			w.fields = map[place]int{}
		}
		w.b.bits++
		w.fields[p] = w.b.bits
	}
	return w.fields[p]
}

func (w *flow) assign(v *Var) { w.st.set(w.bit(v), true) }

// function walks the body of a function from the state at hand; the state after
// it is that of all its ends together. A label that a jump leads back to needs
// another walk, which begins with what is known at the jump.
func (w *flow) function(f *Func) {
	start, targets, pending, back := w.st, w.targets, w.pending, w.back
	w.back = nil
	for again := true; again; {
		w.st, w.targets, w.pending = w.clone(start), nil, nil
		w.stmt(f.Body)
		again = w.backward()
	}
	w.end(f)
	for _, p := range w.pending {
		w.outParams(f, p.st, p.at)
		w.st = join(w.st, p.st)
	}
	w.targets, w.pending, w.back = targets, pending, back
}

// end checks the end of a function's body.
func (w *flow) end(f *Func) {
	if w.st.dead {
		return
	}
	if f.Ret != nil && f.Ret.Kind != clr.Void {
		w.b.missingReturn(f)
	}
	w.outParams(f, w.st, f.name())
}

func (b *binder) missingReturn(f *Func) {
	switch at := f.At.(type) {
	case *syntax.Lambda:
		b.err(at.Arrow, "CS1643", "Not all code paths return a value in "+lambdaWord(&lambda{syn: at})+" of type '"+f.delegate.String()+"'")
	case *syntax.LocalFunc:
		b.err(at.NameAt, "CS0161", "'"+f.local.title()+"': not all code paths return a value")
	default:
		b.err(f.At, "CS0161", "not all code paths return a value")
	}
}

// outParams checks that a function that is left has assigned its out parameters.
func (w *flow) outParams(f *Func, st state, at syntax.Node) {
	for _, p := range f.Params {
		if p.Out && !st.has(w.bit(p)) {
			w.b.err(at, "CS0177", "The out parameter '"+p.Name+"' must be assigned to before control leaves the current method")
		}
	}
}

// comesBack reports whether control can reach the end of a function's body.
func (b *binder) comesBack(f *Func) bool {
	errs := b.errs
	w := &flow{b: b}
	w.stmt(f.Body)
	b.errs = errs
	return !w.st.dead
}

// take joins the states of the jumps that lead here, among those from first on.
func (w *flow) take(first int, here func(*pending) bool) {
	list := w.pending[first:]
	w.b.spend(len(list))
	kept := list[:0]
	for i := range list {
		if here(&list[i]) {
			w.st = join(w.st, list[i].st)
		} else {
			kept = append(kept, list[i])
		}
	}
	w.pending = w.pending[:first+len(kept)]
}

// backward takes note of the jumps whose labels were passed already, and reports
// whether that says anything new about a label.
func (w *flow) backward() bool {
	again := false
	w.pending = slices.DeleteFunc(w.pending, func(p pending) bool {
		if p.kind != "goto" {
			return false
		}
		w.gotos[p.label]--
		old, ok := w.back[p.label]
		if !ok {
			old = state{dead: true}
		}
		st := join(w.clone(old), p.st)
		if !ok || old.dead != st.dead || !slices.Equal(old.bits, st.bits) {
			if w.back == nil {
				w.back = map[*Label]state{}
			}
			w.back[p.label] = st
			again = true
		}
		return true
	})
	return again
}

// leave records a jump; what follows it is not reached.
func (w *flow) leave(p pending) {
	if !w.st.dead {
		p.st = w.st
		w.pending = append(w.pending, p)
		if p.label != nil {
			if w.gotos == nil {
				w.gotos = map[*Label]int{}
			}
			w.gotos[p.label]++
		}
	}
	w.st = state{dead: true}
}

func (w *flow) stmts(list []Stmt) {
	for _, s := range list {
		w.stmt(s)
	}
}

// clone is a copy of a state, which is paid for.
func (w *flow) clone(s state) state {
	w.b.spend(len(s.bits) / 8)
	return s.clone()
}

func (w *flow) stmt(s Stmt) {
	w.b.spend(1)
	switch s := s.(type) {
	case nil:
	case *Block:
		for _, f := range s.Funcs {
			w.summarize(f)
		}
		w.stmts(s.Stmts)
	case *Declare:
		w.st.set(w.bit(s.V), false)
		w.expr(s.X)
		if s.X != nil {
			w.assign(s.V)
		}
	case *Eval:
		w.expr(s.X)
	case *If:
		t, f := w.cond(s.Cond)
		w.st = t
		w.stmt(s.Then)
		t, w.st = w.st, f
		w.stmt(s.Else)
		w.st = join(w.st, t)
	case *Loop:
		w.loop(s)
	case *Foreach:
		w.foreach(s)
	case *Switch:
		w.switchStmt(s)
	case *Return:
		w.expr(s.X)
		w.leave(pending{kind: "return", at: s.stmt})
	case *ThrowStmt:
		w.expr(s.X)
		w.st = state{dead: true}
	case *Jump:
		w.jump(s)
	case *Mark:
		if w.gotos[s.L] > 0 {
			w.take(0, func(p *pending) bool { return p.label == s.L })
			w.gotos[s.L] = 0
		}
		if st, ok := w.back[s.L]; ok {
			w.st = join(w.st, st)
		}
	case *Try:
		w.try(s)
	case *Using:
		w.stmts(s.Decl)
		w.stmt(s.Body)
	}
}

func (w *flow) jump(s *Jump) {
	p := pending{kind: s.Kind, label: s.Label}
	for _, t := range slices.Backward(w.targets) {
		if t.loop || s.Kind == "break" {
			p.to = t
			break
		}
	}
	if s.Kind == "goto case" || s.Kind == "goto default" {
		w.st = state{dead: true} // the section is reached by the switch itself
		return
	}
	w.leave(p)
}

// inside walks something that jumps can leave, and gives the target for them.
func (w *flow) inside(t *target, body func()) {
	w.targets = append(w.targets, t)
	body()
	w.targets = w.targets[:len(w.targets)-1]
}

func (w *flow) takeJumps(kind string, t *target) {
	w.take(t.first, func(p *pending) bool { return p.kind == kind && p.to == t })
}

func (w *flow) loop(s *Loop) {
	w.stmts(s.Init)
	t := w.target(true)
	var after state
	body := func() {
		w.inside(t, func() { w.stmt(s.Body) })
		w.takeJumps("continue", t)
	}
	cond := func() {
		after = state{dead: true}
		if s.Cond != nil {
			w.st, after = w.cond(s.Cond)
		}
	}
	if s.Do {
		body()
		cond()
	} else {
		cond()
		body()
		w.exprs(s.Post)
	}
	w.st = after
	w.takeJumps("break", t)
}

func (w *flow) foreach(s *Foreach) {
	w.expr(s.X)
	before := w.clone(w.st)
	t := w.target(true)
	if s.V != nil {
		w.assign(s.V)
	}
	w.inside(t, func() {
		w.stmts(s.Setup)
		w.stmt(s.Body)
	})
	w.st = before
	w.takeJumps("continue", t)
	w.takeJumps("break", t)
}

func (w *flow) switchStmt(s *Switch) {
	w.expr(s.X)
	before := w.st
	t := w.target(false)
	hit := s.constHit()
	for i := range s.Sections {
		sec := &s.Sections[i]
		w.st = state{dead: true}
		for j, test := range sec.Tests {
			in := w.st
			w.st = w.clone(before)
			yes, _ := w.cond(test)
			if hit >= 0 && sec.Consts[j] != nil && i != hit {
				yes = state{dead: true} // another constant
			}
			w.st = join(yes, in)
		}
		if s.Default == i && (hit < 0 || hit == i) {
			w.st = join(w.st, before)
		}
		w.inside(t, func() { w.stmts(sec.Body) })
		if !w.st.dead {
			w.fallsThrough(sec, i == len(s.Sections)-1)
		}
	}
	w.st = before
	if s.Default >= 0 || hit >= 0 || s.covered {
		w.st = state{dead: true}
	}
	w.takeJumps("break", t)
}

// constHit is the section that a constant switch runs, or -1.
func (s *Switch) constHit() int {
	k, ok := s.X.(*Const)
	if !ok {
		return -1
	}
	for i, sec := range s.Sections {
		for _, c := range sec.Consts {
			if c != nil && sameConst(c.V, k.V) {
				return i
			}
		}
	}
	return -1
}

func (w *flow) fallsThrough(sec *Section, last bool) {
	label := "default"
	if !sec.at.Default {
		label = w.b.quote(sec.at)
	}
	if last {
		w.b.err(sec.at, "CS8070", "Control cannot fall out of switch from final case label ('"+label+"')")
	} else {
		w.b.err(sec.at, "CS0163", "Control cannot fall through from one case label ('"+label+"') to another")
	}
}

// try walks a try statement. A catch clause begins with what was known before; a
// finally clause adds to all ways out.
func (w *flow) try(s *Try) {
	before, first := w.clone(w.st), len(w.pending)
	w.stmt(s.Body)
	end := w.st
	for _, c := range s.Catches {
		w.st = w.clone(before)
		if c.V != nil {
			w.assign(c.V)
		}
		if c.When != nil {
			w.st, _ = w.cond(c.When)
		}
		w.stmt(c.Body)
		end = join(end, w.st)
	}
	w.st = end
	if s.Finally == nil {
		return
	}
	jumps := slices.Clone(w.pending[first:])
	w.pending = w.pending[:first]
	w.st = before
	w.stmt(s.Finally)
	for _, p := range jumps {
		if p.st.add(w.st); !w.st.dead {
			w.pending = append(w.pending, p)
		}
	}
	end.add(w.st)
	w.st = end
}

// cond walks a condition and gives the states in which it is true and false.
func (w *flow) cond(x Expr) (t, f state) {
	switch x := x.(type) {
	case *Logic:
		lt, lf := w.cond(x.X)
		if x.And {
			w.st = lt
			rt, rf := w.cond(x.Y)
			return rt, join(rf, lf)
		}
		w.st = lf
		rt, rf := w.cond(x.Y)
		return join(rt, lt), rf
	case *Unary:
		if x.Op == "!" {
			t, f = w.cond(x.X)
			return f, t
		}
	case *Const:
		if x.V.Tag() == clr.Boolean && x.V.Bool() {
			return w.st, state{dead: true}
		}
		return state{dead: true}, w.st
	case *Let:
		if len(x.Steps) == 0 {
			w.expr(x.Init)
			w.assign(x.V)
			return w.cond(x.Body)
		}
	}
	w.expr(x)
	t, f = w.st, w.clone(w.st)
	if is, ok := x.(*Is); ok && is.V != nil {
		i := w.bit(is.V)
		t.set(i, true)
		f.set(i, false)
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
	w.b.spend(1)
	switch x := x.(type) {
	case nil, *Const, *Global, *TypeOf:
	case *Local:
		w.read(x.V, w.b.uses[x])
	case *Call:
		w.expr(x.Recv)
		w.exprs(x.Args)
	case *Store:
		w.expr(x.Recv)
		w.exprs(x.Args)
		w.expr(x.Value)
	case *Element:
		w.expr(x.X)
		w.exprs(x.Indexes)
	case *Field:
		w.readField(x)
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
		w.st = join(t, f)
	case *Concat:
		w.exprs(x.Parts)
	case *Interp:
		for _, p := range x.Parts {
			w.expr(p.X)
		}
	case *Coalesce:
		w.expr(x.X)
		before := w.clone(w.st)
		w.expr(x.Y)
		w.st = before
	case *Cond:
		t, f := w.cond(x.If)
		w.st = t
		w.expr(x.Then)
		t, w.st = w.st, f
		w.expr(x.Else)
		w.st = join(w.st, t)
	case *CondAccess:
		w.expr(x.X)
		before := w.clone(w.st)
		w.assign(x.V)
		w.expr(x.Then)
		w.st = before
	case *Assign:
		w.assignment(x)
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
		s := w.summarize(x.F)
		for _, v := range s.reads {
			w.read(v, x.at)
		}
		w.st.add(s.writes)
	case *Lambda:
		before := w.clone(w.st)
		w.function(x.F)
		w.st = before
	case *Is:
		w.expr(x.X)
	case *As:
		w.expr(x.X)
	case *Throw:
		w.expr(x.X)
		w.st = state{dead: true}
	case *ByRef:
		w.byRef(x)
	}
}

func (w *flow) byRef(x *ByRef) {
	l, ok := x.To.(*Local)
	if !ok {
		w.expr(x.To)
		return
	}
	if !x.Out {
		w.read(l.V, w.b.uses[l])
	}
	w.assign(l.V)
}

func (w *flow) assignment(x *Assign) {
	l, ok := x.To.(*Local)
	switch {
	case !ok:
		w.expr(x.To)
		w.expr(x.Value)
	case x.field > 0:
		w.assignField(l.V, x.field-1)
	default:
		w.expr(x.Value)
		w.assign(l.V)
	}
}

// assignField notes that a field of a tuple has a value; with the last of them
// the whole has.
func (w *flow) assignField(v *Var, field int) {
	w.st.set(w.field(v, field), true)
	for i := range v.Type.Args {
		if !w.st.has(w.field(v, i)) {
			return
		}
	}
	w.assign(v)
}

func (w *flow) readField(x *Field) {
	l, ok := x.X.(*Local)
	if !ok || !l.V.tracked() || w.st.has(w.bit(l.V)) || w.st.has(w.field(l.V, x.I)) {
		w.expr(x.X)
		return
	}
	if at := w.b.uses[l]; at != nil && w.inLocal(l.V) {
		name := x.X.T().Names
		w.b.err(at, "CS0170", "Use of possibly unassigned field '"+fieldName(name, x.I)+"'")
	}
}

func fieldName(names []string, i int) string {
	if i < len(names) && names[i] != "" {
		return names[i]
	}
	return "Item" + strconv.Itoa(i+1)
}

// tracked reports whether v is a variable of the source that may lack a value.
func (v *Var) tracked() bool { return v.Out || v.Name != "" && !v.Param && v.Type != clr.FuncT }

// read reports a variable that may have no value yet. In the body of a local
// function that is for its callers to know.
func (w *flow) read(v *Var, at syntax.Node) {
	if v == nil || at == nil || !v.tracked() || w.st.has(w.bit(v)) {
		return
	}
	switch {
	case !w.inLocal(v):
		if s := w.funcs[w.local]; !slices.Contains(s.reads, v) {
			s.reads = append(s.reads, v)
		}
	case v.Out:
		w.b.err(at, "CS0269", "Use of unassigned out parameter '"+v.Name+"'")
	default:
		w.b.err(at, "CS0165", "Use of unassigned local variable '"+v.Name+"'")
	}
}

// inLocal reports whether v belongs to the local function being summarized.
func (w *flow) inLocal(v *Var) bool {
	if w.local == nil {
		return true
	}
	for f := v.Func; f != nil; f = f.Parent {
		if f == w.local.F {
			return true
		}
	}
	return false
}

// summarize walks a local function once. A call inside of its own body counts as
// one that does not come back.
func (w *flow) summarize(f *LocalFunc) *summary {
	if s := w.funcs[f]; s != nil {
		return s
	}
	if w.funcs == nil {
		w.funcs = map[*LocalFunc]*summary{}
	}
	s := &summary{writes: state{dead: true}}
	w.funcs[f] = s
	st, local := w.st, w.local
	w.st, w.local = state{}, f
	w.function(f.F)
	s.writes = w.st
	w.st, w.local = st, local
	return s
}
