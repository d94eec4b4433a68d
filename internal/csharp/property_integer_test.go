package csharp_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// promoted is the type in which C# calculates with two integer types, nil where
// it refuses to.
func promoted(x, y *integer) *integer {
	either := func(i *integer) bool { return x == i || y == i }
	switch {
	case either(typeULong):
		if x.signed || y.signed {
			return nil
		}
		return typeULong
	case either(typeLong):
		return typeLong
	case either(typeUInt):
		if x.signed || y.signed {
			return typeLong
		}
		return typeUInt
	}
	return typeInt
}

// expected is the result of a calculation in a type.
func expected(i *integer, exact *big.Int, checked bool) string {
	if !i.fits(exact) {
		if checked {
			return overflowText
		}
		exact = i.wrap(exact)
	}
	return exact.String()
}

func contextWord(checked bool) string {
	if checked {
		return "checked"
	}
	return "unchecked"
}

func TestProperty_IntegerArithmetic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tx, ty := rapid.SampledFrom(integersAndChar).Draw(t, "left type"), rapid.SampledFrom(integersAndChar).Draw(t, "right type")
		op, checked := rapid.SampledFrom([]string{"+", "-", "*"}).Draw(t, "operator"), rapid.Bool().Draw(t, "checked")
		of := promoted(tx, ty)
		if of == nil {
			return
		}
		x, y := tx.draw(t, "x"), ty.draw(t, "y")
		exact := map[string]func(x, y *big.Int) *big.Int{"+": new(big.Int).Add, "-": new(big.Int).Sub, "*": new(big.Int).Mul}[op](x, y)
		want := expected(of, exact, checked)
		values := in{"x": tx.value(x), "y": ty.value(y)}
		decls := take(tx.name+" x", ty.name+" y")
		same(t, fmt.Sprintf("{ %sreturn %s(x %s y); }", decls, contextWord(checked), op), values, want)
		same(t, fmt.Sprintf("{ %s%s { var r = x %s y; return r; } }", decls, contextWord(checked), op), values, want)
		same(t, fmt.Sprintf("{ %sreturn (x %s y).GetType() == typeof(%s); }", decls, "^", of.name), values, "True")
		if !checked { // the default
			same(t, fmt.Sprintf("{ %sreturn x %s y; }", decls, op), values, want)
		}
	})
}

func TestProperty_IntegerDivision(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		of := rapid.SampledFrom(calculated).Draw(t, "type")
		op, checked := rapid.SampledFrom([]string{"/", "%"}).Draw(t, "operator"), rapid.Bool().Draw(t, "checked")
		x, y := of.draw(t, "x"), of.draw(t, "y")
		var want string
		switch {
		case y.Sign() == 0:
			want = "DivideByZeroException: Attempted to divide by zero."
		case x.Cmp(of.min) == 0 && of.signed && y.Cmp(big.NewInt(-1)) == 0:
			want = overflowText // in both contexts
		case op == "/":
			want = new(big.Int).Quo(x, y).String()
		default:
			want = new(big.Int).Rem(x, y).String()
		}
		src := fmt.Sprintf("{ %sreturn %s(x %s y); }", take(of.name+" x", of.name+" y"), contextWord(checked), op)
		same(t, src, in{"x": of.value(x), "y": of.value(y)}, want)
	})
}

func TestProperty_IntegerBitsAndShifts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		of := rapid.SampledFrom(calculated).Draw(t, "type")
		x, y := of.draw(t, "x"), of.draw(t, "y")
		n := rapid.IntRange(-100, 100).Draw(t, "count")
		decls := take(of.name+" x", of.name+" y", "int n")
		values := in{"x": of.value(x), "y": of.value(y), "n": typeInt.value(big.NewInt(int64(n)))}
		bits := uint(n & (of.bits - 1))
		checked := contextWord(rapid.Bool().Draw(t, "checked"))
		for expr, want := range map[string]*big.Int{
			"x & y":  new(big.Int).And(x, y),
			"x | y":  new(big.Int).Or(x, y),
			"x ^ y":  new(big.Int).Xor(x, y),
			"~x":     of.wrap(new(big.Int).Not(x)),
			"x << n": of.wrap(new(big.Int).Lsh(x, bits)),
			"x >> n": new(big.Int).Rsh(x, bits),
		} {
			same(t, fmt.Sprintf("{ %sreturn %s(%s); }", decls, checked, expr), values, want.String())
		}
		c := x.Cmp(y)
		for op, want := range map[string]bool{"<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0, "==": c == 0, "!=": c != 0} {
			same(t, fmt.Sprintf("{ %sreturn x %s y; }", decls, op), values, boolText(want))
			same(t, fmt.Sprintf("{ %sif (x %s y) return true; return false; }", decls, op), values, boolText(want))
		}
	})
}

func boolText(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

func TestProperty_IntegerUnary(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		of := rapid.SampledFrom(integersAndChar).Draw(t, "type")
		checked := rapid.Bool().Draw(t, "checked")
		x := of.draw(t, "x")
		decls, values, word := take(of.name+" x"), in{"x": of.value(x)}, contextWord(checked)
		if of != typeULong { // which has no unary minus
			to := typeInt
			if of == typeUInt || of == typeLong {
				to = typeLong
			}
			want := expected(to, new(big.Int).Neg(x), checked)
			same(t, fmt.Sprintf("{ %sreturn %s(-x); }", decls, word), values, want)
		}
		for op, by := range map[string]int64{"++": 1, "--": -1} {
			want := expected(of, new(big.Int).Add(x, big.NewInt(by)), checked)
			if of == typeChar && want != overflowText {
				same(t, fmt.Sprintf("{ %s%s { x%s; } return (int)x; }", decls, word, op), values, want)
				continue
			}
			same(t, fmt.Sprintf("{ %s%s { x%s; } return x; }", decls, word, op), values, want)
			same(t, fmt.Sprintf("{ %s%s { return %sx; } }", decls, word, op), values, want)
			same(t, fmt.Sprintf("{ %sx += %s((%s)(x%s)); return %s; }", decls, "unchecked", of.name, op, "0"), values, "0")
		}
	})
}

// Compound assignment to a small type converts back without a check of its own:
// in a checked context the conversion is checked as well.
func TestProperty_CompoundAssignment(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		of, checked := rapid.SampledFrom(integers).Draw(t, "type"), rapid.Bool().Draw(t, "checked")
		op := rapid.SampledFrom([]string{"+", "-", "*"}).Draw(t, "operator")
		x, y := of.draw(t, "x"), of.draw(t, "y")
		exact := map[string]func(x, y *big.Int) *big.Int{"+": new(big.Int).Add, "-": new(big.Int).Sub, "*": new(big.Int).Mul}[op](x, y)
		values := in{"x": of.value(x), "y": of.value(y)}
		want := expected(of, exact, checked)
		same(t, fmt.Sprintf("{ %s%s { x %s= y; } return x; }", take(of.name+" x", of.name+" y"), contextWord(checked), op), values, want)
		same(t, fmt.Sprintf("{ %svar a = new[] { x }; %s { a[0] %s= y; } return a[0]; }", take(of.name+" x", of.name+" y"), contextWord(checked), op), values, want)
	})
}

func TestProperty_IntegerConversions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from, to := rapid.SampledFrom(integersAndChar).Draw(t, "from"), rapid.SampledFrom(integersAndChar).Draw(t, "to")
		checked := rapid.Bool().Draw(t, "checked")
		x := from.draw(t, "x")
		values, want := in{"x": from.value(x)}, expected(to, x, checked)
		cast := fmt.Sprintf("%s((%s)x)", contextWord(checked), to.name)
		if to == typeChar {
			cast = "(int)" + cast
		}
		same(t, fmt.Sprintf("{ %sreturn %s; }", take(from.name+" x"), cast), values, want)
		// Through a nullable it is the same.
		same(t, fmt.Sprintf("{ %s%s? y = x; return (long?)%s((%s?)y) == null; }", take(from.name+" x"), from.name, contextWord(checked), to.name), values,
			map[bool]string{true: overflowText, false: "False"}[want == overflowText])
		if to != typeChar && from != typeChar && from.fits(to.min) && from.fits(to.max) {
			want := x.String()
			if !to.fits(x) {
				want = "OverflowException"
			}
			if got := kindOf(run(t, fmt.Sprintf("{ %sreturn Convert.To%s(x); }", take(from.name+" x"), to.t.Name), values)); got != want {
				t.Fatalf("Convert.To%s(%s %s) gave %s, want %s", to.t.Name, from.name, x, got, want)
			}
		}
	})
}

func TestProperty_FloatToInteger(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		to := rapid.SampledFrom(integers).Draw(t, "to")
		var x float64
		if rapid.Bool().Draw(t, "near") {
			edge := rapid.SampledFrom([]*big.Int{to.min, to.max, new(big.Int)}).Draw(t, "edge")
			x, _ = new(big.Float).SetInt(edge).Float64()
			x += rapid.SampledFrom([]float64{-2, -1, -0.5, 0, 0.5, 1, 2}).Draw(t, "beside")
		} else {
			x = rapid.Float64().Draw(t, "x")
		}
		exact, _ := big.NewFloat(x).Int(nil)
		want := overflowText
		if to.fits(exact) {
			want = exact.String()
		}
		same(t, fmt.Sprintf("{ %sreturn checked((%s)x); }", take("double x"), to.name), in{"x": float(x)}, want)
		if want != overflowText {
			same(t, fmt.Sprintf("{ %sreturn unchecked((%s)x); }", take("double x"), to.name), in{"x": float(x)}, want)
		}
	})
}

func TestProperty_IntegerTexts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		of := rapid.SampledFrom(integers).Draw(t, "type")
		x := of.draw(t, "x")
		values, decls := in{"x": of.value(x)}, take(of.name+" x")
		same(t, "{ "+decls+"return x.ToString(); }", values, x.String())
		same(t, "{ "+decls+"return $\"{x}\" + x; }", values, x.String()+x.String())
		width := rapid.IntRange(0, 25).Draw(t, "width")
		digits := new(big.Int).Abs(x).String()
		sign := x.String()[:len(x.String())-len(digits)]
		same(t, fmt.Sprintf("{ %sreturn x.ToString(\"D%d\"); }", decls, width), values, sign+strings.Repeat("0", max(0, width-len(digits)))+digits)
		hex := fmt.Sprintf("%X", new(big.Int).Mod(x, new(big.Int).Lsh(big.NewInt(1), uint(of.bits))))
		same(t, fmt.Sprintf("{ %sreturn x.ToString(\"X%d\"); }", decls, width), values, strings.Repeat("0", max(0, width-len(hex)))+hex)
		same(t, fmt.Sprintf("{ %sreturn x.ToString(\"x\") + $\"{x:x}\"; }", decls), values, strings.ToLower(hex+hex))
		same(t, fmt.Sprintf("{ %sreturn x.ToString(\"N0\"); }", decls), values, sign+grouped(digits))
		for _, format := range []string{"", "D", "G", "R", "F0", "D12", "N0", "0", "#,0", "E20", "C0"} {
			parse := fmt.Sprintf("%s.Parse(x.ToString(\"%s\"), System.Globalization.NumberStyles.Any)", of.name, format)
			if format == "R" || format == "C0" {
				continue // R is for floating point, the invariant currency sign is read as such
			}
			same(t, fmt.Sprintf("{ %sreturn %s; }", decls, parse), values, x.String())
		}
		same(t, fmt.Sprintf("{ %sreturn %s.Parse(\" \\t\" + x + \" \"); }", decls, of.name), values, x.String())
		same(t, fmt.Sprintf("{ %s%s y; return %s.TryParse(x.ToString(), out y) && x == y; }", decls, of.name, of.name), values, "True")
		same(t, fmt.Sprintf("{ %sreturn %s.Parse(x.ToString(\"X\"), System.Globalization.NumberStyles.HexNumber); }", decls, of.name), values, x.String())
		if of != typeSByte {
			same(t, fmt.Sprintf("{ %sreturn Convert.To%s(x.ToString(\"X\"), 16) == x && Convert.To%s(x.ToString()) == x; }", decls, of.t.Name, of.t.Name), values, "True")
		}
	})
}

// grouped puts commas between groups of three digits.
func grouped(digits string) string {
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// A number outside of a type is an overflow, whatever else is wrong a bad
// format.
func TestProperty_IntegerParseRange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		of := rapid.SampledFrom(integers).Draw(t, "type")
		n := typeLong.draw(t, "n")
		if rapid.Bool().Draw(t, "far") {
			n = new(big.Int).Mul(n, typeULong.draw(t, "factor"))
		}
		want := n.String()
		if !of.fits(n) {
			want = "OverflowException"
		}
		src := fmt.Sprintf("{ %sreturn %s.Parse(s); }", take("string s"), of.name)
		if got := kindOf(run(t, src, in{"s": str(n.String())})); got != want {
			t.Fatalf("%s.Parse(%q) gave %s, want %s", of.name, n.String(), got, want)
		}
		bad := n.String() + rapid.SampledFrom([]string{"x", " 1", "-", ".5", "e", "\u00a0", ",0"}).Draw(t, "tail")
		if got := kindOf(run(t, src, in{"s": str(bad)})); got != "FormatException" {
			t.Fatalf("%s.Parse(%q) gave %s, want FormatException", of.name, bad, got)
		}
	})
}
