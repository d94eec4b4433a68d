package emit

import (
	"github.com/portico-dev/portico/internal/csharp/check"
	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/lib"
)

// conv compiles a conversion.
func (e *emitter) conv(x *check.Conv) val {
	r, to := e.val(x.X), x.Type
	from := x.X.T()
	switch x.Kind {
	case check.Number:
		src, dst, checked := from.Underlying(), to.Underlying(), x.Checked
		one := func(v clr.Value) clr.Value { return clr.ConvertNumber(v, src, dst, checked) }
		if src.Code == clr.CodeInt32 && dst.Code == clr.CodeInt64 {
			one = func(v clr.Value) clr.Value { return clr.Long(v.Int()) }
		}
		if x.Lifted {
			return func(f *clr.Frame) clr.Value {
				v := r(f)
				if v.IsNull() {
					return v
				}
				return one(v)
			}
		}
		return func(f *clr.Frame) clr.Value { return one(r(f)) }
	case check.Unbox:
		return unbox(r, to)
	case check.Down:
		return down(r, to)
	case check.Unwrap:
		return func(f *clr.Frame) clr.Value {
			v := r(f)
			if v.IsNull() {
				clr.Throw(clr.ExInvalidOp, "Nullable object must have a value.")
			}
			return v
		}
	}
	return r
}

func unbox(r val, to *clr.Type) val {
	t := to.Underlying()
	nullable := to.IsNullable()
	return func(f *clr.Frame) clr.Value {
		v := r(f)
		if v.Tag() == t {
			return v
		}
		if v.IsNull() {
			if !nullable {
				clr.ThrowNull()
			}
			return v
		}
		rt := f.TypeOf(v)
		switch {
		case clr.Same(rt, t):
			return v
		case rt.Kind == clr.Enum && t.Code == clr.CodeInt32, t.Kind == clr.Enum && rt.Code == clr.CodeInt32:
			return clr.Scalar(t, v.Int())
		}
		clr.ThrowCast(rt, t)
		return v
	}
}

func down(r val, to *clr.Type) val {
	if to == clr.StringType {
		return func(f *clr.Frame) clr.Value {
			v := r(f)
			if v.IsString() || v.IsNull() {
				return v
			}
			clr.ThrowCast(f.TypeOf(v), to)
			return v
		}
	}
	return func(f *clr.Frame) clr.Value {
		v := r(f)
		if v.IsNull() {
			return v
		}
		if rt := f.TypeOf(v); rt != to && !rt.Inherits(to) {
			clr.ThrowCast(rt, to)
		}
		return v
	}
}

func (e *emitter) as(x *check.As) val {
	r, to := e.val(x.X), x.Type
	return func(f *clr.Frame) clr.Value {
		v := r(f)
		if v.IsNull() || f.Is(v, to) {
			return v
		}
		return clr.Null
	}
}

func (e *emitter) unary(x *check.Unary) val {
	r, op, t, checked := e.val(x.X), x.Op, x.Type.Underlying(), x.Checked
	if op == "!" && !x.Lifted {
		c := e.cond(x.X)
		return func(f *clr.Frame) clr.Value { return clr.Bool(!c(f)) }
	}
	return func(f *clr.Frame) clr.Value {
		v := r(f)
		switch {
		case v.IsNull():
			return v
		case op == "!":
			return clr.Bool(!v.Bool())
		}
		return clr.Negate(op, t, v, checked)
	}
}

func (e *emitter) binary(x *check.Binary) val {
	if x.Type == clr.Boolean && !x.Lifted {
		c := e.cond(x)
		return func(f *clr.Frame) clr.Value { return clr.Bool(c(f)) }
	}
	if n := e.arith(x); n != nil {
		if x.Of.Code == clr.CodeInt64 {
			return func(f *clr.Frame) clr.Value { return clr.Long(n(f)) }
		}
		return func(f *clr.Frame) clr.Value { return clr.Int(int(n(f))) }
	}
	l, r := e.val(x.X), e.val(x.Y)
	op, of, checked, lifted, bools := x.Op, x.Of, x.Checked, x.Lifted, x.Type == clr.Boolean
	res := x.Type.Underlying()
	return func(f *clr.Frame) clr.Value {
		a := l(f)
		b := r(f)
		if lifted {
			if a.IsNull() || b.IsNull() {
				return liftNull(op, of, a, b, bools)
			}
		}
		v := clr.Arith(op, of, a, b, checked)
		if of.Kind == clr.Enum && res.Code == clr.CodeInt32 {
			return clr.Scalar(clr.Int32, v.Int())
		}
		return v
	}
}

// liftNull is an operator with at least one null operand.
func liftNull(op string, of *clr.Type, a, b clr.Value, bools bool) clr.Value {
	both := a.IsNull() && b.IsNull()
	switch {
	case op == "==" && bools:
		return clr.Bool(both)
	case op == "!=" && bools:
		return clr.Bool(!both)
	case bools:
		return clr.Bool(false)
	}
	if of == clr.Boolean && !both {
		known := a
		if a.IsNull() {
			known = b
		}
		if op == "&" && !known.Bool() || op == "|" && known.Bool() {
			return known
		}
	}
	return clr.Null
}

// num compiles an integer expression.
func (e *emitter) num(x check.Expr) num {
	switch x := x.(type) {
	case *check.Const:
		n := x.V.Int()
		return func(*clr.Frame) int64 { return n }
	case *check.Local:
		if x.V.Func == e.fn && !x.V.Captured {
			slot := x.V.Slot
			return func(f *clr.Frame) int64 { return f.Slots[slot].Int() }
		}
	case *check.Conv:
		if x.Kind == check.Number && !x.Lifted && x.Type.Code == clr.CodeInt64 && x.X.T().IsInteger() && x.X.T().Code != clr.CodeUInt64 {
			return e.num(x.X)
		}
	case *check.Binary:
		if out := e.arith(x); out != nil {
			return out
		}
	}
	v := e.val(x)
	return func(f *clr.Frame) int64 { return v(f).Int() }
}

// cond compiles a condition.
func (e *emitter) cond(x check.Expr) cond {
	switch x := x.(type) {
	case *check.Const:
		b := x.V.Bool()
		return func(*clr.Frame) bool { return b }
	case *check.Logic:
		l, r := e.cond(x.X), e.cond(x.Y)
		if x.And {
			return func(f *clr.Frame) bool { return l(f) && r(f) }
		}
		return func(f *clr.Frame) bool { return l(f) || r(f) }
	case *check.Unary:
		if x.Op == "!" && !x.Lifted {
			c := e.cond(x.X)
			return func(f *clr.Frame) bool { return !c(f) }
		}
	case *check.StrEq:
		return e.strEq(x)
	case *check.RefEq:
		return e.refEq(x)
	case *check.Is:
		return e.is(x)
	case *check.Binary:
		if out := e.compare(x); out != nil {
			return out
		}
	}
	v := e.val(x)
	return func(f *clr.Frame) bool { return v(f).Bool() }
}

func (e *emitter) strEq(x *check.StrEq) cond {
	l, not := e.val(x.X), x.Not
	if k, ok := x.Y.(*check.Const); ok && k.V.IsString() {
		s := k.V.Str()
		return func(f *clr.Frame) bool {
			v := l(f)
			return (v.Str() == s && (s != "" || v.IsString())) != not
		}
	}
	r := e.val(x.Y)
	return func(f *clr.Frame) bool {
		a := l(f)
		b := r(f)
		return (a.Str() == b.Str() && a.IsNull() == b.IsNull()) != not
	}
}

func (e *emitter) refEq(x *check.RefEq) cond {
	l, r, not := e.val(x.X), e.val(x.Y), x.Not
	if k, ok := x.Y.(*check.Const); ok && k.V.IsNull() {
		return func(f *clr.Frame) bool { return l(f).IsNull() != not }
	}
	return func(f *clr.Frame) bool {
		a := l(f)
		return clr.SameRef(a, r(f)) != not
	}
}

func (e *emitter) is(x *check.Is) cond {
	r, t := e.val(x.X), x.Of
	if x.V == nil {
		return func(f *clr.Frame) bool { return f.Is(r(f), t) }
	}
	set := e.set(x.V)
	return func(f *clr.Frame) bool {
		v := r(f)
		if !f.Is(v, t) {
			return false
		}
		set(f, v)
		return true
	}
}

func (e *emitter) compare(x *check.Binary) cond {
	if x.Lifted || x.Type != clr.Boolean {
		return nil
	}
	of := x.Of
	switch {
	case of == clr.Boolean:
		l, r := e.cond(x.X), e.cond(x.Y)
		switch x.Op {
		case "==":
			return func(f *clr.Frame) bool { a := l(f); return a == r(f) }
		case "!=", "^":
			return func(f *clr.Frame) bool { a := l(f); return a != r(f) }
		case "&":
			return func(f *clr.Frame) bool { a := l(f); b := r(f); return a && b }
		case "|":
			return func(f *clr.Frame) bool { a := l(f); b := r(f); return a || b }
		}
		return nil
	case of.Kind == clr.Enum || of.IsInteger() && of.Code != clr.CodeUInt64:
		return e.intCompare(x)
	}
	l, r, op := e.val(x.X), e.val(x.Y), x.Op
	return func(f *clr.Frame) bool {
		a := l(f)
		return clr.Arith(op, of, a, r(f), false).Bool()
	}
}

// each enumerates what foreach runs over.
func each(f *clr.Frame, v clr.Value, yield func(clr.Value) bool) { lib.Each(f, v, yield) }
