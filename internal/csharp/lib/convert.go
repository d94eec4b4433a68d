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
	badCast(v, from, to)
	return v
}

// castable reports whether a type is one of those that convert each other.
func castable(t *clr.Type) bool {
	return t.IsNumeric() || t == clr.Boolean || t == clr.DateTime || t == clr.StringType
}

// badCast throws what .NET throws for a conversion that does not exist.
func badCast(v V, from, to *clr.Type) {
	switch {
	case castable(from) && castable(to):
		clr.Throw(clr.ExInvalidCast, "Invalid cast from '"+from.Name+"' to '"+to.Name+"'.")
	case castable(from) || from.Kind == clr.Enum:
		clr.Throw(clr.ExInvalidCast, "Invalid cast from '"+from.FullName()+"' to '"+to.FullName()+"'.")
	}
	clr.Throw(clr.ExInvalidCast, "Unable to cast object of type '"+from.ReflectionName()+"' to type 'System.IConvertible'.")
}

// toNumber rounds halves to even, and throws with the target's name.
func toNumber(v V, from, to *clr.Type) V {
	over := func() {
		clr.Throw(clr.ExOverflow, "Value was either too large or too small for "+strings.ReplaceAll(titleOf(to), "Char", "a character")+".")
	}
	if to.IsInteger() && (from == clr.Double || from == clr.Single) {
		x := math.RoundToEven(v.Float())
		if math.IsNaN(x) || x < -9.3e18 || x > 1.85e19 {
			over()
		}
		v, from = clr.Float(x), clr.Double
	}
	if to.IsInteger() && from == clr.DecimalT {
		v = clr.Dec(v.Decimal().Round(0, false))
	}
	if from.IsInteger() && to.IsInteger() {
		n := v
		if from == clr.UInt64 && v.Int() < 0 && to != clr.UInt64 || !clr.Fits(n, to) {
			over()
		}
		return clr.ConvertNumber(v, from, to, false)
	}
	out := clr.ConvertNumber(v, from, to, false)
	if to.IsInteger() && from == clr.Double {
		back := clr.ConvertNumber(out, to, clr.Double, false)
		if back.Float() != v.Float() {
			over()
		}
	}
	return out
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
		return clr.Object(newURI(s, 0))
	}
	clr.Throw(clr.ExInvalidCast, "Invalid cast from 'System.String' to '"+to.FullName()+"'.")
	return v
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
			i, n := a[1].Int(), a[2].Int()
			if i < 0 || n < 0 || i+n > int64(len(b)) {
				clr.ThrowRange("offset", "Offset and length must refer to a position in the string.")
			}
			return f.Str(base64.StdEncoding.EncodeToString(b[i : i+n]))
		}),
		R("static byte[] FromBase64String(string s)", func(f F, a []V) V { return fromBase64(f, text(a[0], "s")) }),
		R("static byte[] FromBase64CharArray(char[] inArray, int offset, int length)", func(f F, a []V) V {
			u := chars(notNull(a[0], "inArray"))
			i, n := int(a[1].Int()), int(a[2].Int())
			if i < 0 || n < 0 || i+n > len(u) {
				clr.ThrowRange("offset", "")
			}
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
				if t == clr.Char && from == "string" {
					text(a[0], "value")
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

func unradix(a []V, t *clr.Type) V {
	base := checkBase(a[1].Int())
	if base == 10 {
		return parseInteger(a[0], t, styleInteger)
	}
	if a[0].IsNull() {
		return clr.Zero(t)
	}
	s := a[0].Str()
	switch {
	case s == "":
		clr.ThrowRange("startIndex", "Index was out of range. Must be non-negative and less than the size of the collection.")
	case s[0] == '-':
		clr.Throw(clr.ExArgument, "String cannot contain a minus sign if the base is not 10.")
	}
	if base == 16 {
		s = strings.TrimPrefix(strings.TrimPrefix(s, "0x"), "0X")
	}
	digits := "0123456789abcdefABCDEF"
	if base < 16 {
		digits = digits[:base]
	}
	switch rest := strings.TrimLeft(s, digits); {
	case len(rest) == len(s):
		clr.Throw(clr.ExFormat, "Could not find any recognizable digits.")
	case rest != "":
		clr.Throw(clr.ExFormat, "Additional non-parsable characters are at the end of the string.")
	}
	n, err := strconv.ParseUint(s, base, 64)
	if err != nil || n>>sizeOf(t) != 0 {
		if whole := map[*clr.Type]*clr.Type{clr.Int32: clr.UInt32, clr.Int64: clr.UInt64}[t]; whole != nil {
			t = whole
		}
		clr.Throw(clr.ExOverflow, "Value was either too large or too small for "+titleOf(t)+".")
	}
	return clr.ConvertNumber(clr.Scalar(clr.UInt64, int64(n)), clr.UInt64, t, false)
}
