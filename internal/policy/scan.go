package policy

import "strings"

// maxHoles bounds how deep strings may nest in holes of interpolated strings.
const maxHoles = 32

// A scan is the outcome of looking for the end of an expression.
type scan struct {
	end      int    // offset after the closing bracket; 0 when there is none
	entities bool   // a character reference stands in code, outside of literals and comments
	problem  string // why there is no end
	at       int    // offset of the problem
}

// scanExpression finds the end of the C# that begins with "@(" or "@{" at the start of s. It knows strings (regular,
// verbatim, interpolated with holes), character literals and comments, and nothing else of the language.
func scanExpression(s string) scan {
	c := &scanner{s: s}
	closing := byte(')')
	if s[1] == '{' {
		closing = '}'
	}
	end := c.code(2, s[1], closing, 0)
	if end < 0 {
		if c.problem == "" {
			c.problem, c.at = "The expression is not terminated: '"+string(closing)+"' expected.", 0
		}
		return scan{problem: c.problem, at: c.at, entities: c.entities}
	}
	return scan{end: end, entities: c.entities}
}

type scanner struct {
	s        string
	entities bool
	problem  string
	at       int
}

func (c *scanner) fail(at int, problem string) int {
	if c.problem == "" {
		c.problem, c.at = problem, at
	}
	return -1
}

// code scans from i to after the bracket that closes the one already open, or gives -1.
func (c *scanner) code(i int, opening, closing byte, holes int) int {
	for depth := 1; i >= 0 && i < len(c.s); {
		switch ch := c.s[i]; ch {
		case opening:
			depth++
			i++
		case closing:
			depth--
			i++
			if depth == 0 {
				return i
			}
		case '/':
			i = c.comment(i)
		case '\'':
			i = c.quoted(i+1, '\'', "Unterminated character literal.")
		case '"':
			i = c.quoted(i+1, '"', unterminatedString)
		case '@', '$':
			i = c.prefixed(i, holes)
		case '&':
			if _, size := entity(c.s[i:]); size > 0 {
				c.entities = true
			}
			i++
		default:
			i++
		}
	}
	return -1
}

// The C# compiler's sentence, which the real service hands on.
const unterminatedString = `Unterminated string literal. Strings that start with a quotation mark (") must be terminated before the end of the line.  However, strings that start with @ and a quotation mark (@") can span multiple lines.`

// comment skips a comment at i, or the single '/'.
func (c *scanner) comment(i int) int {
	rest := c.s[i:]
	switch {
	case strings.HasPrefix(rest, "//"):
		if end := strings.IndexAny(rest, "\r\n"); end >= 0 {
			return i + end
		}
		return len(c.s)
	case strings.HasPrefix(rest, "/*"):
		if end := strings.Index(rest[2:], "*/"); end >= 0 {
			return i + 2 + end + 2
		}
		return c.fail(i, "End-of-file found, '*/' expected")
	}
	return i + 1
}

// quoted skips a regular string or a character literal whose opening quote is before i.
func (c *scanner) quoted(i int, quote byte, problem string) int {
	start := i - 1
	for ; i < len(c.s); i++ {
		switch c.s[i] {
		case '\\':
			i++
		case quote:
			return i + 1
		case '\n', '\r':
			return c.fail(start, problem)
		}
	}
	return c.fail(start, problem)
}

// prefixed skips a string with a prefix (@"…", $"…", $@"…", @$"…"), or the prefix alone when no string follows.
func (c *scanner) prefixed(i, holes int) int {
	n := 1
	if i+1 < len(c.s) && (c.s[i+1] == '@' || c.s[i+1] == '$') && c.s[i+1] != c.s[i] {
		n = 2
	}
	if i+n >= len(c.s) || c.s[i+n] != '"' {
		return i + 1
	}
	prefix := c.s[i : i+n]
	return c.special(i+n+1, strings.Contains(prefix, "@"), strings.Contains(prefix, "$"), holes)
}

// special skips a verbatim or interpolated string whose opening quote is before i.
func (c *scanner) special(i int, verbatim, interpolated bool, holes int) int {
	start := i - 1
	for i < len(c.s) {
		switch ch := c.s[i]; {
		case ch == '"' && verbatim && strings.HasPrefix(c.s[i:], `""`):
			i += 2
		case ch == '"':
			return i + 1
		case ch == '\\' && !verbatim:
			i += 2
		case (ch == '\n' || ch == '\r') && !verbatim:
			return c.fail(start, unterminatedString)
		case ch == '{' && interpolated && strings.HasPrefix(c.s[i:], "{{"):
			i += 2
		case ch == '{' && interpolated:
			if holes >= maxHoles {
				return c.fail(i, "Interpolated strings are nested too deep.")
			}
			if i = c.code(i+1, '{', '}', holes+1); i < 0 {
				return c.fail(start, unterminatedString)
			}
		default:
			i++
		}
	}
	return c.fail(start, unterminatedString)
}

// A written expression is one found in text, with the way it is written there.
type written struct {
	scan
	source  string // decoded
	escaped bool
}

// isExpression says whether text, white space skipped, begins an expression.
func isExpression(s string) bool { return strings.HasPrefix(s, "@(") || strings.HasPrefix(s, "@{") }

// readRaw reads the expression at the start of s as rawxml has it: as written, or escaped. It is escaped when the text
// up to the delimiter is a whole expression once decoded, and character references stand in code, where C# has none.
// References inside string literals alone say nothing and are kept.
func readRaw(s string, delim byte) written {
	raw := scanExpression(s)
	if raw.end > 0 && !raw.entities {
		return written{scan: raw, source: s[:raw.end]}
	}
	if w := readEscaped(s, delim); w.end > 0 {
		return w
	}
	if raw.end > 0 { // partly escaped: &lt; beside raw quotes
		source, _ := decode(s[:raw.end])
		if scanExpression(source).end == len(source) {
			return written{scan: raw, source: source, escaped: true}
		}
	}
	return written{scan: raw, source: s[:raw.end]}
}

// readEscaped reads the expression at the start of s as xml has it.
func readEscaped(s string, delim byte) written {
	end := strings.IndexByte(s, delim)
	if end < 0 {
		end = len(s)
	}
	body := strings.TrimRight(s[:end], space)
	source, bad := decode(body)
	if bad >= 0 {
		return written{scan: scan{problem: badEntity, at: bad}}
	}
	found := scanExpression(source)
	switch {
	case found.end == 0:
		return written{scan: scan{problem: found.problem}}
	case found.end < len(source):
		return written{scan: scan{problem: notWhole}}
	}
	return written{scan: scan{end: len(body)}, source: source, escaped: source != body}
}

const (
	space     = " \t\r\n"
	badEntity = "An error occurred while parsing EntityName."
	notWhole  = "An expression must be the whole attribute value or text; it cannot be followed by literal text."
)
