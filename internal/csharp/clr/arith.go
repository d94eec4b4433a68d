package clr

import "math"

func compare(op string, c int) Value {
	switch op {
	case "==":
		return Bool(c == 0)
	case "!=":
		return Bool(c != 0)
	case "<":
		return Bool(c < 0)
	case "<=":
		return Bool(c <= 0)
	case ">":
		return Bool(c > 0)
	}
	return Bool(c >= 0)
}

// Arith applies a built-in binary operator to two operands of type t, which is
// bool, a promoted number or an enum. The right operand of a shift is an int.
func Arith(op string, t *Type, a, b Value, checked bool) Value {
	switch t.Code {
	case CodeSingle, CodeDouble:
		return floatArith(op, t, a.Float(), b.Float())
	case CodeDecimal:
		return decimalArith(op, a.Decimal(), b.Decimal())
	case CodeUInt64:
		return uintArith(op, t, a.n, b.n, checked)
	}
	return intArith(op, t, a.Int(), b.Int(), checked)
}

func floatArith(op string, t *Type, x, y float64) Value {
	var r float64
	switch op {
	case "+":
		r = x + y
	case "-":
		r = x - y
	case "*":
		r = x * y
	case "/":
		r = x / y
	case "%":
		r = math.Mod(x, y)
	case "==":
		return Bool(x == y)
	case "!=":
		return Bool(x != y)
	case "<":
		return Bool(x < y)
	case "<=":
		return Bool(x <= y)
	case ">":
		return Bool(x > y)
	default:
		return Bool(x >= y)
	}
	if t.Code == CodeSingle {
		return Float32(float32(r))
	}
	return Float(r)
}

func overflow() {
	Throw(ExOverflow, "Arithmetic operation resulted in an overflow.")
}

func uintArith(op string, t *Type, x, y uint64, checked bool) Value {
	var r uint64
	switch op {
	case "+":
		r = x + y
		if checked && r < x {
			overflow()
		}
	case "-":
		r = x - y
		if checked && y > x {
			overflow()
		}
	case "*":
		r = x * y
		if checked && x != 0 && r/x != y {
			overflow()
		}
	case "/", "%":
		if y == 0 {
			Throw(ExDivideByZero, "Attempted to divide by zero.")
		}
		if op == "/" {
			r = x / y
		} else {
			r = x % y
		}
	case "&":
		r = x & y
	case "|":
		r = x | y
	case "^":
		r = x ^ y
	case "<<":
		r = x << (y & 63)
	case ">>":
		r = x >> (y & 63)
	default:
		c := 0
		if x < y {
			c = -1
		} else if x > y {
			c = 1
		}
		return compare(op, c)
	}
	return Value{r, t}
}

// fit narrows r to t; ok tells whether nothing was lost.
func fit(t *Type, r int64) (n int64, ok bool) {
	switch t.Code {
	case CodeSByte:
		n = int64(int8(r))
	case CodeByte:
		n = int64(uint8(r))
	case CodeInt16:
		n = int64(int16(r))
	case CodeUInt16, CodeChar:
		n = int64(uint16(r))
	case CodeInt64, CodeUInt64, CodeBoolean:
		n = r
	case CodeUInt32:
		n = int64(uint32(r))
	default:
		n = int64(int32(r))
	}
	return n, n == r
}

// Divide divides integers of type t, which is signed or fits.
func Divide(t *Type, x, y int64) int64 {
	checkDivisor(t, x, y)
	return x / y
}

// Remainder is what remains of it.
func Remainder(t *Type, x, y int64) int64 {
	checkDivisor(t, x, y)
	return x % y
}

func checkDivisor(t *Type, x, y int64) {
	if y == 0 {
		Throw(ExDivideByZero, "Attempted to divide by zero.")
	}
	if y == -1 && (x == math.MinInt64 || t.Code == CodeInt32 && x == math.MinInt32) {
		overflow()
	}
}

func intArith(op string, t *Type, x, y int64, checked bool) Value {
	var r int64
	lost := false
	switch op {
	case "+":
		r = x + y
		lost = (x > 0) == (y > 0) && x != 0 && y != 0 && (r > 0) != (x > 0)
	case "-":
		r = x - y
		lost = (x >= 0) != (y >= 0) && (r >= 0) != (x >= 0)
	case "*":
		r = x * y
		lost = x != 0 && (r/x != y || x == -1 && y == math.MinInt64)
	case "/":
		r = Divide(t, x, y)
	case "%":
		r = Remainder(t, x, y)
	case "&":
		r = x & y
	case "|":
		r = x | y
	case "^":
		r = x ^ y
	case "<<", ">>":
		return shift(op, t, x, y)
	default:
		c := 0
		if x < y {
			c = -1
		} else if x > y {
			c = 1
		}
		return compare(op, c)
	}
	n, ok := fit(t, r)
	if checked && (!ok || lost) {
		overflow()
	}
	return Value{uint64(n), t}
}

func shift(op string, t *Type, x, y int64) Value {
	mask := int64(31)
	if t.Code == CodeInt64 {
		mask = 63
	}
	if op == "<<" {
		n, _ := fit(t, x<<(y&mask))
		return Value{uint64(n), t}
	}
	return Value{uint64(x >> (y & mask)), t}
}

// Negate applies the unary operators - and ~.
func Negate(op string, t *Type, v Value, checked bool) Value {
	switch {
	case op == "~" && t.Code == CodeUInt64:
		return Value{^v.n, t}
	case op == "~":
		n, _ := fit(t, ^v.Int())
		return Value{uint64(n), t}
	case t.Code == CodeSingle || t.Code == CodeDouble:
		return Value{math.Float64bits(-v.Float()), t}
	case t.Code == CodeDecimal:
		return Dec(v.Decimal().Neg())
	}
	return intArith("-", t, 0, v.Int(), checked)
}

// ConvertNumber converts between numbers, characters and enums as a cast does.
func ConvertNumber(v Value, from, to *Type, checked bool) Value {
	fc, tc := base(from), base(to)
	switch {
	case tc == CodeDecimal:
		return toDecimal(v, fc)
	case fc == CodeDecimal:
		return fromDecimal(v.Decimal(), to, tc)
	case tc == CodeDouble:
		return Float(toFloat(v, fc))
	case tc == CodeSingle:
		return Float32(float32(toFloat(v, fc)))
	case fc == CodeDouble || fc == CodeSingle:
		return floatToInt(v.Float(), to, tc, checked)
	}
	n, ok := fit(&Type{Code: tc}, v.Int())
	if fc == CodeUInt64 && tc == CodeInt64 || tc == CodeUInt64 && fc != CodeUInt64 {
		ok = v.Int() >= 0
	}
	if fc == CodeUInt64 && v.Int() < 0 {
		ok = tc == CodeUInt64
	}
	if checked && !ok {
		overflow()
	}
	return Value{uint64(n), to}
}

func base(t *Type) Code {
	if t.Kind == Enum {
		return CodeInt32
	}
	return t.Code
}

func toFloat(v Value, from Code) float64 {
	switch from {
	case CodeDouble, CodeSingle:
		return v.Float()
	case CodeUInt64:
		return float64(v.n)
	}
	return float64(v.Int())
}

func floatToInt(x float64, to *Type, tc Code, checked bool) Value {
	x = math.Trunc(x)
	if checked {
		lo, hi := -9223372036854775808.0, 9223372036854775808.0
		if tc == CodeUInt64 {
			lo, hi = 0, 18446744073709551616.0
		}
		if !(x >= lo && x < hi) {
			overflow()
		}
	}
	var r int64
	switch {
	case tc == CodeUInt64 && x >= 9223372036854775808.0:
		r = int64(uint64(x))
	case math.IsNaN(x) || x >= 9223372036854775808.0 || x < -9223372036854775808.0:
		r = math.MinInt64
		if tc == CodeInt32 {
			r = math.MinInt32
		}
	default:
		r = int64(x)
	}
	n, ok := fit(&Type{Code: tc}, r)
	if !ok && tc == CodeInt32 && !checked {
		n = math.MinInt32
	}
	if checked && !ok {
		overflow()
	}
	return Value{uint64(n), to}
}

func toDecimal(v Value, from Code) Value {
	switch from {
	case CodeDecimal:
		return v
	case CodeDouble:
		return Dec(DecimalFloat(v.Float(), 15))
	case CodeSingle:
		return Dec(DecimalFloat(v.Float(), 7))
	case CodeUInt64:
		d, _ := ParseDecimal(utoa(v.n))
		return Dec(d)
	}
	return Dec(DecimalInt(v.Int()))
}

func fromDecimal(d *Decimal, to *Type, tc Code) Value {
	switch tc {
	case CodeDouble:
		return Float(d.Float())
	case CodeSingle:
		return Float32(float32(d.Float()))
	}
	c := d.Truncate().c
	if tc == CodeUInt64 {
		if !c.IsUint64() {
			decimalOverflow(tc)
		}
		return Value{c.Uint64(), to}
	}
	if !c.IsInt64() {
		decimalOverflow(tc)
	}
	n, ok := fit(&Type{Code: tc}, c.Int64())
	if !ok {
		decimalOverflow(tc)
	}
	return Value{uint64(n), to}
}

func decimalOverflow(tc Code) {
	names := map[Code]string{
		CodeInt32: "an Int32", CodeInt64: "an Int64", CodeUInt32: "a UInt32", CodeUInt64: "a UInt64", CodeByte: "an unsigned byte",
		CodeSByte: "a signed byte", CodeInt16: "an Int16", CodeUInt16: "a UInt16", CodeChar: "a character",
	}
	Throw(ExOverflow, "Value was either too large or too small for "+names[tc]+".")
}

func utoa(n uint64) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return utoa(n/10) + string(rune('0'+n%10))
}

// Fits reports whether the integer constant n can be converted to t without
// loss.
func Fits(n Value, t *Type) bool {
	if t.Code == CodeUInt64 {
		return n.Int() >= 0 || n.Tag() == UInt64
	}
	if n.Tag() == UInt64 && n.Int() < 0 {
		return false
	}
	_, ok := fit(t, n.Int())
	return ok
}

// Zero is default(t).
func Zero(t *Type) Value {
	switch {
	case t.Code == CodeDecimal:
		return Dec(DecimalInt(0))
	case t.Kind == Enum || t.Code >= CodeBoolean && t.Code <= CodeDouble || t == DateTime || t == TimeSpan:
		return Value{0, t}
	case t.Kind == Struct && !t.IsNullable():
		if t.Def == TupleDef {
			vals := make([]Value, len(t.Args))
			for i, a := range t.Args {
				vals[i] = Zero(a)
			}
			return Object(&Record{T: t, Vals: vals})
		}
		return Object(&Unset{T: t})
	}
	return Null
}

// Record is an instance of an anonymous type or a tuple.
type Record struct {
	T    *Type
	Vals []Value
}

// RuntimeType is the anonymous or tuple type.
func (r *Record) RuntimeType() *Type { return r.T }

// Unset is the default value of a struct that has a representation of its own.
// Package lib understands it wherever such a struct is expected.
type Unset struct{ T *Type }

// RuntimeType is the struct's type.
func (s *Unset) RuntimeType() *Type { return s.T }
