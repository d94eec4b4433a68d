package lib

import (
	"strings"
	"unicode/utf8"
)

// uriReserved have a meaning in addresses.
const uriReserved = ";/?:@&=+$,#[]!'()*"

// escapeURI escapes what no address contains as it is, the characters of also,
// and percent signs that begin no escape.
func escapeURI(s, also string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] == '%' && len(escapedBytes(s[i:])) > 0 {
			b.WriteString(s[i : i+3])
			i += 3
			continue
		}
		n := 1
		for n < len(s)-i && s[i+n] >= 0x80 && !utf8.RuneStart(s[i+n]) {
			n++
		}
		if strings.Contains(also, s[i:i+n]) {
			b.WriteString(percent(s[i:i+n], ""))
		} else {
			b.WriteString(percent(s[i:i+n], "-_.~"+uriReserved))
		}
		i += n
	}
	return b.String()
}

// hasEscapes tells whether unescapeIRI has something to do: a letter outside
// ASCII, or an escape of what need not be escaped.
func hasEscapes(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return true
		}
		if s[i] != '%' {
			continue
		}
		raw := escapedBytes(s[i:])
		if i+2 < len(s) && (len(raw) == 0 || raw[0] >= 0x80 || percent(string(raw[:1]), "-_.~")[0] != '%') {
			return true
		}
	}
	return false
}

// unescapeIRI undoes the escapes of what has no meaning in addresses.
func unescapeIRI(s string) string {
	return unescapeURI(s, func(r rune) bool {
		return r <= 0x1F || r >= 0x7F && !inIRI(r) || strings.ContainsRune(uriReserved+`%\`, r)
	})
}

// unescapeURI undoes the escapes of characters but for those to keep; what is
// not UTF-8 stays escaped.
func unescapeURI(s string, keep func(rune) bool) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		raw := escapedBytes(s[i:])
		if len(raw) == 0 {
			b.WriteByte(s[i])
			i++
			continue
		}
		r, n := utf8.DecodeRune(raw)
		if r == utf8.RuneError && n == 1 || keep(r) {
			b.WriteString(s[i : i+3*n])
		} else {
			b.WriteRune(r)
		}
		i += 3 * n
	}
	return b.String()
}

// unescapeData undoes all escapes.
func unescapeData(s string) string { return unescapeURI(s, func(rune) bool { return false }) }

// inIRI tells the characters outside ASCII that need no escape in an IRI.
func inIRI(r rune) bool {
	return r >= 0xA0 && r <= 0xD7FF || r >= 0xF900 && r <= 0xFDCF || r >= 0xFDF0 && r <= 0xFFEF || r >= 0x10000 && r < 0xF0000 && r&0xFFFF < 0xFFFE
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
