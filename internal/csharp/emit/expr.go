package emit

import (
	"fmt"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/check"
	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/lib"
)

func (e *emitter) vals(xs []check.Expr) []val {
	out := make([]val, len(xs))
	for i, x := range xs {
		out[i] = e.val(x)
	}
	return out
}

// val compiles an expression.
func (e *emitter) val(x check.Expr) val {
	switch x := x.(type) {
	case *check.Const:
		v := x.V
		return func(*clr.Frame) clr.Value { return v }
	case *check.Local:
		return e.get(x.V)
	case *check.Global:
		return func(f *clr.Frame) clr.Value { return f.Global }
	case *check.Call:
		return e.call(x)
	case *check.Store:
		return e.store(x)
	case *check.Element:
		return e.element(x)
	case *check.Field:
		r, i := e.val(x.X), x.I
		return func(f *clr.Frame) clr.Value { return record(r(f)).Vals[i] }
	case *check.NewArray:
		return e.newArray(x)
	case *check.NewRecord:
		vals, t := e.vals(x.Vals), x.Type
		return func(f *clr.Frame) clr.Value {
			f.Alloc(24 * len(vals))
			r := &clr.Record{T: t, Vals: make([]clr.Value, len(vals))}
			for i, v := range vals {
				r.Vals[i] = v(f)
			}
			return clr.Object(r)
		}
	case *check.Conv:
		return e.conv(x)
	case *check.Unary:
		return e.unary(x)
	case *check.Binary:
		return e.binary(x)
	case *check.RefEq, *check.StrEq, *check.Logic, *check.Is:
		c := e.cond(x)
		return func(f *clr.Frame) clr.Value { return clr.Bool(c(f)) }
	case *check.Concat:
		return e.concat(x)
	case *check.Interp:
		return e.interp(x)
	case *check.Coalesce:
		l, r := e.val(x.X), e.val(x.Y)
		return func(f *clr.Frame) clr.Value {
			if v := l(f); !v.IsNull() {
				return v
			}
			return r(f)
		}
	case *check.Cond:
		c, t, els := e.cond(x.If), e.val(x.Then), e.val(x.Else)
		return func(f *clr.Frame) clr.Value {
			if c(f) {
				return t(f)
			}
			return els(f)
		}
	case *check.CondAccess:
		r, set, then := e.val(x.X), e.set(x.V), e.val(x.Then)
		return func(f *clr.Frame) clr.Value {
			v := r(f)
			if v.IsNull() {
				return clr.Null
			}
			set(f, v)
			return then(f)
		}
	case *check.Assign:
		return e.assign(x)
	case *check.Let:
		return e.let(x)
	case *check.Lambda:
		return e.function(x.F, x.Type)
	case *check.Invoke:
		return e.invoke(e.val(x.Fn), x.Args)
	case *check.LocalCall:
		return e.invoke(e.get(x.F.V), x.Args)
	case *check.As:
		return e.as(x)
	case *check.TypeOf:
		v := clr.Object(&clr.TypeRef{Of: x.Of})
		return func(*clr.Frame) clr.Value { return v }
	case *check.Throw:
		r := e.val(x.X)
		return func(f *clr.Frame) clr.Value { throw(r(f)); return clr.Null }
	case *check.ByRef:
		return e.byRef(x)
	}
	panic(fmt.Sprintf("emit: unexpected %T", x))
}

func throw(v clr.Value) {
	ex, ok := v.Ref().(*clr.Exception)
	if !ok {
		clr.ThrowNull()
	}
	panic(ex)
}

func record(v clr.Value) *clr.Record {
	r, ok := v.Ref().(*clr.Record)
	if !ok {
		clr.ThrowNull()
	}
	return r
}

func (e *emitter) let(x *check.Let) val {
	init, set, steps, body := e.val(x.Init), e.set(x.V), e.vals(x.Steps), e.val(x.Body)
	if len(steps) == 0 {
		return func(f *clr.Frame) clr.Value {
			set(f, init(f))
			return body(f)
		}
	}
	return func(f *clr.Frame) clr.Value {
		set(f, init(f))
		for _, s := range steps {
			s(f)
		}
		return body(f)
	}
}

func (e *emitter) invoke(fn val, list []check.Expr) val {
	args := e.vals(list)
	done := e.writeBack(list)
	return func(f *clr.Frame) clr.Value {
		v := fn(f)
		c, ok := v.Ref().(*clr.Closure)
		if !ok {
			clr.ThrowNull()
		}
		a := f.Push(len(args))
		for i, arg := range args {
			a[i] = arg(f)
		}
		out := c.Fn(f, a)
		if done != nil {
			done(f, a)
		}
		f.Pop(len(args))
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
		return func(*clr.Frame) clr.Value { return clr.Object(&clr.Cell{}) }
	}
	return func(f *clr.Frame) clr.Value { return clr.Object(&clr.Cell{V: cur(f)}) }
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

// call compiles a use of a member.
func (e *emitter) call(x *check.Call) val {
	m := x.Site.Member
	fn := m.Call
	if m.Generic != nil {
		g, site := m.Generic, x.Site
		fn = func(f *clr.Frame, a []clr.Value) clr.Value { return g(f, site, a) }
	}
	args := e.vals(x.Args)
	if done := e.writeBack(x.Args); done != nil {
		return e.callByRef(x, fn, args, done)
	}
	if x.Recv == nil {
		return staticCall(fn, args)
	}
	recv := e.val(x.Recv)
	nullable := x.Site.Class != nil && x.Site.Class.IsNullable()
	if nullable {
		return func(f *clr.Frame) clr.Value {
			r := recv(f)
			a := f.Push(1 + len(args))
			a[0] = r
			for i, arg := range args {
				a[i+1] = arg(f)
			}
			v := fn(f, a)
			f.Pop(1 + len(args))
			return v
		}
	}
	return instanceCall(recv, fn, args)
}

func staticCall(fn clr.Func, args []val) val {
	switch len(args) {
	case 1:
		a0 := args[0]
		return func(f *clr.Frame) clr.Value {
			x := a0(f)
			a := f.Push(1)
			a[0] = x
			v := fn(f, a)
			f.Pop(1)
			return v
		}
	case 2:
		a0, a1 := args[0], args[1]
		return func(f *clr.Frame) clr.Value {
			x := a0(f)
			y := a1(f)
			a := f.Push(2)
			a[0], a[1] = x, y
			v := fn(f, a)
			f.Pop(2)
			return v
		}
	}
	n := len(args)
	return func(f *clr.Frame) clr.Value {
		a := f.Push(n)
		for i, arg := range args {
			a[i] = arg(f)
		}
		v := fn(f, a)
		f.Pop(n)
		return v
	}
}

func instanceCall(recv val, fn clr.Func, args []val) val {
	switch len(args) {
	case 0:
		return func(f *clr.Frame) clr.Value {
			r := recv(f)
			if r.IsNull() {
				clr.ThrowNull()
			}
			a := f.Push(1)
			a[0] = r
			v := fn(f, a)
			f.Pop(1)
			return v
		}
	case 1:
		a0 := args[0]
		return func(f *clr.Frame) clr.Value {
			r := recv(f)
			x := a0(f)
			if r.IsNull() {
				clr.ThrowNull()
			}
			a := f.Push(2)
			a[0], a[1] = r, x
			v := fn(f, a)
			f.Pop(2)
			return v
		}
	}
	n := len(args) + 1
	return func(f *clr.Frame) clr.Value {
		r := recv(f)
		a := f.Push(n)
		a[0] = r
		for i, arg := range args {
			a[i+1] = arg(f)
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

func array(v clr.Value) *clr.Arr {
	a, ok := v.Ref().(*clr.Arr)
	if !ok {
		clr.ThrowNull()
	}
	return a
}

// offset is the place of an element with these indexes.
func offset(f *clr.Frame, a *clr.Arr, idx []val) int {
	if len(idx) == 1 {
		return a.Index(idx[0](f).Int())
	}
	off := 0
	for d, i := range idx {
		n := i(f).Int()
		if n < 0 || n >= int64(a.Lens[d]) {
			clr.ThrowIndex()
		}
		off = off*a.Lens[d] + int(n)
	}
	return off
}

func (e *emitter) element(x *check.Element) val {
	arr := e.val(x.X)
	if len(x.Indexes) == 1 {
		i := e.num(x.Indexes[0])
		return func(f *clr.Frame) clr.Value {
			a := arr(f)
			n := i(f)
			r := array(a)
			return r.At(r.Index(n))
		}
	}
	idx := e.vals(x.Indexes)
	return func(f *clr.Frame) clr.Value {
		a := array(arr(f))
		return a.At(offset(f, a, idx))
	}
}

func (e *emitter) assign(x *check.Assign) val {
	value := e.val(x.Value)
	if l, ok := x.To.(*check.Local); ok {
		set := e.set(l.V)
		return func(f *clr.Frame) clr.Value {
			v := value(f)
			set(f, v)
			return v
		}
	}
	to := x.To.(*check.Element)
	arr, idx := e.val(to.X), e.vals(to.Indexes)
	checkType := to.Type.IsReference() && to.Type != clr.StringType
	return func(f *clr.Frame) clr.Value {
		a := array(arr(f))
		if len(idx) == 1 {
			i := idx[0](f).Int()
			v := value(f)
			storeCheck(f, a, v, checkType)
			a.Put(a.Index(i), v)
			return v
		}
		off := offset(f, a, idx)
		v := value(f)
		storeCheck(f, a, v, checkType)
		a.Put(off, v)
		return v
	}
}

// storeCheck is the check that array covariance makes necessary.
func storeCheck(f *clr.Frame, a *clr.Arr, v clr.Value, on bool) {
	if on && !v.IsNull() && a.T.Elem != clr.ObjectType && !f.TypeOf(v).Inherits(a.T.Elem) {
		clr.Throw(clr.ExArrayType, "Attempted to access an element as a type incompatible with the array.")
	}
}

func (e *emitter) newArray(x *check.NewArray) val {
	t := x.Type
	if x.Elems != nil || x.Sizes == nil {
		elems, lens := e.vals(x.Elems), x.Lens
		return func(f *clr.Frame) clr.Value {
			f.Alloc(24 * len(elems))
			a := clr.NewArr(t, len(elems))
			if t.Rank > 1 {
				a.Lens = lens
			}
			for i, v := range elems {
				a.Put(i, v(f))
			}
			return clr.Object(a)
		}
	}
	sizes := e.vals(x.Sizes)
	return func(f *clr.Frame) clr.Value {
		total := int64(1)
		lens := make([]int, len(sizes))
		for i, s := range sizes {
			n := s(f).Int()
			if n < 0 {
				clr.Throw(clr.ExOverflow, "Arithmetic operation resulted in an overflow.")
			}
			if n > 1<<31 || total*n > 1<<31 {
				f.Alloc(1 << 40)
			}
			lens[i] = int(n)
			total *= n
		}
		size := 24
		if t.Elem == clr.Byte {
			size = 1
		}
		f.Alloc(int(total) * size)
		a := clr.NewArr(t, int(total))
		if t.Rank > 1 {
			a.Lens = lens
		}
		return clr.Object(a)
	}
}

func (e *emitter) concat(x *check.Concat) val {
	parts := e.vals(x.Parts)
	if len(parts) == 2 {
		p, q := parts[0], parts[1]
		return func(f *clr.Frame) clr.Value {
			a := p(f)
			b := q(f)
			return f.Str(lib.Text(f, a) + lib.Text(f, b))
		}
	}
	return func(f *clr.Frame) clr.Value {
		var buf [8]string
		texts := buf[:0]
		n := 0
		for _, p := range parts {
			s := lib.Text(f, p(f))
			n += len(s)
			texts = append(texts, s)
		}
		f.Alloc(n)
		return clr.String(clr.Whole(strings.Join(texts, "")))
	}
}

func (e *emitter) interp(x *check.Interp) val {
	type part struct {
		check.InterpPart
		v val
	}
	parts := make([]part, len(x.Parts))
	for i, p := range x.Parts {
		parts[i].InterpPart = p
		if p.X != nil {
			parts[i].v = e.val(p.X)
		}
	}
	return func(f *clr.Frame) clr.Value {
		var b strings.Builder
		for i := range parts {
			p := &parts[i]
			if p.v == nil {
				b.WriteString(p.Text)
				continue
			}
			b.WriteString(lib.Pad(f, lib.Format(f, p.v(f), p.Format), p.Align))
		}
		return f.Str(b.String())
	}
}
