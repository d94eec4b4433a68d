package lib

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// intTypes are the integers with their bounds as .NET spells errors about them.
var intTypes = []struct {
	t    *clr.Type
	kw   string
	min  string
	max  string
	name string
}{
	{clr.SByte, "sbyte", "-128", "127", "a signed byte"},
	{clr.Byte, "byte", "0", "255", "an unsigned byte"},
	{clr.Int16, "short", "-32768", "32767", "an Int16"},
	{clr.UInt16, "ushort", "0", "65535", "a UInt16"},
	{clr.Int32, "int", "-2147483648", "2147483647", "an Int32"},
	{clr.UInt32, "uint", "0", "4294967295", "a UInt32"},
	{clr.Int64, "long", "-9223372036854775808", "9223372036854775807", "an Int64"},
	{clr.UInt64, "ulong", "0", "18446744073709551615", "a UInt64"},
}

func titleOf(t *clr.Type) string {
	for _, x := range intTypes {
		if x.t == t {
			return x.name
		}
	}
	if t == clr.Char {
		return "a character"
	}
	return t.Name
}

func parseInt(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

func badNumber(s string) {
	clr.Throw(clr.ExFormat, "The input string '"+s+"' was not in a correct format.")
}

func parseInteger(s V, t *clr.Type, style int64) V {
	v, ok, over := readInteger(text(s, "s"), t, style)
	if over {
		outOfType(t)
	}
	if !ok {
		badNumber(s.Str())
	}
	return v
}

func parseFloat(s string) (float64, bool) { return readFloat(s) }

func numberDecls() []clr.Decl {
	out := []clr.Decl{
		D("flags enum System.Globalization.NumberStyles { None = 0, AllowLeadingWhite = 1, AllowTrailingWhite = 2, AllowLeadingSign = 4, Integer = 7, AllowTrailingSign = 8, AllowParentheses = 16, AllowDecimalPoint = 32, AllowThousands = 64, Number = 111, AllowExponent = 128, Float = 167, AllowCurrencySymbol = 256, Currency = 383, Any = 511, AllowHexSpecifier = 512, HexNumber = 515 }"),
		D("struct System.Boolean",
			R("static string TrueString", clr.String("True")), R("static string FalseString", clr.String("False")),
			P("static bool Parse(string value)", func(_ F, a []V) V {
				b, ok := readBool(text(a[0], "value"))
				if !ok {
					clr.Throw(clr.ExFormat, "String '"+a[0].Str()+"' was not recognized as a valid Boolean.")
				}
				return clr.Bool(b)
			}),
			R("static bool TryParse(string value, out bool result)", func(_ F, a []V) V {
				b, ok := readBool(a[0].Str())
				setOut(a[1], clr.Bool(b))
				return clr.Bool(ok)
			}),
			P("string ToString()", toStringRow), P("bool Equals(bool obj)", equalsRow), P("int CompareTo(bool value)", compareRow), P("int GetHashCode()", hashRow),
		),
	}
	for _, x := range intTypes {
		out = append(out, intDecl(x.t, x.kw, x.min, x.max))
	}
	return append(out, floatDecl(clr.Double, "double"), floatDecl(clr.Single, "float"), decimalDecl())
}

func readBool(s string) (value, ok bool) {
	switch strings.ToLower(strings.Trim(strings.TrimFunc(s, isSpace), "\x00")) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

func toStringRow(f F, a []V) V { return f.Str(Text(f, a[0])) }
func formatRow(f F, a []V) V   { return f.Str(Format(f, a[0], a[1].Str())) }
func equalsRow(f F, a []V) V   { return clr.Bool(Equal(f, a[0], a[1])) }
func compareRow(f F, a []V) V  { return clr.Int(Compare(f, a[0], a[1])) }
func hashRow(f F, a []V) V     { return clr.Int(int(hash(f, a[0]))) }

// sameType checks the argument of CompareTo(object), which takes values of the
// same type only.
func sameType(f F, a []V) {
	if t := f.TypeOf(a[0]); !a[1].IsNull() && !clr.Same(t, f.TypeOf(a[1])) {
		clr.Throw(clr.ExArgument, "Object must be of type "+t.Name+".")
	}
}

// differRow is CompareTo of the types smaller than Int32: the difference.
func differRow(_ F, a []V) V {
	if a[1].IsNull() {
		return clr.Int(1)
	}
	return clr.Int(int(a[0].Int() - a[1].Int()))
}

func commonNumber(kw string) []clr.Row {
	compare := compareRow
	switch kw {
	case "char", "sbyte", "byte", "short", "ushort":
		compare = differRow
	}
	return []clr.Row{
		P("string ToString()", toStringRow), P("string ToString(string format)", formatRow),
		R("string ToString(IFormatProvider provider)", toStringRow), R("string ToString(string format, IFormatProvider provider)", formatRow),
		P("bool Equals("+kw+" obj)", equalsRow), R("bool Equals(object obj)", equalsRow), P("int CompareTo("+kw+" value)", compare),
		R("int CompareTo(object value)", func(f F, a []V) V { sameType(f, a); return compare(f, a) }), P("int GetHashCode()", hashRow),
	}
}

func intDecl(t *clr.Type, kw, lo, hi string) clr.Decl {
	bound := func(s string) V { v, _, _ := readInteger(s, t, styleInteger); return v }
	rows := append(commonNumber(kw),
		R("static "+kw+" MinValue", bound(lo)), R("static "+kw+" MaxValue", bound(hi)),
		P("static "+kw+" Parse(string s)", func(_ F, a []V) V { return parseInteger(a[0], t, styleInteger) }),
		P("static "+kw+" Parse(string s, System.Globalization.NumberStyles style)", func(_ F, a []V) V { return parseInteger(a[0], t, a[1].Int()) }),
		R("static "+kw+" Parse(string s, IFormatProvider provider)", func(_ F, a []V) V { return parseInteger(a[0], t, styleInteger) }),
		R("static bool TryParse(string s, out "+kw+" result)", func(_ F, a []V) V {
			v, ok, _ := readInteger(a[0].Str(), t, styleInteger)
			if !ok {
				v = clr.Zero(t)
			}
			setOut(a[1], v)
			return clr.Bool(ok)
		}),
		R("static bool TryParse(string s, System.Globalization.NumberStyles style, IFormatProvider provider, out "+kw+" result)", func(_ F, a []V) V {
			v, ok, _ := readInteger(a[0].Str(), t, a[1].Int())
			if !ok {
				v = clr.Zero(t)
			}
			setOut(a[3], v)
			return clr.Bool(ok)
		}),
	)
	return clr.Decl{Sig: "struct System." + t.Name, Rows: rows}
}

func floatDecl(t *clr.Type, kw string) clr.Decl {
	make := func(x float64) V {
		if t == clr.Single {
			return clr.Float32(float32(x))
		}
		return clr.Float(x)
	}
	parse := func(_ F, a []V) V {
		x, ok := readFloat(text(a[0], "s"))
		if !ok {
			badNumber(a[0].Str())
		}
		return make(x)
	}
	styled := func(_ F, a []V) V {
		checkFloatStyle(a[1].Int())
		x, ok := readFloatStyle(text(a[0], "s"), a[1].Int())
		if !ok {
			badNumber(a[0].Str())
		}
		return make(x)
	}
	is := func(test func(x float64) bool) func(F, []V) V {
		return func(_ F, a []V) V { return clr.Bool(test(a[0].Float())) }
	}
	lo, hi, eps := -math.MaxFloat64, math.MaxFloat64, math.SmallestNonzeroFloat64
	if t == clr.Single {
		lo, hi, eps = -math.MaxFloat32, math.MaxFloat32, math.SmallestNonzeroFloat32
	}
	rows := append(commonNumber(kw),
		R("static "+kw+" MinValue", make(lo)), R("static "+kw+" MaxValue", make(hi)), R("static "+kw+" Epsilon", make(eps)),
		R("static "+kw+" NaN", make(math.NaN())), R("static "+kw+" PositiveInfinity", make(math.Inf(1))), R("static "+kw+" NegativeInfinity", make(math.Inf(-1))),
		P("static "+kw+" Parse(string s)", parse), R("static "+kw+" Parse(string s, IFormatProvider provider)", parse),
		P("static "+kw+" Parse(string s, System.Globalization.NumberStyles style)", styled),
		R("static "+kw+" Parse(string s, System.Globalization.NumberStyles style, IFormatProvider provider)", styled),
		R("static bool TryParse(string s, out "+kw+" result)", func(_ F, a []V) V {
			x, ok := readFloat(a[0].Str())
			setOut(a[1], make(x))
			return clr.Bool(ok)
		}),
		R("static bool TryParse(string s, System.Globalization.NumberStyles style, IFormatProvider provider, out "+kw+" result)", func(_ F, a []V) V {
			checkFloatStyle(a[1].Int())
			x, ok := readFloatStyle(a[0].Str(), a[1].Int())
			setOut(a[3], make(x))
			return clr.Bool(ok)
		}),
		P("static bool IsNaN("+kw+" d)", is(math.IsNaN)), P("static bool IsInfinity("+kw+" d)", is(func(x float64) bool { return math.IsInf(x, 0) })),
		P("static bool IsPositiveInfinity("+kw+" d)", is(func(x float64) bool { return math.IsInf(x, 1) })),
		P("static bool IsNegativeInfinity("+kw+" d)", is(func(x float64) bool { return math.IsInf(x, -1) })),
	)
	return clr.Decl{Sig: "struct System." + t.Name, Rows: rows}
}

func decimalDecl() clr.Decl {
	d := func(v V) *clr.Decimal { return v.Decimal() }
	parse := func(_ F, a []V) V { return parseDecimal(a[0], styleNumber) }
	styled := func(_ F, a []V) V { checkFloatStyle(a[1].Int()); return parseDecimal(a[0], a[1].Int()) }
	try := func(s V, style int64, out V) V {
		checkFloatStyle(style)
		x, ok, _ := readDecimalStyle(s.Str(), style)
		if !ok {
			x = clr.DecimalInt(0)
		}
		setOut(out, clr.Dec(x))
		return clr.Bool(ok)
	}
	max, _ := clr.ParseDecimal("79228162514264337593543950335")
	arith := func(op string) func(F, []V) V {
		return func(_ F, a []V) V { return clr.Arith(op, clr.DecimalT, a[0], a[1], true) }
	}
	rows := append(commonNumber("decimal"),
		R("static decimal Zero", clr.Dec(clr.DecimalInt(0))), R("static decimal One", clr.Dec(clr.DecimalInt(1))), R("static decimal MinusOne", clr.Dec(clr.DecimalInt(-1))),
		R("static decimal MaxValue", clr.Dec(max)), R("static decimal MinValue", clr.Dec(max.Neg())),
		P("static decimal Parse(string s)", parse), R("static decimal Parse(string s, IFormatProvider provider)", parse),
		P("static decimal Parse(string s, System.Globalization.NumberStyles style)", styled),
		R("static decimal Parse(string s, System.Globalization.NumberStyles style, IFormatProvider provider)", styled),
		R("static bool TryParse(string s, out decimal result)", func(_ F, a []V) V { return try(a[0], styleNumber, a[1]) }),
		R("static bool TryParse(string s, System.Globalization.NumberStyles style, IFormatProvider provider, out decimal result)", func(_ F, a []V) V {
			return try(a[0], a[1].Int(), a[3])
		}),
		P("static decimal Add(decimal d1, decimal d2)", arith("+")), P("static decimal Subtract(decimal d1, decimal d2)", arith("-")),
		P("static decimal Multiply(decimal d1, decimal d2)", arith("*")), P("static decimal Divide(decimal d1, decimal d2)", arith("/")),
		P("static decimal Remainder(decimal d1, decimal d2)", arith("%")), P("static decimal Negate(decimal d)", func(_ F, a []V) V { return clr.Dec(d(a[0]).Neg()) }),
		P("static int Compare(decimal d1, decimal d2)", func(_ F, a []V) V { return clr.Int(d(a[0]).Cmp(d(a[1]))) }),
		P("static decimal Floor(decimal d)", func(_ F, a []V) V { return clr.Dec(d(a[0]).Floor()) }),
		P("static decimal Ceiling(decimal d)", func(_ F, a []V) V { return clr.Dec(d(a[0]).Neg().Floor().Neg()) }),
		P("static decimal Truncate(decimal d)", func(_ F, a []V) V { return clr.Dec(d(a[0]).Truncate()) }),
		P("static decimal Round(decimal d)", func(_ F, a []V) V { return clr.Dec(d(a[0]).Round(0, false)) }),
		P("static decimal Round(decimal d, int decimals)", func(_ F, a []V) V { return clr.Dec(d(a[0]).Round(places(a[1]), false)) }),
		P("static decimal Round(decimal d, MidpointRounding mode)", func(_ F, a []V) V { return clr.Dec(d(a[0]).Round(0, a[1].Int() == 1)) }),
		P("static decimal Round(decimal d, int decimals, MidpointRounding mode)", func(_ F, a []V) V { return clr.Dec(d(a[0]).Round(places(a[1]), a[2].Int() == 1)) }),
		P("static int ToInt32(decimal d)", func(_ F, a []V) V { return clr.ConvertNumber(a[0], clr.DecimalT, clr.Int32, true) }),
		P("static long ToInt64(decimal d)", func(_ F, a []V) V { return clr.ConvertNumber(a[0], clr.DecimalT, clr.Int64, true) }),
		P("static double ToDouble(decimal d)", func(_ F, a []V) V { return clr.Float(d(a[0]).Float()) }),
	)
	return clr.Decl{Sig: "struct System.Decimal", Rows: append(rows, decimalParts()...)}
}

func places(v V) int {
	if v.Int() < 0 || v.Int() > 28 {
		clr.ThrowRange("decimals", "Decimal can only round to between 0 and 28 digits of precision.")
	}
	return int(v.Int())
}

func mathDecls() []clr.Decl {
	one := func(fn func(float64) float64) func(F, []V) V {
		return func(_ F, a []V) V { return clr.Float(fn(a[0].Float())) }
	}
	rows := []clr.Row{
		R("static double PI", clr.Float(math.Pi)), R("static double E", clr.Float(math.E)),
		P("static double Floor(double d)", one(math.Floor)), P("static double Ceiling(double a)", one(math.Ceil)), P("static double Truncate(double d)", one(math.Trunc)),
		P("static decimal Floor(decimal d)", func(_ F, a []V) V { return clr.Dec(a[0].Decimal().Floor()) }),
		P("static decimal Ceiling(decimal d)", func(_ F, a []V) V { return clr.Dec(a[0].Decimal().Neg().Floor().Neg()) }),
		P("static decimal Truncate(decimal d)", func(_ F, a []V) V { return clr.Dec(a[0].Decimal().Truncate()) }),
		P("static double Sqrt(double d)", one(math.Sqrt)), P("static double Exp(double d)", one(math.Exp)), P("static double Log10(double d)", one(math.Log10)),
		P("static double Log(double d)", one(math.Log)), P("static double Log(double a, double newBase)", func(_ F, a []V) V { return clr.Float(logBase(a[0].Float(), a[1].Float())) }),
		P("static double Sin(double a)", one(math.Sin)), P("static double Cos(double d)", one(math.Cos)), P("static double Tan(double a)", one(math.Tan)),
		P("static double Asin(double d)", one(math.Asin)), P("static double Acos(double d)", one(math.Acos)), P("static double Atan(double d)", one(math.Atan)),
		P("static double Sinh(double value)", one(math.Sinh)), P("static double Cosh(double value)", one(math.Cosh)), P("static double Tanh(double value)", one(math.Tanh)),
		P("static double Atan2(double y, double x)", func(_ F, a []V) V { return clr.Float(math.Atan2(a[0].Float(), a[1].Float())) }),
		P("static double Pow(double x, double y)", func(_ F, a []V) V { return clr.Float(math.Pow(a[0].Float(), a[1].Float())) }),
		P("static double IEEERemainder(double x, double y)", func(_ F, a []V) V { return clr.Float(math.Remainder(a[0].Float(), a[1].Float())) }),
		P("static double Round(double a)", one(math.RoundToEven)),
		P("static double Round(double value, int digits)", func(_ F, a []V) V { return roundDouble(a[0].Float(), a[1].Int(), false) }),
		P("static double Round(double value, MidpointRounding mode)", func(_ F, a []V) V { return roundDouble(a[0].Float(), 0, a[1].Int() == 1) }),
		P("static double Round(double value, int digits, MidpointRounding mode)", func(_ F, a []V) V { return roundDouble(a[0].Float(), a[1].Int(), a[2].Int() == 1) }),
		P("static decimal Round(decimal d)", func(_ F, a []V) V { return clr.Dec(a[0].Decimal().Round(0, false)) }),
		P("static decimal Round(decimal d, int decimals)", func(_ F, a []V) V { return clr.Dec(a[0].Decimal().Round(places(a[1]), false)) }),
		P("static decimal Round(decimal d, MidpointRounding mode)", func(_ F, a []V) V { return clr.Dec(a[0].Decimal().Round(0, a[1].Int() == 1)) }),
		P("static decimal Round(decimal d, int decimals, MidpointRounding mode)", func(_ F, a []V) V { return clr.Dec(a[0].Decimal().Round(places(a[1]), a[2].Int() == 1)) }),
		P("static long BigMul(int a, int b)", func(_ F, a []V) V { return clr.Long(a[0].Int() * a[1].Int()) }),
		R("static int DivRem(int a, int b, out int result)", func(_ F, a []V) V {
			q := clr.Arith("/", clr.Int32, a[0], a[1], false)
			setOut(a[2], clr.Arith("%", clr.Int32, a[0], a[1], false))
			return q
		}),
		R("static long DivRem(long a, long b, out long result)", func(_ F, a []V) V {
			q := clr.Arith("/", clr.Int64, a[0], a[1], false)
			setOut(a[2], clr.Arith("%", clr.Int64, a[0], a[1], false))
			return q
		}),
	}
	for _, kw := range []string{"sbyte", "byte", "short", "ushort", "int", "uint", "long", "ulong", "float", "double", "decimal"} {
		t := clr.Keyword(kw)
		rows = append(rows,
			P("static "+kw+" Max("+kw+" val1, "+kw+" val2)", func(f F, a []V) V { return pickNumber(f, t, a, 1) }),
			P("static "+kw+" Min("+kw+" val1, "+kw+" val2)", func(f F, a []V) V { return pickNumber(f, t, a, -1) }))
		if kw[0] != 'u' && kw != "byte" {
			rows = append(rows, P("static "+kw+" Abs("+kw+" value)", func(_ F, a []V) V { return absolute(t, a[0]) }), P("static int Sign("+kw+" value)", func(f F, a []V) V { return clr.Int(signOf(f, t, a[0])) }))
		}
	}
	return []clr.Decl{D("enum System.MidpointRounding { ToEven, AwayFromZero }"), D("static class System.Math", rows...), bitDecl()}
}

// logBase is the logarithm of a, which has no bases 1, 0 and infinity but that of
// 1 itself.
func logBase(a, base float64) float64 {
	if base == 1 || a != 1 && (base == 0 || math.IsInf(base, 1)) {
		return math.NaN()
	}
	return math.Log(a) / math.Log(base)
}

// pickNumber is Max, or Min for a negative sign. Not-a-number wins, and zeros
// differ in their sign.
func pickNumber(f F, t *clr.Type, a []V, sign int) V {
	if t == clr.Double || t == clr.Single {
		if math.IsNaN(a[0].Float()) {
			return a[0]
		}
		if math.IsNaN(a[1].Float()) {
			return a[1]
		}
	}
	if Compare(f, a[1], a[0])*sign > 0 || isFloat(t) && a[0].Float() == 0 && a[1].Float() == 0 && math.Signbit(a[0].Float()) == (sign > 0) {
		return a[1]
	}
	return a[0]
}

func absolute(t *clr.Type, v V) V {
	switch t {
	case clr.Double, clr.Single:
		return clr.ConvertNumber(clr.Float(math.Abs(v.Float())), clr.Double, t, false)
	case clr.DecimalT:
		if v.Decimal().Coefficient().Sign() < 0 {
			return clr.Dec(v.Decimal().Neg())
		}
		return v
	}
	n := v.Int()
	if n >= 0 {
		return v
	}
	if n == math.MinInt64 || !clr.Fits(clr.Long(-n), t) {
		clr.Throw(clr.ExOverflow, "Negating the minimum value of a twos complement number is invalid.")
	}
	return clr.Scalar(t, -n)
}

func signOf(f F, t *clr.Type, v V) int {
	if t == clr.Double || t == clr.Single {
		if math.IsNaN(v.Float()) {
			clr.Throw(clr.ExArithmetic, "Function does not accept floating point Not-a-Number values.")
		}
	}
	return Compare(f, v, clr.Zero(t))
}

func roundDouble(x float64, digits int64, away bool) V {
	if digits < 0 || digits > 15 {
		clr.ThrowRange("digits", "Rounding digits must be between 0 and 15, inclusive.")
	}
	round := math.RoundToEven
	if away {
		round = math.Round
	}
	if math.Abs(x) >= 1e16 {
		return clr.Float(x)
	}
	p := math.Pow10(int(digits))
	return clr.Float(round(x*p) / p)
}

// numericValue is the value of a digit or fraction, and -1 for others.
func numericValue(r rune) float64 {
	switch r {
	case '¼':
		return 0.25
	case '½':
		return 0.5
	case '¾':
		return 0.75
	case '²', '³':
		return float64(r - '²' + 2)
	case '¹':
		return 1
	}
	if !unicode.IsDigit(r) {
		return -1
	}
	zero := r
	for unicode.IsDigit(zero-1) && r-zero < 9 {
		zero--
	}
	return float64(r - zero)
}

// charIn is the character of the arguments (string s, int index).
func charIn(a []V) rune {
	u := units(text(a[0], "s"))
	if i := a[1].Int(); i >= 0 && i < int64(len(u)) {
		return rune(u[i])
	}
	clr.ThrowRange("index", "")
	return 0
}

// pointIn is like charIn, but a pair of surrogates counts as one character.
func pointIn(a []V) rune {
	c := charIn(a)
	u := units(a[0].Str())
	if i := int(a[1].Int()); isPair(u, i) {
		return utf16.DecodeRune(rune(u[i]), rune(u[i+1]))
	}
	return c
}

// isPair reports whether the units at i are a pair of surrogates.
func isPair(u []uint16, i int) bool {
	return i+1 < len(u) && u[i] >= 0xD800 && u[i] <= 0xDBFF && u[i+1] >= 0xDC00 && u[i+1] <= 0xDFFF
}

func joinSurrogates(hi, lo int64) V {
	if hi < 0xD800 || hi > 0xDBFF {
		clr.ThrowRange("highSurrogate", "A valid high surrogate character is between 0xd800 and 0xdbff, inclusive.")
	}
	if lo < 0xDC00 || lo > 0xDFFF {
		clr.ThrowRange("lowSurrogate", "A valid low surrogate character is between 0xdc00 and 0xdfff, inclusive.")
	}
	return clr.Int(int(0x10000 + (hi-0xD800)<<10 + lo - 0xDC00))
}

func charRows() []clr.Row {
	rows := slices.DeleteFunc(commonNumber("char"), func(r clr.Row) bool { return strings.Contains(r.Sig, "string format") })
	rows = append(rows,
		R("static char MinValue", clr.Rune16(0)), R("static char MaxValue", clr.Rune16(0xFFFF)),
		P("static string ToString(char c)", toStringRow),
		P("static char Parse(string s)", func(_ F, a []V) V {
			u := units(text(a[0], "s"))
			if len(u) != 1 {
				clr.Throw(clr.ExFormat, "String must be exactly one character long.")
			}
			return clr.Rune16(u[0])
		}),
		R("static bool TryParse(string s, out char result)", func(_ F, a []V) V {
			u := units(a[0].Str())
			if len(u) != 1 {
				setOut(a[1], clr.Rune16(0))
				return clr.Bool(false)
			}
			setOut(a[1], clr.Rune16(u[0]))
			return clr.Bool(true)
		}),
		P("static double GetNumericValue(char c)", func(_ F, a []V) V { return clr.Float(numericValue(rune(a[0].Int()))) }),
		P("static double GetNumericValue(string s, int index)", func(_ F, a []V) V { return clr.Float(numericValue(pointIn(a))) }),
		P("static string ConvertFromUtf32(int utf32)", func(_ F, a []V) V {
			n := a[0].Int()
			if n < 0 || n > unicode.MaxRune || n >= 0xD800 && n <= 0xDFFF {
				clr.ThrowRange("utf32", "A valid UTF32 value is between 0x000000 and 0x10ffff, inclusive, and should not include surrogate codepoint values (0x00d800 ~ 0x00dfff).")
			}
			return clr.String(string(rune(n)))
		}),
		P("static int ConvertToUtf32(char highSurrogate, char lowSurrogate)", func(_ F, a []V) V { return joinSurrogates(a[0].Int(), a[1].Int()) }),
		P("static int ConvertToUtf32(string s, int index)", func(_ F, a []V) V {
			c := charIn(a)
			if c < 0xD800 || c > 0xDFFF {
				return clr.Int(int(c))
			}
			u := units(a[0].Str())
			if i := int(a[1].Int()); isPair(u, i) {
				return joinSurrogates(int64(u[i]), int64(u[i+1]))
			}
			clr.ThrowArg(clr.ExArgument, "Found a surrogate char without a valid pair at index "+strconv.FormatInt(a[1].Int(), 10)+". The input should not be a lone surrogate.", "s")
			return clr.Null
		}),
		P("static bool IsSurrogatePair(char highSurrogate, char lowSurrogate)", func(_ F, a []V) V {
			return clr.Bool(isPair([]uint16{uint16(a[0].Int()), uint16(a[1].Int())}, 0))
		}),
		P("static bool IsSurrogatePair(string s, int index)", func(_ F, a []V) V {
			charIn(a)
			return clr.Bool(isPair(units(a[0].Str()), int(a[1].Int())))
		}),
	)
	for _, name := range []string{"ToUpper", "ToLower", "ToUpperInvariant", "ToLowerInvariant"} {
		fn := unicode.ToUpper
		if strings.Contains(name, "Lower") {
			fn = unicode.ToLower
		}
		rows = append(rows, P("static char "+name+"(char c)", func(_ F, a []V) V {
			return clr.Rune16(uint16(fn(rune(a[0].Int()))))
		}))
	}
	tests := map[string]func(rune) bool{
		"IsDigit": unicode.IsDigit, "IsLetter": unicode.IsLetter, "IsUpper": unicode.IsUpper, "IsLower": unicode.IsLower, "IsWhiteSpace": isSpace,
		"IsLetterOrDigit": func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }, "IsControl": unicode.IsControl,
		"IsNumber": unicode.IsNumber, "IsPunctuation": unicode.IsPunct, "IsSymbol": unicode.IsSymbol,
		"IsSeparator": func(r rune) bool { return unicode.Is(unicode.Z, r) }, "IsSurrogate": func(r rune) bool { return r >= 0xD800 && r <= 0xDFFF },
		"IsHighSurrogate": func(r rune) bool { return r >= 0xD800 && r <= 0xDBFF }, "IsLowSurrogate": func(r rune) bool { return r >= 0xDC00 && r <= 0xDFFF },
	}
	for _, name := range []string{"IsDigit", "IsLetter", "IsUpper", "IsLower", "IsWhiteSpace", "IsLetterOrDigit", "IsControl", "IsNumber", "IsPunctuation", "IsSymbol", "IsSeparator", "IsSurrogate", "IsHighSurrogate", "IsLowSurrogate"} {
		test, in := tests[name], pointIn
		if strings.Contains(name, "Surrogate") {
			in = charIn
		}
		rows = append(rows, P("static bool "+name+"(char c)", func(_ F, a []V) V { return clr.Bool(test(rune(a[0].Int()))) }),
			P("static bool "+name+"(string s, int index)", func(_ F, a []V) V { return clr.Bool(test(in(a))) }))
	}
	return rows
}

// bitDecl is BitConverter, on a little-endian machine.
func bitDecl() clr.Decl {
	rows := []clr.Row{R("static bool IsLittleEndian", clr.Bool(true))}
	get := func(a []V, n int) uint64 {
		b := bytesOf(a[0], "value")
		i := a[1].Int()
		if i < 0 || i >= int64(len(b)) {
			clr.ThrowRange("startIndex", itemMessage)
		}
		if int(i)+n > len(b) {
			clr.ThrowArg(clr.ExArgument, "Destination array is not long enough to copy all the items in the collection. Check array index and length.", "value")
		}
		var x uint64
		for k := n - 1; k >= 0; k-- {
			x = x<<8 | uint64(b[int(i)+k])
		}
		return x
	}
	for _, t := range []struct {
		kw, name string
		n        int
	}{{"short", "Int16", 2}, {"ushort", "UInt16", 2}, {"int", "Int32", 4}, {"uint", "UInt32", 4}, {"long", "Int64", 8}, {"ulong", "UInt64", 8}, {"double", "Double", 8}, {"float", "Single", 4}, {"bool", "Boolean", 1}, {"char", "Char", 2}} {
		ty := clr.Keyword(t.kw)
		rows = append(rows, R("static "+t.kw+" To"+t.name+"(byte[] value, int startIndex)", func(f F, a []V) V {
			x := get(a, t.n)
			switch ty {
			case clr.Double:
				return clr.Float(math.Float64frombits(x))
			case clr.Single:
				return clr.Float32(math.Float32frombits(uint32(x)))
			case clr.Boolean:
				return clr.Bool(x != 0)
			}
			return clr.ConvertNumber(clr.Scalar(clr.UInt64, int64(x)), clr.UInt64, ty, false)
		}), R("static byte[] GetBytes("+t.kw+" value)", func(_ F, a []V) V {
			x := a[0].Bits()
			if ty == clr.Single {
				x = uint64(math.Float32bits(float32(a[0].Float())))
			}
			b := make([]byte, t.n)
			for i := range b {
				b[i] = byte(x >> (8 * i))
			}
			return clr.Bytes(b)
		}))
	}
	dash := func(f F, b []byte) V {
		s := make([]byte, 0, len(b)*3)
		for i, c := range b {
			if i > 0 {
				s = append(s, '-')
			}
			s = append(s, "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
		}
		return f.Str(string(s))
	}
	part := func(a []V) []byte {
		b := bytesOf(a[0], "value")
		i, n := a[1].Int(), int64(len(b))-a[1].Int()
		if len(a) > 2 {
			n = a[2].Int()
		}
		switch {
		case i < 0 || i > 0 && i >= int64(len(b)):
			clr.ThrowRange("startIndex", "StartIndex cannot be less than zero.")
		case n < 0:
			clr.ThrowRange("length", "Value must be positive.")
		case i+n > int64(len(b)):
			clr.Throw(clr.ExArgument, "Destination array is not long enough to copy all the items in the collection. Check array index and length.")
		}
		return b[i : i+n]
	}
	rows = append(rows, R("static string ToString(byte[] value)", func(f F, a []V) V { return dash(f, bytesOf(a[0], "value")) }),
		R("static string ToString(byte[] value, int startIndex)", func(f F, a []V) V { return dash(f, part(a)) }),
		R("static string ToString(byte[] value, int startIndex, int length)", func(f F, a []V) V { return dash(f, part(a)) }),
		P("static long DoubleToInt64Bits(double value)", func(_ F, a []V) V { return clr.Long(int64(a[0].Bits())) }),
		P("static double Int64BitsToDouble(long value)", func(_ F, a []V) V { return clr.Float(math.Float64frombits(a[0].Bits())) }))
	return D("static class System.BitConverter", rows...)
}
