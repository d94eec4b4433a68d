package lib

import (
	"fmt"
	"strings"

	"github.com/dlclark/regexp2"
)

// .NET matches UTF-16 units, the engine matches runes. It gets the units as its
// runes, so that places are counted in units and a dot is one of them.

// subject is what an expression is matched against.
type subject struct {
	s     string
	ascii bool
	u     []rune // the units of s
	base  int    // where s begins in the string that was asked about
}

func newSubject(f F, s string) *subject {
	f.Alloc(4 * len(s))
	return &subject{s: s, ascii: ascii(s), u: unitRunes(s)}
}

func unitRunes(s string) []rune {
	if ascii(s) {
		return []rune(s)
	}
	u := units(s)
	out := make([]rune, len(u))
	for i, c := range u {
		out[i] = rune(c)
	}
	return out
}

// cut is the text between two places.
func (x *subject) cut(from, to int) string {
	if x.ascii {
		return x.s[from:to]
	}
	u := make([]uint16, to-from)
	for i := range u {
		u[i] = uint16(x.u[from+i])
	}
	return fromUnits(u)
}

// text is what was captured; a nil subject is that of no match.
func (x *subject) text(c *regexp2.Capture) string {
	if x == nil || c.Length == 0 {
		return ""
	}
	return x.cut(c.Index, c.Index+c.Length)
}

func (x *subject) index(c *regexp2.Capture) int {
	if x == nil {
		return 0
	}
	return x.base + c.Index
}

// begin is where replacing and splitting begin.
func (x *subject) begin(left bool) int {
	if left {
		return len(x.u)
	}
	return 0
}

// between is the text from the last match, which ended at *at, to m.
func (x *subject) between(at *int, m *match1, left bool) string {
	from, to := m.m.Index, m.m.Index+m.m.Length
	if left {
		s := x.cut(to, *at)
		*at = from
		return s
	}
	s := x.cut(*at, from)
	*at = to
	return s
}

// unitPattern rewrites a pattern with characters beyond U+FFFF, or with the
// surrogates that stand for them, to one that matches units.
func unitPattern(pattern string) string {
	u := units(pattern)
	astral := strings.Contains(pattern, `\uD`) || strings.Contains(pattern, `\ud`)
	for _, c := range u {
		astral = astral || c&0xF800 == 0xD800
	}
	if !astral {
		return pattern
	}
	var b strings.Builder
	class := 0 // depth of brackets
	for i := 0; i < len(u); i++ {
		c := u[i]
		switch {
		case c == '\\' && i+1 < len(u):
			if i++; u[i]&0xF800 != 0xD800 {
				b.WriteByte('\\')
			}
			writeUnit(&b, u[i])
		case c == '[' && (class == 0 || u[i-1] == '-'):
			class++
			b.WriteByte('[')
			i += openClass(&b, u[i+1:], class)
		case c == ']' && class > 0:
			class--
			b.WriteByte(']')
		default:
			writeUnit(&b, c)
		}
	}
	return b.String()
}

// openClass copies what belongs to the beginning of a class and puts a character
// into it that no subject has: the engine takes classes for equal that differ in
// surrogates only.
func openClass(b *strings.Builder, rest []uint16, depth int) (n int) {
	if n < len(rest) && rest[n] == '^' {
		b.WriteByte('^')
		n++
	}
	if n < len(rest) && (rest[n] == ']' || rest[n] == '-') {
		b.WriteByte(byte(rest[n]))
		n++
	}
	b.WriteRune(rune(0x100000 + b.Len() + depth))
	return n
}

func writeUnit(b *strings.Builder, c uint16) {
	if c&0xF800 == 0xD800 {
		fmt.Fprintf(b, `\u%04x`, c)
		return
	}
	b.WriteString(unit(c))
}
