package policy

import (
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"
)

// A Reader reads documents within bounds. Its zero value has the bounds of the service.
type Reader struct {
	MaxBytes    int // of the submitted text; 0 means 256 KiB. With named values put in it may have 16 times as many
	MaxDepth    int // of nested elements; 0 means 64
	MaxAttrs    int // of one element; 0 means 64
	MaxFindings int // after so many the reader gives up; 0 means 100
}

// Parse reads a policy document, root <policies>, within the usual bounds. See Reader.Parse.
func Parse(src string, f Format) (*Document, Findings) { return Reader{}.Parse(src, f) }

// ParseFragment reads a policy fragment, root <fragment>, within the usual bounds.
func ParseFragment(src string, f Format) (*Document, Findings) {
	return Reader{}.ParseSource(NewSource(src, nil), f, "fragment")
}

// ParseSource reads a policy document whose named values have been substituted; references without a named value are
// findings. Positions are those of the submitted text.
func ParseSource(src *Source, f Format) (*Document, Findings) {
	return Reader{}.ParseSource(src, f, "policies")
}

// Parse reads a policy document. The document is never nil; with findings it holds what could be read, which is good
// for more findings and not for running.
func (r Reader) Parse(src string, f Format) (*Document, Findings) {
	return r.ParseSource(NewSource(src, nil), f, "policies")
}

// ParseSource reads a document with the root element given.
func (r Reader) ParseSource(src *Source, f Format, root string) (*Document, Findings) {
	r = r.defaults()
	p := &parser{limits: r, s: src.Text, doc: &Document{Format: f, src: src}}
	switch {
	case f != XML && f != RawXML:
		p.fail(0, fmt.Sprintf("Unknown format '%s'; 'xml' and 'rawxml' can be read.", f))
	case len(src.Submitted) > r.MaxBytes:
		p.fail(0, fmt.Sprintf("The document has %d bytes; at most %d are allowed.", len(src.Submitted), r.MaxBytes))
	case src.tooLong, len(src.Text) > 16*r.MaxBytes:
		p.fail(0, fmt.Sprintf("With its named values the document has more than %d bytes.", min(maxText, 16*r.MaxBytes)))
	case p.characters():
		p.document(root)
		p.missing()
	}
	// Unclosed elements are found at the end but belong where they begin.
	sort.SliceStable(p.findings, func(i, j int) bool {
		a, b := p.findings[i], p.findings[j]
		return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
	})
	return p.doc, p.findings
}

func (r Reader) defaults() Reader {
	set := func(v *int, n int) {
		if *v <= 0 {
			*v = n
		}
	}
	set(&r.MaxBytes, 256<<10)
	set(&r.MaxDepth, 64)
	set(&r.MaxAttrs, 64)
	set(&r.MaxFindings, 100)
	return r
}

type parser struct {
	limits   Reader
	s        string
	i        int // next byte
	doc      *Document
	stack    []*frame
	at       cursor
	comments [][2]int // where comments are, in order
	findings Findings
	stopped  bool // too many findings, or too deep
	cut      bool // something other than an element is not closed; it swallowed the rest
}

// A frame is an element that is still open.
type frame struct {
	st     *Statement
	text   strings.Builder
	marked bool           // text must be kept even when blank (CDATA, a character reference)
	counts map[string]int // children so far, by name
	opaque bool           // inside set-body: markup is text, and nothing is an expression
	markup bool           // an opaque element has child elements
}

// fail notes that the text is not well-formed at an offset.
func (p *parser) fail(offset int, message string) { p.note("", offset, message) }

func (p *parser) note(element string, offset int, message string) {
	if p.stopped {
		return
	}
	p.findings = append(p.findings, p.doc.src.finding(element, p.position(offset), message))
	p.stopped = len(p.findings) >= p.limits.MaxFindings
}

// position is the place in the submitted text of an offset.
func (p *parser) position(offset int) Position {
	return p.at.place(p.doc.src, p.doc.src.submitted(offset))
}

// characters checks that the text consists of characters that XML allows; without that no position means anything.
func (p *parser) characters() bool {
	for i, r := range p.s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(p.s[i:]); size == 1 {
				p.fail(i, "Invalid character in the given encoding.")
				return false
			}
		}
		if !isXMLChar(r) {
			p.fail(i, fmt.Sprintf("'%s', hexadecimal value 0x%02X, is an invalid character.", show(r), r))
			return false
		}
	}
	return true
}

func show(r rune) string {
	if r < ' ' {
		return "."
	}
	return string(r)
}

func (p *parser) document(root string) {
	p.i = len(p.s) - len(strings.TrimPrefix(p.s, byteOrderMark))
	for p.i < len(p.s) && !p.stopped {
		p.next()
	}
	for len(p.stack) > 0 && !p.stopped {
		st := p.stack[len(p.stack)-1].st
		if !p.cut {
			p.fail(st.start+1, fmt.Sprintf("Unexpected end of file has occurred. The following element is not closed: %s.", st.Name))
		}
		p.pop(len(p.s), len(p.s))
	}
	switch {
	case p.stopped:
	case p.doc.Root == nil && len(p.findings) == 0:
		p.fail(len(p.s), "Root element is missing.")
	case p.doc.Root != nil && p.doc.Root.Name != root:
		p.note(p.doc.Root.Name, p.doc.Root.start+1, fmt.Sprintf("The '%s' element is not declared.", p.doc.Root.Name))
	}
}

// next reads one piece: markup or a run of text.
func (p *parser) next() {
	rest := p.s[p.i:]
	switch {
	case strings.HasPrefix(rest, "<!--"):
		start := p.i
		p.skip("-->", "Unexpected end of file while parsing Comment has occurred.")
		p.comments = append(p.comments, [2]int{start, p.i})
	case strings.HasPrefix(rest, "<![CDATA["):
		p.cdata()
	case strings.HasPrefix(rest, "<?"):
		p.skip("?>", "Unexpected end of file while parsing PI has occurred.")
	case strings.HasPrefix(rest, "<!"):
		p.fail(p.i, "For security reasons DTD is prohibited in this document.")
		p.skip(">", "Unexpected end of file while parsing DOCTYPE has occurred.")
	case strings.HasPrefix(rest, "</"):
		p.endTag()
	case rest[0] == '<':
		p.startTag()
	default:
		p.textRun()
	}
}

// skip moves behind the next occurrence of end.
func (p *parser) skip(end, problem string) {
	n := strings.Index(p.s[p.i+2:], end)
	if n < 0 {
		p.fail(p.i, problem)
		p.i, p.cut = len(p.s), true
		return
	}
	p.i += 2 + n + len(end)
}

func (p *parser) top() *frame {
	if len(p.stack) == 0 {
		return nil
	}
	return p.stack[len(p.stack)-1]
}

func (p *parser) skipSpace() bool {
	start := p.i
	p.i = skipSpace(p.s, p.i)
	return p.i > start
}

func skipSpace(s string, i int) int {
	for i < len(s) && strings.IndexByte(space, s[i]) >= 0 {
		i++
	}
	return i
}

// name reads an XML name at the current place, or gives "".
func (p *parser) name() string {
	start := p.i
	for p.i < len(p.s) {
		r, size := utf8.DecodeRuneInString(p.s[p.i:])
		if !isNameChar(r, p.i == start) {
			break
		}
		p.i += size
	}
	return p.s[start:p.i]
}

func isNameChar(r rune, first bool) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '_', r == ':', r >= 0xC0 && r != 0xD7 && r != 0xF7 && r != utf8.RuneError:
		return true
	case r >= '0' && r <= '9', r == '-', r == '.', r == 0xB7:
		return !first
	}
	return false
}

func (p *parser) startTag() {
	start := p.i
	p.i++
	name := p.name()
	if name == "" {
		p.badName()
		return
	}
	if len(p.stack) == 0 && p.doc.Root != nil {
		p.fail(start+1, "There are multiple root elements.")
	}
	if len(p.stack) >= p.limits.MaxDepth {
		p.fail(start+1, fmt.Sprintf("Elements are nested more than %d deep.", p.limits.MaxDepth))
		p.stopped = true
		return
	}
	st := &Statement{Name: name, Position: p.position(start + 1), doc: p.doc, start: start}
	p.push(st)
	p.attributes(st)
	switch {
	case strings.HasPrefix(p.s[p.i:], "/>"):
		p.i += 2
		st.inner = [2]int{p.i, p.i}
		p.pop(p.i, p.i)
	case strings.HasPrefix(p.s[p.i:], ">"):
		p.i++
		st.inner[0] = p.i
	default: // reported by attributes; take the tag as open
		st.inner[0] = p.i
	}
}

// badName reports a '<' that begins no name. The current place is behind it.
func (p *parser) badName() {
	if p.i >= len(p.s) {
		p.fail(p.i-1, "Unexpected end of file has occurred.")
		return
	}
	r, _ := utf8.DecodeRuneInString(p.s[p.i:])
	p.fail(p.i, fmt.Sprintf("Name cannot begin with the '%s' character, hexadecimal value 0x%02X.", show(r), r))
}

// push opens an element: it takes its place in the tree and gets its path.
func (p *parser) push(st *Statement) {
	f := &frame{st: st}
	parent := p.top()
	switch {
	case parent == nil:
		if p.doc.Root == nil {
			p.doc.Root = st
		}
	case parent.opaque:
		f.opaque = true
		parent.markup = true
	default:
		parent.st.Children = append(parent.st.Children, st)
		if parent.counts == nil {
			parent.counts = map[string]int{}
		}
		parent.counts[st.Name]++
		st.Path = p.path(parent.st, fmt.Sprintf("%s[%d]", st.Name, parent.counts[st.Name]))
	}
	f.opaque = f.opaque || st.Name == "set-body"
	p.stack = append(p.stack, f)
}

// path joins a step to the parent's path. Paths begin below the section, or below the root of a fragment.
func (p *parser) path(parent *Statement, step string) string {
	switch {
	case len(p.stack) == 1 && parent.Name == "policies":
		return ""
	case parent.Path == "":
		return step
	}
	return parent.Path + "/" + step
}

func (p *parser) endTag() {
	start := p.i
	p.i += 2
	name := p.name()
	p.skipSpace()
	if name == "" || !strings.HasPrefix(p.s[p.i:], ">") {
		p.fail(start, "The end tag is malformed: a name and '>' are expected.")
		if end := strings.IndexAny(p.s[p.i:], "<>"); end >= 0 {
			p.i += end
		}
	}
	if strings.HasPrefix(p.s[p.i:], ">") {
		p.i++
	}
	p.close(name, start)
}

// close ends the innermost open element of that name. Elements inside it that are still open are reported; an end tag
// that nothing waits for is reported and passed over.
func (p *parser) close(name string, start int) {
	n := len(p.stack) - 1
	for n >= 0 && p.stack[n].st.Name != name {
		n--
	}
	if n < 0 {
		if len(p.stack) == 0 {
			p.fail(start+2, "Unexpected end tag.")
			return
		}
		p.mismatch(name, start)
		return
	}
	if n < len(p.stack)-1 {
		p.mismatch(name, start)
		for len(p.stack)-1 > n {
			p.pop(start, start)
		}
	}
	p.pop(start, p.i)
}

func (p *parser) mismatch(name string, start int) {
	st := p.top().st
	p.fail(start+2, fmt.Sprintf("The '%s' start tag on line %d position %d does not match the end tag of '%s'.", st.Name, st.Line, st.Column, name))
}

// pop closes the innermost element: its content ends at inner, the element itself at end.
func (p *parser) pop(inner, end int) {
	f := p.top()
	p.stack = p.stack[:len(p.stack)-1]
	f.st.inner[1], f.st.end = max(f.st.inner[0], inner), end
	if f.st.TextExpr != nil {
		return
	}
	text := f.text.String()
	switch {
	case f.markup:
		f.st.Text = p.s[f.st.inner[0]:f.st.inner[1]]
		f.st.TextPos = p.position(skipSpace(p.s, f.st.inner[0]))
	case strings.Trim(text, space) == "" && !f.marked:
	case f.opaque:
		f.st.Text = text
	default:
		f.st.Text = strings.Trim(text, space)
	}
}

// missing reports references to named values that do not exist, at the element that holds them. Comments do not count,
// and inside a Liquid template the braces may be Liquid's own.
func (p *parser) missing() {
	for _, m := range p.doc.src.Missing {
		if p.stopped {
			return
		}
		if p.inComment(m.offset) {
			continue
		}
		st := p.doc.Root.holding(m.offset)
		if st == nil || st.Name == "set-body" && st.Attr("template") == "liquid" {
			continue
		}
		p.note(st.Name, m.offset, fmt.Sprintf("Cannot find a property '%s'", m.Name))
	}
}

// holding gives the innermost statement around an offset.
func (s *Statement) holding(offset int) *Statement {
	if s == nil || offset < s.start || offset >= s.end {
		return nil
	}
	for _, c := range s.Children {
		if in := c.holding(offset); in != nil {
			return in
		}
	}
	return s
}

// inComment says whether an offset lies in a comment between elements or text.
func (p *parser) inComment(offset int) bool {
	n := sort.Search(len(p.comments), func(i int) bool { return p.comments[i][1] > offset })
	return n < len(p.comments) && p.comments[n][0] <= offset
}
