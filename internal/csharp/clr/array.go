package clr

// Arr is a .NET array. Arrays of bytes keep plain bytes.
type Arr struct {
	T    *Type
	V    []Value
	B    []byte // instead of V, for byte[]
	Lens []int  // of the dimensions, for more than one
}

// RuntimeType is the array type.
func (a *Arr) RuntimeType() *Type { return a.T }

var bytesType = ArrayOf(Byte)

// Bytes is the content of a byte[], which the caller does not change; ok is false for anything else.
func (v Value) Bytes() (b []byte, ok bool) {
	a, ok := v.o.(*Arr)
	if !ok || a.T.Elem != Byte {
		return nil, false
	}
	return a.B, true
}

// Bytes makes a byte[]; it owns b.
func Bytes(b []byte) Value {
	if b == nil {
		b = []byte{}
	}
	return Object(&Arr{T: bytesType, B: b})
}

// NewArr makes an array with elements of their default value.
func NewArr(t *Type, n int) *Arr {
	if t.Elem == Byte && t.Rank == 1 {
		return &Arr{T: t, B: make([]byte, n)}
	}
	a := &Arr{T: t, V: make([]Value, n)}
	if z := Zero(t.Elem); !z.IsNull() {
		for i := range a.V {
			a.V[i] = z
		}
	}
	return a
}

// ArrOf makes an array of elem with these elements, which it owns.
func ArrOf(elem *Type, v []Value) *Arr {
	if elem == Byte {
		b := make([]byte, len(v))
		for i := range v {
			b[i] = byte(v[i].n)
		}
		return &Arr{T: bytesType, B: b}
	}
	return &Arr{T: ArrayOf(elem), V: v}
}

// Strings makes a string[].
func Strings(list []string) Value {
	v := make([]Value, len(list))
	for i, s := range list {
		v[i] = String(s)
	}
	return Object(&Arr{T: stringsType, V: v})
}

var stringsType = ArrayOf(StringType)

// Len is the number of elements in all dimensions.
func (a *Arr) Len() int {
	if a.B != nil {
		return len(a.B)
	}
	return len(a.V)
}

// At is element i; the index must be valid.
func (a *Arr) At(i int) Value {
	if a.B != nil {
		return Value{uint64(a.B[i]), Byte}
	}
	return a.V[i]
}

// Put sets element i; the index must be valid.
func (a *Arr) Put(i int, v Value) {
	if a.B != nil {
		a.B[i] = byte(v.n)
		return
	}
	a.V[i] = v
}

// Index checks i and throws IndexOutOfRangeException.
func (a *Arr) Index(i int64) int {
	if i < 0 || i >= int64(a.Len()) {
		ThrowIndex()
	}
	return int(i)
}

// Each yields the elements.
func (a *Arr) Each(f *Frame, yield func(Value) bool) {
	for i := range a.Len() {
		f.Step(1)
		if !yield(a.At(i)) {
			return
		}
	}
}

// Seq is what LINQ and foreach enumerate: it yields values until told to stop.
type Seq interface {
	Each(f *Frame, yield func(Value) bool)
}

// TypeRef is the value of typeof.
type TypeRef struct{ Of *Type }

// RuntimeType is System.Type.
func (*TypeRef) RuntimeType() *Type { return TypeType }
