package lib

import (
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// xmlSource is an XmlReader over a document that was read whole: a list of the
// starts and ends of its nodes.
type xmlSource struct {
	events []xmlEvent
	i      int // -1 before the first Read
}

type xmlEvent struct {
	n     *Node
	end   bool
	depth int
}

// RuntimeType is XmlReader.
func (*xmlSource) RuntimeType() *clr.Type { return named("System.Xml.XmlReader") }

func newSource(f F, s string) *xmlSource {
	x := &xmlSource{i: -1}
	var walk func(n *Node, depth int)
	walk = func(n *Node, depth int) {
		f.Alloc(32)
		x.events = append(x.events, xmlEvent{n, false, depth})
		for _, k := range n.kids {
			walk(k, depth+1)
		}
		if len(n.kids) > 0 {
			x.events = append(x.events, xmlEvent{n, true, depth})
		}
	}
	r := &xmlReader{f: f, s: s, ws: true}
	for _, k := range r.document().kids {
		walk(k, 0)
	}
	return x
}

func (x *xmlSource) read() bool {
	x.i = min(x.i+1, len(x.events))
	return x.i < len(x.events)
}

func (x *xmlSource) eof() bool { return x.i >= len(x.events) }

func (x *xmlSource) cur() xmlEvent {
	if x.i < 0 || x.eof() {
		return xmlEvent{n: &Node{}}
	}
	return x.events[x.i]
}

func (x *xmlSource) kind() int {
	e := x.cur()
	if e.end {
		return 15
	}
	return e.n.kind
}

// content moves to the next element, end of one, or text.
func (x *xmlSource) content() int {
	if x.i < 0 {
		x.i = 0
	}
	for !x.eof() {
		switch k := x.kind(); k {
		case xElement, xText, xCData, 15:
			return k
		}
		x.i++
	}
	return 0
}

// take gives the current node and moves behind it.
func (x *xmlSource) take(f F) *Node {
	if x.i < 0 || x.eof() {
		clr.Throw(clr.ExInvalidOp, "The XmlReader state should be Interactive.")
	}
	n := x.cur().n
	for x.i++; !x.eof() && n.contains(x.cur().n); x.i++ {
	}
	return n.copy(f)
}

func (n *Node) contains(k *Node) bool {
	for ; k != nil; k = k.parent {
		if k == n {
			return true
		}
	}
	return false
}

// domDecls is the part of System.Xml that policies use: XmlDocument, its nodes,
// and readers over strings.
func domDecls() []clr.Decl {
	const ns = "System.Xml."
	name := func(n *Node) string {
		switch n.kind {
		case xText:
			return "#text"
		case xCData:
			return "#cdata-section"
		case xComment:
			return "#comment"
		case xDocument:
			return "#document"
		}
		return n.qname()
	}
	str := func(fn func(n *Node) string) func(F, []V) V {
		return func(f F, a []V) V { return f.Str(fn(node(a[0]))) }
	}
	outer := func(f F, n *Node) string {
		if n.kind == xDocument {
			var b strings.Builder
			if n.decl != "" {
				b.WriteString("<?" + n.decl + "?>")
			}
			for _, k := range n.kids {
				b.WriteString(writeXML(f, k, false))
			}
			return b.String()
		}
		return writeXML(f, n, false)
	}
	inner := func(f F, n *Node) string {
		var b strings.Builder
		for _, k := range n.kids {
			b.WriteString(outer(f, k))
		}
		return b.String()
	}
	at := func(_ F, a []V) V {
		l := a[0].Ref().(*results)
		if i := a[1].Int(); i >= 0 && i < int64(len(l.V)) {
			return l.V[i]
		}
		return clr.Null
	}
	tags := func(f F, a []V) V {
		var out []*Node
		node(a[0]).walk(f, func(n *Node) {
			if n.kind == xElement && (a[1].Str() == "*" || n.qname() == a[1].Str()) {
				out = append(out, n)
			}
		})
		return nodeList(out)
	}
	attrOf := func(n *Node, qn string) *Node {
		for _, a := range n.attrs {
			if a.qname() == qn || a.prefix == "" && a.local == qn {
				return a
			}
		}
		return nil
	}
	src := func(a []V) *xmlSource { return a[0].Ref().(*xmlSource) }
	out := []clr.Decl{
		D("class "+ns+"XmlNode : IEnumerable<"+ns+"XmlNode>",
			R("string Name", str(name)), R("string LocalName", str(func(n *Node) string {
				if n.local != "" {
					return n.local
				}
				return name(n)
			})), R("string NamespaceURI", str(func(n *Node) string { return n.space })), R("string Prefix", str(func(n *Node) string { return n.prefix })),
			RW("string InnerText", str((*Node).text), func(f F, a []V) V { node(a[0]).setText(f, a[1].Str()); return clr.Null }),
			RW("string Value", func(_ F, a []V) V {
				if n := node(a[0]); n.kind != xElement && n.kind != xDocument {
					return clr.String(n.value)
				}
				return clr.Null
			}, func(_ F, a []V) V {
				n := node(a[0])
				if n.kind == xElement || n.kind == xDocument {
					clr.Throw(clr.ExInvalidOp, "Cannot set a value on node type '"+enumText(named("System.Xml.XmlNodeType"), int64(n.kind))+"'.")
				}
				n.value = a[1].Str()
				return clr.Null
			}),
			R("string OuterXml", func(f F, a []V) V { return f.Str(outer(f, node(a[0]))) }), R("string InnerXml", func(f F, a []V) V { return f.Str(inner(f, node(a[0]))) }),
			R("XmlNodeType NodeType", func(_ F, a []V) V { return clr.Scalar(named("System.Xml.XmlNodeType"), int64(node(a[0]).kind)) }),
			R("bool HasChildNodes", func(_ F, a []V) V { return clr.Bool(len(node(a[0]).kids) > 0) }), R("XmlNodeList ChildNodes", func(_ F, a []V) V { return nodeList(node(a[0]).kids) }),
			R("XmlNode FirstChild", func(_ F, a []V) V {
				if k := node(a[0]).kids; len(k) > 0 {
					return clr.Object(k[0])
				}
				return clr.Null
			}), R("XmlNode LastChild", func(_ F, a []V) V {
				if k := node(a[0]).kids; len(k) > 0 {
					return clr.Object(k[len(k)-1])
				}
				return clr.Null
			}), R("XmlNode ParentNode", func(_ F, a []V) V { return nodeValue(node(a[0]).parent) }),
			R("XmlAttributeCollection Attributes", func(_ F, a []V) V {
				l := &results{t: named("System.Xml.XmlAttributeCollection")}
				for _, x := range node(a[0]).attrs {
					l.V = append(l.V, clr.Object(x))
				}
				return clr.Object(l)
			}),
			R("XmlElement this[string name]", func(_ F, a []V) V {
				for _, k := range node(a[0]).kids {
					if k.kind == xElement && k.qname() == a[1].Str() {
						return clr.Object(k)
					}
				}
				return clr.Null
			}),
			R("XmlNode SelectSingleNode(string xpath)", selectOne), R("XmlNode SelectSingleNode(string xpath, XmlNamespaceManager nsmgr)", selectOne),
			R("XmlNodeList SelectNodes(string xpath)", selectMany), R("XmlNodeList SelectNodes(string xpath, XmlNamespaceManager nsmgr)", selectMany),
			R("XmlNode AppendChild(XmlNode newChild)", func(f F, a []V) V {
				k := node(a[1])
				if k.contains(node(a[0])) {
					clr.Throw(clr.ExArgument, "Cannot insert a node or any ancestor of that node as a child of itself.")
				}
				if k.parent != nil {
					k.detach()
				}
				node(a[0]).add(f, k)
				return a[1]
			}), R("XmlNode RemoveChild(XmlNode oldChild)", func(_ F, a []V) V { node(a[1]).detach(); return a[1] })),
		D("class "+ns+"XmlElement : XmlNode", R("string GetAttribute(string name)", func(_ F, a []V) V {
			if x := attrOf(node(a[0]), a[1].Str()); x != nil {
				return clr.String(x.value)
			}
			return clr.String("")
		}), R("bool HasAttribute(string name)", func(_ F, a []V) V { return clr.Bool(attrOf(node(a[0]), a[1].Str()) != nil) }), R("bool HasAttributes", func(_ F, a []V) V { return clr.Bool(len(node(a[0]).attrs) > 0) }),
			R("void SetAttribute(string name, string value)", func(f F, a []V) V {
				if x := attrOf(node(a[0]), a[1].Str()); x != nil {
					x.value = a[2].Str()
				} else {
					node(a[0]).add(f, &Node{kind: xAttribute, dom: true, local: a[1].Str(), value: a[2].Str()})
				}
				return clr.Null
			}), R("XmlNodeList GetElementsByTagName(string name)", tags)),
		D("class " + ns + "XmlAttribute : XmlNode"), D("class " + ns + "XmlText : XmlNode"), D("class " + ns + "XmlCDataSection : XmlNode"), D("class " + ns + "XmlComment : XmlNode"),
		D("class " + ns + "XmlProcessingInstruction : XmlNode"), D("class " + ns + "XmlDocumentType : XmlNode"),
		D("class "+ns+"XmlNodeList : System.Collections.IEnumerable", R("int Count", countRow), R("XmlNode this[int i]", at), R("XmlNode Item(int index)", at), R("IEnumerator<XmlNode> GetEnumerator()", enumerateRow)),
		D("class "+ns+"XmlAttributeCollection : IEnumerable<XmlAttribute>", R("int Count", countRow), R("XmlAttribute this[int i]", func(f F, a []V) V {
			v := at(f, a)
			if v.IsNull() {
				clr.Throw(clr.ExIndex, "The index being passed in is out of range.")
			}
			return v
		}), R("XmlAttribute this[string name]", func(_ F, a []V) V {
			for _, v := range a[0].Ref().(*results).V {
				if node(v).qname() == a[1].Str() {
					return v
				}
			}
			return clr.Null
		})),
		D("class "+ns+"XmlDocument : XmlNode", R("new()", func(F, []V) V { return clr.Object(&Node{kind: xDocument, dom: true}) }),
			R("void LoadXml(string xml)", func(f F, a []V) V {
				d, n := parseXML(f, text(a[1], "xml"), true, node(a[0]).value == "ws"), node(a[0])
				n.kids, n.decl = d.kids, d.decl
				for _, k := range n.kids {
					k.parent = n
				}
				return clr.Null
			}),
			RW("bool PreserveWhitespace", func(_ F, a []V) V { return clr.Bool(node(a[0]).value == "ws") }, func(_ F, a []V) V {
				node(a[0]).value = map[bool]string{true: "ws"}[a[1].Bool()]
				return clr.Null
			}),
			R("XmlElement DocumentElement", func(_ F, a []V) V { return nodeValue(node(a[0]).root()) }), R("XmlNodeList GetElementsByTagName(string name)", tags), R("XmlNameTable NameTable", func(F, []V) V { return clr.Object(&plain{}) }),
			R("XmlElement CreateElement(string name)", func(_ F, a []V) V { return newElement(a[1], "") }),
			R("XmlElement CreateElement(string qualifiedName, string namespaceURI)", func(_ F, a []V) V { return newElement(a[1], a[2].Str()) }),
			R("XmlText CreateTextNode(string text)", func(_ F, a []V) V { return clr.Object(&Node{kind: xText, dom: true, value: a[1].Str()}) })),
		D("class "+ns+"XmlReader : IDisposable", R("static XmlReader Create(System.IO.TextReader input)", func(f F, a []V) V {
			r, ok := a[0].Ref().(*reader)
			if !ok {
				clr.ThrowArgNull("input")
			}
			return clr.Object(newSource(f, r.s))
		}),
			R("bool Read()", func(_ F, a []V) V { return clr.Bool(src(a).read()) }), R("bool EOF", func(_ F, a []V) V { return clr.Bool(src(a).eof()) }),
			R("XmlNodeType MoveToContent()", func(_ F, a []V) V { return clr.Scalar(named("System.Xml.XmlNodeType"), int64(src(a).content())) }),
			R("XmlNodeType NodeType", func(_ F, a []V) V { return clr.Scalar(named("System.Xml.XmlNodeType"), int64(src(a).kind())) }),
			R("string LocalName", func(_ F, a []V) V { return clr.String(src(a).cur().n.local) }), R("string Name", func(_ F, a []V) V { return clr.String(src(a).cur().n.qname()) }),
			R("string NamespaceURI", func(_ F, a []V) V { return clr.String(src(a).cur().n.space) }), R("string Prefix", func(_ F, a []V) V { return clr.String(src(a).cur().n.prefix) }),
			R("string Value", func(_ F, a []V) V { return clr.String(src(a).cur().n.value) }), R("int Depth", func(_ F, a []V) V { return clr.Int(src(a).cur().depth) }),
			R("bool IsEmptyElement", func(_ F, a []V) V { n := src(a).cur().n; return clr.Bool(n.kind == xElement && len(n.kids) == 0) }),
			R("bool IsStartElement()", func(_ F, a []V) V { return clr.Bool(src(a).content() == xElement) }),
			R("bool HasAttributes", func(_ F, a []V) V { return clr.Bool(len(src(a).cur().n.attrs) > 0) }),
			R("string GetAttribute(string name)", func(_ F, a []V) V {
				if x := attrOf(src(a).cur().n, a[1].Str()); x != nil {
					return clr.String(x.value)
				}
				return clr.Null
			}),
			R("bool ReadToFollowing(string name)", func(f F, a []V) V {
				x := src(a)
				for x.read() {
					f.Step(1)
					if x.kind() == xElement && x.cur().n.qname() == a[1].Str() {
						return clr.Bool(true)
					}
				}
				return clr.Bool(false)
			}),
			R("void Skip()", func(f F, a []V) V { src(a).take(f); return clr.Null }),
			R("string ReadElementContentAsString()", func(f F, a []V) V { return f.Str(src(a).take(f).text()) }),
			R("string ReadInnerXml()", func(f F, a []V) V { return f.Str(inner(f, src(a).take(f))) }),
			R("string ReadOuterXml()", func(f F, a []V) V { return f.Str(writeXML(f, src(a).take(f), false)) })),
	}
	return out
}

// newElement makes an element of an XmlDocument.
func newElement(qname V, space string) V {
	n := &Node{kind: xElement, dom: true, local: text(qname, "name"), space: space}
	if p, l, ok := strings.Cut(n.local, ":"); ok {
		n.prefix, n.local = p, l
	}
	return clr.Object(n)
}
