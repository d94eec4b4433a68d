package lib

import (
	"slices"
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
	return writeXML(f, n, true)
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

// add adds a child or an attribute: a copy of what belongs elsewhere already, or
// would come to stand inside of itself.
func (n *Node) add(f F, k *Node) {
	f.Alloc(96)
	if k.parent != nil || k.contains(n) {
		k = k.copy(f)
	}
	if k.kind == xAttribute {
		if n.attr(*k.name()) != nil {
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

// attr finds an attribute. The declaration of the default namespace is called
// xmlns, in no namespace.
func (n *Node) attr(x xname) *Node {
	for _, a := range n.attrs {
		if *a.name() == x {
			return a
		}
	}
	return nil
}

// name is the name of an element or attribute.
func (n *Node) name() *xname {
	if n.kind == xAttribute && n.space == xmlnsURI && n.prefix == "" {
		return &xname{local: n.local}
	}
	return &xname{space: n.space, local: n.local}
}

// newAttribute makes an attribute, which may declare a namespace.
func newAttribute(x *xname, value string) *Node {
	n := &Node{kind: xAttribute, space: x.space, local: x.local, value: value}
	switch {
	case x.space == xmlnsURI:
		n.prefix = "xmlns"
	case x.space == "" && x.local == "xmlns":
		n.space = xmlnsURI
	}
	return n
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
