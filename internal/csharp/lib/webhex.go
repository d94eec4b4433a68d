package lib

import "github.com/portico-dev/portico/internal/csharp/clr"

// hexValue is the value of a hexadecimal digit, or -1.
func hexValue(c int64) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// hexAt is the byte escaped as %xx at a unit of s, or -1.
func hexAt(s string, index int64) int {
	u := units(s)
	if index < 0 || index+3 > int64(len(u)) || u[index] != '%' {
		return -1
	}
	hi, lo := hexValue(int64(u[index+1])), hexValue(int64(u[index+2]))
	if hi < 0 || lo < 0 {
		return -1
	}
	return hi<<4 | lo
}

// hexUnescape is Uri.HexUnescape: one character, and the index behind it.
func hexUnescape(_ F, a []V) V {
	cell := a[1].Ref().(*clr.Cell)
	i := cell.V.Int()
	u := units(text(a[0], "pattern"))
	if i < 0 || i >= int64(len(u)) {
		clr.ThrowRange("index", "")
	}
	if c := hexAt(a[0].Str(), i); c >= 0 {
		cell.V = clr.Int(int(i) + 3)
		return clr.Rune16(uint16(c))
	}
	cell.V = clr.Int(int(i) + 1)
	return clr.Rune16(u[i])
}
