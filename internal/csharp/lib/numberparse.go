package lib

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// The flags of NumberStyles.
const (
	allowLeadingWhite  = 1
	allowTrailingWhite = 2
	allowLeadingSign   = 4
	allowTrailingSign  = 8
	allowParentheses   = 16
	allowPoint         = 32
	allowThousands     = 64
	allowExponent      = 128
	allowCurrency      = 256
	allowHex           = 512
)

// The styles that Parse has when none is named.
const (
	styleInteger = allowLeadingWhite | allowTrailingWhite | allowLeadingSign
	styleNumber  = styleInteger | allowTrailingSign | allowPoint | allowThousands
	styleFloat   = styleInteger | allowPoint | allowThousands | allowExponent
)

// scanned is the text of a number taken apart: digits × 10^exp.
type scanned struct {
	neg    bool
	digits string
	exp    int
}

// numberScan reads a number from left to right.
type numberScan struct {
	s      string
	i      int
	style  int64
	signed bool
	paren  bool
	out    scanned
}

// isNumberSpace is the white space that .NET skips around numbers.
func isNumberSpace(c byte) bool { return c == ' ' || c >= 9 && c <= 13 }

// scanNumber takes a number apart as the styles allow.
func scanNumber(s string, style int64) (scanned, bool) {
	n := numberScan{s: s, style: style}
	n.lead()
	if !n.mantissa() {
		return scanned{}, false
	}
	n.exponent()
	n.trail()
	if n.paren || strings.Trim(n.s[n.i:], "\x00") != "" {
		return scanned{}, false
	}
	return n.out, true
}

// sign takes a sign, if one is allowed and none was seen.
func (n *numberScan) sign(flag int64) bool {
	if n.style&flag == 0 || n.signed || n.i == len(n.s) || n.s[n.i] != '+' && n.s[n.i] != '-' {
		return false
	}
	n.signed, n.out.neg = true, n.s[n.i] == '-'
	n.i++
	return true
}

// currency takes the sign of the currency.
func (n *numberScan) currency() bool {
	if n.style&allowCurrency == 0 || !strings.HasPrefix(n.s[n.i:], "¤") {
		return false
	}
	n.i += len("¤")
	return true
}

func (n *numberScan) lead() {
	for n.i < len(n.s) {
		c := n.s[n.i]
		switch {
		case isNumberSpace(c) && n.style&allowLeadingWhite != 0 && !n.signed:
			n.i++
		case n.sign(allowLeadingSign), n.currency():
		case c == '(' && n.style&allowParentheses != 0 && !n.signed:
			n.signed, n.paren, n.out.neg = true, true, true
			n.i++
		default:
			return
		}
	}
}

// mantissa takes the digits and reports whether there were any.
func (n *numberScan) mantissa() bool {
	var b strings.Builder
	point := false
	for ; n.i < len(n.s); n.i++ {
		switch c := n.s[n.i]; {
		case c >= '0' && c <= '9':
			b.WriteByte(c)
			if point {
				n.out.exp--
			}
			continue
		case c == '.' && n.style&allowPoint != 0 && !point:
			point = true
			continue
		case c == ',' && n.style&allowThousands != 0 && !point && b.Len() > 0:
			continue
		}
		break
	}
	n.out.digits = b.String()
	return n.out.digits != ""
}

// exponent takes an exponent; an incomplete one is left where it stands.
func (n *numberScan) exponent() {
	if n.style&allowExponent == 0 || n.i == len(n.s) || n.s[n.i]|0x20 != 'e' {
		return
	}
	j := n.i + 1
	if j < len(n.s) && (n.s[j] == '+' || n.s[j] == '-') {
		j++
	}
	k := j
	for k < len(n.s) && n.s[k] >= '0' && n.s[k] <= '9' {
		k++
	}
	if k == j {
		return
	}
	e, err := strconv.Atoi(n.s[j:k])
	if err != nil || e > 9999 {
		e = 9999
	}
	if n.s[j-1] == '-' {
		e = -e
	}
	n.out.exp += e
	n.i = k
}

func (n *numberScan) trail() {
	for n.i < len(n.s) {
		c := n.s[n.i]
		switch {
		case isNumberSpace(c) && n.style&allowTrailingWhite != 0:
			n.i++
		case n.sign(allowTrailingSign), n.currency():
		case c == ')' && n.paren:
			n.paren = false
			n.i++
		default:
			return
		}
	}
}

// text is the number in a form that strconv reads.
func (s scanned) text() string {
	t := s.digits + "e" + strconv.Itoa(s.exp)
	if s.neg {
		return "-" + t
	}
	return t
}

// integer is the number as an integer; ok is false if it has a fraction or is
// far beyond every integer type.
func (s scanned) integer() (n *big.Int, ok bool) {
	digits, exp := strings.TrimLeft(s.digits, "0"), s.exp
	for exp < 0 && strings.HasSuffix(digits, "0") {
		digits, exp = digits[:len(digits)-1], exp+1
	}
	if digits == "" {
		return new(big.Int), true
	}
	if exp < 0 || len(digits)+exp > 40 {
		return nil, false
	}
	n, _ = new(big.Int).SetString(digits+strings.Repeat("0", exp), 10)
	if s.neg {
		n.Neg(n)
	}
	return n, true
}

// checkIntStyle throws for styles that no integer can be read with.
func checkIntStyle(style int64) {
	switch {
	case style&^1023 != 0:
		badStyle("An undefined NumberStyles value is being used.")
	case style&allowHex != 0 && style&^(allowHex|allowLeadingWhite|allowTrailingWhite) != 0:
		badStyle("With the AllowHexSpecifier bit set in the enum bit field, the only other valid bits that can be combined into the enum value must be at least AllowLeadingWhite and AllowTrailingWhite.")
	}
}

// checkFloatStyle throws for styles that no other number can be read with.
func checkFloatStyle(style int64) {
	switch {
	case style&^1023 != 0:
		badStyle("An undefined NumberStyles value is being used.")
	case style&allowHex != 0:
		badStyle("The number style AllowHexSpecifier is not supported on floating point data types.")
	}
}

func badStyle(msg string) { clr.ThrowArg(clr.ExArgument, msg, "style") }

// readInteger parses an integer of type t; over tells a value out of range from
// a text that is none.
func readInteger(s string, t *clr.Type, style int64) (v V, ok, over bool) {
	checkIntStyle(style)
	if style&allowHex != 0 {
		return readHex(s, t, style)
	}
	x, ok := scanNumber(s, style)
	if !ok {
		return clr.Null, false, false
	}
	n, ok := x.integer()
	switch {
	case !ok:
		return clr.Null, false, true
	case t == clr.UInt64 && n.IsUint64():
		return clr.Scalar(t, int64(n.Uint64())), true, false
	case t == clr.UInt64, !n.IsInt64(), !clr.Fits(clr.Long(n.Int64()), t):
		return clr.Null, false, true
	}
	return clr.Scalar(t, n.Int64()), true, false
}

// readHex parses hexadecimal digits as the bits of an integer of type t.
func readHex(s string, t *clr.Type, style int64) (v V, ok, over bool) {
	if style&allowLeadingWhite != 0 {
		s = strings.TrimLeft(s, " \t\n\v\f\r")
	}
	s = strings.TrimRight(s, "\x00")
	if style&allowTrailingWhite != 0 {
		s = strings.TrimRight(s, " \t\n\v\f\r")
	}
	if s == "" || strings.Trim(s, "0123456789abcdefABCDEF") != "" {
		return clr.Null, false, false
	}
	n, err := strconv.ParseUint(s, 16, sizeOf(t))
	if err != nil {
		return clr.Null, false, true
	}
	return clr.ConvertNumber(clr.Scalar(clr.UInt64, int64(n)), clr.UInt64, t, false), true, false
}

// sizeOf is the number of bits of an integer type.
func sizeOf(t *clr.Type) int {
	switch t {
	case clr.SByte, clr.Byte:
		return 8
	case clr.Int16, clr.UInt16:
		return 16
	case clr.Int32, clr.UInt32:
		return 32
	}
	return 64
}

// readFloat parses a double with thousands separators and exponents.
func readFloat(s string) (float64, bool) { return readFloatStyle(s, styleFloat) }

func readFloatStyle(s string, style int64) (float64, bool) {
	n, ok := scanNumber(s, style)
	if !ok {
		return floatWord(s)
	}
	x, _ := strconv.ParseFloat(n.text(), 64)
	return x, true
}

// floatWord reads the values that have no digits.
func floatWord(s string) (float64, bool) {
	switch strings.ToLower(strings.TrimFunc(s, isSpace)) {
	case "nan", "-nan", "+nan":
		return math.NaN(), true
	case "infinity", "+infinity":
		return math.Inf(1), true
	case "-infinity":
		return math.Inf(-1), true
	}
	return 0, false
}

// readDecimalStyle parses a decimal; nil and false are what is none, and over
// what is out of range.
func readDecimalStyle(s string, style int64) (d *clr.Decimal, ok, over bool) {
	n, ok := scanNumber(s, style)
	if !ok {
		return nil, false, false
	}
	digits := strings.TrimLeft(n.digits, "0")
	switch {
	case digits == "" && n.exp > 0, digits == "" && n.exp < -28:
		n.exp = max(min(n.exp, 0), -28)
	case len(digits)+n.exp > 29:
		return nil, false, true
	case len(digits)+n.exp < -29:
		digits, n.exp = "0", -28
	case len(digits) > 60:
		n.exp += len(digits) - 60
		digits = digits[:60]
	}
	c, _ := new(big.Int).SetString("0"+digits, 10)
	if n.exp >= 0 && len(digits)+n.exp == 29 || n.exp < 0 && len(digits)+n.exp == 29 {
		whole := (digits + strings.Repeat("0", max(0, n.exp)))[:29]
		if w, _ := new(big.Int).SetString(whole, 10); w.BitLen() > 96 {
			return nil, false, true
		}
	}
	if n.neg {
		c.Neg(c)
	}
	return clr.NewDecimal(c, -n.exp), true, false
}

// parseDecimal parses or throws.
func parseDecimal(s V, style int64) V {
	d, ok, over := readDecimalStyle(text(s, "s"), style)
	if over {
		clr.Throw(clr.ExOverflow, "Value was either too large or too small for a Decimal.")
	}
	if !ok {
		badNumber(s.Str())
	}
	return clr.Dec(d)
}
