package policy

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Finding is one thing that is wrong with a document, with the place in the submitted text.
type Finding struct {
	Element string // name of the element in question; "" where the text is not well-formed
	Line    int    // 1-based
	Column  int    // 1-based, in characters
	Message string // one or more sentences
	Snippet string // the submitted line, cut around the column when long
	Caret   int    // 0-based column of the finding within Snippet, in characters
}

// Detail is the message of an ARM detail.
func (f Finding) Detail() string {
	if f.Element == "" {
		return fmt.Sprintf("%s Line %d, position %d.", f.Message, f.Line, f.Column)
	}
	return fmt.Sprintf("Error in element '%s' on line %d, column %d: %s", f.Element, f.Line, f.Column, f.Message)
}

// Error is Detail.
func (f Finding) Error() string { return f.Detail() }

// Pretty is the finding over several lines, for a terminal: the message, the line of text and a caret below it.
func (f Finding) Pretty() string {
	out := fmt.Sprintf("%d:%d: %s", f.Line, f.Column, f.Message)
	if f.Element != "" {
		out = fmt.Sprintf("%d:%d: %s: %s", f.Line, f.Column, f.Element, f.Message)
	}
	if f.Snippet == "" {
		return out
	}
	return out + "\n    " + f.Snippet + "\n    " + strings.Repeat(" ", f.Caret) + "^"
}

// Findings are all findings of one document, in the order of the text where it has one. Empty Findings mean that
// nothing is wrong; return Err, not the value itself, as an error.
type Findings []Finding

// Error joins the details, one a line.
func (f Findings) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].Detail()
	}
	return strings.Join(lines, "\n")
}

// Err is nil when there are no findings.
func (f Findings) Err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// Pretty joins the multi-line forms.
func (f Findings) Pretty() string {
	parts := make([]string, len(f))
	for i := range f {
		parts[i] = f[i].Pretty()
	}
	return strings.Join(parts, "\n")
}

// snippetWidth is how many characters of a line a finding shows.
const snippetWidth = 120

// snippet cuts the line around a column (1-based) and says where the column is in the cut. Tabs become single spaces
// so that the caret stands right.
func snippet(line string, column int) (string, int) {
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r == utf8.RuneError {
			return ' '
		}
		return r
	}, line)
	runes, at := []rune(line), max(0, column-1)
	if len(runes) <= snippetWidth {
		trimmed := strings.TrimLeft(line, " ")
		cut := len(line) - len(trimmed) // leading blanks are one byte each
		if at < cut {
			cut = 0
		}
		return line[cut:], at - cut
	}
	from := max(0, min(at-snippetWidth/2, len(runes)-snippetWidth))
	return string(runes[from : from+snippetWidth]), at - from
}
