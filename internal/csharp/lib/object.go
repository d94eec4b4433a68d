package lib

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// named finds a type of the table; objects use it to say what they are.
func named(full string) *clr.Type { return Universe().Lookup(full, 0) }

func objectDecls() []clr.Decl {
	return []clr.Decl{
		D("interface System.IFormatProvider"), D("interface System.IComparable"),
		D("interface System.Collections.Generic.IEqualityComparer<T>"), D("interface System.Collections.Generic.IComparer<T>"),
		D("interface System.Collections.IEnumerator", R("object Current", enumCurrent), R("bool MoveNext()", enumNext)),
		D("interface System.Collections.Generic.IEnumerator<T> : System.Collections.IEnumerator, IDisposable", R("T Current", enumCurrent)),
		{Sig: "class System.CharEnumerator : IEnumerator<char>", Rows: []clr.Row{R("char Current", enumCurrent), R("bool MoveNext()", enumNext)}},
		{Sig: "class System.Object", Rows: []clr.Row{
			R("new()", func(F, []V) V { return clr.Object(&plain{}) }),
			R("string ToString()", func(f F, a []V) V { return f.Str(Text(f, a[0])) }),
			R("bool Equals(object obj)", func(f F, a []V) V { return clr.Bool(Equal(f, a[0], a[1])) }),
			R("int GetHashCode()", hashRow),
			R("Type GetType()", func(f F, a []V) V { return clr.Object(&clr.TypeRef{Of: f.TypeOf(a[0])}) }),
			R("static bool Equals(object objA, object objB)", func(f F, a []V) V { return clr.Bool(Equal(f, a[0], a[1])) }),
			R("static bool ReferenceEquals(object objA, object objB)", func(_ F, a []V) V { return clr.Bool(clr.SameRef(a[0], a[1])) }),
		}},
		{Sig: "class System.Type", Access: clr.AccessNone, Refused: "Name FullName Namespace Assembly GetMethod GetMethods GetProperty GetProperties BaseType"},
		{Sig: "interface System.IDisposable", Rows: []clr.Row{R("void Dispose()", func(F, []V) V { return clr.Null })}},
		{Sig: "struct System.Nullable<T>", Rows: []clr.Row{
			R("bool HasValue", func(_ F, a []V) V { return clr.Bool(!a[0].IsNull()) }),
			R("T Value", func(_ F, a []V) V {
				if a[0].IsNull() {
					clr.Throw(clr.ExInvalidOp, "Nullable object must have a value.")
				}
				return a[0]
			}),
			R("T GetValueOrDefault()", func(_ F, s S, a []V) V {
				if a[0].IsNull() {
					return clr.Zero(s.Ret)
				}
				return a[0]
			}),
			R("T GetValueOrDefault(T defaultValue)", func(_ F, a []V) V {
				if a[0].IsNull() {
					return a[1]
				}
				return a[0]
			}),
			R("string ToString()", func(f F, a []V) V { return f.Str(Text(f, a[0])) }),
			R("bool Equals(object other)", func(f F, a []V) V { return clr.Bool(Equal(f, a[0], a[1])) }),
			R("int GetHashCode()", hashRow),
		}},
		{Sig: "static class System.Nullable", Rows: []clr.Row{
			R("static int Compare<T>(T? n1, T? n2)", func(f F, a []V) V { return clr.Int(Compare(f, a[0], a[1])) }),
			R("static bool Equals<T>(T? n1, T? n2)", func(f F, a []V) V { return clr.Bool(Equal(f, a[0], a[1])) }),
		}},
		{Sig: "class System.Enum", Rows: []clr.Row{
			R("string ToString()", func(f F, a []V) V { return clr.String(Text(f, a[0])) }),
			R("string ToString(string format)", func(f F, a []V) V { return clr.String(Format(f, a[0], a[1].Str())) }),
			R("static object Parse(Type enumType, string value)", func(_ F, a []V) V { return parseEnum(a[0], a[1], false) }),
			R("static object Parse(Type enumType, string value, bool ignoreCase)", func(_ F, a []V) V { return parseEnum(a[0], a[1], a[2].Bool()) }),
			R("static bool TryParse<T>(string value, out T result)", func(_ F, s S, a []V) V { return tryEnum(s.Args[0], a[0], false, a[1]) }),
			R("static bool TryParse<T>(string value, bool ignoreCase, out T result)", func(_ F, s S, a []V) V { return tryEnum(s.Args[0], a[0], a[1].Bool(), a[2]) }),
			R("bool HasFlag(Enum flag)", func(_ F, a []V) V { return clr.Bool(a[0].Int()&a[1].Int() == a[1].Int()) }),
			R("int CompareTo(object target)", func(_ F, a []V) V { return clr.Int(cmp.Compare(a[0].Int(), a[1].Int())) }),
		}, Access: clr.AccessListed, Refused: "GetNames GetValues IsDefined ToObject GetName Format"},
		exceptionDecl(),
	}
}

func exceptionDecl() clr.Decl {
	make := func(_ F, a []V) V {
		e := &clr.Exception{Type: clr.ExBase, Message: "Exception of type 'System.Exception' was thrown."}
		if len(a) > 0 && !a[0].IsNull() {
			e.Message = a[0].Str()
		}
		if len(a) > 1 {
			e.Inner, _ = a[1].Ref().(*clr.Exception)
		}
		return clr.Object(e)
	}
	ex := func(v V) *clr.Exception { return v.Ref().(*clr.Exception) }
	inner := func(e *clr.Exception) V {
		if e == nil {
			return clr.Null
		}
		return clr.Object(e)
	}
	return clr.Decl{Sig: "class System.Exception", Rows: []clr.Row{
		R("new()", make), R("new(string message)", make), R("new(string message, Exception innerException)", make),
		R("string Message", func(_ F, a []V) V { return clr.String(ex(a[0]).Message) }),
		R("Exception InnerException", func(_ F, a []V) V { return inner(ex(a[0]).Inner) }),
		R("string StackTrace", func(F, []V) V { return clr.String("   at Expression") }),
		R("string Source", func(F, []V) V { return clr.String("Expression") }),
		R("int HResult", func(_ F, a []V) V { return clr.Int(int(hResult(ex(a[0]).Type))) }),
		R("string HelpLink", func(F, []V) V { return clr.Null }),
		R("Exception GetBaseException()", func(_ F, a []V) V {
			e := ex(a[0])
			for e.Inner != nil {
				e = e.Inner
			}
			return clr.Object(e)
		}),
		R("string ToString()", func(f F, a []V) V { return f.Str(ex(a[0]).Error()) }),
	}}
}

// hResults are the codes of exceptions; derived types inherit them.
var hResults = map[*clr.Type]uint32{
	clr.ExBase: 0x80131500, clr.ExSystem: 0x80131501, clr.ExApplication: 0x80131600, clr.ExArgument: 0x80070057, clr.ExArgumentNull: 0x80004003,
	clr.ExOutOfRange: 0x80131502, clr.ExArithmetic: 0x80070216, clr.ExDivideByZero: 0x80020012, clr.ExOverflow: 0x80131516, clr.ExFormat: 0x80131537,
	clr.ExInvalidCast: 0x80004002, clr.ExInvalidOp: 0x80131509, clr.ExDisposed: 0x80131622, clr.ExKeyNotFound: 0x80131577, clr.ExIndex: 0x80131508,
	clr.ExNullReference: 0x80004003, clr.ExNotSupported: 0x80131515, clr.ExNotImpl: 0x80004001, clr.ExArrayType: 0x80131503, clr.ExRank: 0x80131517,
	clr.ExTimeout: 0x80131505, clr.ExIO: 0x80131620, clr.ExXML: 0x80131940,
}

func hResult(t *clr.Type) int32 {
	for ; t != clr.ExBase; t = t.BaseOf() {
		if code, ok := hResults[t]; ok {
			return int32(code)
		}
	}
	return int32(hResults[clr.ExBase])
}

// plain is new object().
type plain struct{ _ byte }

// RuntimeType is System.Object.
func (*plain) RuntimeType() *clr.Type { return clr.ObjectType }

func enumText(t *clr.Type, n int64) string {
	for _, c := range t.Consts {
		if c.Value == n {
			return c.Name
		}
	}
	if t.Flags && n != 0 {
		var parts []string
		rest := n
		for _, v := range slices.Backward(t.Consts) {
			if c := v; c.Value != 0 && rest&c.Value == c.Value {
				parts = append([]string{c.Name}, parts...)
				rest &^= c.Value
			}
		}
		if rest == 0 {
			return strings.Join(parts, ", ")
		}
	}
	return strconv.FormatInt(n, 10)
}

func formatEnum(t *clr.Type, n int64, format string) string {
	switch strings.ToUpper(format) {
	case "G", "F":
		return enumText(t, n)
	case "D":
		return strconv.FormatInt(n, 10)
	case "X":
		return leftZeros(strings.ToUpper(strconv.FormatUint(uint64(uint32(n)), 16)), 8)
	}
	clr.Throw(clr.ExFormat, "Format string can be only \"G\", \"g\", \"X\", \"x\", \"F\", \"f\", \"D\" or \"d\".")
	return ""
}

func enumValue(t *clr.Type, s string, ignoreCase bool) (V, bool) {
	total := int64(0)
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		found := false
		for _, c := range t.Consts {
			if c.Name == part || ignoreCase && strings.EqualFold(c.Name, part) {
				total |= c.Value
				found = true
				break
			}
		}
		if !found {
			n, ok := parseInt(part)
			if !ok {
				return clr.Null, false
			}
			total |= n
		}
	}
	return clr.Scalar(t, total), true
}

func parseEnum(of, value V, ignoreCase bool) V {
	s := text(value, "value")
	t := notNull(of, "enumType").Ref().(*clr.TypeRef).Of
	if t.Kind != clr.Enum {
		clr.ThrowArg(clr.ExArgument, "Type provided must be an Enum.", "enumType")
	}
	if strings.TrimSpace(s) == "" {
		clr.ThrowArg(clr.ExArgument, "Must specify valid information for parsing in the string.", "value")
	}
	v, ok := enumValue(t, s, ignoreCase)
	if !ok {
		clr.Throw(clr.ExArgument, "Requested value '"+s+"' was not found.")
	}
	return v
}

func tryEnum(t *clr.Type, s V, ignoreCase bool, out V) V {
	v, ok := enumValue(t, s.Str(), ignoreCase)
	if !ok || s.IsNull() {
		v, ok = clr.Zero(t), false
	}
	setOut(out, v)
	return clr.Bool(ok)
}

// Equaler objects compare by value.
type Equaler interface{ Equal(f F, o V) bool }

// Equal is a.Equals(b), and true for two nulls.
func Equal(f F, a, b V) bool {
	switch {
	case a.IsNull() || b.IsNull():
		return a.IsNull() && b.IsNull()
	case a.IsString():
		return b.IsString() && a.Str() == b.Str()
	case a.Tag() != nil:
		if a.Tag() == b.Tag() && floating(a) {
			return a.Float() == b.Float() || math.IsNaN(a.Float()) && math.IsNaN(b.Float())
		}
		if a.Tag() == clr.DateTime {
			return b.Tag() == clr.DateTime && ticksOf(a) == ticksOf(b)
		}
		return a.Tag() == b.Tag() && a.Bits() == b.Bits()
	}
	a, b = given(a), given(b)
	switch o := a.Ref().(type) {
	case Equaler:
		return o.Equal(f, b)
	case *clr.Decimal:
		d, ok := b.Ref().(*clr.Decimal)
		return ok && o.Cmp(d) == 0
	case *clr.Record:
		r, ok := b.Ref().(*clr.Record)
		if !ok || len(r.Vals) != len(o.Vals) || r.T.Kind != o.T.Kind {
			return false
		}
		for i := range o.Vals {
			if !Equal(f, o.Vals[i], r.Vals[i]) {
				return false
			}
		}
		return true
	}
	return clr.SameRef(a, b)
}

// given is v, or what the default value of a struct stands for.
func given(v V) V {
	if o, ok := v.Ref().(*clr.Unset); ok {
		if d := unset(o.T); !d.IsNull() {
			return d
		}
	}
	return v
}

func floating(v V) bool { return isFloat(v.Tag()) }

func isFloat(t *clr.Type) bool { return t == clr.Double || t == clr.Single }

// keyBits are the bits of a scalar, the same for both zeros and for all that is
// not a number.
func keyBits(v V) uint64 {
	switch {
	case !floating(v):
	case v.Float() == 0:
		return 0
	case math.IsNaN(v.Float()):
		return math.Float64bits(math.NaN())
	}
	return v.Bits()
}

// Keyer objects can be keys of dictionaries by value.
type Keyer interface{ Key() any }

// key is a Go value that is equal when Equal says so.
func key(f F, v V) any {
	switch {
	case v.IsString():
		return v.Str()
	case v.Tag() == clr.DateTime:
		return ticksOf(v)
	case v.Tag() != nil:
		return [2]any{v.Tag(), keyBits(v)}
	}
	switch o := v.Ref().(type) {
	case *clr.Unset:
		return key(f, unset(o.T))
	case Keyer:
		return o.Key()
	case *clr.Decimal:
		return "m" + strings.TrimRight(strings.TrimRight(o.String(), "0"), ".")
	case *clr.Record:
		var b strings.Builder
		for _, x := range o.Vals {
			b.WriteString(Text(f, x) + "\x00")
			if t := f.TypeOf(x); t != nil {
				b.WriteString(t.Name)
			}
		}
		return "r" + b.String()
	}
	return v.Ref()
}

// hash is GetHashCode. That of scalars is .NET's; where .NET promises nothing it
// is stable.
func hash(f F, v V) int32 {
	if t := v.Tag(); t != nil {
		return scalarHash(t, v)
	}
	switch o := v.Ref().(type) {
	case nil:
		return 0
	case *clr.Unset:
		return hash(f, unset(o.T))
	case *clr.Decimal:
		return decimalHash(o)
	case *DateTimeOffset:
		return foldHash(o.utc())
	case interface{ hash() int32 }:
		return o.hash()
	}
	if k, ok := key(f, v).(string); ok {
		return stringHash(k)
	}
	return stringHash(f.TypeOf(v).ReflectionName())
}

func foldHash(n int64) int32 { return int32(n) ^ int32(n>>32) }

func scalarHash(t *clr.Type, v V) int32 {
	switch {
	case t == clr.DateTime:
		return foldHash(ticksOf(v))
	case isFloat(t):
		return floatHash(t, v.Float())
	case t == clr.Int64, t == clr.UInt64, t == clr.TimeSpan:
		return foldHash(v.Int())
	case t == clr.Char:
		return int32(v.Int() | v.Int()<<16)
	}
	return int32(v.Int())
}

// floatHash is the same for both zeros, and for all that is not a number.
func floatHash(t *clr.Type, x float64) int32 {
	switch {
	case x == 0:
		return 0
	case math.IsNaN(x):
		x = math.Inf(1)
	}
	if t == clr.Single {
		return int32(math.Float32bits(float32(x)))
	}
	return foldHash(int64(math.Float64bits(x)))
}

// Comparer objects have an order.
type Comparer interface{ Compare(o V) int }

// Compare is the default comparison of two values; null comes first.
func Compare(f F, a, b V) int {
	switch {
	case a.IsNull() || b.IsNull():
		return cmp.Compare(boolInt(!a.IsNull()), boolInt(!b.IsNull()))
	case a.IsString() && b.IsString():
		return culture(a.Str(), b.Str(), false)
	case a.Tag() != nil && a.Tag() == b.Tag():
		switch a.Tag().Code {
		case clr.CodeDouble, clr.CodeSingle:
			return cmp.Compare(a.Float(), b.Float())
		case clr.CodeUInt64:
			return cmp.Compare(a.Bits(), b.Bits())
		}
		if a.Tag() == clr.DateTime {
			return cmp.Compare(ticksOf(a), ticksOf(b))
		}
		return cmp.Compare(a.Int(), b.Int())
	}
	switch o := a.Ref().(type) {
	case *clr.Decimal:
		if d, ok := b.Ref().(*clr.Decimal); ok {
			return o.Cmp(d)
		}
	case Comparer:
		return o.Compare(b)
	case *clr.Record:
		if r, ok := b.Ref().(*clr.Record); ok && o.T.Kind != clr.Anonymous && len(r.Vals) == len(o.Vals) {
			for i := range o.Vals {
				if c := Compare(f, o.Vals[i], r.Vals[i]); c != 0 {
					return c
				}
			}
			return 0
		}
	}
	clr.Throw(clr.ExArgument, "At least one object must implement IComparable.")
	return 0
}

func delegateDecls() []clr.Decl {
	out := []clr.Decl{
		D("delegate bool System.Predicate<T>(T obj)"), D("delegate int System.Comparison<T>(T x, T y)"),
		D("delegate TOutput System.Converter<TInput,TOutput>(TInput input)"), D("delegate void System.Action()"),
	}
	for n := 1; n <= 8; n++ {
		var ts, ps []string
		for i := 1; i <= n; i++ {
			ts = append(ts, "T"+strconv.Itoa(i))
			ps = append(ps, "T"+strconv.Itoa(i)+" arg"+strconv.Itoa(i))
		}
		list, params := strings.Join(ts, ","), strings.Join(ps, ", ")
		out = append(out, D("delegate void System.Action<"+list+">("+params+")"), D("delegate TResult System.Func<"+list+",TResult>("+params+")"))
	}
	return append(out, D("delegate TResult System.Func<TResult>()"))
}
