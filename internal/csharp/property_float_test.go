package csharp_test

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// drawFloat invents doubles of every kind: whole, short, any bits, special.
func drawFloat(t *rapid.T, label string) float64 {
	switch rapid.IntRange(0, 4).Draw(t, label+" kind") {
	case 0:
		return float64(rapid.Int64().Draw(t, label))
	case 1:
		return float64(rapid.Int32().Draw(t, label)) / math.Pow(10, float64(rapid.IntRange(0, 12).Draw(t, label+" scale")))
	case 2:
		return math.Float64frombits(rapid.Uint64().Draw(t, label))
	case 3:
		return rapid.SampledFrom([]float64{
			0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64,
			0.1, 1e15, 1e14, 999999999999999, 1e-4, 1e-5, 123456789012345680, 0.5, 2.5,
		}).Draw(t, label)
	}
	return rapid.Float64().Draw(t, label)
}

// roundTrip is how .NET prints a double or float by default: the fewest digits
// that read back, with an exponent where the point is behind more than 15 digits
// (7 for float) and all that there are, or five places before them.
func roundTrip(x float64, bits int) string {
	switch {
	case math.IsNaN(x):
		return "NaN"
	case math.IsInf(x, 1):
		return "Infinity"
	case math.IsInf(x, -1):
		return "-Infinity"
	}
	mant, exp, _ := strings.Cut(strconv.FormatFloat(x, 'e', -1, bits), "e")
	e, _ := strconv.Atoi(exp)
	most := 15
	if bits == 32 {
		most = 7
	}
	if e >= -4 && e < max(most, len(strings.NewReplacer("-", "", ".", "").Replace(mant))) {
		return strconv.FormatFloat(x, 'f', -1, bits)
	}
	sign := "+"
	if e < 0 {
		sign = "-"
	}
	return fmt.Sprintf("%sE%s%02d", mant, sign, max(e, -e))
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestProperty_DoubleTexts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := drawFloat(t, "x")
		values, decls := in{"x": float(x)}, take("double x")
		want := roundTrip(x, 64)
		same(t, "{ "+decls+"return x.ToString(); }", values, want)
		same(t, "{ "+decls+"return $\"{x}{x:R}\" + x; }", values, want+want+want)
		for _, parse := range []string{"double.Parse(x.ToString())", "double.Parse(x.ToString(\"R\"))", "double.Parse(x.ToString(\"G17\"))", "double.Parse(x.ToString(\"E16\"))", "Convert.ToDouble(x.ToString())"} {
			same(t, "{ "+decls+"return BitConverter.DoubleToInt64Bits("+parse+") == BitConverter.DoubleToInt64Bits(x) || double.IsNaN(x); }", values, "True")
		}
		same(t, "{ "+decls+"return BitConverter.ToDouble(BitConverter.GetBytes(x), 0).Equals(x) && BitConverter.Int64BitsToDouble(BitConverter.DoubleToInt64Bits(x)).Equals(x); }", values, "True")
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return
		}
		n := rapid.IntRange(0, 20).Draw(t, "digits")
		mant, exp, _ := strings.Cut(strconv.FormatFloat(x, 'e', n, 64), "e")
		e, _ := strconv.Atoi(exp)
		same(t, fmt.Sprintf("{ %sreturn x.ToString(\"E%d\"); }", decls, n), values, fmt.Sprintf("%sE%+04d", mant, e))
		if math.Abs(x) < 1e15 {
			fixed := strconv.FormatFloat(x, 'f', n, 64)
			same(t, fmt.Sprintf("{ %sreturn x.ToString(\"F%d\"); }", decls, n), values, fixed)
			whole, frac, point := strings.Cut(strings.TrimPrefix(fixed, "-"), ".")
			grouped := fixed[:btoi(fixed[0] == '-')] + grouped(whole) + map[bool]string{true: "." + frac}[point]
			same(t, fmt.Sprintf("{ %sreturn x.ToString(\"N%d\"); }", decls, n), values, grouped)
		}
	})
}

func TestProperty_FloatTexts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := float32(drawFloat(t, "x"))
		values, decls := in{"x": clr.Float32(x)}, take("float x")
		same(t, "{ "+decls+"return x.ToString(); }", values, roundTrip(float64(x), 32))
		same(t, "{ "+decls+"return float.Parse(x.ToString()).Equals(x) && float.Parse(x.ToString(\"R\")).Equals(x) && float.Parse(x.ToString(\"G9\")).Equals(x); }", values, "True")
		same(t, "{ "+decls+"return ((float)(double)x).Equals(x) && BitConverter.ToSingle(BitConverter.GetBytes(x), 0).Equals(x); }", values, "True")
	})
}

func TestProperty_DoubleArithmetic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawFloat(t, "x"), drawFloat(t, "y")
		values, decls := in{"x": float(x), "y": float(y)}, take("double x", "double y")
		for op, want := range map[string]float64{"+": x + y, "-": x - y, "*": x * y, "/": x / y, "%": math.Mod(x, y)} {
			same(t, "{ "+decls+"return checked(x "+op+" y); }", values, roundTrip(want, 64))
		}
		for op, want := range map[string]bool{"<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y, "==": x == y, "!=": x != y} {
			same(t, "{ "+decls+"return x "+op+" y; }", values, boolText(want))
			same(t, "{ "+decls+"while (x "+op+" y) { return true; } return !(x "+op+" y) ? false : true; }", values, boolText(want))
		}
		fx, fy := float32(x), float32(y)
		floats := in{"x": clr.Float32(fx), "y": clr.Float32(fy)}
		for op, want := range map[string]float32{"+": fx + fy, "-": fx - fy, "*": fx * fy, "/": fx / fy} {
			same(t, "{ "+take("float x", "float y")+"return x "+op+" y; }", floats, roundTrip(float64(want), 32))
		}
		for fn, want := range map[string]float64{"Floor": math.Floor(x), "Ceiling": math.Ceil(x), "Truncate": math.Trunc(x), "Abs": math.Abs(x), "Sqrt": math.Sqrt(x), "Round": math.RoundToEven(x)} {
			same(t, "{ "+decls+"return Math."+fn+"(x); }", values, roundTrip(want, 64))
		}
	})
}

// drawDecimal invents a decimal and gives it as source text, with its value.
func drawDecimal(t *rapid.T, label string) (string, *big.Rat) {
	coeff := new(big.Int)
	switch rapid.IntRange(0, 3).Draw(t, label+" kind") {
	case 0:
		coeff.SetInt64(int64(rapid.IntRange(-1000, 1000).Draw(t, label)))
	case 1:
		coeff.SetInt64(rapid.Int64().Draw(t, label))
	default:
		hi := rapid.Uint32().Draw(t, label+" high")
		coeff.SetUint64(rapid.Uint64().Draw(t, label))
		coeff.Or(coeff, new(big.Int).Lsh(new(big.Int).SetUint64(uint64(hi)), 64))
		if rapid.Bool().Draw(t, label+" negative") {
			coeff.Neg(coeff)
		}
	}
	scale := rapid.IntRange(0, 28).Draw(t, label+" scale")
	return placePoint(coeff, scale), new(big.Rat).SetFrac(coeff, power(scale))
}

func power(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// placePoint writes a coefficient with scale digits behind the point.
func placePoint(coeff *big.Int, scale int) string {
	s := new(big.Int).Abs(coeff).String()
	if scale > 0 {
		s = strings.Repeat("0", max(0, scale+1-len(s))) + s
		s = s[:len(s)-scale] + "." + s[len(s)-scale:]
	}
	if coeff.Sign() < 0 {
		s = "-" + s
	}
	return s
}

var decimalMax = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 96), big.NewInt(1))

// nearestDecimal is an exact value rounded once, half to even, to as many digits
// as a decimal has room for and no more than scale behind the point; ok is false
// when it is out of range.
func nearestDecimal(exact *big.Rat, scale int) (coeff *big.Int, at int, ok bool) {
	for at = min(scale, 28); at >= 0; at-- {
		scaled := new(big.Rat).Mul(exact, new(big.Rat).SetInt(power(at)))
		coeff = roundHalfEven(scaled)
		if coeff.CmpAbs(decimalMax) <= 0 {
			return coeff, at, true
		}
	}
	return nil, 0, false
}

func roundHalfEven(x *big.Rat) *big.Int {
	twice := new(big.Int).Mul(x.Num(), big.NewInt(2))
	twice.Add(twice, x.Denom())
	q, m := new(big.Int).DivMod(twice, new(big.Int).Mul(x.Denom(), big.NewInt(2)), new(big.Int))
	if m.Sign() == 0 && q.Bit(0) == 1 {
		q.Sub(q, big.NewInt(1))
	}
	return q
}

func scaleOf(s string) int {
	if i := strings.IndexByte(s, '.'); i >= 0 {
		return len(s) - i - 1
	}
	return 0
}

const decimalOverflow = "OverflowException: Value was either too large or too small for a Decimal."

func TestProperty_DecimalArithmetic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sx, x := drawDecimal(t, "x")
		sy, y := drawDecimal(t, "y")
		values, decls := in{"x": str(sx), "y": str(sy)}, "{ "+take("string x", "string y")+"decimal a = decimal.Parse(x), b = decimal.Parse(y); "
		for op, c := range map[string]struct {
			exact *big.Rat
			scale int
		}{
			"+": {new(big.Rat).Add(x, y), max(scaleOf(sx), scaleOf(sy))},
			"-": {new(big.Rat).Sub(x, y), max(scaleOf(sx), scaleOf(sy))},
			"*": {new(big.Rat).Mul(x, y), scaleOf(sx) + scaleOf(sy)},
		} {
			want := decimalOverflow
			if coeff, at, ok := nearestDecimal(c.exact, c.scale); ok {
				want = unsignedZero(placePoint(coeff, at))
			}
			if got := unsignedZero(run(t, decls+"return a "+op+" b; }", values)); got != want {
				t.Fatalf("%s %s %s gave %s, want %s", sx, op, sy, got, want)
			}
		}
		c := x.Cmp(y)
		for op, want := range map[string]bool{"<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0, "==": c == 0, "!=": c != 0} {
			same(t, decls+"return a "+op+" b; }", values, boolText(want))
		}
		same(t, decls+"return a.GetHashCode() == b.GetHashCode() || a != b; }", values, "True")
		same(t, decls+"return new HashSet<decimal> { a, b }.Count; }", values, map[bool]string{true: "1", false: "2"}[c == 0])
	})
}

// unsignedZero drops the sign of a zero: whether one has it is not said anywhere.
func unsignedZero(s string) string {
	if strings.Trim(s, "-0.") == "" {
		return strings.TrimPrefix(s, "-")
	}
	return s
}

func TestProperty_DecimalDivision(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sx, x := drawDecimal(t, "x")
		sy, y := drawDecimal(t, "y")
		if y.Sign() == 0 {
			return
		}
		values, decls := in{"x": str(sx), "y": str(sy)}, "{ "+take("string x", "string y")+"decimal a = decimal.Parse(x), b = decimal.Parse(y); "
		got := run(t, decls+"return a / b; }", values)
		coeff, at, ok := nearestDecimal(new(big.Rat).Quo(x, y), 28)
		if !ok {
			if got != decimalOverflow {
				t.Fatalf("%s / %s gave %s, want %s", sx, sy, got, decimalOverflow)
			}
			return
		}
		want := new(big.Rat).SetFrac(coeff, power(at))
		if r, isNumber := new(big.Rat).SetString(got); !isNumber || r.Cmp(want) != 0 {
			t.Fatalf("%s / %s gave %s, want %s", sx, sy, got, placePoint(coeff, at))
		}
		// a == (a / b) * b + rest does not hold for rounded quotients, but for whole ones it must.
		whole := new(big.Int).Quo(new(big.Int).Mul(x.Num(), y.Denom()), new(big.Int).Mul(x.Denom(), y.Num()))
		rest := new(big.Rat).Sub(x, new(big.Rat).Mul(new(big.Rat).SetInt(whole), y))
		if r, isNumber := new(big.Rat).SetString(run(t, decls+"return a % b; }", values)); !isNumber || r.Cmp(rest) != 0 {
			t.Fatalf("%s %% %s gave %v, want %s", sx, sy, r, rest.FloatString(28))
		}
	})
}

func TestProperty_DecimalTexts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, x := drawDecimal(t, "x")
		values, decls := in{"s": str(s)}, "{ "+take("string s")+"var d = decimal.Parse(s); "
		want := unsignedZero(s)
		if got := unsignedZero(run(t, decls+"return d.ToString(); }", values)); got != want {
			t.Fatalf("%s is printed as %s", s, got)
		}
		same(t, decls+"return decimal.Parse(d.ToString()) == d && Convert.ToDecimal(s) == d && decimal.Parse(d.ToString(\"G\")) == d && decimal.Parse(d.ToString(\"N28\")) == d; }", values, "True")
		for fn, want := range map[string]*big.Int{
			"decimal.Floor(d)":    floor(x),
			"decimal.Ceiling(d)":  new(big.Int).Neg(floor(new(big.Rat).Neg(x))),
			"decimal.Truncate(d)": new(big.Int).Quo(x.Num(), x.Denom()),
			"Math.Round(d)":       roundHalfEven(x),
			"Math.Round(d, MidpointRounding.AwayFromZero)": awayFromZero(x),
		} {
			if got := unsignedZero(run(t, decls+"return "+fn+"; }", values)); got != want.String() {
				t.Fatalf("%s of %s gave %s, want %s", fn, s, got, want)
			}
		}
		n := rapid.IntRange(0, 28).Draw(t, "digits")
		rounded := new(big.Rat).SetFrac(roundHalfEven(new(big.Rat).Mul(x, new(big.Rat).SetInt(power(n)))), power(n))
		values["n"] = clr.Int(n)
		if got, _ := new(big.Rat).SetString(run(t, decls+take("int n")+"return Math.Round(d, n); }", values)); got == nil || got.Cmp(rounded) != 0 {
			t.Fatalf("Math.Round(%s, %d) gave %v, want %s", s, n, got, rounded.FloatString(n))
		}
		// ToString rounds halves away from zero, on the digits of the value.
		fixed := awayFromZero(new(big.Rat).Mul(x, new(big.Rat).SetInt(power(n))))
		text := placePoint(fixed, n)
		if got := unsignedZero(run(t, decls+take("int n")+"return d.ToString(\"F\" + n); }", values)); got != unsignedZero(text) {
			t.Fatalf("(%s).ToString(\"F%d\") gave %s, want %s", s, n, got, text)
		}
		f, _ := x.Float64()
		same(t, decls+"return (double)d; }", values, strings.Replace(roundTrip(f, 64), "-0", "-0", 1))
	})
}

func floor(x *big.Rat) *big.Int {
	q, _ := new(big.Int).DivMod(x.Num(), x.Denom(), new(big.Int))
	return q
}

func awayFromZero(x *big.Rat) *big.Int {
	half := new(big.Rat).Add(new(big.Rat).Abs(x), big.NewRat(1, 2))
	q := floor(half)
	if x.Sign() < 0 {
		q.Neg(q)
	}
	return q
}

func TestProperty_DecimalConversions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, x := drawDecimal(t, "x")
		of := rapid.SampledFrom(integers).Draw(t, "type")
		values, decls := in{"s": str(s)}, "{ "+take("string s")+"var d = decimal.Parse(s); "
		whole := new(big.Int).Quo(x.Num(), x.Denom())
		want := whole.String()
		if !of.fits(whole) {
			want = "OverflowException"
		}
		if got := kindOf(run(t, decls+"return ("+of.name+")d; }", values)); got != want {
			t.Fatalf("(%s)%sm gave %s, want %s", of.name, s, got, want)
		}
		rounded := roundHalfEven(x)
		want = rounded.String()
		if !of.fits(rounded) {
			want = "OverflowException"
		}
		if got := kindOf(run(t, decls+"return Convert.To"+of.t.Name+"(d); }", values)); got != want {
			t.Fatalf("Convert.To%s(%sm) gave %s, want %s", of.t.Name, s, got, want)
		}
		n := of.draw(t, "n")
		same(t, "{ "+take(of.name+" n")+"decimal d = n; return ("+of.name+")d == n ? d.ToString() : \"lost\"; }", in{"n": of.value(n)}, n.String())
	})
}
