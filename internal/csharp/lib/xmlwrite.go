package lib

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

const xmlnsURI = "http://www.w3.org/2000/xmlns/"

// writeXML serialises a node.
func writeXML(f F, n *Node, indent bool) string {
	w := &xmlWriter{f: f, indent: indent}
	switch n.kind {
	case xDocument:
		for _, k := range n.kids {
			w.node(k, 0, xmlScope{})
		}
	case xAttribute:
		return n.qname() + `="` + escapeXML(n.value, true) + `"`
	default:
		w.node(n, 0, xmlScope{})
	}
	return w.b.String()
}

// xmlWriter indents up to the first text of an element: behind it, and inside of
// what follows it, white space would mean something.
type xmlWriter struct {
	f      F
	b      strings.Builder
	indent bool
	mixed  bool
}

// qname is the name as it was written.
func (n *Node) qname() string {
	if n.prefix != "" {
		return n.prefix + ":" + n.local
	}
	return n.local
}

// line begins a line, where lines may be.
func (w *xmlWriter) line(depth int) {
	if w.indent && !w.mixed && w.b.Len() > 0 {
		w.b.WriteString("\r\n" + strings.Repeat("  ", depth))
	}
}

func (w *xmlWriter) node(n *Node, depth int, scope xmlScope) {
	w.f.Alloc(len(n.value) + 32)
	switch n.kind {
	case xText:
		w.mixed = true
		text := escapeXML(n.value, false)
		if !n.dom {
			text = strings.ReplaceAll(lineEnds.Replace(text), "\n", "\r\n")
		}
		w.b.WriteString(text)
		return
	case xCData:
		w.mixed = true
		w.b.WriteString("<![CDATA[" + n.value + "]]>")
		return
	}
	w.line(depth)
	switch n.kind {
	case xComment:
		w.b.WriteString("<!--" + n.value + "-->")
	case xPI:
		w.b.WriteString("<?" + n.local + " " + n.value + "?>")
	case xDocType:
		value := n.value // the empty list of declarations is .NET's
		if !strings.Contains(value, " ") {
			value += " "
		}
		w.b.WriteString("<!DOCTYPE " + value + "[]>")
	case xElement:
		w.element(n, depth, scope)
	}
}

// prefixOf is a prefix that stands for a namespace, the first by name.
func prefixOf(scope xmlScope, uri string) string {
	for _, p := range slices.Sorted(maps.Keys(scope)) {
		if scope[p] == uri && p != "" {
			return p
		}
	}
	return ""
}

func (w *xmlWriter) element(n *Node, depth int, outer xmlScope) {
	if depth > 1000 {
		clr.Throw(clr.ExXML, "The XML is nested too deeply.")
	}
	scope := maps.Clone(outer)
	for _, a := range n.attrs {
		if a.space == xmlnsURI {
			scope[declared(a)] = a.value
		}
	}
	name := n.qname()
	if n.prefix == "" && n.space != "" && scope[""] != n.space {
		if p := prefixOf(scope, n.space); p != "" {
			name = p + ":" + n.local
		}
	}
	w.b.WriteString("<" + name)
	if prefix, _ := splitName(name); scope[prefix] != n.space {
		w.declare(scope, prefix, n.space)
	}
	w.attributes(n, scope)
	if len(n.kids) == 0 && !n.open {
		w.b.WriteString(" />")
		return
	}
	w.b.WriteByte('>')
	before := w.mixed
	for _, k := range n.kids {
		w.node(k, depth+1, scope)
	}
	if len(n.kids) > 0 {
		w.line(depth)
	}
	w.mixed = before
	w.b.WriteString("</" + name + ">")
}

// declare makes a prefix stand for a namespace from here on.
func (w *xmlWriter) declare(scope xmlScope, prefix, uri string) {
	scope[prefix] = uri
	name := "xmlns"
	if prefix != "" {
		name += ":" + prefix
	}
	w.b.WriteString(" " + name + `="` + escapeXML(uri, true) + `"`)
}

// attributes writes the attributes of n. Namespaces without a prefix get one.
func (w *xmlWriter) attributes(n *Node, scope xmlScope) {
	var made []string
	for _, a := range n.attrs {
		name := a.qname()
		if a.prefix == "" && a.space != "" && a.space != xmlnsURI {
			p := prefixOf(scope, a.space)
			if p == "" {
				for i := 1; p == "" || scope[p] != ""; i++ {
					p = "p" + strconv.Itoa(i)
				}
				scope[p] = a.space
				made = append(made, p)
			}
			name = p + ":" + a.local
		}
		w.b.WriteString(" " + name + `="` + escapeXML(a.value, true) + `"`)
	}
	for _, p := range made {
		w.declare(scope, p, scope[p])
	}
}

// What escapes characters in text, and more of them in attributes.
var (
	escapeText      = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	escapeAttribute = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\n", "&#xA;", "\r", "&#xD;", "\t", "&#x9;")
)

func escapeXML(s string, attr bool) string {
	if attr {
		return escapeAttribute.Replace(s)
	}
	return escapeText.Replace(s)
}
