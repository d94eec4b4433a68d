package policy

import (
	"sort"
	"strings"
	"unicode/utf8"
)

// A Source is a submitted text with its named values put in. It remembers which part of Text came from where, so that
// every position is told in the text that the client sent.
type Source struct {
	Submitted string      // what the client sent
	Text      string      // after substitution
	Missing   []Reference // references that no named value answers to; left in Text as they stand

	pieces  []piece // ascending; one for each replacement
	lines   []int   // offsets in Submitted at which lines begin
	tooLong bool    // not everything was put in
}

// maxText bounds a text with its named values put in: short references can stand for long values.
const maxText = 4 << 20

// A Reference is a {{name}} in a submitted text.
type Reference struct {
	Name string
	Position
	offset int // in Text
}

// A piece is a replacement: Text[at:at+size] stands for Submitted[from:from+width].
type piece struct{ at, size, from, width int }

// Substitute replaces every {{name}} that lookup knows. It does so textually and once: a replacement is not searched
// again. Names consist of letters, digits, '-', '_' and '.'; anything else between braces is left alone, and so is a
// name that lookup does not know, which is then listed (once) in missing. So is a name whose value would make the text
// longer than 4 MiB.
func Substitute(src string, lookup func(name string) (string, bool)) (out string, missing []string) {
	s := NewSource(src, lookup)
	seen := map[string]bool{}
	for _, m := range s.Missing {
		if !seen[m.Name] {
			seen[m.Name] = true
			missing = append(missing, m.Name)
		}
	}
	return s.Text, missing
}

// NewSource substitutes as Substitute does and keeps the map of positions. A nil lookup substitutes nothing and finds
// nothing missing.
func NewSource(submitted string, lookup func(name string) (string, bool)) *Source {
	s := &Source{Submitted: submitted, Text: submitted, lines: lineStarts(submitted)}
	if lookup == nil || !strings.Contains(submitted, "{{") {
		return s
	}
	var b strings.Builder
	var at cursor
	last := 0
	for i := 0; i < len(submitted); {
		next := strings.Index(submitted[i:], "{{")
		if next < 0 {
			break
		}
		i += next
		name := nameAt(submitted[i+2:])
		if name == "" {
			i++
			continue
		}
		width := len(name) + 4
		b.WriteString(submitted[last:i])
		value, ok := lookup(name)
		if ok && b.Len()+len(value) > maxText {
			ok, s.tooLong = false, true
		}
		if ok {
			s.pieces = append(s.pieces, piece{at: b.Len(), size: len(value), from: i, width: width})
			b.WriteString(value)
		} else {
			s.Missing = append(s.Missing, Reference{Name: name, Position: at.place(s, i), offset: b.Len()})
			b.WriteString(submitted[i : i+width])
		}
		i += width
		last = i
	}
	b.WriteString(submitted[last:])
	s.Text = b.String()
	return s
}

// nameAt gives the name of a named value that s begins with, when "}}" follows it.
func nameAt(s string) string {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		case c == '}' && i > 0 && strings.HasPrefix(s[i:], "}}"):
			return s[:i]
		default:
			return ""
		}
	}
	return ""
}

// References lists the names that a text refers to, each once, in order.
func References(src string) []string {
	_, names := Substitute(src, func(string) (string, bool) { return "", false })
	return names
}

// Position gives the place in the submitted text of an offset into Text. Inside a replacement that is where its
// reference begins.
func (s *Source) Position(offset int) Position { return s.place(s.submitted(offset)) }

// submitted maps an offset into Text to one into Submitted.
func (s *Source) submitted(offset int) int {
	n := sort.Search(len(s.pieces), func(i int) bool { return s.pieces[i].at > offset })
	if n == 0 {
		return min(offset, len(s.Submitted))
	}
	p := s.pieces[n-1]
	if offset < p.at+p.size {
		return p.from
	}
	return min(p.from+p.width+offset-p.at-p.size, len(s.Submitted))
}

// original is the submitted text behind Text[from:to], so that messages show references and never secrets.
func (s *Source) original(from, to int) string {
	if len(s.pieces) == 0 {
		return s.Text[from:to]
	}
	a, b := s.submitted(from), s.submitted(to)
	for _, p := range s.pieces { // an end inside a replacement means its whole reference
		if to > p.at && to < p.at+p.size {
			b = p.from + p.width
		}
	}
	return s.Submitted[a:max(a, b)]
}

// substituted says whether a named value was put into Text[from:to].
func (s *Source) substituted(from, to int) bool {
	n := sort.Search(len(s.pieces), func(i int) bool { return s.pieces[i].at+s.pieces[i].size > from })
	return n < len(s.pieces) && s.pieces[n].at < to
}

// place is the line and column of an offset into Submitted.
func (s *Source) place(offset int) Position {
	var c cursor
	return c.place(s, offset)
}

// A cursor finds places one after the other. It counts on from the last one when it can, so that reading a document of
// a single long line stays linear.
type cursor struct {
	offset int
	at     Position // zero before the first
}

func (c *cursor) place(s *Source, offset int) Position {
	for offset > 0 && offset < len(s.Submitted) && !utf8.RuneStart(s.Submitted[offset]) {
		offset-- // to the beginning of the character
	}
	line := sort.Search(len(s.lines), func(i int) bool { return s.lines[i] > offset })
	if line == 0 { // before the text, in a byte order mark
		return Position{Line: 1, Column: 1}
	}
	from, column := s.lines[line-1], 1
	if c.at.Line == line && c.offset <= offset {
		from, column = c.offset, c.at.Column
	}
	c.offset = offset
	c.at = Position{Line: line, Column: column + utf8.RuneCountInString(s.Submitted[from:offset])}
	return c.at
}

// line is the text of a submitted line, without its end.
func (s *Source) line(n int) string {
	text := s.Submitted[s.lines[n-1]:]
	if end := strings.IndexAny(text, "\r\n"); end >= 0 {
		text = text[:end]
	}
	return text
}

// finding makes a finding at a position of the submitted text.
func (s *Source) finding(element string, at Position, message string) Finding {
	text, caret := snippet(s.line(at.Line), at.Column)
	return Finding{Element: element, Line: at.Line, Column: at.Column, Message: message, Snippet: text, Caret: caret}
}

// byteOrderMark may begin a text; it is no character of line 1.
const byteOrderMark = "\uFEFF"

// lineStarts lists where lines begin; CR, LF and CR LF end a line.
func lineStarts(text string) []int {
	starts := []int{len(text) - len(strings.TrimPrefix(text, byteOrderMark))}
	for i := range len(text) {
		if text[i] == '\n' || text[i] == '\r' && !strings.HasPrefix(text[i+1:], "\n") {
			starts = append(starts, i+1)
		}
	}
	return starts
}
