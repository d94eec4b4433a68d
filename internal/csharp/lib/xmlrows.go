package lib

import (
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

const lns = "System.Xml.Linq."

// xname is an XName or, with local empty, an XNamespace.
type xname struct {
	space, local string
	ns           bool
}

// RuntimeType is XName or XNamespace.
func (x *xname) RuntimeType() *clr.Type {
	if x.ns {
		return named(lns + "XNamespace")
	}
	return named(lns + "XName")
}

// Text is {namespace}local.
func (x *xname) Text(F) string {
	if x.ns || x.space == "" {
		if x.ns {
			return x.space
		}
		return x.local
	}
	return "{" + x.space + "}" + x.local
}

// Equal compares both parts.
func (x *xname) Equal(_ F, v V) bool { o, ok := v.Ref().(*xname); return ok && *x == *o }

// Key is both parts.
func (x *xname) Key() any { return *x }

// parseName reads {namespace}local.
func parseName(s string) *xname {
	if s == "" {
		clr.ThrowArg(clr.ExArgument, "The value cannot be an empty string.", "expandedName")
	}
	if s[0] != '{' {
		return makeName("", s)
	}
	i := strings.LastIndexByte(s, '}')
	if i <= 1 || i == len(s)-1 {
		clr.Throw(clr.ExArgument, "'"+s+"' is an invalid expanded name.")
	}
	return makeName(s[1:i], s[i+1:])
}

// makeName checks the local name.
func makeName(space, local string) *xname {
	if local == "" {
		clr.ThrowArg(clr.ExArgument, "The value cannot be an empty string.", "name")
	}
	for i, c := range local {
		switch {
		case i == 0 && (!isNameStart(c) || c == ':'):
			clr.Throw(clr.ExXML, badNameStart(c))
		case !isNameChar(c) || c == ':':
			clr.Throw(clr.ExXML, badNameChar(c))
		}
	}
	return &xname{space: space, local: local}
}

func xn(v V, param string) *xname {
	n, ok := v.Ref().(*xname)
	if !ok {
		clr.ThrowArgNull(param)
	}
	return n
}

func node(v V) *Node {
	n, ok := v.Ref().(*Node)
	if !ok {
		clr.ThrowNull()
	}
	return n
}

func nodeValue(n *Node) V {
	if n == nil {
		return clr.Null
	}
	return clr.Object(n)
}

func (n *Node) is(name V) bool {
	if n.kind != xElement {
		return false
	}
	if name.IsNull() {
		return true
	}
	x := name.Ref().(*xname)
	return x.local == n.local && x.space == n.space
}

// walk yields descendants in document order.
func (n *Node) walk(f F, yield func(*Node)) {
	for _, k := range n.kids {
		f.Step(1)
		yield(k)
		k.walk(f, yield)
	}
}

func nodes(t string, list []*Node) V {
	out := make([]V, len(list))
	for i, n := range list {
		out[i] = clr.Object(n)
	}
	return newList(named(t), out)
}

// addXML adds content: nodes, attributes, sequences of them, and text.
func addXML(f F, n *Node, v V) {
	switch o := v.Ref().(type) {
	case nil:
		return
	case *Node:
		if o.kind == xDocument {
			clr.Throw(clr.ExArgument, "A node of type Document cannot be added to content.")
		}
		n.add(f, o)
		return
	case clr.Seq:
		o.Each(f, func(x V) bool { addXML(f, n, x); return true })
		return
	}
	s := xmlText(f, v)
	if last := len(n.kids) - 1; last >= 0 && n.kids[last].kind == xText {
		n.kids[last].value += s
		return
	}
	n.add(f, &Node{kind: xText, value: s})
}

func (n *Node) setText(f F, s string) {
	if n.kind != xElement {
		n.value = s
		return
	}
	for _, k := range n.kids {
		k.parent = nil
	}
	n.kids, n.open = nil, false
	if s != "" {
		n.add(f, &Node{kind: xText, dom: n.dom, value: s})
	}
}

func xmlDecls() []clr.Decl {
	name := func(n *Node) V { return clr.Object(n.name()) }
	elems := func(test func(n *Node, a []V) bool) func(F, []V) V {
		return func(f F, a []V) V {
			var out []*Node
			for _, k := range node(a[0]).kids {
				f.Step(1)
				if test(k, a) {
					out = append(out, k)
				}
			}
			return nodes(lns+"XElement", out)
		}
	}
	byName := func(n *Node, a []V) bool {
		if len(a) > 1 {
			return !a[1].IsNull() && n.is(a[1])
		}
		return n.kind == xElement
	}
	deep := func(self bool) func(F, []V) V {
		return func(f F, a []V) V {
			var out []*Node
			if self && byName(node(a[0]), a) {
				out = append(out, node(a[0]))
			}
			node(a[0]).walk(f, func(n *Node) {
				if byName(n, a) {
					f.Alloc(24)
					out = append(out, n)
				}
			})
			return nodes(lns+"XElement", out)
		}
	}
	up := func(self bool) func(F, []V) V {
		return func(f F, a []V) V {
			n := node(a[0])
			if !self {
				n = n.parent
			}
			var out []*Node
			for ; n != nil && n.kind == xElement; n = n.parent {
				if byName(n, a) {
					out = append(out, n)
				}
			}
			return nodes(lns+"XElement", out)
		}
	}
	beside := func(d int) func(F, []V) V {
		return func(_ F, a []V) V {
			n := node(a[0])
			if n.parent == nil {
				return clr.Null
			}
			i := slices.Index(n.parent.kids, n) + d
			if i < 0 || i >= len(n.parent.kids) {
				return clr.Null
			}
			return clr.Object(n.parent.kids[i])
		}
	}
	insert := func(d int) func(F, []V) V {
		return func(f F, a []V) V {
			n := node(a[0])
			if n.parent == nil {
				clr.Throw(clr.ExInvalidOp, "The parent is missing.")
			}
			tmp := &Node{kind: xElement, parent: n.parent}
			addXML(f, tmp, a[1])
			for _, k := range tmp.kids {
				k.parent = n.parent
			}
			n.parent.kids = slices.Insert(n.parent.kids, slices.Index(n.parent.kids, n)+d, tmp.kids...)
			return clr.Null
		}
	}
	makeElem := func(f F, a []V) V {
		n := &Node{kind: xElement}
		x := xn(a[0], "name")
		n.space, n.local = x.space, x.local
		for _, c := range a[1:] {
			addXML(f, n, c)
		}
		return clr.Object(n)
	}
	makeDoc := func(f F, a []V) V {
		d := &Node{kind: xDocument}
		for _, c := range a {
			if decl, ok := c.Ref().(*label); ok {
				d.decl = decl.name
				continue
			}
			addXML(f, d, c)
		}
		return clr.Object(d)
	}
	simple := func(kind int) func(F, []V) V {
		return func(_ F, a []V) V { return clr.Object(&Node{kind: kind, value: text(a[0], "value")}) }
	}
	value := RW("string Value", func(f F, a []V) V { return f.Str(node(a[0]).text()) }, func(f F, a []V) V {
		n := node(a[0])
		n.setText(f, text(a[1], "value"))
		n.open = n.kind == xElement && len(n.kids) == 0
		return clr.Null
	})
	var conv []clr.Row
	for _, t := range []string{"string", "bool", "int", "long", "double", "decimal", "DateTime", "Guid", "bool?", "int?", "long?", "double?", "decimal?", "DateTime?", "float", "uint", "ulong", "TimeSpan"} {
		for _, c := range []string{"XElement", "XAttribute"} {
			conv = append(conv, R("static explicit operator "+t+"("+c+" node)", func(f F, s S, a []V) V {
				if a[0].IsNull() {
					if s.Ret.IsReference() || s.Ret.IsNullable() {
						return clr.Null
					}
					clr.ThrowArgNull(map[bool]string{true: "element", false: "attribute"}[c == "XElement"])
				}
				return xmlValue(f, node(a[0]).text(), s.Ret.Underlying())
			}))
		}
	}
	pick := func(c string) []clr.Row {
		var out []clr.Row
		for _, r := range conv {
			if strings.Contains(r.Sig, "("+c+" ") {
				out = append(out, r)
			}
		}
		return out
	}
	out := []clr.Decl{
		D("enum System.Xml.XmlNodeType { None, Element, Attribute, Text, CDATA, EntityReference, Entity, ProcessingInstruction, Comment, Document, DocumentType, DocumentFragment, Notation, Whitespace, SignificantWhitespace, EndElement, EndEntity, XmlDeclaration }"),
		D("flags enum " + lns + "SaveOptions { None = 0, DisableFormatting = 1, OmitDuplicateNamespaces = 2 }"), D("flags enum " + lns + "LoadOptions { None = 0, PreserveWhitespace = 1, SetBaseUri = 2, SetLineInfo = 4 }"),
		D("class "+lns+"XName", R("static XName Get(string expandedName)", func(_ F, a []V) V { return clr.Object(parseName(text(a[0], "expandedName"))) }),
			R("static XName Get(string localName, string namespaceName)", func(_ F, a []V) V {
				return clr.Object(makeName(text(a[1], "namespaceName"), text(a[0], "localName")))
			}),
			R("static implicit operator XName(string expandedName)", func(_ F, a []V) V {
				if a[0].IsNull() {
					return clr.Null
				}
				return clr.Object(parseName(a[0].Str()))
			}),
			R("string LocalName", func(_ F, a []V) V { return clr.String(xn(a[0], "name").local) }), R("string NamespaceName", func(_ F, a []V) V { return clr.String(xn(a[0], "name").space) }),
			R("XNamespace Namespace", func(_ F, a []V) V { return clr.Object(&xname{space: xn(a[0], "name").space, ns: true}) }), R("string ToString()", toStringRow),
			R("static bool operator ==(XName left, XName right)", func(f F, a []V) V { return clr.Bool(Equal(f, a[0], a[1])) }), R("static bool operator !=(XName left, XName right)", func(f F, a []V) V { return clr.Bool(!Equal(f, a[0], a[1])) })),
		D("class "+lns+"XNamespace", R("static XNamespace Get(string namespaceName)", func(_ F, a []V) V { return clr.Object(&xname{space: text(a[0], "namespaceName"), ns: true}) }),
			R("static XNamespace None", clr.Object(&xname{ns: true})), R("static XNamespace Xml", clr.Object(&xname{ns: true, space: "http://www.w3.org/XML/1998/namespace"})), R("static XNamespace Xmlns", clr.Object(&xname{ns: true, space: xmlnsURI})),
			R("static implicit operator XNamespace(string namespaceName)", func(_ F, a []V) V { return clr.Object(&xname{space: a[0].Str(), ns: true}) }),
			R("static XName operator +(XNamespace ns, string localName)", func(_ F, a []V) V {
				return clr.Object(makeName(xn(a[0], "ns").space, text(a[1], "localName")))
			}),
			R("XName GetName(string localName)", func(_ F, a []V) V {
				return clr.Object(makeName(xn(a[0], "ns").space, text(a[1], "localName")))
			}),
			R("string NamespaceName", func(_ F, a []V) V { return clr.String(xn(a[0], "ns").space) }), R("string ToString()", toStringRow),
			R("static bool operator ==(XNamespace left, XNamespace right)", func(f F, a []V) V { return clr.Bool(Equal(f, a[0], a[1])) }), R("static bool operator !=(XNamespace left, XNamespace right)", func(f F, a []V) V { return clr.Bool(!Equal(f, a[0], a[1])) })),
		D("class "+lns+"XObject", R("XElement Parent", func(_ F, a []V) V {
			if p := node(a[0]).parent; p != nil && p.kind == xElement {
				return clr.Object(p)
			}
			return clr.Null
		}), R("System.Xml.XmlNodeType NodeType", func(_ F, a []V) V { return clr.Scalar(named("System.Xml.XmlNodeType"), int64(node(a[0]).kind)) }),
			R("XDocument Document", func(_ F, a []V) V {
				n := node(a[0])
				for n.parent != nil {
					n = n.parent
				}
				if n.kind == xDocument {
					return clr.Object(n)
				}
				return clr.Null
			}), R("string BaseUri", func(F, []V) V { return clr.String("") })),
		D("class "+lns+"XNode : XObject", append(siblingRows(), R("XNode NextNode", beside(1)), R("XNode PreviousNode", beside(-1)), R("void Remove()", func(_ F, a []V) V { node(a[0]).detach(); return clr.Null }),
			R("void AddAfterSelf(object content)", insert(1)), R("void AddBeforeSelf(object content)", insert(0)),
			R("void ReplaceWith(object content)", func(f F, a []V) V { insert(1)(f, a); node(a[0]).detach(); return clr.Null }),
			R("IEnumerable<XElement> Ancestors()", up(false)), R("IEnumerable<XElement> Ancestors(XName name)", up(false)),
			R("static bool DeepEquals(XNode n1, XNode n2)", func(f F, a []V) V { return clr.Bool(writeXML(f, node(a[0]), false) == writeXML(f, node(a[1]), false)) }),
			R("static XNode ReadFrom(System.Xml.XmlReader reader)", func(f F, a []V) V { return clr.Object(a[0].Ref().(*xmlSource).take(f)) }),
			R("string ToString()", toStringRow), R("string ToString(SaveOptions options)", func(f F, a []V) V { n := node(a[0]); return f.Str(writeXML(f, n, a[1].Int()&1 == 0)) }))...),
		D("class "+lns+"XContainer : XNode", R("XElement Element(XName name)", func(_ F, a []V) V {
			for _, k := range node(a[0]).kids {
				if !a[1].IsNull() && k.is(a[1]) {
					return clr.Object(k)
				}
			}
			return clr.Null
		}), R("IEnumerable<XElement> Elements()", elems(byName)), R("IEnumerable<XElement> Elements(XName name)", elems(byName)),
			R("IEnumerable<XElement> Descendants()", deep(false)), R("IEnumerable<XElement> Descendants(XName name)", deep(false)),
			R("IEnumerable<XNode> Nodes()", func(_ F, a []V) V { return nodes(lns+"XNode", slices.Clone(node(a[0]).kids)) }),
			R("IEnumerable<XNode> DescendantNodes()", func(f F, a []V) V {
				var out []*Node
				node(a[0]).walk(f, func(n *Node) { out = append(out, n) })
				return nodes(lns+"XNode", out)
			}),
			R("XNode FirstNode", func(_ F, a []V) V {
				if k := node(a[0]).kids; len(k) > 0 {
					return clr.Object(k[0])
				}
				return clr.Null
			}), R("XNode LastNode", func(_ F, a []V) V {
				if k := node(a[0]).kids; len(k) > 0 {
					return clr.Object(k[len(k)-1])
				}
				return clr.Null
			}),
			R("void Add(object content)", func(f F, a []V) V { addXML(f, node(a[0]), a[1]); return clr.Null }), R("void Add(params object[] content)", func(f F, a []V) V { addXML(f, node(a[0]), a[1]); return clr.Null }),
			R("void AddFirst(object content)", func(f F, a []V) V {
				n := node(a[0])
				tmp := &Node{kind: xElement, parent: n}
				addXML(f, tmp, a[1])
				for _, x := range tmp.attrs {
					x.parent = nil
					n.add(f, x)
				}
				for _, k := range tmp.kids {
					k.parent = n
				}
				n.open = n.open && len(tmp.kids) == 0
				n.kids = append(tmp.kids, n.kids...)
				return clr.Null
			}),
			R("void RemoveNodes()", func(f F, a []V) V { node(a[0]).setText(f, ""); return clr.Null }), R("void ReplaceNodes(object content)", func(f F, a []V) V { node(a[0]).setText(f, ""); addXML(f, node(a[0]), a[1]); return clr.Null })),
		D("class "+lns+"XElement : XContainer", append(slices.Concat(pick("XElement"), elementRows()),
			R("new(XName name)", makeElem), R("new(XName name, object content)", makeElem), R("new(XName name, params object[] content)", makeElem), R("new(XElement other)", func(f F, a []V) V { return clr.Object(node(a[0]).copy(f)) }),
			R("static XElement Parse(string text)", func(f F, a []V) V {
				d := parseXML(f, text(a[0], "s"), false, false)
				r := d.root()
				r.parent = nil
				return clr.Object(r)
			}),
			R("static XElement Parse(string text, LoadOptions options)", func(f F, a []V) V {
				r := parseXML(f, text(a[0], "s"), false, a[1].Int()&1 != 0).root()
				r.parent = nil
				return clr.Object(r)
			}),
			RW("XName Name", func(_ F, a []V) V { return name(node(a[0])) }, func(_ F, a []V) V {
				x := xn(a[1], "value")
				n := node(a[0])
				n.space, n.local, n.prefix = x.space, x.local, ""
				return clr.Null
			}), value,
			R("XAttribute Attribute(XName name)", func(_ F, a []V) V { return nodeValue(node(a[0]).attr(*xn(a[1], "name"))) }),
			R("IEnumerable<XAttribute> Attributes()", func(_ F, a []V) V { return nodes(lns+"XAttribute", slices.Clone(node(a[0]).attrs)) }),
			R("IEnumerable<XAttribute> Attributes(XName name)", func(_ F, a []V) V {
				if n := node(a[0]).attr(*xn(a[1], "name")); n != nil {
					return nodes(lns+"XAttribute", []*Node{n})
				}
				return nodes(lns+"XAttribute", nil)
			}),
			R("bool HasAttributes", func(_ F, a []V) V { return clr.Bool(len(node(a[0]).attrs) > 0) }), R("bool HasElements", func(_ F, a []V) V { return clr.Bool(node(a[0]).root() != nil) }), R("bool IsEmpty", func(_ F, a []V) V { return clr.Bool(len(node(a[0]).kids) == 0 && !node(a[0]).open) }),
			R("IEnumerable<XElement> AncestorsAndSelf()", up(true)), R("IEnumerable<XElement> DescendantsAndSelf()", deep(true)), R("IEnumerable<XElement> DescendantsAndSelf(XName name)", deep(true)),
			R("void SetAttributeValue(XName name, object value)", func(f F, a []V) V {
				n, x := node(a[0]), xn(a[1], "name")
				old := n.attr(*x)
				switch {
				case a[2].IsNull():
					if old != nil {
						old.detach()
					}
				case old != nil:
					old.value = xmlText(f, a[2])
				default:
					n.add(f, newAttribute(x, xmlText(f, a[2])))
				}
				return clr.Null
			}),
			R("void SetElementValue(XName name, object value)", func(f F, a []V) V {
				n, x := node(a[0]), xn(a[1], "name")
				for _, k := range n.kids {
					if k.is(a[1]) {
						if a[2].IsNull() {
							k.detach()
						} else {
							k.setText(f, xmlText(f, a[2]))
						}
						return clr.Null
					}
				}
				if !a[2].IsNull() {
					k := &Node{kind: xElement, space: x.space, local: x.local}
					k.setText(f, xmlText(f, a[2]))
					n.add(f, k)
				}
				return clr.Null
			}),
			R("void SetValue(object value)", func(f F, a []V) V { node(a[0]).setText(f, xmlText(f, notNull(a[1], "value"))); return clr.Null }),
			R("void RemoveAttributes()", func(_ F, a []V) V { node(a[0]).attrs = nil; return clr.Null }), R("void RemoveAll()", func(f F, a []V) V { node(a[0]).attrs = nil; node(a[0]).setText(f, ""); return clr.Null }),
			R("XNamespace GetDefaultNamespace()", func(_ F, a []V) V {
				uri, _ := node(a[0]).lookup("")
				return clr.Object(&xname{space: uri, ns: true})
			}),
			R("XNamespace GetNamespaceOfPrefix(string prefix)", func(_ F, a []V) V {
				uri, ok := node(a[0]).lookup(text(a[1], "prefix"))
				if !ok {
					return clr.Null
				}
				return clr.Object(&xname{space: uri, ns: true})
			}),
		)...),
		D("class "+lns+"XAttribute : XObject", append(pick("XAttribute"),
			R("new(XName name, object value)", func(f F, a []V) V {
				return clr.Object(newAttribute(xn(a[0], "name"), xmlText(f, notNull(a[1], "value"))))
			}),
			R("XAttribute NextAttribute", nextAttribute(1)), R("XAttribute PreviousAttribute", nextAttribute(-1)),
			R("XName Name", func(_ F, a []V) V { return name(node(a[0])) }), value, R("bool IsNamespaceDeclaration", func(_ F, a []V) V { return clr.Bool(node(a[0]).space == xmlnsURI) }),
			R("void Remove()", func(_ F, a []V) V { node(a[0]).detach(); return clr.Null }), R("void SetValue(object value)", func(f F, a []V) V { node(a[0]).value = xmlText(f, notNull(a[1], "value")); return clr.Null }), R("string ToString()", toStringRow))...),
		D("class "+lns+"XDocument : XContainer", R("new(params object[] content)", func(f F, a []V) V { return makeDoc(f, arr(a[0], "content").V) }), R("new(XDeclaration declaration, params object[] content)", func(f F, a []V) V {
			return makeDoc(f, append([]V{a[0]}, arr(a[1], "content").V...))
		}),
			R("static XDocument Parse(string text)", func(f F, a []V) V { return clr.Object(parseXML(f, text(a[0], "s"), false, false)) }),
			R("static XDocument Parse(string text, LoadOptions options)", func(f F, a []V) V { return clr.Object(parseXML(f, text(a[0], "s"), false, a[1].Int()&1 != 0)) }),
			R("XElement Root", func(_ F, a []V) V { return nodeValue(node(a[0]).root()) }),
			R("XDeclaration Declaration", func(_ F, a []V) V {
				if node(a[0]).decl == "" {
					return clr.Null
				}
				return clr.Object(&label{"XDeclaration", node(a[0]).decl})
			})),
		D("class "+lns+"XDeclaration", R("new(string version, string encoding, string standalone)", func(_ F, a []V) V {
			s := `xml version="` + a[0].Str() + `"`
			if !a[1].IsNull() {
				s += ` encoding="` + a[1].Str() + `"`
			}
			if !a[2].IsNull() {
				s += ` standalone="` + a[2].Str() + `"`
			}
			return clr.Object(&label{"XDeclaration", s})
		}), R("string ToString()", func(_ F, a []V) V { return clr.String("<?" + a[0].Ref().(*label).name + "?>") })),
		D("class "+lns+"XText : XNode", R("new(string value)", simple(xText)), value), D("class "+lns+"XCData : XText", R("new(string value)", simple(xCData))),
		D("class "+lns+"XComment : XNode", R("new(string value)", simple(xComment)), value), D("class " + lns + "XDocumentType : XNode"),
		D("class "+lns+"XProcessingInstruction : XNode", R("new(string target, string data)", func(_ F, a []V) V { return clr.Object(&Node{kind: xPI, local: a[0].Str(), value: a[1].Str()}) }),
			R("string Target", func(_ F, a []V) V { return clr.String(node(a[0]).local) }), R("string Data", func(_ F, a []V) V { return clr.String(node(a[0]).value) })),
		{Sig: "class " + lns + "XNodeDocumentOrderComparer"},
		{Sig: "class " + lns + "XNodeEqualityComparer"},
		D("static class "+lns+"Extensions",
			R("static IEnumerable<XElement> Elements<T>(this IEnumerable<T> source)", overNodes(byName, false)), R("static IEnumerable<XElement> Elements<T>(this IEnumerable<T> source, XName name)", overNodes(byName, false)),
			R("static IEnumerable<XElement> Descendants<T>(this IEnumerable<T> source)", overNodes(byName, true)), R("static IEnumerable<XElement> Descendants<T>(this IEnumerable<T> source, XName name)", overNodes(byName, true)),
			R("static void Remove<T>(this IEnumerable<T> source)", func(f F, a []V) V {
				for _, v := range gather(f, a[0], "source") {
					node(v).detach()
				}
				return clr.Null
			}),
			R("static IEnumerable<XAttribute> Attributes(this IEnumerable<XElement> source, XName name)", func(f F, a []V) V {
				var out []*Node
				x := xn(a[1], "name")
				Each(f, notNull(a[0], "source"), func(v V) bool {
					if n := node(v).attr(*x); n != nil {
						out = append(out, n)
					}
					return true
				})
				return nodes(lns+"XAttribute", out)
			}),
			R("static IEnumerable<XAttribute> Attributes(this IEnumerable<XElement> source)", func(f F, a []V) V {
				var out []*Node
				Each(f, notNull(a[0], "source"), func(v V) bool { out = append(out, node(v).attrs...); return true })
				return nodes(lns+"XAttribute", out)
			})),
	}
	return append(append(out, domDecls()...), xpathDecls()...)
}

func overNodes(test func(*Node, []V) bool, deep bool) func(F, []V) V {
	return func(f F, a []V) V {
		var out []*Node
		args := slices.Clone(a)
		Each(f, notNull(a[0], "source"), func(v V) bool {
			n, ok := v.Ref().(*Node)
			if !ok {
				return true
			}
			visit := func(k *Node) {
				if test(k, args) {
					out = append(out, k)
				}
			}
			if deep {
				n.walk(f, visit)
			} else {
				for _, k := range n.kids {
					visit(k)
				}
			}
			return true
		})
		return nodes(lns+"XElement", out)
	}
}
