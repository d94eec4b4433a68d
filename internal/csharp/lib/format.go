package lib

import (
	"math"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// scalarText is ToString() of a value whose type is its tag.
func scalarText(t *clr.Type, v V) string {
	switch t.Code {
	case clr.CodeBoolean:
		if v.Bool() {
			return "True"
		}
		return "False"
	case clr.CodeChar:
		return unit(uint16(v.Int()))
	case clr.CodeUInt64:
		return strconv.FormatUint(v.Bits(), 10)
	case clr.CodeDouble:
		return floatText(v.Float(), 64)
	case clr.CodeSingle:
		return floatText(v.Float(), 32)
	}
	switch {
	case t == clr.DateTime:
		return formatDate(dateOf(v), "G")
	case t == clr.TimeSpan:
		return formatSpan(v.Int(), "c")
	case t.Kind == clr.Enum:
		return enumText(t, v.Int())
	}
	return strconv.FormatInt(v.Int(), 10)
}

// scalarFormat is ToString(format) of such a value.
func scalarFormat(t *clr.Type, v V, format string) string {
	switch {
	case t == clr.DateTime:
		return formatDate(dateOf(v), format)
	case t == clr.TimeSpan:
		return formatSpan(v.Int(), format)
	case t.Kind == clr.Enum:
		return formatEnum(t, v.Int(), format)
	case t.Code == clr.CodeBoolean || t.Code == clr.CodeChar:
		return scalarText(t, v)
	case t.Code == clr.CodeDouble || t.Code == clr.CodeSingle:
		return formatFloat(v.Float(), t.Code == clr.CodeSingle, format)
	}
	return formatInt(t, v, format)
}

// floatText is the shortest text that reads back as x.
func floatText(x float64, bits int) string {
	switch {
	case math.IsNaN(x):
		return "NaN"
	case math.IsInf(x, 1):
		return "Infinity"
	case math.IsInf(x, -1):
		return "-Infinity"
	case x == 0 && math.Signbit(x):
		return "-0"
	}
	s := strconv.FormatFloat(x, 'e', -1, bits)
	i := strings.IndexByte(s, 'e')
	exp, _ := strconv.Atoi(s[i+1:])
	most := max(15, significant(s[:i]))
	if bits == 32 {
		most = max(7, significant(s[:i]))
	}
	if exp > -5 && exp < most {
		return strconv.FormatFloat(x, 'f', -1, bits)
	}
	return s[:i] + "E" + expText(exp, 2)
}

// significant counts the digits of a mantissa.
func significant(s string) int {
	n := len(s)
	for _, c := range "-." {
		n -= strings.Count(s, string(c))
	}
	return n
}

func expText(exp, digits int) string {
	sign := "+"
	if exp < 0 {
		sign, exp = "-", -exp
	}
	s := strconv.Itoa(exp)
	for len(s) < digits {
		s = "0" + s
	}
	return sign + s
}

// number is a decimal number: 0.digits × 10^point.
type number struct {
	neg    bool
	digits string // without zeros at either end; "" is zero
	point  int
	float  bool // a negative zero keeps its sign
}

func numberOf(s string) number {
	var n number
	if strings.HasPrefix(s, "-") {
		n.neg, s = true, s[1:]
	}
	exp := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		exp, _ = strconv.Atoi(s[i+1:])
		s = s[:i]
	}
	n.point = len(s)
	if i := strings.IndexByte(s, '.'); i >= 0 {
		n.point = i
		s = s[:i] + s[i+1:]
	}
	trimmed := strings.TrimLeft(s, "0")
	n.point += exp - (len(s) - len(trimmed))
	n.digits = strings.TrimRight(trimmed, "0")
	if n.digits == "" {
		n.point = 0
	}
	return n
}

// round keeps the digits before place (counted from the point), halves away
// from zero.
func (n number) round(places int) number {
	keep := n.point + places
	if keep >= len(n.digits) {
		return n
	}
	if keep < 0 {
		return number{neg: n.neg, float: n.float}
	}
	up := n.digits[keep] >= '5'
	d := []byte(n.digits[:keep])
	if up {
		i := len(d) - 1
		for i >= 0 && d[i] == '9' {
			d[i] = '0'
			i--
		}
		if i >= 0 {
			d[i]++
		} else {
			d = append([]byte{'1'}, d...)
			n.point++
		}
	}
	n.digits = strings.TrimRight(string(d), "0")
	if n.digits == "" {
		n.point = 0
	}
	return n
}

// fixed are the digits before the point and exactly places behind it.
func (n number) fixed(places int) (whole, frac string) {
	n = n.round(places)
	if n.point <= 0 {
		whole = "0"
		frac = strings.Repeat("0", min(-n.point, places)) + n.digits
	} else {
		whole = n.digits
		if len(whole) < n.point {
			whole += strings.Repeat("0", n.point-len(whole))
		}
		whole, frac = whole[:n.point], whole[n.point:]
	}
	if len(frac) < places {
		frac += strings.Repeat("0", places-len(frac))
	}
	return whole, frac[:places]
}

func group(s string) string {
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// standard splits a standard format into its letter and precision; ok is false
// for custom formats.
func standard(format string) (letter byte, prec int, ok bool) {
	c := format[0]
	if c|0x20 < 'a' || c|0x20 > 'z' || len(format) > 4 {
		return 0, 0, false
	}
	if len(format) == 1 {
		return c, -1, true
	}
	p, err := strconv.Atoi(format[1:])
	if err != nil || p < 0 {
		return 0, 0, false
	}
	return c, p, true
}

func badFormat() {
	clr.Throw(clr.ExFormat, "Format specifier was invalid.")
}

func formatInt(t *clr.Type, v V, format string) string {
	letter, prec, ok := standard(format)
	dec := strconv.FormatInt(v.Int(), 10)
	if t.Code == clr.CodeUInt64 {
		dec = strconv.FormatUint(v.Bits(), 10)
	}
	if !ok {
		return custom(numberOf(dec), format)
	}
	switch letter | 0x20 {
	case 'x':
		bits := map[clr.Code]uint64{clr.CodeSByte: 0xFF, clr.CodeByte: 0xFF, clr.CodeInt16: 0xFFFF, clr.CodeUInt16: 0xFFFF, clr.CodeInt32: 0xFFFFFFFF, clr.CodeUInt32: 0xFFFFFFFF}
		n := v.Bits()
		if m, ok := bits[t.Code]; ok {
			n &= m
		}
		s := strconv.FormatUint(n, 16)
		if letter == 'X' {
			s = strings.ToUpper(s)
		}
		return leftZeros(s, prec)
	case 'd':
		if strings.HasPrefix(dec, "-") {
			return "-" + leftZeros(dec[1:], prec)
		}
		return leftZeros(dec, prec)
	case 'g':
		if prec <= 0 {
			return dec
		}
	}
	return formatNumber(numberOf(dec), letter, prec)
}

func leftZeros(s string, n int) string {
	if len(s) < n {
		return strings.Repeat("0", n-len(s)) + s
	}
	return s
}

func formatDecimal(d *clr.Decimal, format string) string {
	letter, prec, ok := standard(format)
	n := numberOf(d.String())
	if !ok {
		return custom(n, format)
	}
	switch letter | 0x20 {
	case 'd', 'x', 'r':
		badFormat()
	case 'g':
		if prec <= 0 {
			return d.String()
		}
	}
	return formatNumber(n, letter, prec)
}

func formatFloat(x float64, single bool, format string) string {
	bits := 64
	if single {
		bits = 32
	}
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return floatText(x, bits)
	}
	letter, prec, ok := standard(format)
	if !ok {
		return custom(numberOf(strconv.FormatFloat(x, 'e', 14, 64)), format)
	}
	switch letter | 0x20 {
	case 'd', 'x':
		badFormat()
	case 'r':
		return floatText(x, bits)
	case 'g':
		if prec <= 0 {
			return floatText(x, bits)
		}
		return formatNumber(rounded(x, 'e', prec-1), letter, prec)
	case 'f', 'n', 'c', 'p':
		p := prec
		if p < 0 {
			p = 2
		}
		if letter|0x20 == 'p' {
			n := rounded(x, 'f', p+2)
			n.point += 2
			return formatPercent(n, p)
		}
		return formatNumber(rounded(x, 'f', p), letter, p)
	case 'e':
		p := prec
		if p < 0 {
			p = 6
		}
		return formatNumber(rounded(x, 'e', p), letter, p)
	}
	return formatNumber(numberOf(strconv.FormatFloat(x, 'e', -1, bits)), letter, prec)
}

// rounded has the digits of x that a standard format asks for. .NET rounds the
// exact value of a double, and halves to even: 2.5 is 2 with F0.
func rounded(x float64, verb byte, prec int) number {
	n := numberOf(strconv.FormatFloat(x, verb, prec, 64))
	n.float = true
	return n
}

func formatPercent(n number, prec int) string {
	whole, frac := n.fixed(prec)
	s := group(whole)
	if prec > 0 {
		s += "." + frac
	}
	s += " %"
	if n.minus(whole, frac) {
		return "-" + s
	}
	return s
}

// minus reports whether a number whose digits came out so has its sign.
func (n number) minus(whole, frac string) bool {
	return n.neg && (n.float || !isZero(whole, frac))
}

func isZero(whole, frac string) bool { return strings.Trim(whole+frac, "0") == "" }

// formatNumber applies the standard formats C E F G N P.
func formatNumber(n number, letter byte, prec int) string {
	p := prec
	if p < 0 {
		p = 2
	}
	sign := func(whole, frac, s string) string {
		if n.minus(whole, frac) {
			return "-" + s
		}
		return s
	}
	point := func(whole, frac string) string {
		if p == 0 {
			return whole
		}
		return whole + "." + frac
	}
	switch letter | 0x20 {
	case 'f':
		whole, frac := n.fixed(p)
		return sign(whole, frac, point(whole, frac))
	case 'n':
		whole, frac := n.fixed(p)
		return sign(whole, frac, point(group(whole), frac))
	case 'c':
		whole, frac := n.fixed(p)
		s := "¤" + point(group(whole), frac)
		if n.minus(whole, frac) {
			return "(" + s + ")"
		}
		return s
	case 'p':
		n.point += 2
		return formatPercent(n, p)
	case 'e':
		if prec < 0 {
			p = 6
		}
		return scientific(n, p, string(letter), 3)
	case 'g':
		if prec <= 0 {
			p = 15
		}
		r := n.round(p - n.point)
		if n.point > p || n.point < -3 {
			return general(r, string('E'+(letter-'G')))
		}
		whole, frac := r.fixed(max(len(r.digits)-r.point, 0))
		s := whole
		if frac != "" {
			s += "." + frac
		}
		return sign(whole, frac, s)
	}
	badFormat()
	return ""
}

func general(n number, e string) string {
	s := n.digits[:1]
	if len(n.digits) > 1 {
		s += "." + n.digits[1:]
	}
	if n.neg {
		s = "-" + s
	}
	return s + e + expText(n.point-1, 2)
}

func scientific(n number, prec int, e string, expDigits int) string {
	r := n.round(prec + 1 - n.point)
	d := r.digits
	exp := r.point - 1
	if d == "" {
		d, exp = "0", 0
	}
	if len(d) < prec+1 {
		d += strings.Repeat("0", prec+1-len(d))
	}
	s := d[:1]
	if prec > 0 {
		s += "." + d[1:prec+1]
	}
	if n.neg && (n.float || r.digits != "") {
		s = "-" + s
	}
	return s + e + expText(exp, expDigits)
}
