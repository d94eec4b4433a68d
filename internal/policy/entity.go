package policy

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// entity decodes the character reference at the start of s; size is 0 when there is none that XML defines.
func entity(s string) (text string, size int) {
	if len(s) < 4 || s[0] != '&' {
		return "", 0
	}
	end := strings.IndexByte(s[:min(len(s), 12)], ';')
	if end < 0 {
		return "", 0
	}
	switch name := s[1:end]; name {
	case "lt":
		return "<", end + 1
	case "gt":
		return ">", end + 1
	case "amp":
		return "&", end + 1
	case "quot":
		return `"`, end + 1
	case "apos":
		return "'", end + 1
	default:
		if r, ok := charRef(name); ok {
			return string(r), end + 1
		}
		return "", 0
	}
}

// charRef reads "#60" or "#x3C".
func charRef(name string) (rune, bool) {
	if len(name) < 2 || name[0] != '#' {
		return 0, false
	}
	digits, base := name[1:], 10
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || n > utf8.MaxRune || !isXMLChar(rune(n)) {
		return 0, false
	}
	return rune(n), true
}

// isXMLChar says whether XML 1.0 allows the character in a document.
func isXMLChar(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == '\r':
		return true
	case r < ' ', r == 0xFFFE, r == 0xFFFF, r >= 0xD800 && r <= 0xDFFF:
		return false
	}
	return r <= utf8.MaxRune
}

// decode replaces the references in s. bad is the offset of the first '&' that begins none, or -1; such a '&' is kept.
func decode(s string) (out string, bad int) {
	bad = -1
	if !strings.Contains(s, "&") {
		return s, bad
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '&' {
			next := strings.IndexByte(s[i:], '&')
			if next < 0 {
				next = len(s) - i
			}
			b.WriteString(s[i : i+next])
			i += next
			continue
		}
		text, size := entity(s[i:])
		if size == 0 {
			text, size = "&", 1
			if bad < 0 {
				bad = i
			}
		}
		b.WriteString(text)
		i += size
	}
	return b.String(), bad
}

// escapeAttr writes s so that it can stand between quotes of either kind.
func escapeAttr(s string) string { return attrEscaper.Replace(s) }

// escapeText writes s so that it can stand as the text of an element.
func escapeText(s string) string { return textEscaper.Replace(s) }

var (
	attrEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;")
	textEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
)
