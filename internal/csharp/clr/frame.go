package clr

import (
	"context"
	"time"
)

// Frame is the state of one evaluation: locals, arguments in flight, budget. A
// frame serves one evaluation at a time and is not safe for concurrent use.
type Frame struct {
	Context context.Context // cancels the evaluation; never nil while it runs
	Global  Value           // the object named context
	Slots   []Value         // locals of the function that runs
	Caps    []*Cell         // variables it captured
	Result  Value           // of the return statement that ran last
	Types   *Universe
	Wide    Wide // of the long string that was looked at last
	Room    any  // what the library keeps for the evaluation

	stack []Value
	sp    int
	high  int
	depth int
	steps int64 // left
	mem   int64 // left, bytes
	tick  int
}

// Cell is a variable that a lambda captured, or an out argument.
type Cell struct{ V Value }

// Closure is a delegate. Its parameters are the first of its slots.
type Closure struct {
	T     *Type
	Slots int
	Caps  []*Cell // variables of the functions around it
	Body  func(f *Frame) Value
}

// Call runs a closure on slots from Push, in which its arguments are.
func (c *Closure) Call(f *Frame, slots []Value) Value {
	f.Enter()
	outer, caps := f.Slots, f.Caps
	f.Slots, f.Caps = slots, c.Caps
	v := c.Body(f)
	f.Slots, f.Caps = outer, caps
	f.Leave()
	return v
}

// RuntimeType is the delegate type.
func (c *Closure) RuntimeType() *Type { return c.T }

const (
	stackLimit = 1 << 16 // values in flight
	depthLimit = 400     // nested calls of lambdas and local functions
	tickEvery  = 1024    // steps between looks at the context
)

// Reset prepares the frame for an evaluation with the given budget. Memory is
// what the evaluation may allocate in all, in bytes, freed or not.
func (f *Frame) Reset(ctx context.Context, steps, memory int64) {
	f.Context, f.steps, f.mem = ctx, steps, memory
	f.sp, f.depth, f.tick = 0, 0, 0
	f.Caps, f.Result, f.Room = nil, Null, nil
}

// Clear drops what the last evaluation left, so that a pooled frame keeps
// nothing alive.
func (f *Frame) Clear() {
	clear(f.stack[:min(f.high, len(f.stack))])
	f.high, f.Global, f.Result, f.Context, f.Slots, f.Caps, f.Wide = 0, Null, Null, nil, nil, nil, Wide{}
	if len(f.stack) > 4096 {
		f.stack = nil
	}
}

// Push reserves n values for arguments or locals; they may hold old content.
func (f *Frame) Push(n int) []Value {
	end := f.sp + n
	if end > len(f.stack) {
		f.grow(end)
	}
	s := f.stack[f.sp:end:end]
	f.sp = end
	if end > f.high {
		f.high = end
	}
	return s
}

// Pop releases what the matching Push reserved.
func (f *Frame) Pop(n int) { f.sp -= n }

// Mark and Release bracket code that may leave by an exception.
func (f *Frame) Mark() (sp, depth int) { return f.sp, f.depth }

// Release goes back to a mark.
func (f *Frame) Release(sp, depth int) { f.sp, f.depth = sp, depth }

// grow replaces the stack; slices of the old one stay valid for their owners.
func (f *Frame) grow(end int) {
	if end > stackLimit {
		panic(&Stop{Reason: "expression needs too deep a stack"})
	}
	f.stack = make([]Value, max(64, end*2))
}

// Enter counts a nested call of a lambda or local function.
func (f *Frame) Enter() {
	f.depth++
	if f.depth > depthLimit {
		panic(&Stop{Reason: "expression calls itself too deeply"})
	}
	f.Step(1)
}

// Leave ends what Enter began.
func (f *Frame) Leave() { f.depth-- }

// Step spends n steps of the budget.
func (f *Frame) Step(n int) {
	f.steps -= int64(n)
	if f.steps < 0 {
		panic(&Stop{Reason: "expression exceeded its step budget"})
	}
	f.tick += n
	if f.tick >= tickEvery {
		f.tick = 0
		if err := f.Context.Err(); err != nil {
			panic(&Stop{Reason: "expression was cancelled", Cause: err})
		}
	}
}

// Alloc spends n bytes of the memory budget, and a step for each 64 of them.
func (f *Frame) Alloc(n int) {
	if n < 0 || int64(n) > f.mem {
		panic(&Stop{Reason: "expression exceeded its memory budget"})
	}
	f.mem -= int64(n)
	f.Step(n>>6 + 1)
}

// Deadline bounds work that cannot be counted in steps, as regular expressions.
func (f *Frame) Deadline(most time.Duration) time.Duration {
	if d, ok := f.Context.Deadline(); ok {
		return min(most, max(time.Millisecond, time.Until(d)))
	}
	return most
}

// Str makes a string that was newly built, counting its memory.
func (f *Frame) Str(s string) Value {
	f.Alloc(len(s))
	return String(Whole(s))
}

// Invoke calls a delegate.
func (f *Frame) Invoke(fn Value, args ...Value) Value {
	c, ok := fn.o.(*Closure)
	if !ok {
		ThrowNull()
	}
	s := f.Push(c.Slots)
	if len(args) == 1 {
		s[0] = args[0] // by far the most: copy takes longer
	} else {
		copy(s, args)
	}
	v := c.Call(f, s)
	f.Pop(c.Slots)
	return v
}

// Typed objects know their type.
type Typed interface{ RuntimeType() *Type }

// TypeOf is the type of what v holds; nil for null.
func (f *Frame) TypeOf(v Value) *Type {
	switch o := v.o.(type) {
	case nil:
		return nil
	case *Type:
		return o
	case stringPtr:
		return StringType
	case Typed:
		return o.RuntimeType()
	}
	if f.Types != nil {
		for _, host := range f.Types.hosts {
			if t := host(v.o); t != nil {
				return t
			}
		}
	}
	return ObjectType
}

// Is reports whether v, when not null, is a t.
func (f *Frame) Is(v Value, t *Type) bool {
	rt := f.TypeOf(v)
	return rt != nil && rt.Inherits(t.Underlying())
}
