package clr

import (
	"strings"
	"unicode/utf8"
	"unsafe"
)

// Strings are UTF-8 inside. A surrogate without its other half has the three
// bytes that UTF-8 would give it if it did; when its other half comes to stand
// beside it the two become one character again, or equal strings would differ.

// Surrogate decodes the three bytes of a surrogate.
func Surrogate(s string) (uint16, bool) {
	if len(s) >= 3 && s[0] == 0xED && s[1] >= 0xA0 && s[1] <= 0xBF && s[2]&0xC0 == 0x80 {
		return 0xD000 | uint16(s[1]&0x3F)<<6 | uint16(s[2]&0x3F), true
	}
	return 0, false
}

// Lone reports whether s holds a surrogate of three bytes.
func Lone(s string) bool { return nextSurrogate(s, 0) >= 0 }

// nextSurrogate is the place of the first surrogate at or behind from, or -1.
func nextSurrogate(s string, from int) int {
	for from < len(s) {
		i := strings.IndexByte(s[from:], 0xED)
		if i < 0 {
			return -1
		}
		if _, ok := Surrogate(s[from+i:]); ok {
			return from + i
		}
		from += i + 1
	}
	return -1
}

// Whole makes one character of each pair of surrogates.
func Whole(s string) string {
	if strings.IndexByte(s, 0xED) < 0 {
		return s
	}
	var b []byte
	done := 0
	for i := nextSurrogate(s, 0); i >= 0; i = nextSurrogate(s, i) {
		hi, _ := Surrogate(s[i:])
		lo, ok := Surrogate(s[i+3:])
		if hi >= 0xDC00 || !ok || lo < 0xDC00 {
			i += 3
			continue
		}
		b = append(b, s[done:i]...)
		b = utf8.AppendRune(b, 0x10000+rune(hi-0xD800)<<10+rune(lo-0xDC00))
		i += 6
		done = i
	}
	if b == nil {
		return s
	}
	return string(append(b, s[done:]...))
}

// Wide is a string with its UTF-16 form. Loops that ask a long string for its length or for one character after the
// other keep it in their frame, or each round would walk the string anew.
type Wide struct {
	Text  string
	ASCII bool     // each byte is a unit
	Units []uint16 // unless ASCII
}

// Is reports whether w is of this very string.
func (w *Wide) Is(s string) bool {
	return len(w.Text) == len(s) && unsafe.StringData(w.Text) == unsafe.StringData(s)
}

// Len is the number of units.
func (w *Wide) Len() int {
	if w.ASCII {
		return len(w.Text)
	}
	return len(w.Units)
}

// At is a unit; i must be within.
func (w *Wide) At(i int) uint16 {
	if w.ASCII {
		return uint16(w.Text[i])
	}
	return w.Units[i]
}
