// Package emit turns a checked tree into Go closures.
//
// Every expression becomes a function of the frame; conditions and integers have
// functions of their own type, so that comparisons and loops pass no Values. An
// exception travels as a panic and is caught by the closures of try, and by
// whoever runs the program. The closures are immutable and safe to share.
package emit

import (
	"slices"

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
			f.Slots[c] = newCell(f, clr.Null)
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
		return func(f *clr.Frame, x clr.Value) { f.Slots[slot] = newCell(f, x) }
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
	if len(cells) > 0 || boxed(fn.Params) {
		body = withCells(fn.Params, cells, body)
	}
	n := fn.Slots
	if len(caps) == 0 {
		return func(f *clr.Frame) clr.Value {
			f.Alloc(closureSize)
			return clr.Object(&clr.Closure{T: t, Slots: n, Body: body})
		}
	}
	return func(f *clr.Frame) clr.Value {
		f.Alloc(closureSize + 8*len(caps))
		held := make([]*clr.Cell, len(caps))
		for i, c := range caps {
			held[i] = c(f)
		}
		return clr.Object(&clr.Closure{T: t, Slots: n, Caps: held, Body: body})
	}
}

// What a closure and a cell take of the memory budget.
const (
	closureSize = 64
	cellSize    = 24
)

func boxed(params []*check.Var) bool {
	return slices.ContainsFunc(params, func(p *check.Var) bool { return p.Captured })
}

// withCells makes the cells of captured variables before body. A parameter passed
// by reference comes as the caller's cell.
func withCells(params []*check.Var, cells []int, body val) val {
	var captured []int
	for _, p := range params {
		if p.Captured {
			captured = append(captured, p.Slot)
		}
	}
	return func(f *clr.Frame) clr.Value {
		for _, i := range captured {
			if _, ok := f.Slots[i].Ref().(*clr.Cell); !ok {
				f.Slots[i] = newCell(f, f.Slots[i])
			}
		}
		for _, i := range cells {
			f.Slots[i] = newCell(f, clr.Null)
		}
		return body(f)
	}
}

func newCell(f *clr.Frame, v clr.Value) clr.Value {
	f.Alloc(cellSize)
	return clr.Object(&clr.Cell{V: v})
}
