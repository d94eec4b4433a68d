package emit

import (
	"github.com/portico-dev/portico/internal/csharp/check"
	"github.com/portico-dev/portico/internal/csharp/clr"
)

// operand is an argument: a constant, or what computes it.
type operand struct {
	run val // nil for a constant
	k   clr.Value
}

func (o *operand) value(f *clr.Frame) clr.Value {
	if o.run == nil {
		return o.k
	}
	return o.run(f)
}

func (e *emitter) operands(xs []check.Expr) []operand {
	out := make([]operand, len(xs))
	for i, x := range xs {
		if k, ok := x.(*check.Const); ok {
			out[i].k = k.V
		} else {
			out[i].run = e.val(x)
		}
	}
	return out
}

// call compiles a use of a member.
func (e *emitter) call(x *check.Call) val {
	m := x.Site.Member
	nullable := x.Site.Class != nil && x.Site.Class.IsNullable()
	if m.Get != nil && x.Recv != nil && !nullable {
		return e.getter(x.Recv, m.Get)
	}
	fn := m.Call
	if m.Generic != nil {
		g, site := m.Generic, x.Site
		fn = func(f *clr.Frame, a []clr.Value) clr.Value { return g(f, site, a) }
	}
	if done := e.writeBack(x.Args); done != nil {
		return e.callByRef(x, fn, e.vals(x.Args), done)
	}
	args := e.operands(x.Args)
	switch {
	case x.Recv == nil:
		return staticCall(fn, args)
	case nullable:
		return staticCall(fn, append([]operand{{run: e.val(x.Recv)}}, args...))
	}
	return instanceCall(e.val(x.Recv), fn, args)
}

// getter compiles the read of a property that needs no slice for its receiver.
func (e *emitter) getter(x check.Expr, get clr.Getter) val {
	if _, ok := x.(*check.Global); ok {
		return func(f *clr.Frame) clr.Value {
			if f.Global.IsNull() {
				clr.ThrowNull()
			}
			return get(f, f.Global)
		}
	}
	recv := e.val(x)
	return func(f *clr.Frame) clr.Value {
		r := recv(f)
		if r.IsNull() {
			clr.ThrowNull()
		}
		return get(f, r)
	}
}

func staticCall(fn clr.Func, args []operand) val {
	n := len(args)
	if n > 0 && n < 4 && args[0].run != nil && constant(args[1:]) {
		return callConst(fn, args[0].run, args[1:])
	}
	if n == 2 {
		x, y := args[0], args[1]
		return func(f *clr.Frame) clr.Value {
			p := x.value(f)
			q := y.value(f)
			a := f.Push(2)
			a[0], a[1] = p, q
			v := fn(f, a)
			f.Pop(2)
			return v
		}
	}
	return func(f *clr.Frame) clr.Value {
		a := f.Push(n)
		for i := range args {
			a[i] = args[i].value(f)
		}
		v := fn(f, a)
		f.Pop(n)
		return v
	}
}

func constant(args []operand) bool {
	for i := range args {
		if args[i].run != nil {
			return false
		}
	}
	return true
}

// callConst compiles a call with one or two constants behind its first argument,
// or with that alone.
func callConst(fn clr.Func, first val, rest []operand) val {
	switch len(rest) {
	case 0:
		return func(f *clr.Frame) clr.Value {
			x := first(f)
			a := f.Push(1)
			a[0] = x
			v := fn(f, a)
			f.Pop(1)
			return v
		}
	case 1:
		k := rest[0].k
		return func(f *clr.Frame) clr.Value {
			x := first(f)
			a := f.Push(2)
			a[0], a[1] = x, k
			v := fn(f, a)
			f.Pop(2)
			return v
		}
	}
	k, l := rest[0].k, rest[1].k
	return func(f *clr.Frame) clr.Value {
		x := first(f)
		a := f.Push(3)
		a[0], a[1], a[2] = x, k, l
		v := fn(f, a)
		f.Pop(3)
		return v
	}
}

// instanceCall compiles a call on a receiver, which is computed before the
// arguments and checked after them.
func instanceCall(recv val, fn clr.Func, args []operand) val {
	if len(args) < 3 && constant(args) {
		return callConst(fn, func(f *clr.Frame) clr.Value {
			r := recv(f)
			if r.IsNull() {
				clr.ThrowNull()
			}
			return r
		}, args)
	}
	n := len(args) + 1
	return func(f *clr.Frame) clr.Value {
		r := recv(f)
		a := f.Push(n)
		a[0] = r
		for i := range args {
			a[i+1] = args[i].value(f)
		}
		if r.IsNull() {
			clr.ThrowNull()
		}
		v := fn(f, a)
		f.Pop(n)
		return v
	}
}

func (e *emitter) callByRef(x *check.Call, fn clr.Func, args []val, done func(*clr.Frame, []clr.Value)) val {
	var recv val
	first := 0
	if x.Recv != nil {
		recv = e.val(x.Recv)
		first = 1
	}
	n := len(args) + first
	return func(f *clr.Frame) clr.Value {
		a := f.Push(n)
		if recv != nil {
			a[0] = recv(f)
			if a[0].IsNull() {
				clr.ThrowNull()
			}
		}
		for i, arg := range args {
			a[i+first] = arg(f)
		}
		v := fn(f, a)
		done(f, a[first:])
		f.Pop(n)
		return v
	}
}

// invoke compiles a call of a delegate. The arguments go where its parameters
// are.
func (e *emitter) invoke(fn val, list []check.Expr) val {
	args := e.operands(list)
	done := e.writeBack(list)
	return func(f *clr.Frame) clr.Value {
		v := fn(f)
		c, ok := v.Ref().(*clr.Closure)
		if !ok {
			clr.ThrowNull()
		}
		s := f.Push(c.Slots)
		for i := range args {
			s[i] = args[i].value(f)
		}
		out := c.Call(f, s)
		if done != nil {
			done(f, s)
		}
		f.Pop(c.Slots)
		return out
	}
}

// byRef makes the cell that an out or ref argument passes.
func (e *emitter) byRef(x *check.ByRef) val {
	if l, ok := x.To.(*check.Local); ok && l.V.Captured {
		c := e.cell(l.V)
		return func(f *clr.Frame) clr.Value { return clr.Object(c(f)) }
	}
	cur := e.val(x.To)
	if x.Out {
		return func(f *clr.Frame) clr.Value { return newCell(f, clr.Null) }
	}
	return func(f *clr.Frame) clr.Value { return newCell(f, cur(f)) }
}

// writeBack copies cells of out and ref arguments to their variables; nil when
// there are none.
func (e *emitter) writeBack(list []check.Expr) func(*clr.Frame, []clr.Value) {
	type back struct {
		i   int
		set func(*clr.Frame, clr.Value)
	}
	var backs []back
	for i, x := range list {
		r, ok := x.(*check.ByRef)
		if !ok {
			continue
		}
		switch to := r.To.(type) {
		case *check.Local:
			if !to.V.Captured {
				backs = append(backs, back{i, e.set(to.V)})
			}
		case *check.Element:
			arr, idx := e.val(to.X), e.vals(to.Indexes)
			backs = append(backs, back{i, func(f *clr.Frame, v clr.Value) {
				a := array(arr(f))
				a.Put(offset(f, a, idx), v)
			}})
		}
	}
	if backs == nil {
		return nil
	}
	return func(f *clr.Frame, a []clr.Value) {
		for _, b := range backs {
			b.set(f, a[b.i].Ref().(*clr.Cell).V)
		}
	}
}

func (e *emitter) store(x *check.Store) val {
	set := x.Site.Member.Set
	var recv val
	if x.Recv != nil {
		recv = e.val(x.Recv)
	}
	args, value := e.vals(x.Args), e.val(x.Value)
	n := len(args) + 2
	return func(f *clr.Frame) clr.Value {
		a := f.Push(n)
		if recv != nil {
			a[0] = recv(f)
		}
		for i, arg := range args {
			a[i+1] = arg(f)
		}
		v := value(f)
		if recv != nil && a[0].IsNull() {
			clr.ThrowNull()
		}
		a[n-1] = v
		set(f, a)
		f.Pop(n)
		return v
	}
}
