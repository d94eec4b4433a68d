package policy

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// attributes reads attributes up to '>' or '/>'. After a malformed one it looks for the next.
func (p *parser) attributes(st *Statement) {
	for !p.stopped {
		spaced := p.skipSpace()
		rest := p.s[p.i:]
		switch {
		case rest == "":
			return // document reports the element as not closed
		case rest[0] == '>', strings.HasPrefix(rest, "/>"):
			return
		case rest[0] == '<':
			p.unexpected("'>'")
			return
		}
		if !spaced {
			p.unexpected("white space")
		}
		if !p.attribute(st) {
			p.resync()
		}
	}
}

// unexpected reports the character at the current place.
func (p *parser) unexpected(expected string) {
	r, _ := utf8.DecodeRuneInString(p.s[p.i:])
	p.fail(p.i, fmt.Sprintf("'%s' is an unexpected token. Expecting %s.", string(r), expected))
}

// resync moves to what may be the end of the tag or the next attribute.
func (p *parser) resync() {
	if n := strings.IndexAny(p.s[p.i:], "<>"+space); n >= 0 {
		p.i += n
		return
	}
	p.i = len(p.s)
}

// attribute reads name="value".
func (p *parser) attribute(st *Statement) bool {
	start := p.i
	name := p.name()
	if name == "" {
		p.unexpected("an attribute name, '>' or '/>'")
		p.i++
		return false
	}
	p.skipSpace()
	if !strings.HasPrefix(p.s[p.i:], "=") {
		p.fail(p.i, fmt.Sprintf("The attribute '%s' has no value: '=' is expected.", name))
		return false
	}
	p.i++
	p.skipSpace()
	if p.i >= len(p.s) || p.s[p.i] != '"' && p.s[p.i] != '\'' {
		p.fail(p.i, fmt.Sprintf("The value of attribute '%s' must stand in quotes.", name))
		return false
	}
	quote := p.s[p.i]
	p.i++
	a := Attribute{Name: name, Position: p.position(start), ValuePos: p.position(p.i)}
	ok := p.value(st, &a, quote)
	switch {
	case st.Has(name):
		p.fail(start, fmt.Sprintf("'%s' is a duplicate attribute name.", name))
	case len(st.Attrs) == p.limits.MaxAttrs:
		p.fail(start, fmt.Sprintf("An element can have at most %d attributes.", p.limits.MaxAttrs))
		p.stopped = true
	default:
		st.Attrs = append(st.Attrs, a)
	}
	return ok
}

// value reads the value behind the opening quote and the closing quote.
func (p *parser) value(st *Statement, a *Attribute, quote byte) bool {
	start := p.i
	if at := skipSpace(p.s, p.i); isExpression(p.s[at:]) && !p.inOpaque() {
		if e := p.expression(st, at, quote); e != nil {
			a.Expr, a.Value = e, e.Source
			a.span = [2]int{start, p.i}
			p.i = skipSpace(p.s, p.i) + 1
			return true
		}
		if p.doc.Format == RawXML {
			a.span = [2]int{start, start}
			p.i = tagEnd(p.s, start)
			return true
		}
	}
	return p.literal(st, a, start, quote)
}

// tagEnd guesses where a tag ends in which a raw expression is broken, so that its quotes prove nothing: at the first
// '>' or '/>' that other markup follows.
func tagEnd(s string, i int) int {
	for ; i < len(s); i++ {
		if s[i] != '>' {
			continue
		}
		if next := skipSpace(s, i+1); next == len(s) || s[next] == '<' {
			if s[i-1] == '/' {
				return i - 1
			}
			return i
		}
	}
	return i
}

// literal reads a value that is no expression.
func (p *parser) literal(st *Statement, a *Attribute, start int, quote byte) bool {
	end := strings.IndexByte(p.s[start:], quote)
	if end < 0 {
		p.fail(start-1, fmt.Sprintf("The value of attribute '%s' of element '%s' has no closing quote.", a.Name, st.Name))
		p.i, p.cut = len(p.s), true
		return false
	}
	p.i = start + end
	a.span = [2]int{start, p.i}
	if n := strings.IndexByte(p.s[start:p.i], '<'); n >= 0 {
		p.fail(start+n, "'<', hexadecimal value 0x3C, is an invalid attribute character.")
	}
	a.Value = p.decode(start, p.i)
	p.i++
	return true
}

// decode decodes a stretch of text and reports a '&' that begins no reference.
func (p *parser) decode(start, end int) string {
	text, bad := decode(p.s[start:end])
	if bad >= 0 {
		p.fail(start+bad+1, badEntity)
	}
	return text
}

// inOpaque says whether the element being read lies inside a set-body.
func (p *parser) inOpaque() bool {
	return len(p.stack) > 1 && p.stack[len(p.stack)-2].opaque
}

// expression reads the expression at an offset and moves behind it. When there is something wrong with it, it is
// reported and nil is given, and what follows is read as a literal.
func (p *parser) expression(st *Statement, at int, delim byte) *Expression {
	w := p.read(st, at, delim)
	if w.end == 0 {
		p.note(st.Name, at+w.at, w.problem)
		return nil
	}
	after := skipSpace(p.s, at+w.end)
	if after >= len(p.s) || p.s[after] != delim {
		p.note(st.Name, min(after, max(0, len(p.s)-1)), notWhole)
		return nil
	}
	p.i = at + w.end
	return p.made(&Expression{Source: w.source, start: at, end: p.i, escaped: w.escaped, delim: delim})
}

// read finds the expression as the format has it. One that is written raw in an xml document is told as such, once,
// unless named values brought it in: those know nothing of the format they end up in.
func (p *parser) read(st *Statement, at int, delim byte) written {
	if p.doc.Format == RawXML {
		return readRaw(p.s[at:], delim)
	}
	w := readEscaped(p.s[at:], delim)
	if w.end > 0 && strings.IndexByte(p.s[at:at+w.end], '<') < 0 {
		return w
	}
	raw := readRaw(p.s[at:], delim)
	if next := skipSpace(p.s, at+raw.end); raw.end > 0 && next < len(p.s) && p.s[next] == delim {
		if p.doc.src.substituted(at, at+raw.end) {
			return raw
		}
		p.note(st.Name, at, "The expression is not XML-escaped; escape it, or send the document in format 'rawxml'.")
		return raw
	}
	return w
}

func (p *parser) made(e *Expression) *Expression {
	e.doc, e.Position = p.doc, p.position(e.start)
	p.doc.exprs = append(p.doc.exprs, e)
	return e
}

// textRun reads text up to the next markup.
func (p *parser) textRun() {
	f, start := p.top(), p.i
	at := skipSpace(p.s, start)
	if f != nil && !f.opaqueMarkup() && f.blank() && at < len(p.s) && isExpression(p.s[at:]) {
		if e := p.expression(f.st, at, '<'); e != nil {
			f.st.TextExpr, f.st.Text, f.st.TextPos = e, e.Source, e.Position
			return
		}
	}
	end := strings.IndexByte(p.s[start:], '<')
	if end < 0 {
		end = len(p.s) - start
	}
	p.i = start + end
	blank := strings.Trim(p.s[start:p.i], space) == ""
	switch {
	case f == nil && !blank:
		p.fail(at, "Data at the root level is invalid.")
	case f == nil:
	case blank:
		f.text.WriteString(p.s[start:p.i])
	default:
		p.addText(f, at, p.decode(start, p.i))
		f.marked = f.marked || p.s[at] == '&'
	}
}

// addText adds decoded text to an element.
func (p *parser) addText(f *frame, at int, text string) {
	if f.st.TextExpr != nil {
		p.note(f.st.Name, at, notWhole)
		return
	}
	if f.st.TextPos.Line == 0 {
		f.st.TextPos = p.position(at)
	}
	f.text.WriteString(text)
}

// blank says whether the element has no text yet but white space.
func (f *frame) blank() bool {
	return f.st.TextExpr == nil && !f.marked && strings.Trim(f.text.String(), space) == ""
}

// opaqueMarkup says whether text here is part of literal markup, where nothing is an expression: inside an element
// within set-body, or in set-body behind such an element.
func (f *frame) opaqueMarkup() bool { return f.opaque && (f.st.Name != "set-body" || f.markup) }

// cdata reads a CDATA section.
func (p *parser) cdata() {
	start := p.i
	p.skip("]]>", "Unexpected end of file while parsing CDATA has occurred.")
	f := p.top()
	if f == nil {
		p.fail(start, "Data at the root level is invalid.")
		return
	}
	from, to := start+len("<![CDATA["), max(start+len("<![CDATA["), p.i-len("]]>"))
	text := p.s[from:to]
	at := skipSpace(text, 0)
	if !isExpression(text[at:]) || f.opaqueMarkup() || !f.blank() {
		p.addText(f, from, text)
		f.marked = true
		return
	}
	source := strings.TrimRight(text[at:], space)
	switch found := scanExpression(source); {
	case found.end == 0:
		p.note(f.st.Name, from+at+found.at, found.problem)
	case found.end < len(source):
		p.note(f.st.Name, from+at+found.end, notWhole)
	default:
		e := p.made(&Expression{Source: source, start: from + at, end: from + at + len(source), cdata: true, delim: '<'})
		f.st.TextExpr, f.st.Text, f.st.TextPos = e, e.Source, e.Position
	}
}
