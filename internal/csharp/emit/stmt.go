package emit

import (
	"fmt"
	"slices"

	"github.com/portico-dev/portico/internal/csharp/check"
	"github.com/portico-dev/portico/internal/csharp/clr"
)

// labels are the places of a list of statements that goto leads to.
type labels map[ctl]int

func labelCtl(l *check.Label) ctl { return -1 - ctl(l.ID) }

// marks finds the labels of a list.
func marks(list []check.Stmt) labels {
	var out labels
	n := 0
	for _, s := range list {
		if m, ok := s.(*check.Mark); ok {
			if out == nil {
				out = labels{}
			}
			out[labelCtl(m.L)] = n
		} else {
			n++
		}
	}
	return out
}

// from runs statements from one of them on; a jump to one of their labels goes on
// there.
func (at labels) from(f *clr.Frame, list []stmt, i int) ctl {
	for i < len(list) {
		c := list[i](f)
		if c == next {
			i++
			continue
		}
		to, ok := at[c]
		if !ok {
			return c
		}
		f.Step(1)
		i = to
	}
	return next
}

// list compiles statements with their labels.
func (e *emitter) list(list []check.Stmt) stmt {
	body, at := e.stmts(list), marks(list)
	if at == nil {
		return run(body)
	}
	return func(f *clr.Frame) ctl { return at.from(f, body, 0) }
}

func (e *emitter) stmts(list []check.Stmt) []stmt {
	var out []stmt
	for _, s := range list {
		if _, ok := s.(*check.Mark); !ok {
			out = append(out, e.stmt(s))
		}
	}
	return out
}

func run(list []stmt) stmt {
	switch len(list) {
	case 0:
		return func(*clr.Frame) ctl { return next }
	case 1:
		return list[0]
	case 2:
		a, b := list[0], list[1]
		return func(f *clr.Frame) ctl {
			if c := a(f); c != next {
				return c
			}
			return b(f)
		}
	}
	return func(f *clr.Frame) ctl {
		for _, s := range list {
			if c := s(f); c != next {
				return c
			}
		}
		return next
	}
}

// stmt compiles a statement.
func (e *emitter) stmt(s check.Stmt) stmt {
	switch s := s.(type) {
	case nil:
		return func(*clr.Frame) ctl { return next }
	case *check.Block:
		return e.block(s)
	case *check.Declare:
		set := e.fresh(s.V)
		if s.X == nil {
			zero := clr.Zero(s.V.Type)
			return func(f *clr.Frame) ctl { set(f, zero); return next }
		}
		if s.V.Captured {
			// The variable exists before its value: a lambda may refer to itself.
			put := e.set(s.V)
			x := e.val(s.X)
			return func(f *clr.Frame) ctl { set(f, clr.Null); put(f, x(f)); return next }
		}
		x, slot := e.val(s.X), s.V.Slot
		return func(f *clr.Frame) ctl { f.Slots[slot] = x(f); return next }
	case *check.Eval:
		return e.eval(s)
	case *check.If:
		c, then := e.cond(s.Cond), e.stmt(s.Then)
		if s.Else == nil {
			return func(f *clr.Frame) ctl {
				if c(f) {
					return then(f)
				}
				return next
			}
		}
		els := e.stmt(s.Else)
		return func(f *clr.Frame) ctl {
			if c(f) {
				return then(f)
			}
			return els(f)
		}
	case *check.Loop:
		return e.loop(s)
	case *check.Foreach:
		return e.foreach(s)
	case *check.Switch:
		return e.switchStmt(s)
	case *check.Return:
		if s.X == nil {
			return func(f *clr.Frame) ctl { f.Result = clr.Null; return ret }
		}
		x := e.val(s.X)
		return func(f *clr.Frame) ctl { f.Result = x(f); return ret }
	case *check.Jump:
		c := jump + ctl(s.Target)
		switch s.Kind {
		case "break":
			c = brk
		case "continue":
			c = cont
		case "goto":
			c = labelCtl(s.Label)
		}
		return func(*clr.Frame) ctl { return c }
	case *check.Try:
		return e.try(s)
	case *check.ThrowStmt:
		if s.X == nil {
			slot := e.catch[len(e.catch)-1]
			return func(f *clr.Frame) ctl { throw(f.Slots[slot]); return next }
		}
		x := e.val(s.X)
		return func(f *clr.Frame) ctl { throw(x(f)); return next }
	case *check.Using:
		return e.using(s)
	}
	panic(fmt.Sprintf("emit: unexpected %T", s))
}

func (e *emitter) block(s *check.Block) stmt {
	body := e.list(s.Stmts)
	if len(s.Funcs) == 0 {
		return body
	}
	funcs := slices.DeleteFunc(slices.Clone(s.Funcs), (*check.LocalFunc).Generic)
	sets := make([]func(*clr.Frame, clr.Value), len(funcs))
	fns := make([]val, len(funcs))
	cells := make([]func(*clr.Frame, clr.Value), len(funcs))
	for i, fn := range funcs {
		cells[i] = e.fresh(fn.V)
		sets[i] = e.set(fn.V)
		fns[i] = e.function(fn.F, clr.FuncT)
	}
	hoisted := make([]int, len(s.Hoisted))
	for i, v := range s.Hoisted {
		hoisted[i] = v.Slot
	}
	return func(f *clr.Frame) ctl {
		for _, slot := range hoisted {
			f.Slots[slot] = newCell(f, clr.Null)
		}
		for _, c := range cells {
			c(f, clr.Null)
		}
		for i := range fns {
			sets[i](f, fns[i](f))
		}
		return body(f)
	}
}

// eval compiles an expression for its effect; assignments to plain variables
// are common enough to have their own form.
func (e *emitter) eval(s *check.Eval) stmt {
	if a, ok := s.X.(*check.Assign); ok {
		if l, ok := a.To.(*check.Local); ok && l.V.Func == e.fn && !l.V.Captured {
			x, slot := e.val(a.Value), l.V.Slot
			return func(f *clr.Frame) ctl { f.Slots[slot] = x(f); return next }
		}
	}
	x := e.val(e.plainStep(s.X))
	return func(f *clr.Frame) ctl { x(f); return next }
}

// plainStep drops the old value of i++ where nothing uses it.
func (e *emitter) plainStep(x check.Expr) check.Expr {
	l, ok := x.(*check.Let)
	if !ok || len(l.Steps) != 1 {
		return x
	}
	if r, ok := l.Body.(*check.Local); !ok || r.V != l.V {
		return x
	}
	a, ok := l.Steps[0].(*check.Assign)
	if !ok {
		return x
	}
	b, ok := a.Value.(*check.Binary)
	if !ok {
		return x
	}
	if v, ok := b.X.(*check.Local); ok && v.V == l.V {
		if to, ok := a.To.(*check.Local); ok {
			c := *b
			c.X = to
			d := *a
			d.Value = &c
			return &d
		}
	}
	return x
}

func (e *emitter) loop(s *check.Loop) stmt {
	init := run(e.stmts(s.Init))
	c := func(*clr.Frame) bool { return true }
	if s.Cond != nil {
		c = e.cond(s.Cond)
	}
	var post []val
	for _, p := range s.Post {
		post = append(post, e.val(e.plainStep(p)))
	}
	body, do := e.stmt(s.Body), s.Do
	return func(f *clr.Frame) ctl {
		init(f)
		for do || c(f) {
			f.Step(1)
			switch r := body(f); r {
			case next, cont:
			case brk:
				return next
			default:
				return r
			}
			for _, p := range post {
				p(f)
			}
			if do && !c(f) {
				return next
			}
		}
		return next
	}
}

func (e *emitter) foreach(s *check.Foreach) stmt {
	x := e.val(s.X)
	setElem := e.fresh(s.Elem)
	var setVar func(*clr.Frame, clr.Value)
	var conv val
	if s.V != nil {
		setVar, conv = e.fresh(s.V), e.val(s.Conv)
	}
	setup := run(e.stmts(s.Setup))
	body := e.stmt(s.Body)
	return func(f *clr.Frame) ctl {
		v := x(f)
		if v.IsNull() {
			clr.ThrowNull()
		}
		out := next
		slots, caps := f.Slots, f.Caps
		each(f, v, func(item clr.Value) bool {
			// The enumeration may have left the frame to a lambda.
			f.Slots, f.Caps = slots, caps
			f.Step(1)
			setElem(f, item)
			if setVar != nil {
				setVar(f, conv(f))
			}
			setup(f)
			switch c := body(f); c {
			case next, cont:
				return true
			case brk:
			default:
				out = c
			}
			return false
		})
		return out
	}
}

func (e *emitter) switchStmt(s *check.Switch) stmt {
	x, set := e.val(s.X), e.fresh(s.V)
	type section struct {
		tests []cond
		body  []stmt
		at    labels
	}
	secs := make([]section, len(s.Sections))
	entries := map[ctl]int{} // sections with labels
	for i, sec := range s.Sections {
		for _, t := range sec.Tests {
			secs[i].tests = append(secs[i].tests, e.cond(t))
		}
		secs[i].body, secs[i].at = e.stmts(sec.Body), marks(sec.Body)
		for c := range secs[i].at {
			entries[c] = i
		}
	}
	def := s.Default
	return func(f *clr.Frame) ctl {
		set(f, x(f))
		at := def
	find:
		for i := range secs {
			for _, t := range secs[i].tests {
				if t(f) {
					at = i
					break find
				}
			}
		}
		first := 0
		for at >= 0 {
			f.Step(1)
			c := secs[at].at.from(f, secs[at].body, first)
			entry, ok := entries[c]
			switch {
			case c == brk || c == next:
				return next
			case ok:
				at, first = entry, secs[entry].at[c]
			case c < jump:
				return c
			default:
				at, first = int(c-jump), 0
			}
		}
		return next
	}
}

func (e *emitter) try(s *check.Try) stmt {
	body := e.stmt(s.Body)
	if len(s.Catches) > 0 {
		body = e.catches(body, s.Catches)
	}
	if s.Finally == nil {
		return body
	}
	fin := e.stmt(s.Finally)
	return func(f *clr.Frame) ctl {
		c, ex := protect(f, body)
		result := f.Result
		if r := fin(f); r != next {
			return r
		}
		if ex != nil {
			panic(ex)
		}
		f.Result = result
		return c
	}
}

func (e *emitter) catches(body stmt, list []check.Catch) stmt {
	type clause struct {
		t    *clr.Type
		slot int
		set  func(*clr.Frame, clr.Value)
		when cond
		body stmt
	}
	clauses := make([]clause, len(list))
	for i, c := range list {
		k := clause{t: c.Type, slot: e.fn.Slots}
		e.fn.Slots++
		if c.V != nil {
			k.set = e.fresh(c.V)
		}
		e.catch = append(e.catch, k.slot)
		if c.When != nil {
			k.when = e.cond(c.When)
		}
		k.body = e.stmt(c.Body)
		e.catch = e.catch[:len(e.catch)-1]
		clauses[i] = k
	}
	return func(f *clr.Frame) ctl {
		c, ex := protect(f, body)
		if ex == nil {
			return c
		}
		for i := range clauses {
			k := &clauses[i]
			if k.t != nil && !ex.Type.Inherits(k.t) {
				continue
			}
			f.Slots[k.slot] = clr.Object(ex)
			if k.set != nil {
				k.set(f, clr.Object(ex))
			}
			if k.when != nil && !filter(f, k.when) {
				continue
			}
			return k.body(f)
		}
		panic(ex)
	}
}

// filter evaluates a when clause, in which an exception means no.
func filter(f *clr.Frame, when cond) bool {
	ok := false
	_, ex := protect(f, func(f *clr.Frame) ctl { ok = when(f); return next })
	return ex == nil && ok
}

// protect runs body and catches what it throws. The end of the budget and bugs
// go on.
func protect(f *clr.Frame, body stmt) (c ctl, ex *clr.Exception) {
	sp, depth := f.Mark()
	slots, caps := f.Slots, f.Caps
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*clr.Exception)
			if !ok {
				panic(r)
			}
			ex = e
			f.Release(sp, depth)
			f.Slots, f.Caps = slots, caps
			f.Step(100)
		}
	}()
	return body(f), nil
}

func (e *emitter) using(s *check.Using) stmt {
	decl := run(e.stmts(s.Decl))
	body := e.stmt(s.Body)
	return func(f *clr.Frame) ctl {
		// Disposable objects here hold nothing but memory.
		decl(f)
		return body(f)
	}
}
