package lib

import (
	"slices"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// The kinds of XML nodes, numbered as XmlNodeType.
const (
	xElement   = 1
	xAttribute = 2
	xText      = 3
	xCData     = 4
	xPI        = 7
	xComment   = 8
	xDocument  = 9
	xDocType   = 10
)

// Node is any node of an XML tree, for LINQ to XML and for XmlDocument.
type Node struct {
	kind   int
	dom    bool // of an XmlDocument
	space  string
	local  string
	prefix string // as written
	value  string // of text, attribute, comment, instruction
	parent *Node
	attrs  []*Node
	kids   []*Node
	decl   string // of a document
	open   bool   // written with an end tag although it has no content
}

// RuntimeType is the class of the node.
func (n *Node) RuntimeType() *clr.Type {
	if n.dom {
		return named("System.Xml." + map[int]string{xElement: "XmlElement", xAttribute: "XmlAttribute", xText: "XmlText", xCData: "XmlCDataSection", xPI: "XmlProcessingInstruction", xComment: "XmlComment", xDocument: "XmlDocument", xDocType: "XmlDocumentType"}[n.kind])
	}
	return named("System.Xml.Linq." + map[int]string{xElement: "XElement", xAttribute: "XAttribute", xText: "XText", xCData: "XCData", xPI: "XProcessingInstruction", xComment: "XComment", xDocument: "XDocument", xDocType: "XDocumentType"}[n.kind])
}

// Text is ToString(): indented XML.
func (n *Node) Text(f F) string {
	if n.dom {
		return n.RuntimeType().FullName()
	}
	return writeXML(f, n, !n.mixed())
}

// Each yields the children.
func (n *Node) Each(f F, yield func(V) bool) {
	for _, k := range slices.Clone(n.kids) {
		f.Step(1)
		if !yield(clr.Object(k)) {
			return
		}
	}
}

func (n *Node) mixed() bool {
	return slices.ContainsFunc(n.kids, func(k *Node) bool { return k.kind == xText || k.kind == xCData })
}

func (n *Node) text() string {
	if n.kind != xElement && n.kind != xDocument {
		return n.value
	}
	var b strings.Builder
	n.collect(&b)
	return b.String()
}

func (n *Node) collect(b *strings.Builder) {
	for _, k := range n.kids {
		switch k.kind {
		case xText, xCData:
			b.WriteString(k.value)
		case xElement:
			k.collect(b)
		}
	}
}

func (n *Node) add(f F, k *Node) {
	f.Alloc(96)
	if k.parent != nil {
		k = k.copy(f)
	}
	if k.kind == xAttribute {
		if n.attr(k.space, k.local) != nil {
			clr.Throw(clr.ExInvalidOp, "Duplicate attribute.")
		}
		k.parent = n
		n.attrs = append(n.attrs, k)
		return
	}
	if n.kind == xDocument && k.kind == xElement && n.root() != nil {
		clr.Throw(clr.ExInvalidOp, "This operation would create an incorrectly structured document.")
	}
	k.parent = n
	n.open = false
	n.kids = append(n.kids, k)
}

func (n *Node) copy(f F) *Node {
	f.Alloc(96)
	c := *n
	c.parent, c.kids, c.attrs = nil, nil, nil
	for _, a := range n.attrs {
		d := *a
		d.parent = &c
		c.attrs = append(c.attrs, &d)
	}
	for _, k := range n.kids {
		d := k.copy(f)
		d.parent = &c
		c.kids = append(c.kids, d)
	}
	return &c
}

func (n *Node) attr(space, local string) *Node {
	for _, a := range n.attrs {
		if a.local == local && a.space == space {
			return a
		}
	}
	return nil
}

func (n *Node) root() *Node {
	for _, k := range n.kids {
		if k.kind == xElement {
			return k
		}
	}
	return nil
}

func (n *Node) detach() {
	if n.parent == nil {
		clr.Throw(clr.ExInvalidOp, "The parent is missing.")
	}
	p := n.parent
	if n.kind == xAttribute {
		p.attrs = slices.DeleteFunc(p.attrs, func(a *Node) bool { return a == n })
	} else {
		p.kids = slices.DeleteFunc(p.kids, func(k *Node) bool { return k == n })
	}
	n.parent = nil
}

const xmlnsURI = "http://www.w3.org/2000/xmlns/"

// writeXML serialises a node.
func writeXML(f F, n *Node, indent bool) string {
	w := &xmlWriter{f: f, indent: indent}
	switch n.kind {
	case xDocument:
		for i, k := range n.kids {
			if i > 0 && indent {
				w.b.WriteString("\r\n")
			}
			w.node(k, 0, map[string]string{})
		}
	case xAttribute:
		return n.qname(nil) + `="` + escapeXML(n.value, true) + `"`
	default:
		w.node(n, 0, map[string]string{})
	}
	return w.b.String()
}

type xmlWriter struct {
	f      F
	b      strings.Builder
	indent bool
}

func (n *Node) qname(scope map[string]string) string {
	if n.prefix != "" {
		return n.prefix + ":" + n.local
	}
	if n.kind == xAttribute && n.space != "" && n.space != xmlnsURI {
		if p := prefixOf(scope, n.space); p != "" {
			return p + ":" + n.local
		}
	}
	return n.local
}

func (w *xmlWriter) node(n *Node, depth int, scope map[string]string) {
	w.f.Alloc(len(n.value) + 32)
	switch n.kind {
	case xText:
		w.b.WriteString(escapeXML(n.value, false))
	case xCData:
		w.b.WriteString("<![CDATA[" + n.value + "]]>")
	case xComment:
		w.b.WriteString("<!--" + n.value + "-->")
	case xPI:
		w.b.WriteString("<?" + n.local + " " + n.value + "?>")
	case xDocType:
		w.b.WriteString("<!DOCTYPE " + n.value + ">")
	case xElement:
		w.element(n, depth, scope)
	}
}

// prefixOf is a prefix that stands for a namespace, the first by name.
func prefixOf(scope map[string]string, uri string) string {
	best := ""
	for p, u := range scope {
		if u == uri && p != "" && (best == "" || p < best) {
			best = p
		}
	}
	return best
}

func (w *xmlWriter) element(n *Node, depth int, outer map[string]string) {
	if depth > 1000 {
		clr.Throw(clr.ExXML, "The XML is nested too deeply.")
	}
	scope := map[string]string{}
	for k, v := range outer {
		scope[k] = v
	}
	var attrs []string
	for _, a := range n.attrs {
		if a.space == xmlnsURI {
			p := a.local
			if a.prefix == "" {
				p = ""
			}
			scope[p] = a.value
		}
	}
	name := n.qname(scope)
	if n.prefix == "" && n.space != "" && scope[""] != n.space {
		if p := prefixOf(scope, n.space); p != "" {
			name = p + ":" + n.local
		}
	}
	prefix, _, found := strings.Cut(name, ":")
	if !found {
		prefix = ""
	}
	if scope[prefix] != n.space {
		scope[prefix] = n.space
		d := "xmlns"
		if prefix != "" {
			d += ":" + prefix
		}
		attrs = append(attrs, d+`="`+escapeXML(n.space, true)+`"`)
	}
	for _, a := range n.attrs {
		attrs = append(attrs, a.qname(scope)+`="`+escapeXML(a.value, true)+`"`)
	}
	w.b.WriteString("<" + name)
	for _, a := range attrs {
		w.b.WriteString(" " + a)
	}
	if len(n.kids) == 0 && !n.open {
		w.b.WriteString(" />")
		return
	}
	w.b.WriteByte('>')
	lines := w.indent && len(n.kids) > 0 && !n.mixed()
	for _, k := range n.kids {
		if lines {
			w.b.WriteString("\r\n" + strings.Repeat("  ", depth+1))
		}
		w.node(k, depth+1, scope)
	}
	if lines {
		w.b.WriteString("\r\n" + strings.Repeat("  ", depth))
	}
	w.b.WriteString("</" + name + ">")
}

func escapeXML(s string, attr bool) string {
	r := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	s = r.Replace(s)
	if attr {
		s = strings.NewReplacer(`"`, "&quot;", "\n", "&#xA;", "\r", "&#xD;", "\t", "&#x9;").Replace(s)
	}
	return s
}

// xmlReader parses XML without external entities.
type xmlReader struct {
	f   F
	s   string
	i   int
	dom bool
	ws  bool // keep white space between elements
}

func (r *xmlReader) fail(msg string) {
	line, col := r.position(r.i)
	clr.Throw(clr.ExXML, msg+" Line "+line+", position "+col+".")
}

func (r *xmlReader) position(at int) (line, col string) {
	s := r.s[:min(at, len(r.s))]
	return strconv.Itoa(1 + strings.Count(s, "\n")), strconv.Itoa(len(s) - strings.LastIndexByte(s, '\n'))
}

// parseXML reads a document.
func parseXML(f F, s string, dom, keepSpace bool) *Node {
	f.Alloc(len(s))
	r := &xmlReader{f: f, s: strings.TrimPrefix(s, "\ufeff"), dom: dom, ws: keepSpace}
	doc := &Node{kind: xDocument, dom: dom}
	r.content(doc, map[string]string{"xml": "http://www.w3.org/XML/1998/namespace", "": ""}, 0)
	if doc.root() == nil {
		clr.Throw(clr.ExXML, "Root element is missing.")
	}
	return doc
}

func (r *xmlReader) until(end, what string) string {
	i := strings.Index(r.s[r.i:], end)
	if i < 0 {
		r.i = len(r.s)
		r.fail("Unexpected end of file while parsing " + what + " has occurred.")
	}
	out := r.s[r.i : r.i+i]
	r.i += i + len(end)
	return out
}

func (r *xmlReader) content(n *Node, scope map[string]string, depth int) {
	for r.i < len(r.s) {
		rest := r.s[r.i:]
		node := func(kind int, value string) {
			n.kids = append(n.kids, &Node{kind: kind, dom: r.dom, value: value, parent: n})
		}
		r.f.Alloc(64)
		switch {
		case strings.HasPrefix(rest, "</"):
			return
		case strings.HasPrefix(rest, "<!--"):
			r.i += 4
			node(xComment, r.until("-->", "Comment"))
		case strings.HasPrefix(rest, "<![CDATA["):
			r.i += 9
			node(xCData, r.until("]]>", "CDATA"))
		case strings.HasPrefix(rest, "<?"):
			r.i += 2
			body := r.until("?>", "PI")
			target, value, _ := strings.Cut(body, " ")
			if target == "xml" {
				n.decl = body
				break
			}
			n.kids = append(n.kids, &Node{kind: xPI, dom: r.dom, local: target, value: value, parent: n})
		case strings.HasPrefix(rest, "<!DOCTYPE"):
			r.fail("For security reasons DTD is prohibited in this XML document.")
		case rest[0] == '<':
			if n.kind == xDocument && n.root() != nil {
				r.i++
				r.fail("There are multiple root elements.")
			}
			r.element(n, scope, depth)
		default:
			end := strings.IndexByte(rest, '<')
			if end < 0 {
				end = len(rest)
			}
			text := r.entities(rest[:end], r.i)
			if n.kind == xDocument {
				if strings.TrimSpace(text) != "" {
					r.i += strings.IndexFunc(text, func(c rune) bool { return !strings.ContainsRune(" \t\r\n", c) })
					r.fail("Data at the root level is invalid.")
				}
			} else if r.ws || strings.TrimSpace(text) != "" {
				node(xText, text)
			}
			r.i += end
		}
	}
}

func (r *xmlReader) name() string {
	from := r.i
	for r.i < len(r.s) && !strings.ContainsRune(" \t\r\n/>=<\"'", rune(r.s[r.i])) {
		r.i++
	}
	if from == r.i || strings.IndexByte("0123456789-.", r.s[from]) >= 0 {
		r.i = from + 1
		r.fail("Name cannot begin with the '" + r.s[from:min(from+1, len(r.s))] + "' character.")
	}
	return r.s[from:r.i]
}

func (r *xmlReader) space() {
	for r.i < len(r.s) && strings.IndexByte(" \t\r\n", r.s[r.i]) >= 0 {
		r.i++
	}
}

func (r *xmlReader) element(parent *Node, outer map[string]string, depth int) {
	if depth > 500 {
		r.fail("The XML is nested too deeply.")
	}
	r.i++
	start := r.i
	qn := r.name()
	n := &Node{kind: xElement, dom: r.dom, parent: parent}
	scope := outer
	for {
		r.space()
		if r.i >= len(r.s) {
			r.fail("Unexpected end of file has occurred. The following elements are not closed: " + qn + ".")
		}
		if r.s[r.i] == '>' || strings.HasPrefix(r.s[r.i:], "/>") {
			break
		}
		scope = r.attribute(n, scope, outer)
	}
	r.resolve(n, qn, scope, start)
	for _, a := range n.attrs {
		if a.space != xmlnsURI {
			r.resolveAttr(a, scope, start)
		}
	}
	parent.kids = append(parent.kids, n)
	if r.s[r.i] == '/' {
		r.i += 2
		return
	}
	r.i++
	r.content(n, scope, depth+1)
	n.open = len(n.kids) == 0
	if r.i >= len(r.s) {
		r.fail("Unexpected end of file has occurred. The following elements are not closed: " + qn + ".")
	}
	r.i += 2
	at := r.i
	end := r.name()
	r.space()
	if end != qn {
		r.i = at
		line, col := r.position(start)
		r.fail("The '" + qn + "' start tag on line " + line + " position " + col + " does not match the end tag of '" + end + "'.")
	}
	if r.i >= len(r.s) || r.s[r.i] != '>' {
		r.fail("'>' is expected.")
	}
	r.i++
}

func (r *xmlReader) attribute(n *Node, scope, outer map[string]string) map[string]string {
	start := r.i
	qn := r.name()
	r.space()
	if r.i >= len(r.s) || r.s[r.i] != '=' {
		r.fail("'" + r.s[min(r.i, len(r.s)-1):min(r.i+1, len(r.s))] + "' is an unexpected token. The expected token is '='.")
	}
	r.i++
	r.space()
	if r.i >= len(r.s) || r.s[r.i] != '"' && r.s[r.i] != '\'' {
		r.fail("'" + r.s[min(r.i, len(r.s)-1):min(r.i+1, len(r.s))] + "' is an unexpected token. The expected token is '\"' or '''.")
	}
	q := r.s[r.i : r.i+1]
	r.i++
	from := r.i
	v := r.entities(r.until(q, "attribute"), from)
	a := &Node{kind: xAttribute, dom: r.dom, value: v, parent: n, local: qn}
	if p, l, ok := strings.Cut(qn, ":"); ok {
		a.prefix, a.local = p, l
	}
	if qn == "xmlns" || a.prefix == "xmlns" {
		a.space = xmlnsURI
		p := a.local
		if qn == "xmlns" {
			p = ""
		}
		next := map[string]string{}
		for k, x := range scope {
			next[k] = x
		}
		next[p] = v
		scope = next
	}
	for _, o := range n.attrs {
		if o.local == a.local && o.prefix == a.prefix {
			r.i = start
			r.fail("'" + qn + "' is a duplicate attribute name.")
		}
	}
	n.attrs = append(n.attrs, a)
	return scope
}

func (r *xmlReader) resolve(n *Node, qn string, scope map[string]string, at int) {
	n.local = qn
	if p, l, ok := strings.Cut(qn, ":"); ok {
		n.prefix, n.local = p, l
	}
	uri, ok := scope[n.prefix]
	if !ok {
		r.i = at
		r.fail("'" + n.prefix + "' is an undeclared prefix.")
	}
	n.space = uri
}

func (r *xmlReader) resolveAttr(a *Node, scope map[string]string, at int) {
	if a.prefix == "" {
		return
	}
	uri, ok := scope[a.prefix]
	if !ok {
		r.i = at
		r.fail("'" + a.prefix + "' is an undeclared prefix.")
	}
	a.space = uri
}

// entities replaces references; at is the place of s in the source.
func (r *xmlReader) entities(s string, at int) string {
	if !strings.Contains(s, "&") {
		return strings.ReplaceAll(s, "\r\n", "\n")
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '&' {
			b.WriteByte(s[i])
			continue
		}
		end := strings.IndexByte(s[i:], ';')
		if end < 0 {
			r.fail("An error occurred while parsing EntityName.")
		}
		name := s[i+1 : i+end]
		switch {
		case name == "lt":
			b.WriteByte('<')
		case name == "gt":
			b.WriteByte('>')
		case name == "amp":
			b.WriteByte('&')
		case name == "quot":
			b.WriteByte('"')
		case name == "apos":
			b.WriteByte('\'')
		case strings.HasPrefix(name, "#"):
			base, digits := 10, name[1:]
			if strings.HasPrefix(digits, "x") {
				base, digits = 16, digits[1:]
			}
			n, err := strconv.ParseUint(digits, base, 21)
			if err != nil {
				r.fail("Invalid syntax for a decimal numeric entity reference.")
			}
			b.WriteRune(rune(n))
		default:
			r.i = at + i + 1
			r.fail("Reference to undeclared entity '" + name + "'.")
		}
		i += end
	}
	return b.String()
}
