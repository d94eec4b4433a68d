package clr

import (
	"math"
	"unsafe"
)

// Value is one C# value: 24 bytes, no boxing of numbers, booleans, enums,
// DateTime, TimeSpan and strings. The zero Value is null.
//
// Numbers keep their bits in n and their type in o, so that conversion to
// object is free and unboxing is a comparison of pointers. Signed integers are
// sign-extended, floating point numbers are IEEE bits.
type Value struct {
	n uint64
	o any
}

// stringPtr marks a string; n is its length in bytes.
type stringPtr *byte

// Null is the null reference.
var Null = Value{}

// IsNull reports whether v is null, or a nullable without value.
func (v Value) IsNull() bool { return v.o == nil }

// Bool makes a System.Boolean.
func Bool(b bool) Value {
	if b {
		return Value{1, Boolean}
	}
	return Value{0, Boolean}
}

// Int makes a System.Int32; n is truncated to 32 bits.
func Int(n int) Value { return Value{uint64(int64(int32(n))), Int32} }

// Long makes a System.Int64.
func Long(n int64) Value { return Value{uint64(n), Int64} }

// Rune16 makes a System.Char.
func Rune16(c uint16) Value { return Value{uint64(c), Char} }

// Float makes a System.Double.
func Float(x float64) Value { return Value{math.Float64bits(x), Double} }

// Float32 makes a System.Single.
func Float32(x float32) Value { return Value{math.Float64bits(float64(x)), Single} }

// Scalar makes a value of an integer or enum type from its sign-extended bits.
func Scalar(t *Type, n int64) Value { return Value{uint64(n), t} }

// String makes a System.String, which is never null.
func String(s string) Value {
	if s == "" {
		return Value{0, emptyString}
	}
	return Value{uint64(len(s)), stringPtr(unsafe.StringData(s))}
}

var emptyString = stringPtr(new(byte))

// Object wraps a reference. A nil interface gives null; a typed nil pointer
// must not be passed.
func Object(x any) Value { return Value{0, x} }

// Bool is the truth of a System.Boolean.
func (v Value) Bool() bool { return v.n != 0 }

// Int is the sign-extended value of an integer, char or enum.
func (v Value) Int() int64 { return int64(v.n) }

// Bits are the raw 64 bits of a scalar.
func (v Value) Bits() uint64 { return v.n }

// Float is the value of a System.Double or System.Single.
func (v Value) Float() float64 { return math.Float64frombits(v.n) }

// Ref is the reference inside: a *Type for scalars, the object for objects.
func (v Value) Ref() any { return v.o }

// Str is the text of a string, and "" for anything else, null included.
func (v Value) Str() string {
	if p, ok := v.o.(stringPtr); ok {
		return unsafe.String((*byte)(p), int(v.n))
	}
	return ""
}

// IsString reports whether v is a string that is not null.
func (v Value) IsString() bool {
	_, ok := v.o.(stringPtr)
	return ok
}

// Tag is the type of a scalar, nil for strings, objects and null.
func (v Value) Tag() *Type {
	t, _ := v.o.(*Type)
	return t
}

// SameRef is reference equality as object.ReferenceEquals has it. Equal strings
// count as the same: literals are interned and most others were literals.
func SameRef(a, b Value) bool {
	if a.o == nil || b.o == nil {
		return a.o == nil && b.o == nil
	}
	if a.IsString() || b.IsString() {
		return a.IsString() && b.IsString() && a.Str() == b.Str()
	}
	if a.Tag() != nil || b.Tag() != nil {
		return false
	}
	if x, ok := a.o.(*TypeRef); ok { // .NET has one object for each type
		y, ok := b.o.(*TypeRef)
		return ok && Same(x.Of, y.Of)
	}
	return a.o == b.o
}
