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
