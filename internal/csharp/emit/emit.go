// Package emit turns a checked tree into Go closures.
//
// Every expression becomes a function of the frame; conditions and integers have
// functions of their own type, so that comparisons and loops pass no Values. An
// exception travels as a panic and is caught by the closures of try, and by
// whoever runs the program. The closures are immutable and safe to share.
package emit

import (
	"github.com/portico-dev/portico/internal/csharp/check"
	"github.com/portico-dev/portico/internal/csharp/clr"
)

type (
	val  = func(*clr.Frame) clr.Value
	cond = func(*clr.Frame) bool
	num  = func(*clr.Frame) int64
	stmt = func(*clr.Frame) ctl
)

// ctl says how a statement ended. Values from jump on go to that section of the
// enclosing switch; negative ones go to a label.
type ctl int

const (
	next ctl = iota
	brk
	cont
	ret
	jump
)

type emitter struct {
	fn    *check.Func
	catch []int // slots with the exceptions of the enclosing catch clauses
}

// Code is a compiled function.
type Code struct {
	Run   func(f *clr.Frame) clr.Value
	slots int
}

// Program compiles the main function of a program.
func Program(p *check.Program) *Code {
	e := &emitter{fn: p.Main}
	body := e.value(p.Main)
	cells := cellSlots(p.Main)
	n := p.Main.Slots
	return &Code{slots: n, Run: func(f *clr.Frame) clr.Value {
		f.Slots = f.Push(n)
		for _, c := range cells {
			f.Slots[c] = clr.Object(&clr.Cell{})
		}
		return body(f)
	}}
}

// value is the body of a function as an expression.
func (e *emitter) value(fn *check.Func) val {
	if r, ok := fn.Body.(*check.Return); ok {
		return e.val(r.X)
	}
	if ev, ok := fn.Body.(*check.Eval); ok {
		x := e.val(ev.X)
		return func(f *clr.Frame) clr.Value { x(f); return clr.Null }
	}
	body := e.stmt(fn.Body)
	return func(f *clr.Frame) clr.Value {
		if body(f) == ret {
			v := f.Result
			f.Result = clr.Null
			return v
		}
		return clr.Null
	}
}

// cellSlots are the slots of captured variables, which hold cells.
func cellSlots(fn *check.Func) []int {
	var out []int
	for _, v := range fn.Vars {
		if v.Captured && !v.Param {
			out = append(out, v.Slot)
		}
	}
	return out
}

// get reads a variable.
func (e *emitter) get(v *check.Var) val {
	slot := v.Slot
	switch {
	case v.Func != e.fn:
		i := e.fn.Place(v)
		return func(f *clr.Frame) clr.Value { return f.Caps[i].V }
	case v.Captured:
		return func(f *clr.Frame) clr.Value { return f.Slots[slot].Ref().(*clr.Cell).V }
	}
	return func(f *clr.Frame) clr.Value { return f.Slots[slot] }
}

// set writes a variable.
func (e *emitter) set(v *check.Var) func(*clr.Frame, clr.Value) {
	slot := v.Slot
	switch {
	case v.Func != e.fn:
		i := e.fn.Place(v)
		return func(f *clr.Frame, x clr.Value) { f.Caps[i].V = x }
	case v.Captured:
		return func(f *clr.Frame, x clr.Value) { f.Slots[slot].Ref().(*clr.Cell).V = x }
	}
	return func(f *clr.Frame, x clr.Value) { f.Slots[slot] = x }
}

// fresh makes the variable anew, as its declaration does.
func (e *emitter) fresh(v *check.Var) func(*clr.Frame, clr.Value) {
	slot := v.Slot
	switch {
	case v.Hoisted:
		return e.set(v)
	case v.Captured:
		return func(f *clr.Frame, x clr.Value) { f.Slots[slot] = clr.Object(&clr.Cell{V: x}) }
	}
	return func(f *clr.Frame, x clr.Value) { f.Slots[slot] = x }
}

// cell finds the cell of a captured variable, seen from the current function.
func (e *emitter) cell(v *check.Var) func(*clr.Frame) *clr.Cell {
	if v.Func != e.fn {
		i := e.fn.Place(v)
		return func(f *clr.Frame) *clr.Cell { return f.Caps[i] }
	}
	slot := v.Slot
	return func(f *clr.Frame) *clr.Cell { return f.Slots[slot].Ref().(*clr.Cell) }
}

// function compiles an inner function to what makes its closures.
func (e *emitter) function(fn *check.Func, t *clr.Type) val {
	inner := &emitter{fn: fn}
	body := inner.value(fn)
	cells := cellSlots(fn)
	caps := make([]func(*clr.Frame) *clr.Cell, len(fn.Captures))
	for i, v := range fn.Captures {
		caps[i] = e.cell(v)
	}
	params := fn.Params
	boxed := false
	for _, p := range params {
		boxed = boxed || p.Captured
	}
	n := fn.Slots
	return func(f *clr.Frame) clr.Value {
		var held []*clr.Cell
		if len(caps) > 0 {
			held = make([]*clr.Cell, len(caps))
			for i, c := range caps {
				held[i] = c(f)
			}
		}
		run := func(f *clr.Frame, a []clr.Value) clr.Value {
			f.Enter()
			slots, outer := f.Slots, f.Caps
			s := f.Push(n)
			if boxed {
				bindParams(s, params, a)
			} else {
				copy(s, a)
			}
			for _, c := range cells {
				s[c] = clr.Object(&clr.Cell{})
			}
			f.Slots, f.Caps = s, held
			v := body(f)
			f.Pop(n)
			f.Slots, f.Caps = slots, outer
			f.Leave()
			return v
		}
		return clr.Object(&clr.Closure{T: t, Fn: run})
	}
}

// bindParams puts captured parameters into cells. A parameter passed by
// reference comes as the caller's cell.
func bindParams(s []clr.Value, params []*check.Var, a []clr.Value) {
	for i, p := range params {
		switch {
		case !p.Captured:
			s[p.Slot] = a[i]
		default:
			if _, ok := a[i].Ref().(*clr.Cell); ok {
				s[p.Slot] = a[i]
			} else {
				s[p.Slot] = clr.Object(&clr.Cell{V: a[i]})
			}
		}
	}
}
