package clr

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Decimal is a System.Decimal: a coefficient below 2^96 and a scale of 0 to 28.
// Decimals are immutable.
type Decimal struct {
	c     *big.Int
	scale int
}

var (
	maxCoeff = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 96), big.NewInt(1))
	ten      = big.NewInt(10)
)

// RuntimeType is System.Decimal.
func (*Decimal) RuntimeType() *Type { return DecimalT }

// Dec makes the value of a decimal.
func Dec(d *Decimal) Value { return Object(d) }

// Decimal is the decimal inside v.
func (v Value) Decimal() *Decimal {
	if d, ok := v.o.(*Decimal); ok {
		return d
	}
	return DecimalInt(0)
}

// DecimalInt makes a decimal of an integer.
func DecimalInt(n int64) *Decimal { return &Decimal{c: big.NewInt(n)} }

// NewDecimal makes a decimal of a coefficient and scale, rounding it into range
// or throwing OverflowException.
func NewDecimal(c *big.Int, scale int) *Decimal {
	// All digits that are too many go at once: rounding twice could round up what is below a half.
	exact, digits := c, scale
	for drop := max(0, scale-28); drop > 0 && scale > 28 || scale > 0 && c.CmpAbs(maxCoeff) > 0; drop++ {
		c, scale = quoHalfEven(exact, pow10(drop)), digits-drop
	}
	if scale < 0 {
		c = new(big.Int).Mul(c, pow10(-scale))
		scale = 0
	}
	if c.CmpAbs(maxCoeff) > 0 {
		Throw(ExOverflow, "Value was either too large or too small for a Decimal.")
	}
	return &Decimal{c: c, scale: scale}
}

func pow10(n int) *big.Int { return new(big.Int).Exp(ten, big.NewInt(int64(n)), nil) }

// quoHalfEven divides, rounding halves to even.
func quoHalfEven(a, b *big.Int) *big.Int {
	q, r := new(big.Int).QuoRem(a, b, new(big.Int))
	twice := new(big.Int).Lsh(r.Abs(r), 1)
	if c := twice.CmpAbs(b); c > 0 || c == 0 && q.Bit(0) == 1 {
		one := big.NewInt(int64(a.Sign() * b.Sign()))
		q.Add(q, one)
	}
	return q
}

// ParseDecimal reads digits with an optional sign, point and exponent.
func ParseDecimal(s string) (*Decimal, bool) {
	mant, exp := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		n, err := strconv.Atoi(s[i+1:])
		if err != nil || n > 1000 || n < -1000 {
			return nil, false
		}
		mant, exp = s[:i], n
	}
	scale := 0
	if i := strings.IndexByte(mant, '.'); i >= 0 {
		scale = len(mant) - i - 1
		mant = mant[:i] + mant[i+1:]
	}
	c, ok := new(big.Int).SetString(mant, 10)
	if !ok || len(mant) > 400 {
		return nil, false
	}
	return NewDecimal(c, scale-exp), true
}

// DecimalFloat makes a decimal of a double, with its 15 significant digits.
func DecimalFloat(x float64, digits int) *Decimal {
	if math.IsNaN(x) || math.IsInf(x, 0) || math.Abs(x) > 7.9228162514264338e28 {
		Throw(ExOverflow, "Value was either too large or too small for a Decimal.")
	}
	d, _ := ParseDecimal(strconv.FormatFloat(x, 'e', digits-1, 64))
	return d.Trim()
}

// Trim drops zeros at the end of the fraction.
func (d *Decimal) Trim() *Decimal {
	c, scale := new(big.Int).Set(d.c), d.scale
	for scale > 0 {
		q, r := new(big.Int).QuoRem(c, ten, new(big.Int))
		if r.Sign() != 0 {
			break
		}
		c, scale = q, scale-1
	}
	return &Decimal{c: c, scale: scale}
}

// String has all digits of the scale.
func (d *Decimal) String() string {
	s := new(big.Int).Abs(d.c).String()
	if d.scale > 0 {
		if len(s) <= d.scale {
			s = strings.Repeat("0", d.scale-len(s)+1) + s
		}
		s = s[:len(s)-d.scale] + "." + s[len(s)-d.scale:]
	}
	if d.c.Sign() < 0 {
		s = "-" + s
	}
	return s
}

// Float is the nearest double.
func (d *Decimal) Float() float64 {
	f, _ := strconv.ParseFloat(d.String(), 64)
	return f
}

// Coefficient and Scale take a decimal apart.
func (d *Decimal) Coefficient() *big.Int { return d.c }

// Scale is the number of digits behind the point.
func (d *Decimal) Scale() int { return d.scale }

// Cmp compares by value.
func (d *Decimal) Cmp(e *Decimal) int {
	a, b, _ := align(d, e)
	return a.Cmp(b)
}

func align(d, e *Decimal) (a, b *big.Int, scale int) {
	a, b, scale = d.c, e.c, max(d.scale, e.scale)
	if d.scale < scale {
		a = new(big.Int).Mul(a, pow10(scale-d.scale))
	}
	if e.scale < scale {
		b = new(big.Int).Mul(b, pow10(scale-e.scale))
	}
	return a, b, scale
}

// Round keeps n digits behind the point. Away rounds halves away from zero,
// otherwise they go to even.
func (d *Decimal) Round(n int, away bool) *Decimal {
	if d.scale <= n {
		return d
	}
	p := pow10(d.scale - n)
	if !away {
		return &Decimal{c: quoHalfEven(d.c, p), scale: n}
	}
	half := new(big.Int).Quo(p, big.NewInt(2))
	c := new(big.Int).Abs(d.c)
	c.Quo(c.Add(c, half), p)
	if d.c.Sign() < 0 {
		c.Neg(c)
	}
	return &Decimal{c: c, scale: n}
}

// Floor rounds toward minus infinity.
func (d *Decimal) Floor() *Decimal {
	q, m := new(big.Int).DivMod(d.c, pow10(d.scale), new(big.Int))
	_ = m
	return &Decimal{c: q}
}

// Truncate drops the fraction.
func (d *Decimal) Truncate() *Decimal {
	return &Decimal{c: new(big.Int).Quo(d.c, pow10(d.scale))}
}

// Neg is -d.
func (d *Decimal) Neg() *Decimal { return &Decimal{c: new(big.Int).Neg(d.c), scale: d.scale} }

func decimalArith(op string, x, y *Decimal) Value {
	switch op {
	case "+", "-":
		a, b, scale := align(x, y)
		if op == "-" {
			b = new(big.Int).Neg(b)
		}
		return Dec(NewDecimal(new(big.Int).Add(a, b), scale))
	case "*":
		return Dec(NewDecimal(new(big.Int).Mul(x.c, y.c), x.scale+y.scale))
	case "/":
		if y.c.Sign() == 0 {
			Throw(ExDivideByZero, "Attempted to divide by zero.")
		}
		return Dec(divide(x, y))
	case "%":
		if y.c.Sign() == 0 {
			Throw(ExDivideByZero, "Attempted to divide by zero.")
		}
		a, b, scale := align(x, y)
		return Dec(&Decimal{c: new(big.Int).Rem(a, b), scale: scale})
	}
	return compare(op, x.Cmp(y))
}

// divide gives up to 28 digits behind the point and no more than are needed.
func divide(x, y *Decimal) *Decimal {
	natural := max(x.scale-y.scale, 0)
	q, r := new(big.Int).QuoRem(new(big.Int).Mul(x.c, pow10(29+y.scale)), y.c, new(big.Int))
	q.Mul(q, ten)
	if r.Sign() != 0 { // one more digit stands for all that follow, so that rounding sees them
		q.Add(q, big.NewInt(int64(x.c.Sign()*y.c.Sign())))
	}
	d := NewDecimal(q, x.scale+30)
	for d.scale > natural {
		q, r := new(big.Int).QuoRem(d.c, ten, new(big.Int))
		if r.Sign() != 0 {
			break
		}
		d = &Decimal{c: q, scale: d.scale - 1}
	}
	return d
}
