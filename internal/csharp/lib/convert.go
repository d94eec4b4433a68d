package lib

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// changeType converts a value to a type as Convert.ChangeType and Convert.ToX do.
func changeType(f F, v V, to *clr.Type) V {
	if v.IsNull() {
		return clr.Zero(to)
	}
	if t := tok(v); t != nil && !t.container() {
		v = t.val
		if v.IsNull() {
			return clr.Zero(to)
		}
	}
	from := f.TypeOf(v)
	switch {
	case clr.Same(from, to) || to == clr.ObjectType:
		return v
	case to == clr.StringType:
		return f.Str(Text(f, v))
	case v.IsString():
		return fromText(v, to)
	case to == clr.Boolean && from.IsNumeric() && from != clr.Char:
		if from == clr.DecimalT {
			return clr.Bool(v.Decimal().Coefficient().Sign() != 0)
		}
		if from == clr.Double || from == clr.Single {
			return clr.Bool(v.Float() != 0)
		}
		return clr.Bool(v.Int() != 0)
	case from == clr.Boolean && to.IsNumeric() && to != clr.Char:
		return clr.ConvertNumber(clr.Int(boolInt(v.Bool())), clr.Int32, to, true)
	case (from.IsNumeric() || from.Kind == clr.Enum) && to.IsNumeric():
		if (from == clr.Char) != (to == clr.Char) && (!from.IsInteger() || !to.IsInteger()) {
			break
		}
		return toNumber(v, from, to)
	case to == clr.DateTime && from.Name == "DateTimeOffset":
		return v.Ref().(*DateTimeOffset).utcDate()
	case to.Name == "DateTimeOffset" && from == clr.DateTime:
		return offsetOf(v)
	}
	badCast(from, to)
	return v
}

// castable reports whether a type is one of those that convert each other.
func castable(t *clr.Type) bool {
	return t.IsNumeric() || t == clr.Boolean || t == clr.DateTime || t == clr.StringType
}

// badCast throws what .NET throws for a conversion that does not exist.
func badCast(from, to *clr.Type) {
	switch {
	case castable(from) && castable(to):
		clr.Throw(clr.ExInvalidCast, "Invalid cast from '"+from.Name+"' to '"+to.Name+"'.")
	case castable(from) || from.Kind == clr.Enum:
		clr.Throw(clr.ExInvalidCast, "Invalid cast from '"+from.FullName()+"' to '"+to.FullName()+"'.")
	}
	clr.Throw(clr.ExInvalidCast, "Unable to cast object of type '"+from.ReflectionName()+"' to type 'System.IConvertible'.")
}

// toNumber rounds halves to even. Floating point numbers go to small integers by
// way of Int32, which their errors tell, and to large ones by a checked cast.
func toNumber(v V, from, to *clr.Type) V {
	switch {
	case !to.IsInteger() || from == to:
	case from == clr.Double || from == clr.Single:
		x := math.RoundToEven(v.Float())
		if sizeOf(to) == 64 {
			return clr.ConvertNumber(clr.Float(x), clr.Double, to, true)
		}
		by := clr.Int32
		if to == clr.UInt32 {
			by = to
		}
		if !(math.Abs(x) <= math.MaxUint32) || !clr.Fits(clr.Long(int64(x)), by) {
			outOfType(by)
		}
		return toNumber(clr.Long(int64(x)), clr.Int64, to)
	case from == clr.DecimalT:
		v = clr.Dec(v.Decimal().Round(0, false))
	case !clr.Fits(v, to):
		outOfType(to)
	}
	return clr.ConvertNumber(v, from, to, false)
}

// outOfType throws for a value that has no place in an integer type.
func outOfType(t *clr.Type) {
	clr.Throw(clr.ExOverflow, "Value was either too large or too small for "+titleOf(t)+".")
}

// fromText parses a string as the type's Parse does.
func fromText(v V, to *clr.Type) V {
	s := v.Str()
	switch {
	case to.IsInteger() && to != clr.Char:
		return parseInteger(v, to, styleInteger)
	case to == clr.Double || to == clr.Single:
		x, ok := readFloat(s)
		if !ok {
			badNumber(s)
		}
		return clr.ConvertNumber(clr.Float(x), clr.Double, to, false)
	case to == clr.DecimalT:
		return parseDecimal(v, styleNumber)
	case to == clr.Boolean:
		b, ok := readBool(s)
		if !ok {
			clr.Throw(clr.ExFormat, "String '"+s+"' was not recognized as a valid Boolean.")
		}
		return clr.Bool(b)
	case to == clr.Char:
		u := units(s)
		if len(u) != 1 {
			clr.Throw(clr.ExFormat, "String must be exactly one character long.")
		}
		return clr.Rune16(u[0])
	case to == clr.DateTime:
		return parseDate(s)
	case to == clr.TimeSpan:
		return parseSpan(s)
	case to.Kind == clr.Enum:
		e, ok := enumValue(to, s, true)
		if !ok {
			clr.Throw(clr.ExArgument, "Requested value '"+s+"' was not found.")
		}
		return e
	}
	switch to.Name {
	case "Guid":
		return parseGuid(s)
	case "DateTimeOffset":
		return clr.Object(parseOffset(s))
	case "Uri":
		return clr.Object(newURI(s))
	}
	clr.Throw(clr.ExInvalidCast, "Invalid cast from 'System.String' to '"+to.FullName()+"'.")
	return v
}

// base64Span checks the arguments offset and length.
func base64Span(a []V, all int) (i, n int64) {
	i, n = a[1].Int(), a[2].Int()
	switch {
	case n < 0:
		clr.ThrowRange("length", indexMessage)
	case i < 0:
		clr.ThrowRange("offset", "Value must be positive.")
	case i > int64(all)-n:
		clr.ThrowRange("offset", "Offset and length must refer to a position in the string.")
	}
	return i, n
}

func convertDecls() []clr.Decl {
	rows := []clr.Row{
		R("static string ToBase64String(byte[] inArray)", func(f F, a []V) V { return f.Str(base64.StdEncoding.EncodeToString(bytesOf(a[0], "inArray"))) }),
		R("static string ToBase64String(byte[] inArray, Base64FormattingOptions options)", func(f F, a []V) V {
			s := base64.StdEncoding.EncodeToString(bytesOf(a[0], "inArray"))
			if a[1].Int() == 1 {
				var lines []string
				for len(s) > 76 {
					lines, s = append(lines, s[:76]), s[76:]
				}
				s = strings.Join(append(lines, s), "\r\n")
			}
			return f.Str(s)
		}),
		R("static string ToBase64String(byte[] inArray, int offset, int length)", func(f F, a []V) V {
			b := bytesOf(a[0], "inArray")
			i, n := base64Span(a, len(b))
			return f.Str(base64.StdEncoding.EncodeToString(b[i : i+n]))
		}),
		R("static byte[] FromBase64String(string s)", func(f F, a []V) V { return fromBase64(f, text(a[0], "s")) }),
		R("static byte[] FromBase64CharArray(char[] inArray, int offset, int length)", func(f F, a []V) V {
			u := chars(notNull(a[0], "inArray"))
			i, n := base64Span(a, len(u))
			return fromBase64(f, fromUnits(u[i:i+n]))
		}),
		R("static object ChangeType(object value, Type conversionType)", func(f F, a []V) V {
			to := notNull(a[1], "conversionType").Ref().(*clr.TypeRef).Of
			if a[0].IsNull() && to.IsValueType() {
				clr.Throw(clr.ExInvalidCast, "Null object cannot be converted to a value type.")
			}
			return changeType(f, a[0], to)
		}),
		R("static bool IsDBNull(object value)", func(F, []V) V { return clr.Bool(false) }),
		P("static string ToString(int value, int toBase)", func(f F, a []V) V { return radix(a, 32) }), P("static string ToString(long value, int toBase)", func(f F, a []V) V { return radix(a, 64) }),
		P("static string ToString(byte value, int toBase)", func(f F, a []V) V { return radix(a, 8) }), P("static string ToString(short value, int toBase)", func(f F, a []V) V { return radix(a, 16) }),
	}
	types := []string{"bool", "char", "sbyte", "byte", "short", "ushort", "int", "uint", "long", "ulong", "float", "double", "decimal", "DateTime", "string", "object"}
	for _, to := range types[:15] {
		t := clr.Keyword(to)
		if to == "DateTime" {
			t = clr.DateTime
		}
		for _, from := range types {
			name := t.Name
			fn := func(f F, a []V) V {
				if a[0].IsNull() && t == clr.StringType {
					if from == "string" {
						return clr.Null
					}
					return clr.String("")
				}
				switch {
				case t == clr.Char && from == "string":
					text(a[0], "value")
				case t == clr.SByte && from == "string" && len(a) == 2:
					text(a[0], "s") // the only one that null is not zero for
				}
				return changeType(f, a[0], t)
			}
			rows = append(rows, P("static "+to+" To"+name+"("+from+" value)", fn), R("static "+to+" To"+name+"("+from+" value, IFormatProvider provider)", fn))
		}
		if t.IsInteger() && t != clr.Char {
			rows = append(rows, P("static "+to+" To"+t.Name+"(string value, int fromBase)", func(_ F, a []V) V { return unradix(a, t) }))
		}
	}
	return []clr.Decl{D("flags enum System.Base64FormattingOptions { None, InsertLineBreaks }"), D("static class System.Convert", rows...)}
}

func fromBase64(f F, s string) V {
	clean := strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\r' || r == '\n' {
			return -1
		}
		return r
	}, s)
	f.Alloc(len(clean))
	b, err := base64.StdEncoding.DecodeString(clean)
	if err != nil {
		clr.Throw(clr.ExFormat, "The input is not a valid Base-64 string as it contains a non-base 64 character, more than two padding characters, or an illegal character among the padding characters.")
	}
	return clr.Bytes(b)
}

func checkBase(n int64) int {
	if n != 2 && n != 8 && n != 10 && n != 16 {
		clr.Throw(clr.ExArgument, "Invalid Base.")
	}
	return int(n)
}

func radix(a []V, size int) V {
	base := checkBase(a[1].Int())
	if base == 10 {
		return clr.String(strconv.FormatInt(a[0].Int(), 10))
	}
	n := a[0].Bits()
	if size < 64 {
		n &= 1<<size - 1
	}
	return clr.String(strconv.FormatUint(n, base))
}

// unradix is Convert.ToX(string, int fromBase). Digits of other bases than ten
// are the bits of the number.
func unradix(a []V, t *clr.Type) V {
	base := checkBase(a[1].Int())
	if a[0].IsNull() {
		return clr.Zero(t)
	}
	s := a[0].Str()
	if s == "" {
		clr.ThrowRange("Index was out of range. Must be non-negative and less than the size of the collection.", "") // .NET mistakes the message for the name
	}
	unsigned, neg := t.Name[0] == 'U' || t == clr.Byte, s[0] == '-'
	switch {
	case neg && base != 10:
		clr.Throw(clr.ExArgument, "String cannot contain a minus sign if the base is not 10.")
	case neg && unsigned:
		clr.Throw(clr.ExOverflow, "The string was being parsed as an unsigned number and could not have a negative sign.")
	case neg || s[0] == '+':
		s = s[1:]
	}
	if base == 16 {
		s = strings.TrimPrefix(strings.TrimPrefix(s, "0x"), "0X")
	}
	n := bitsOf(s, base, t, base == 10 && !unsigned)
	if base == 10 && !unsigned {
		return signed(n, neg, t)
	}
	if n>>sizeOf(t) != 0 {
		outOfType(t)
	}
	return clr.ConvertNumber(clr.Scalar(clr.UInt64, int64(n)), clr.UInt64, t, false)
}

// bitsOf reads all of s as digits, into the 32 or 64 bits that t is read by.
func bitsOf(s string, base int, t *clr.Type, isSigned bool) uint64 {
	by := clr.UInt32
	switch size := sizeOf(t); {
	case size == 64 && isSigned:
		by = clr.Int64
	case size == 64:
		by = clr.UInt64
	case isSigned:
		by = clr.Int32
	}
	digits := "0123456789abcdefABCDEF"
	if base < 16 {
		digits = digits[:base]
	}
	rest := strings.TrimLeft(s, digits)
	if len(rest) == len(s) {
		clr.Throw(clr.ExFormat, "Could not find any recognizable digits.")
	}
	n, err := strconv.ParseUint(s[:len(s)-len(rest)], base, 64)
	if err != nil || n>>sizeOf(by) != 0 || isSigned && n > 1<<(sizeOf(by)-1) {
		outOfType(by)
	}
	if rest != "" {
		clr.Throw(clr.ExFormat, "Additional non-parsable characters are at the end of the string.")
	}
	return n
}

// signed gives a number its sign and checks that t holds it.
func signed(n uint64, neg bool, t *clr.Type) V {
	limit := uint64(1) << (sizeOf(t) - 1)
	if n > limit || n == limit && !neg {
		outOfType(t)
	}
	if neg {
		return clr.Scalar(t, -int64(n))
	}
	return clr.Scalar(t, int64(n))
}
