// Package syntax reads C# 7 expressions and statement blocks.
//
// It keeps byte offsets for everything, so that later phases can point at what
// they mean, and it reports all errors of a source in one go: after an error the
// parser goes on behind the next statement. Newer syntax and declarations of
// types are recognised and refused by name. Start reading at Parse.
package syntax

import (
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"
)

// Pos is a byte offset in the source.
type Pos int32

// Error is one finding about a source.
type Error struct {
	Pos     Pos
	End     Pos
	Code    string // as the C# compiler numbers it: CS1002
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }

// Source is a text with the offsets of its lines.
type Source struct {
	Text  string
	lines []int
}

// NewSource indexes the lines of text.
func NewSource(text string) *Source {
	s := &Source{Text: text, lines: []int{0}}
	for i := 0; i < len(text); i++ {
		if text[i] == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

// Position is the line and column of p, both counted from 1. Columns count
// UTF-16 units, as editors and the C# compiler do.
func (s *Source) Position(p Pos) (line, col int) {
	off := min(max(int(p), 0), len(s.Text))
	line = sort.Search(len(s.lines), func(i int) bool { return s.lines[i] > off })
	col = 1
	for _, r := range s.Text[s.lines[line-1]:off] {
		col++
		if r > 0xFFFF {
			col++
		}
	}
	return line, col
}

// Line is the text of a line without its end.
func (s *Source) Line(line int) string {
	if line < 1 || line > len(s.lines) {
		return ""
	}
	text := s.Text[s.lines[line-1]:]
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	return strings.TrimSuffix(text, "\r")
}

// AppendUnit appends a UTF-16 unit to a string. Lone surrogates are kept in
// their three-byte form; a low surrogate joins a high one before it.
func AppendUnit(b []byte, u uint16) []byte {
	if u >= 0xDC00 && u <= 0xDFFF && len(b) >= 3 {
		t := b[len(b)-3:]
		if t[0] == 0xED && t[1] >= 0xA0 && t[1] <= 0xAF && t[2]&0xC0 == 0x80 {
			hi := rune(t[1]&0x0F)<<6 | rune(t[2]&0x3F)
			return utf8.AppendRune(b[:len(b)-3], 0x10000+hi<<10+rune(u-0xDC00))
		}
	}
	if u >= 0xD800 && u <= 0xDFFF {
		return append(b, 0xED, 0x80|byte(u>>6)&0x3F, 0x80|byte(u)&0x3F)
	}
	return utf8.AppendRune(b, rune(u))
}
