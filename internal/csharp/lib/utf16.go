package lib

import (
	"strings"
	"unicode/utf8"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// ascii reports whether every byte of s is a UTF-16 unit of its own.
func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// length is the number of UTF-16 units.
func length(s string) int {
	if ascii(s) {
		return len(s)
	}
	n := 0
	for i := 0; i < len(s); {
		if _, ok := clr.Surrogate(s[i:]); ok {
			n, i = n+1, i+3
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		n, i = n+1, i+size
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// long is from how many bytes on walking a string costs steps.
const long = 64

// spread is a long string with its units, walked once and not for every look at it.
func spread(f F, s string) *clr.Wide {
	if f.Wide.Is(s) {
		return &f.Wide
	}
	walk(f, s)
	f.Wide = clr.Wide{Text: s, ASCII: ascii(s)}
	if !f.Wide.ASCII {
		f.Alloc(2 * len(s))
		f.Wide.Units = units(s)
	}
	return &f.Wide
}

// walk spends the steps of walking a string.
func walk(f F, s string) {
	if len(s) > long {
		f.Step(len(s) >> 8)
	}
}

// walked makes rows spend the steps of walking their receiver: a loop of cheap looking calls on a huge string would
// otherwise outlive its budget.
func walked(rows []clr.Row) []clr.Row {
	for i, row := range rows {
		call, ok := row.Fn.(clr.Func)
		if !ok || strings.HasPrefix(row.Sig, "new(") {
			continue
		}
		rows[i].Fn = clr.Func(func(f F, a []V) V {
			if len(a) > 0 {
				walk(f, a[0].Str())
			}
			return call(f, a)
		})
	}
	return rows
}

// units are the UTF-16 units of s.
func units(s string) []uint16 {
	out := make([]uint16, 0, len(s))
	for i := 0; i < len(s); {
		if u, ok := clr.Surrogate(s[i:]); ok {
			out, i = append(out, u), i+3
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		if r > 0xFFFF {
			r -= 0x10000
			out = append(out, 0xD800+uint16(r>>10), 0xDC00+uint16(r&0x3FF))
		} else {
			out = append(out, uint16(r))
		}
	}
	return out
}

// fromUnits is the string of UTF-16 units.
func fromUnits(u []uint16) string {
	b := make([]byte, 0, len(u))
	for _, c := range u {
		if c < utf8.RuneSelf {
			b = append(b, byte(c))
		} else {
			b = syntax.AppendUnit(b, c)
		}
	}
	return string(b)
}

// unit is the string of one UTF-16 unit.
func unit(c uint16) string { return string(syntax.AppendUnit(nil, c)) }

// cut is the n units of s from start, which must be valid.
func cut(s string, start, n int) string {
	if ascii(s) {
		return s[start : start+n]
	}
	return fromUnits(units(s)[start : start+n])
}

// apart takes the pairs of surrogates of s apart when p holds half a pair, so
// that bytes of p are found where its units are. What is made of the parts goes
// through Whole again.
func apart(s, p string) string {
	if !clr.Lone(p) {
		return s
	}
	var b []byte
	for _, c := range units(s) {
		b = append(b, unit(c)...)
	}
	return string(b)
}

// decode is the character at the beginning of s, which may be a lone surrogate,
// with its length.
func decode(s string) (rune, int) {
	if u, ok := clr.Surrogate(s); ok {
		return rune(u), 3
	}
	return utf8.DecodeRuneInString(s)
}

// mapRunes is strings.Map that leaves lone surrogates as they are.
func mapRunes(s string, fn func(rune) rune) string {
	if !clr.Lone(s) {
		return strings.Map(fn, s)
	}
	var b []byte
	for i := 0; i < len(s); {
		if _, ok := clr.Surrogate(s[i:]); ok {
			b, i = append(b, s[i:i+3]...), i+3
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		b, i = utf8.AppendRune(b, fn(r)), i+n
	}
	return string(b)
}

// unitIndex turns a byte offset into a count of units.
func unitIndex(s string, off int) int {
	if off < 0 {
		return off
	}
	return length(s[:off])
}
