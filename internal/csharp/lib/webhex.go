package lib

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

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

// unescapeSafe unescapes an address but for what has a meaning in it: reserved
// characters, the percent sign, the backslash and control characters.
func unescapeSafe(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		raw := escapedBytes(s[i:])
		if len(raw) == 0 {
			b.WriteByte(s[i])
			i++
			continue
		}
		r, n := utf8.DecodeRune(raw)
		if r == utf8.RuneError || r <= 0x1F || r >= 0x7F && r <= 0x9F || strings.ContainsRune(";/?:@&=+$,#[]!'()*%\\", r) {
			b.WriteString(s[i : i+3*n])
		} else {
			b.WriteRune(r)
		}
		i += 3 * n
	}
	return b.String()
}

// escapedBytes are the bytes of up to four escapes at the beginning of s.
func escapedBytes(s string) []byte {
	var out []byte
	for len(out) < utf8.UTFMax && len(s) >= 3 && s[0] == '%' {
		hi, lo := hexValue(int64(s[1])), hexValue(int64(s[2]))
		if hi < 0 || lo < 0 {
			break
		}
		out = append(out, byte(hi<<4|lo))
		s = s[3:]
	}
	return out
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

// hostKind is the UriHostNameType of a name.
func hostKind(name string) int64 {
	if ip, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		if ip.Is4() {
			return 3
		}
		return 4
	}
	if name == "" || len(name) > 255 {
		return 0
	}
	for _, label := range strings.Split(strings.TrimSuffix(name, "."), ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "-") == "" {
			return 0
		}
		if strings.ContainsFunc(label, func(r rune) bool {
			return r < 0x80 && r != '-' && r != '_' && hexValue(int64(r)) < 0 && (r|0x20 < 'a' || r|0x20 > 'z')
		}) {
			return 0
		}
	}
	return 2
}

// relativeURI is the reference that leads from one address to another.
func relativeURI(from, to *URI) V {
	if from.u == nil || to.u == nil {
		clr.Throw(clr.ExInvalidOp, "This operation is not supported for a relative URI.")
	}
	if from.u.Scheme != to.u.Scheme || from.authority() != to.authority() {
		return clr.Object(to)
	}
	base, goal := strings.Split(from.path(), "/"), strings.Split(to.path(), "/")
	same := 0
	for same < len(base)-1 && same < len(goal)-1 && base[same] == goal[same] {
		same++
	}
	path := strings.Repeat("../", len(base)-1-same) + strings.Join(goal[same:], "/")
	if from.path() == to.path() {
		path = ""
	}
	return clr.Object(&URI{orig: path + to.query() + to.fragment()})
}
