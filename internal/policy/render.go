package policy

import (
	"sort"
	"strings"
)

// Text renders the document. In the format it was read in that is the very text; in the other one expressions are
// escaped or unescaped and everything else stays as it is. Conversion is defined for documents read without findings.
func (d *Document) Text(f Format) string {
	if f == d.Format {
		return d.src.Text
	}
	return d.render(0, len(d.src.Text), f)
}

// Render gives the statement alone as Text gives the document.
func (s *Statement) Render(f Format) string {
	if f == s.doc.Format {
		return s.Source()
	}
	return s.doc.render(s.start, s.end, f)
}

// render converts a stretch of the text.
func (d *Document) render(start, end int, f Format) string {
	var b strings.Builder
	last := start
	first := sort.Search(len(d.exprs), func(i int) bool { return d.exprs[i].start >= start })
	for _, e := range d.exprs[first:] {
		if e.end > end {
			break
		}
		if e.cdata {
			continue
		}
		b.WriteString(d.src.Text[last:e.start])
		b.WriteString(e.render(f))
		last = e.end
	}
	b.WriteString(d.src.Text[last:end])
	return b.String()
}

// render writes an expression. Raw text that would be read as something else (code in which a C# name looks like a
// character reference) stays escaped, which rawxml understands too.
func (e *Expression) render(f Format) string {
	if f == RawXML {
		if w := readRaw(e.Source, e.delim); w.source == e.Source && w.end == len(e.Source) {
			return e.Source
		}
		return escapeAttr(e.Source)
	}
	if e.delim == '<' {
		return escapeText(e.Source)
	}
	return escapeAttr(e.Source)
}
