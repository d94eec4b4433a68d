package lib

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// xmlReader parses XML. It reads no external entities, and of a document type
// only its name and identifiers.
type xmlReader struct {
	f     F
	s     string
	i     int
	dom   bool
	ws    bool     // keep white space between elements
	dtd   bool     // a document type may stand there
	names []string // of the elements that are open
}

// xmlScope is what prefixes stand for.
type xmlScope map[string]string

// parseXML reads a document.
func parseXML(f F, s string, dom, keepSpace bool) *Node {
	return (&xmlReader{f: f, s: s, dom: dom, ws: keepSpace, dtd: true}).document()
}

func (r *xmlReader) document() *Node {
	r.f.Alloc(len(r.s))
	r.s = strings.TrimPrefix(r.s, "\ufeff")
	doc := &Node{kind: xDocument, dom: r.dom}
	r.content(doc, xmlScope{"xml": "http://www.w3.org/XML/1998/namespace", "": ""}, 0)
	if doc.root() == nil {
		clr.Throw(clr.ExXML, "Root element is missing.")
	}
	return doc
}

func (r *xmlReader) fail(msg string) { r.failAt(r.i, msg) }

func (r *xmlReader) failAt(at int, msg string) {
	line, col := r.position(at)
	clr.Throw(clr.ExXML, fmt.Sprintf("%s Line %d, position %d.", msg, line, col))
}

// position is the line and column of a place, from 1.
func (r *xmlReader) position(at int) (line, col int) {
	s := r.s[:min(at, len(r.s))]
	return 1 + strings.Count(s, "\n"), 1 + length(s[strings.LastIndexByte(s, '\n')+1:])
}

// unclosed fails for elements that do not end.
func (r *xmlReader) unclosed() {
	names := slices.Clone(r.names)
	slices.Reverse(names)
	r.i = len(r.s)
	r.fail("Unexpected end of file has occurred. The following elements are not closed: " + strings.Join(names, ", ") + ".")
}

// unexpected fails for what stands here instead of something else.
func (r *xmlReader) unexpected(wanted string) {
	if r.i >= len(r.s) {
		r.fail("Unexpected end of file has occurred.")
	}
	r.fail("'" + r.token() + "' is an unexpected token. " + wanted)
}

// token is the name or character that stands here.
func (r *xmlReader) token() string {
	n := 0
	for _, c := range r.s[r.i:] {
		if !isNameChar(c) || c == ':' {
			break
		}
		n += utf8.RuneLen(c)
	}
	if n == 0 {
		_, n = utf8.DecodeRuneInString(r.s[r.i:])
	}
	return r.s[r.i : r.i+n]
}

// until reads up to an end, and behind it.
func (r *xmlReader) until(end, missing string) string {
	i := strings.Index(r.s[r.i:], end)
	if i < 0 {
		r.i = len(r.s)
		r.fail(missing)
	}
	out := r.s[r.i : r.i+i]
	r.i += i + len(end)
	return out
}

func endWithin(what string) string {
	return "Unexpected end of file while parsing " + what + " has occurred."
}

// content reads up to the end tag of n, or to the end of the document.
func (r *xmlReader) content(n *Node, scope xmlScope, depth int) {
	for r.i < len(r.s) {
		rest := r.s[r.i:]
		r.f.Alloc(64)
		switch {
		case strings.HasPrefix(rest, "</"):
			if n.kind == xDocument {
				r.failAt(r.i+2, "Unexpected end tag.")
			}
			return
		case strings.HasPrefix(rest, "<!--"):
			r.comment(n)
		case strings.HasPrefix(rest, "<![CDATA["):
			if n.kind == xDocument {
				r.fail("Data at the root level is invalid.")
			}
			r.i += 9
			r.leaf(n, xCData, r.until("]]>", endWithin("CDATA")))
		case strings.HasPrefix(rest, "<?"):
			r.instruction(n)
		case strings.HasPrefix(rest, "<!DOCTYPE"):
			r.docType(n)
		case rest[0] == '<':
			if n.kind == xDocument && n.root() != nil {
				r.failAt(r.i+1, "There are multiple root elements.")
			}
			r.element(n, scope, depth)
		default:
			r.text(n)
		}
	}
}

func (r *xmlReader) leaf(n *Node, kind int, value string) {
	n.kids = append(n.kids, &Node{kind: kind, dom: r.dom, value: value, parent: n})
}

func (r *xmlReader) comment(n *Node) {
	r.i += 4
	from := r.i
	value := r.until("-->", endWithin("Comment"))
	if at := strings.Index(value+"-", "--"); at >= 0 {
		r.failAt(from+at, "An XML comment cannot contain '--', and '-' cannot be the last character.")
	}
	r.leaf(n, xComment, value)
}

// instruction reads a processing instruction, or the declaration of the document.
func (r *xmlReader) instruction(n *Node) {
	start := r.i
	r.i += 2
	target := r.name()
	value := strings.TrimLeft(r.until("?>", endWithin("PI")), " \t\r\n")
	switch {
	case target != "xml":
		n.kids = append(n.kids, &Node{kind: xPI, dom: r.dom, local: target, value: value, parent: n})
	case start > 0:
		r.failAt(start+2, "Unexpected XML declaration. The XML declaration must be the first node in the document, and no whitespace characters are allowed to appear before it.")
	default:
		n.decl = "xml " + strings.ReplaceAll(value, "'", `"`)
	}
}

// docType reads <!DOCTYPE name ids>. Declarations inside of it are not read.
func (r *xmlReader) docType(n *Node) {
	const prohibited = "For security reasons DTD is prohibited in this XML document."
	if !r.dtd {
		clr.Throw(clr.ExXML, prohibited+" To enable DTD processing set the DtdProcessing property on XmlReaderSettings to Parse and pass the settings into XmlReader.Create method.")
	}
	if n.kind != xDocument || n.root() != nil {
		r.fail("Unexpected DTD declaration.")
	}
	r.i += len("<!DOCTYPE")
	value := strings.TrimSpace(r.until(">", endWithin("DOCTYPE")))
	if strings.Contains(value, "[") {
		clr.Throw(clr.ExXML, prohibited)
	}
	r.leaf(n, xDocType, value)
}

// text reads the text up to the next tag.
func (r *xmlReader) text(n *Node) {
	from := r.i
	end := strings.IndexByte(r.s[r.i:], '<')
	if end < 0 {
		end = len(r.s) - r.i
	}
	raw := r.s[from : from+end]
	if n.kind == xDocument {
		if data := strings.TrimLeft(raw, " \t\r\n"); data != "" {
			r.failAt(from+len(raw)-len(data), "Data at the root level is invalid.")
		}
	}
	if at := strings.Index(raw, "]]>"); at >= 0 {
		r.failAt(from+at, "']]>' is not allowed in character data.")
	}
	value := r.entities(raw, from)
	if n.kind != xDocument && (r.ws || strings.Trim(raw, " \t\r\n") != "") {
		r.leaf(n, xText, value)
	}
	r.i = from + end
}

func isNameStart(c rune) bool { return c == '_' || c == ':' || unicode.IsLetter(c) }

func isNameChar(c rune) bool {
	return isNameStart(c) || c == '-' || c == '.' || c == '·' || unicode.IsDigit(c) || unicode.Is(unicode.M, c)
}

// name reads a qualified name.
func (r *xmlReader) name() string {
	from := r.i
	for _, c := range r.s[r.i:] {
		if r.i == from && !isNameStart(c) {
			r.fail(badNameStart(c))
		}
		if !isNameChar(c) {
			break
		}
		r.i += utf8.RuneLen(c)
	}
	if r.i >= len(r.s) {
		r.fail(endWithin("Name"))
	}
	return r.s[from:r.i]
}

func badNameStart(c rune) string {
	return fmt.Sprintf("Name cannot begin with the '%c' character, hexadecimal value 0x%02X.", c, c)
}

func badNameChar(c rune) string {
	return fmt.Sprintf("The '%c' character, hexadecimal value 0x%02X, cannot be included in a name.", c, c)
}

// space skips white space and reports whether there was any.
func (r *xmlReader) space() bool {
	from := r.i
	for r.i < len(r.s) && strings.IndexByte(" \t\r\n", r.s[r.i]) >= 0 {
		r.i++
	}
	return r.i > from
}

func (r *xmlReader) element(parent *Node, outer xmlScope, depth int) {
	if depth > 500 {
		r.fail("The XML is nested too deeply.")
	}
	r.i++
	start := r.i
	qn := r.name()
	if c, _ := utf8.DecodeRuneInString(r.s[r.i:]); !strings.ContainsRune(" \t\r\n/>", c) {
		r.fail(badNameChar(c))
	}
	r.names = append(r.names, qn)
	n := &Node{kind: xElement, dom: r.dom, parent: parent}
	scope := r.attributes(n, outer)
	n.prefix, n.local = splitName(qn)
	n.space = r.resolve(n.prefix, scope, start)
	parent.kids = append(parent.kids, n)
	if r.s[r.i] == '/' {
		r.i += 2
	} else {
		r.i++
		r.content(n, scope, depth+1)
		n.open = len(n.kids) == 0
		r.end(qn, start)
	}
	r.names = r.names[:len(r.names)-1]
}

// end reads the end tag of an element that began at start.
func (r *xmlReader) end(qn string, start int) {
	if r.i >= len(r.s) {
		r.unclosed()
	}
	r.i += 2
	at := r.i
	if name := r.name(); name != qn {
		line, col := r.position(start)
		r.failAt(at, fmt.Sprintf("The '%s' start tag on line %d position %d does not match the end tag of '%s'.", qn, line, col, name))
	}
	r.space()
	if r.i >= len(r.s) || r.s[r.i] != '>' {
		r.unexpected("The expected token is '>'.")
	}
	r.i++
}

func splitName(qn string) (prefix, local string) {
	if p, l, ok := strings.Cut(qn, ":"); ok {
		return p, l
	}
	return "", qn
}

func (r *xmlReader) resolve(prefix string, scope xmlScope, at int) string {
	uri, ok := scope[prefix]
	if !ok {
		r.failAt(at, "'"+prefix+"' is an undeclared prefix.")
	}
	return uri
}

// attributes reads the attributes of n up to the end of its tag, and gives what
// prefixes stand for in it.
func (r *xmlReader) attributes(n *Node, scope xmlScope) xmlScope {
	var starts []int
	for {
		spaced := r.space()
		switch {
		case r.i >= len(r.s):
			r.unclosed()
		case r.s[r.i] == '>', strings.HasPrefix(r.s[r.i:], "/>"):
			for i, a := range n.attrs {
				if a.space != xmlnsURI && a.prefix != "" {
					a.space = r.resolve(a.prefix, scope, starts[i])
				}
			}
			return scope
		case r.s[r.i] == '/':
			r.i++
			r.unexpected("The expected token is '>'.")
		case !spaced:
			r.unexpected("Expecting whitespace.")
		}
		starts = append(starts, r.i)
		a := r.attribute(n)
		if a.space == xmlnsURI {
			scope = maps.Clone(scope)
			scope[declared(a)] = a.value
		}
		n.attrs = append(n.attrs, a)
	}
}

// declared is the prefix that a namespace declaration declares.
func declared(a *Node) string {
	if a.prefix == "" {
		return ""
	}
	return a.local
}

func (r *xmlReader) attribute(n *Node) *Node {
	start := r.i
	qn := r.name()
	r.space()
	if r.i >= len(r.s) || r.s[r.i] != '=' {
		r.unexpected("The expected token is '='.")
	}
	r.i++
	r.space()
	if r.i >= len(r.s) || r.s[r.i] != '"' && r.s[r.i] != '\'' {
		r.unexpected("The expected token is '\"' or '''.")
	}
	quote := r.s[r.i : r.i+1]
	r.i++
	from := r.i
	raw := r.until(quote, "There is an unclosed literal string.")
	if at := strings.IndexByte(raw, '<'); at >= 0 {
		r.failAt(from+at, "'<', hexadecimal value 0x3C, is an invalid attribute character.")
	}
	a := &Node{kind: xAttribute, dom: r.dom, parent: n}
	a.prefix, a.local = splitName(qn)
	a.value = r.entities(attributeSpace.Replace(raw), from)
	if qn == "xmlns" || a.prefix == "xmlns" {
		a.space = xmlnsURI
	}
	if slices.ContainsFunc(n.attrs, func(o *Node) bool { return o.local == a.local && o.prefix == a.prefix }) {
		r.failAt(start, "'"+qn+"' is a duplicate attribute name.")
	}
	return a
}

// White space of attributes is spaces; lines end with a line feed.
var (
	attributeSpace = strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ", "\t", " ")
	lineEnds       = strings.NewReplacer("\r\n", "\n", "\r", "\n")
)

// entities replaces references; at is the place of s in the source.
func (r *xmlReader) entities(s string, at int) string {
	for i, c := range s {
		if !isXMLChar(c) {
			r.failAt(at+i, badXMLChar(c))
		}
	}
	var b strings.Builder
	for rest := s; ; {
		before, ref, found := strings.Cut(rest, "&")
		b.WriteString(lineEnds.Replace(before))
		if !found {
			return b.String()
		}
		place := at + len(s) - len(ref)
		name, after, ok := strings.Cut(ref, ";")
		if !ok || name == "" {
			r.failAt(place, "An error occurred while parsing EntityName.")
		}
		b.WriteString(r.entity(name, place))
		rest = after
	}
}

func isXMLChar(c rune) bool {
	return c >= 0x20 && c != 0xFFFE && c != 0xFFFF || c == '\t' || c == '\n' || c == '\r'
}

func badXMLChar(c rune) string {
	shown := string(c)
	if c == 0 {
		shown = "."
	}
	return fmt.Sprintf("'%s', hexadecimal value 0x%02X, is an invalid character.", shown, c)
}

var xmlEntities = map[string]string{"lt": "<", "gt": ">", "amp": "&", "quot": `"`, "apos": "'"}

// entity is what the reference &name; stands for.
func (r *xmlReader) entity(name string, at int) string {
	digits, ok := strings.CutPrefix(name, "#")
	if !ok {
		text, known := xmlEntities[name]
		if !known {
			r.failAt(at, "Reference to undeclared entity '"+name+"'.")
		}
		return text
	}
	base, kind := 10, "decimal"
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		base, kind, digits = 16, "hexadecimal", hex
	}
	n, err := strconv.ParseUint(digits, base, 21)
	if err != nil {
		r.failAt(at+1, "Invalid syntax for a "+kind+" numeric entity reference.")
	}
	c := rune(n)
	if !isXMLChar(c) || !utf8.ValidRune(c) {
		r.failAt(at+1, badXMLChar(c))
	}
	return string(c)
}
