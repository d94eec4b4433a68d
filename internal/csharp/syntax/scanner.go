package syntax

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxInterp = 32 // interpolated strings inside each other

type scanner struct {
	src   string
	pos   int
	depth int
	errs  *[]*Error
}

func (s *scanner) fail(from, to int, code, msg string) {
	if len(*s.errs) > 2*MaxErrors {
		return
	}
	*s.errs = append(*s.errs, &Error{Pos(from), Pos(to), code, msg})
}

func (s *scanner) at(i int) byte {
	if s.pos+i < len(s.src) {
		return s.src[s.pos+i]
	}
	return 0
}

// scan reads all tokens of the source.
func (s *scanner) scan() []Token {
	// A token has about four bytes with the space before it.
	return s.scanUntil(make([]Token, 0, len(s.src)/4+8), func(*Token) bool { return false })
}

// scanUntil appends tokens until stop says so, or the end.
func (s *scanner) scanUntil(toks []Token, stop func(t *Token) bool) []Token {
	for {
		toks = append(toks, s.token())
		t := &toks[len(toks)-1]
		if t.Kind == EOF || stop(t) {
			*t = Token{Kind: EOF, Pos: t.Pos, End: t.Pos}
			return toks
		}
	}
}

// token reads the next token, passing characters that begin none.
func (s *scanner) token() Token {
	for {
		if t, ok := s.one(); ok {
			return t
		}
	}
}

func (s *scanner) one() (Token, bool) {
	space := s.skip()
	start := s.pos
	t := Token{Pos: Pos(start), Space: space}
	if start >= len(s.src) {
		t.End = t.Pos
		return t, true
	}
	c := s.src[start]
	switch {
	case s.rawString(&t):
	case c == '"':
		t.Kind, t.Text = StringLit, s.regular()
	case c == '@' && s.at(1) == '"':
		s.pos++
		t.Kind, t.Text = StringLit, s.verbatim()
	case c == '$' && (s.at(1) == '"' || s.at(1) == '@' && s.at(2) == '"'), c == '@' && s.at(1) == '$' && s.at(2) == '"':
		t.Kind, t.Lit = InterpLit, &Lit{Parts: s.interpolated()}
	case c == '\'':
		t.Kind, t.Lit = CharLit, &Lit{Int: uint64(s.char())}
	case c >= '0' && c <= '9', c == '.' && s.at(1) >= '0' && s.at(1) <= '9':
		s.number(&t)
	case c == '@' && isIdentStart(s.runeAt(1)):
		s.pos++
		t.Kind, t.Text = Ident, s.ident()
	case isIdentStart(s.runeAt(0)) || c == '\\' && s.at(1) == 'u':
		t.Kind, t.Text = Ident, s.ident()
		if keywords[t.Text] && s.src[start] != '\\' {
			t.Kind = Keyword
		}
	default:
		if !s.operator(&t) {
			return t, false
		}
	}
	if t.Kind == StringLit && strings.EqualFold(s.src[s.pos:min(s.pos+2, len(s.src))], "u8") {
		s.newer(s.pos, "UTF-8 string literals", "11.0")
		s.pos += 2
	}
	t.End = Pos(s.pos)
	return t, true
}

// newer refuses a literal of a later version of C#.
func (s *scanner) newer(at int, feature, version string) {
	s.fail(at, s.pos, "CS8107", "Feature '"+feature+"' is not available in C# 7.0. Please use language version "+version+" or greater.")
}

// rawString refuses and passes the raw string literals of C# 11.
func (s *scanner) rawString(t *Token) bool {
	rest := s.src[s.pos:]
	body := strings.TrimLeft(rest, "$")
	if !strings.HasPrefix(body, `"""`) {
		return false
	}
	quotes := body[:len(body)-len(strings.TrimLeft(body, `"`))]
	t.Kind = StringLit
	s.newer(s.pos, "raw string literals", "11.0")
	s.pos += len(rest) - len(body) + len(quotes)
	if i := strings.Index(s.src[s.pos:], quotes); i >= 0 {
		s.pos += i + len(quotes)
	} else {
		s.pos = len(s.src)
	}
	return true
}

func (s *scanner) runeAt(i int) rune {
	if s.pos+i >= len(s.src) {
		return 0
	}
	if c := s.src[s.pos+i]; c < utf8.RuneSelf {
		return rune(c)
	}
	r, _ := utf8.DecodeRuneInString(s.src[s.pos+i:])
	return r
}

func isIdentStart(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '_' || (r|0x20) >= 'a' && (r|0x20) <= 'z'
	}
	return unicode.IsLetter(r) || unicode.Is(unicode.Nl, r)
}

func isIdentPart(r rune) bool {
	if r < utf8.RuneSelf {
		return isIdentStart(r) || r >= '0' && r <= '9'
	}
	return isIdentStart(r) || unicode.IsDigit(r) || unicode.In(r, unicode.Mn, unicode.Mc, unicode.Pc, unicode.Cf)
}

// skip passes white space and comments.
func (s *scanner) skip() bool {
	start := s.pos
	for s.pos < len(s.src) {
		if c := s.src[s.pos]; c > ' ' && c != '/' && c < utf8.RuneSelf {
			break
		}
		r, n := utf8.DecodeRuneInString(s.src[s.pos:])
		switch {
		case unicode.IsSpace(r) || r == '\uFEFF' || r == '\u001a':
			s.pos += n
		case r == '/' && s.at(1) == '/':
			if i := strings.IndexByte(s.src[s.pos:], '\n'); i >= 0 {
				s.pos += i
			} else {
				s.pos = len(s.src)
			}
		case r == '/' && s.at(1) == '*':
			if i := strings.Index(s.src[s.pos+2:], "*/"); i >= 0 {
				s.pos += i + 4
			} else {
				s.fail(s.pos, s.pos+2, "CS1035", "End-of-file found, '*/' expected")
				s.pos = len(s.src)
			}
		default:
			return s.pos > start
		}
	}
	return s.pos > start
}

func (s *scanner) ident() string {
	start := s.pos
	for s.pos < len(s.src) && s.src[s.pos] < utf8.RuneSelf && isIdentPart(rune(s.src[s.pos])) {
		s.pos++
	}
	if c := s.at(0); c < utf8.RuneSelf && c != '\\' {
		return s.src[start:s.pos]
	}
	var b []byte
	for s.pos < len(s.src) {
		if s.at(0) == '\\' && (s.at(1) == 'u' || s.at(1) == 'U') {
			b = append(b, s.src[start:s.pos]...)
			b = s.identEscape(b)
			start = s.pos
			continue
		}
		r, n := utf8.DecodeRuneInString(s.src[s.pos:])
		if !isIdentPart(r) {
			break
		}
		s.pos += n
	}
	return string(b) + s.src[start:s.pos]
}

// identEscape reads an escape sequence of an identifier, which may only stand for
// what could stand there itself.
func (s *scanner) identEscape(b []byte) []byte {
	start, known := s.pos, len(b)
	b = s.escape(b)
	r, _ := utf8.DecodeRune(b[known:])
	if len(b) > known && (!isIdentPart(r) || known == 0 && !isIdentStart(r)) {
		s.fail(start, s.pos, "CS1056", "Unexpected character '"+s.src[start:s.pos]+"'")
		return b[:known]
	}
	return b
}

// operator reads an operator; it reports and passes a character that begins none.
func (s *scanner) operator(t *Token) bool {
	for _, op := range byFirst[s.src[s.pos]&0x7F] {
		if strings.HasPrefix(s.src[s.pos:], op) {
			if op == "?." && s.at(2) >= '0' && s.at(2) <= '9' {
				op = "?"
			}
			t.Kind, t.Text = Op, op
			s.pos += len(op)
			return true
		}
	}
	r, n := utf8.DecodeRuneInString(s.src[s.pos:])
	switch r {
	case '#':
		s.fail(s.pos, s.pos+1, "SANDBOX", "Preprocessor directives are not supported within expressions")
		if n = strings.IndexByte(s.src[s.pos:], '\n'); n < 0 {
			n = len(s.src) - s.pos
		}
	case '@':
		s.fail(s.pos, s.pos+n, "CS1646", "Keyword, identifier, or string expected after verbatim specifier: @")
	default:
		s.fail(s.pos, s.pos+n, "CS1056", "Unexpected character '"+string(r)+"'")
	}
	s.pos += n
	return false
}

// escape reads the escape sequence at s.pos and appends what it stands for.
func (s *scanner) escape(b []byte) []byte {
	start := s.pos
	c := s.at(1)
	s.pos += 2
	simple := map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', '0': 0, 'a': 7, 'b': 8, 'f': 12, 'v': 11, '\\': '\\', '"': '"', '\'': '\''}
	if v, ok := simple[c]; ok {
		return append(b, v)
	}
	least, most := 4, 4
	switch c {
	case 'u':
	case 'x':
		least = 1
	case 'U':
		least, most = 8, 8
	default:
		s.pos = min(s.pos, len(s.src))
		s.fail(start, s.pos, "CS1009", "Unrecognized escape sequence")
		return b
	}
	n, v := 0, uint32(0)
	for n < most {
		d, err := strconv.ParseUint(string(rune(s.at(0))), 16, 8)
		if err != nil {
			break
		}
		v = v<<4 | uint32(d)
		s.pos++
		n++
	}
	if n < least || v > unicode.MaxRune {
		s.fail(start, s.pos, "CS1009", "Unrecognized escape sequence")
		return b
	}
	if v > 0xFFFF {
		return utf8.AppendRune(b, rune(v))
	}
	return AppendUnit(b, uint16(v))
}

// regular reads "…".
func (s *scanner) regular() string {
	start := s.pos
	s.pos++
	from := s.pos
	var b []byte
	for {
		switch c := s.at(0); {
		case s.pos >= len(s.src) || c == '\n' || c == '\r':
			s.fail(start, s.pos, "CS1010", "Newline in constant")
			return string(append(b, s.src[from:s.pos]...))
		case c == '"':
			text := s.src[from:s.pos]
			s.pos++
			if b == nil {
				return text
			}
			return string(append(b, text...))
		case c == '\\':
			b = append(b, s.src[from:s.pos]...)
			b = s.escape(b)
			from = s.pos
		default:
			s.pos++
		}
	}
}

// verbatim reads the "…" of @"…".
func (s *scanner) verbatim() string {
	start := s.pos - 1
	s.pos++
	var b strings.Builder
	for {
		i := strings.IndexByte(s.src[s.pos:], '"')
		if i < 0 {
			s.fail(start, len(s.src), "CS1039", "Unterminated string literal")
			s.pos = len(s.src)
			return b.String()
		}
		b.WriteString(s.src[s.pos : s.pos+i])
		s.pos += i + 1
		if s.at(0) != '"' {
			return b.String()
		}
		b.WriteByte('"')
		s.pos++
	}
}

func (s *scanner) char() uint16 {
	start := s.pos
	s.pos++
	var b []byte
	switch {
	case s.at(0) == '\'':
		s.pos++
		s.fail(start, s.pos, "CS1011", "Empty character literal")
		return 0
	case s.at(0) == '\\':
		b = s.escape(b)
	case s.pos < len(s.src) && s.at(0) != '\n':
		_, n := utf8.DecodeRuneInString(s.src[s.pos:])
		b = append(b, s.src[s.pos:s.pos+n]...)
		s.pos += n
	}
	if s.at(0) != '\'' {
		end := strings.IndexAny(s.src[s.pos:], "'\n")
		if end >= 0 && s.src[s.pos+end] == '\'' {
			s.pos += end + 1
			s.fail(start, s.pos, "CS1012", "Too many characters in character literal")
		} else {
			s.fail(start, s.pos, "CS1010", "Newline in constant")
		}
		return 0
	}
	s.pos++
	if len(b) == 3 && b[0] == 0xED && b[1] >= 0xA0 {
		return 0xD000 | uint16(b[1]&0x3F)<<6 | uint16(b[2]&0x3F)
	}
	r, _ := utf8.DecodeRune(b)
	if r > 0xFFFF {
		s.fail(start, s.pos, "CS1012", "Too many characters in character literal")
		return 0
	}
	return uint16(r)
}

func (s *scanner) number(t *Token) {
	start := s.pos
	base := 10
	if s.at(0) == '0' && (s.at(1)|0x20 == 'x' || s.at(1)|0x20 == 'b') {
		base = map[byte]int{'x': 16, 'b': 2}[s.at(1)|0x20]
		s.pos += 2
	}
	digits := func() {
		for c := s.at(0); c >= '0' && c <= '9' || c == '_' || base == 16 && (c|0x20) >= 'a' && (c|0x20) <= 'f'; c = s.at(0) {
			s.pos++
		}
	}
	digits()
	real := base == 10 && s.fraction(start, digits)
	if s.src[s.pos-1] == '_' {
		s.fail(start, s.pos, "CS1013", "Invalid number")
	}
	text := strings.ReplaceAll(s.src[start:s.pos], "_", "")
	lit := &Lit{Suffix: s.suffix(base, real)}
	t.Text, t.Lit = text, lit
	if real || strings.Contains("fdm", lit.Suffix) && lit.Suffix != "" {
		t.Kind, lit.Real = RealLit, s.real(start, text, lit.Suffix)
		return
	}
	t.Kind = IntLit
	if base != 10 {
		text = text[2:]
	}
	var err error
	if lit.Int, err = strconv.ParseUint(text, base, 64); err != nil {
		code, msg := "CS1021", "Integral constant is too large"
		if text == "" || errors.Is(err, strconv.ErrSyntax) {
			code, msg = "CS1013", "Invalid number"
		}
		s.fail(start, s.pos, code, msg)
	}
}

// fraction passes the fraction and the exponent of a number and reports whether
// there is one.
func (s *scanner) fraction(first int, digits func()) bool {
	real := false
	if s.at(0) == '.' && s.at(1) >= '0' && s.at(1) <= '9' {
		real = true
		s.pos++
		digits()
	}
	if s.at(0)|0x20 != 'e' {
		return real
	}
	s.pos++
	if c := s.at(0); c == '+' || c == '-' {
		s.pos++
	}
	if c := s.at(0); c < '0' || c > '9' {
		s.fail(first, s.pos, "CS0595", "Invalid real literal.")
		return true
	}
	digits()
	return true
}

// suffix reads the letters behind a number, in lower case.
func (s *scanner) suffix(base int, real bool) string {
	c := s.at(0) | 0x20
	n := 0
	switch {
	case base == 10 && (c == 'f' || c == 'd' || c == 'm'):
		n = 1
	case real || c != 'u' && c != 'l':
	case s.at(1)|0x20 == 'u'+'l'-c:
		n = 2
	default:
		n = 1
	}
	s.pos += n
	return strings.ToLower(s.src[s.pos-n : s.pos])
}

func (s *scanner) real(start int, text, suffix string) float64 {
	bits, name := 64, "double"
	if suffix == "f" {
		bits, name = 32, "float"
	}
	v, err := strconv.ParseFloat(text, bits)
	if err != nil && suffix != "m" && !strings.HasSuffix(strings.TrimRight(strings.ToLower(text), "+-"), "e") {
		s.fail(start, s.pos, "CS0594", "Floating-point constant is outside the range of type '"+name+"'")
	}
	return v
}

// interpolated reads $"…", $@"…" or @$"…".
func (s *scanner) interpolated() []InterpPart {
	start := s.pos
	verbatim := s.at(1) != '"'
	for s.at(0) != '"' {
		s.pos++
	}
	s.pos++
	s.depth++
	defer func() { s.depth-- }()
	if s.depth > maxInterp {
		s.fail(start, s.pos, "CS8078", TooComplex)
		s.pos = len(s.src)
		return nil
	}
	var parts []InterpPart
	var text []byte
	flush := func() {
		if len(text) > 0 {
			parts = append(parts, InterpPart{Text: string(text)})
			text = nil
		}
	}
	for {
		c := s.at(0)
		switch {
		case s.pos >= len(s.src) || !verbatim && (c == '\n' || c == '\r'):
			s.fail(start, s.pos, "CS1010", "Newline in constant")
			flush()
			return parts
		case c == '"' && verbatim && s.at(1) == '"', c == '{' && s.at(1) == '{', c == '}' && s.at(1) == '}':
			text = append(text, c)
			s.pos += 2
		case c == '"':
			s.pos++
			flush()
			return parts
		case c == '\\' && !verbatim:
			text = s.escape(text)
		case c == '{':
			flush()
			s.pos++
			p, ok := s.hole(start, verbatim)
			parts = append(parts, p)
			if !ok {
				return parts
			}
		case c == '}':
			s.fail(s.pos, s.pos+1, "CS8086", "A '}' character must be escaped (by doubling) in an interpolated string.")
			s.pos++
		default:
			text = append(text, c)
			s.pos++
		}
	}
}

// hole reads what stands between { and } of an interpolated string.
func (s *scanner) hole(start int, verbatim bool) (p InterpPart, ok bool) {
	depth, end, before := 0, "", len(*s.errs)
	from := s.pos
	stop := func(t *Token) bool {
		if i := strings.IndexByte(s.src[from:t.Pos], '\n'); i >= 0 && !verbatim {
			s.pos = from + i // before C# 11 a hole ends with its line
			return true
		}
		if t.Kind != Op {
			return false
		}
		switch t.Text {
		case "(", "[", "{":
			depth++
		case ")", "]":
			depth--
		case "}":
			if depth == 0 {
				end = "}"
				return true
			}
			depth--
		case ":", "::":
			if depth == 0 {
				end = t.Text
				if t.Text == "::" {
					s.pos = int(t.Pos) + 1
					end = ":"
				}
				return true
			}
		}
		return false
	}
	p.Hole = s.scanUntil(nil, stop)
	if len(p.Hole) == 1 && end != "" {
		s.fail(s.pos-1, s.pos-1, "CS1733", "Expected expression")
	}
	if end == ":" && s.format(&p, verbatim) {
		end = "}"
	}
	if end != "}" {
		*s.errs = (*s.errs)[:before] // what follows is of one piece with it
		s.fail(start+1, s.pos, "CS8076", "Missing close delimiter '}' for interpolated expression started with '{'.")
	}
	return p, end == "}"
}

// format reads a format clause with its closing brace.
func (s *scanner) format(p *InterpPart, verbatim bool) bool {
	var b []byte
	from, nested := s.pos, false
	for s.pos < len(s.src) {
		switch c := s.at(0); {
		case (c == '}' && !nested || c == '{') && s.at(1) == c:
			b = append(b, c)
			s.pos += 2
		case c == '{':
			s.fail(s.pos, s.pos+1, "CS8086", "A '{' character must be escaped (by doubling) in an interpolated string.")
			s.pos++
			nested = true
		case c == '}' && nested && s.at(1) == '}':
			s.pos++
			nested = false
		case c == '}':
			if len(b) == 0 {
				s.fail(from-1, s.pos, "CS8089", "Empty format specifier.")
			}
			s.pos++
			p.Format, p.HasFormat = string(b), true
			return true
		case c == '\\' && !verbatim:
			b = s.escape(b)
		case c == '"' || c == '\n' && !verbatim:
			return false
		default:
			b = append(b, c)
			s.pos++
		}
	}
	return false
}
