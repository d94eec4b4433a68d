package lib

import (
	"unicode/utf8"

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

// surrogate decodes the three-byte form of a lone surrogate.
func surrogate(s string) (uint16, bool) {
	if len(s) >= 3 && s[0] == 0xED && s[1] >= 0xA0 && s[1] <= 0xBF {
		return 0xD000 | uint16(s[1]&0x3F)<<6 | uint16(s[2]&0x3F), true
	}
	return 0, false
}

// length is the number of UTF-16 units.
func length(s string) int {
	if ascii(s) {
		return len(s)
	}
	n := 0
	for i := 0; i < len(s); {
		if _, ok := surrogate(s[i:]); ok {
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

// units are the UTF-16 units of s.
func units(s string) []uint16 {
	out := make([]uint16, 0, len(s))
	for i := 0; i < len(s); {
		if u, ok := surrogate(s[i:]); ok {
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

// unitIndex turns a byte offset into a count of units.
func unitIndex(s string, off int) int {
	if off < 0 {
		return off
	}
	return length(s[:off])
}
