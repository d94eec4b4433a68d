package emit

import (
	"github.com/portico-dev/portico/internal/csharp/check"
	"github.com/portico-dev/portico/internal/csharp/clr"
)

// arith compiles unchecked arithmetic of int and long; nil for any other. Right
// operands are constants more often than not and have closures of their own.
func (e *emitter) arith(x *check.Binary) num {
	if x.Lifted || x.Checked || x.Type == clr.Boolean {
		return nil
	}
	switch x.Of.Code {
	case clr.CodeInt32:
		if k, ok := x.Y.(*check.Const); ok {
			if out := intConst(x.Op, e.num(x.X), k.V.Int()); out != nil {
				return out
			}
		}
		return intArith(x.Op, e.num(x.X), e.num(x.Y))
	case clr.CodeInt64:
		return longArith(x.Op, e.num(x.X), e.num(x.Y))
	}
	return nil
}

func cut(n int64) int64 { return int64(int32(n)) }

// intConst is arithmetic of int with a constant on the right; nil for the rarer
// operators, and for divisors that need a look.
func intConst(op string, l num, k int64) num {
	switch op {
	case "+":
		return func(f *clr.Frame) int64 { return cut(l(f) + k) }
	case "-":
		return func(f *clr.Frame) int64 { return cut(l(f) - k) }
	case "*":
		return func(f *clr.Frame) int64 { return cut(l(f) * k) }
	case "/":
		if k > 0 {
			return func(f *clr.Frame) int64 { return l(f) / k }
		}
	case "%":
		if k > 0 {
			return func(f *clr.Frame) int64 { return l(f) % k }
		}
	}
	return nil
}

func intArith(op string, l, r num) num {
	switch op {
	case "+":
		return func(f *clr.Frame) int64 { return cut(l(f) + r(f)) }
	case "-":
		return func(f *clr.Frame) int64 { return cut(l(f) - r(f)) }
	case "*":
		return func(f *clr.Frame) int64 { return cut(l(f) * r(f)) }
	case "<<":
		return func(f *clr.Frame) int64 { a := l(f); return cut(a << (r(f) & 31)) }
	case ">>":
		return func(f *clr.Frame) int64 { a := l(f); return a >> (r(f) & 31) }
	}
	return division(op, clr.Int32, l, r)
}

func longArith(op string, l, r num) num {
	switch op {
	case "+":
		return func(f *clr.Frame) int64 { return l(f) + r(f) }
	case "-":
		return func(f *clr.Frame) int64 { return l(f) - r(f) }
	case "*":
		return func(f *clr.Frame) int64 { return l(f) * r(f) }
	case "<<":
		return func(f *clr.Frame) int64 { a := l(f); return a << (r(f) & 63) }
	case ">>":
		return func(f *clr.Frame) int64 { a := l(f); return a >> (r(f) & 63) }
	}
	return division(op, clr.Int64, l, r)
}

// division is division, and what has no width of its own.
func division(op string, t *clr.Type, l, r num) num {
	switch op {
	case "/":
		return func(f *clr.Frame) int64 { a := l(f); return clr.Divide(t, a, r(f)) }
	case "%":
		return func(f *clr.Frame) int64 { a := l(f); return clr.Remainder(t, a, r(f)) }
	case "&":
		return func(f *clr.Frame) int64 { return l(f) & r(f) }
	case "|":
		return func(f *clr.Frame) int64 { return l(f) | r(f) }
	case "^":
		return func(f *clr.Frame) int64 { return l(f) ^ r(f) }
	}
	return nil
}

// intCompare compiles comparisons of integers and enums.
func (e *emitter) intCompare(x *check.Binary) cond {
	l := e.num(x.X)
	if k, ok := x.Y.(*check.Const); ok {
		return compareConst(x.Op, l, k.V.Int())
	}
	r := e.num(x.Y)
	switch x.Op {
	case "==":
		return func(f *clr.Frame) bool { a := l(f); return a == r(f) }
	case "!=":
		return func(f *clr.Frame) bool { a := l(f); return a != r(f) }
	case "<":
		return func(f *clr.Frame) bool { a := l(f); return a < r(f) }
	case "<=":
		return func(f *clr.Frame) bool { a := l(f); return a <= r(f) }
	case ">":
		return func(f *clr.Frame) bool { a := l(f); return a > r(f) }
	case ">=":
		return func(f *clr.Frame) bool { a := l(f); return a >= r(f) }
	}
	return nil
}

func compareConst(op string, l num, k int64) cond {
	switch op {
	case "==":
		return func(f *clr.Frame) bool { return l(f) == k }
	case "!=":
		return func(f *clr.Frame) bool { return l(f) != k }
	case "<":
		return func(f *clr.Frame) bool { return l(f) < k }
	case "<=":
		return func(f *clr.Frame) bool { return l(f) <= k }
	case ">":
		return func(f *clr.Frame) bool { return l(f) > k }
	case ">=":
		return func(f *clr.Frame) bool { return l(f) >= k }
	}
	return nil
}
