package lib

import (
	"cmp"
	"errors"
	"slices"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/xpath"
)

const (
	pns        = "System.Xml.XPath."
	xNamespace = 13 // the kind of namespace nodes, which only expressions see
	xmlURI     = "http://www.w3.org/XML/1998/namespace"
)

// xpathTree shows nodes to expressions. Text that stands in several pieces is one
// node there: the first piece.
type xpathTree struct {
	f      F
	texts  map[*Node]string
	spaces map[*Node][]*Node
}

func (t *xpathTree) Step(n int) { t.f.Step(n) }

func (t *xpathTree) Kind(n *Node) xpath.Kind {
	switch n.kind {
	case xDocument:
		return xpath.Root
	case xElement:
		return xpath.Element
	case xAttribute:
		return xpath.Attribute
	case xComment:
		return xpath.Comment
	case xPI:
		return xpath.Instruction
	case xNamespace:
		return xpath.Namespace
	}
	return xpath.Text
}

func (t *xpathTree) Name(n *Node) (prefix, local, space string) { return n.prefix, n.local, n.space }

func (t *xpathTree) Value(n *Node) string {
	if s, ok := t.texts[n]; ok {
		return s
	}
	s := n.text()
	t.f.Alloc(len(s))
	return s
}

func (t *xpathTree) Parent(n *Node) (*Node, bool) { return n.parent, n.parent != nil }

func isText(n *Node) bool { return n.kind == xText || n.kind == xCData }

func (t *xpathTree) Children(n *Node) []*Node {
	plain := true
	for i, k := range n.kids {
		plain = plain && k.kind != xDocType && (i == 0 || !isText(k) || !isText(n.kids[i-1]))
	}
	if plain {
		return n.kids
	}
	t.f.Alloc(8 * len(n.kids))
	var out []*Node
	for i, k := range n.kids {
		switch {
		case k.kind == xDocType:
		case isText(k) && i > 0 && isText(n.kids[i-1]):
			t.join(out[len(out)-1], k)
		default:
			delete(t.texts, k)
			out = append(out, k)
		}
	}
	return out
}

// join appends the text of a piece to that of the first.
func (t *xpathTree) join(first, k *Node) {
	if t.texts == nil {
		t.texts = map[*Node]string{}
	}
	s, ok := t.texts[first]
	if !ok {
		s = first.value
	}
	t.f.Alloc(len(s) + len(k.value))
	t.texts[first] = s + k.value
}

func (t *xpathTree) Attributes(n *Node) []*Node {
	if !slices.ContainsFunc(n.attrs, func(a *Node) bool { return a.space == xmlnsURI }) {
		return n.attrs
	}
	t.f.Alloc(8 * len(n.attrs))
	return slices.DeleteFunc(slices.Clone(n.attrs), func(a *Node) bool { return a.space == xmlnsURI })
}

// Namespaces are those in scope at an element, by prefix.
func (t *xpathTree) Namespaces(n *Node) []*Node {
	if n.kind != xElement {
		return nil
	}
	if out, ok := t.spaces[n]; ok {
		return out
	}
	seen := map[string]bool{"xml": true}
	out := []*Node{{kind: xNamespace, dom: n.dom, local: "xml", value: xmlURI, parent: n}}
	for e := n; e != nil; e = e.parent {
		for _, a := range e.attrs {
			prefix := a.local
			if a.prefix == "" {
				prefix = ""
			}
			if a.space != xmlnsURI || seen[prefix] {
				continue
			}
			seen[prefix] = true
			t.f.Alloc(96)
			if a.value != "" {
				out = append(out, &Node{kind: xNamespace, dom: n.dom, local: prefix, value: a.value, parent: n})
			}
		}
	}
	slices.SortFunc(out, func(a, b *Node) int { return cmp.Compare(a.local, b.local) })
	if t.spaces == nil {
		t.spaces = map[*Node][]*Node{}
	}
	t.spaces[n] = out
	return out
}

// compileXPath reads an expression; a null manager knows no prefixes.
func compileXPath(f F, src string, manager V) *xpath.Expr {
	f.Alloc(32 * len(src))
	var resolve xpath.Resolver
	if m, ok := manager.Ref().(*nsManager); ok {
		resolve = func(prefix string) (string, bool) { uri, ok := m.m[prefix]; return uri, ok }
	}
	e, err := xpath.Compile(src, resolve)
	if bad, ok := errors.AsType[*xpath.Error](err); ok {
		clr.Throw(clr.ExXPath, bad.Message)
	}
	return e
}

// optional is an argument that an overload may lack.
func optional(a []V, i int) V {
	if i < len(a) {
		return a[i]
	}
	return clr.Null
}

// selectNodes evaluates the expression a[1] at a node, with the manager a[2]. It
// must be one that selects nodes.
func selectNodes(f F, n *Node, a []V) []*Node {
	e := compileXPath(f, text(a[1], "xpath"), optional(a, 2))
	if !e.Selects() {
		clr.Throw(clr.ExXPath, "Expression must evaluate to a node-set.")
	}
	found, _ := xpath.Eval(e, xpath.Tree[*Node](&xpathTree{f: f}), n).([]*Node)
	f.Alloc(24 * len(found))
	return found
}

func selectOne(f F, a []V) V {
	if l := selectNodes(f, node(a[0]), a); len(l) > 0 {
		return clr.Object(l[0])
	}
	return clr.Null
}

func selectMany(f F, a []V) V { return nodeList(selectNodes(f, node(a[0]), a)) }

func nodeList(ns []*Node) V {
	l := &results{t: named("System.Xml.XmlNodeList")}
	for _, n := range ns {
		l.V = append(l.V, clr.Object(n))
	}
	return clr.Object(l)
}

// evaluate gives a bool, double or string, or what nodes makes of a node-set.
func evaluateXPath(f F, n *Node, a []V, nodes func([]*Node) V) V {
	switch v := xpath.Eval(compileXPath(f, text(a[1], "expression"), optional(a, 2)), xpath.Tree[*Node](&xpathTree{f: f}), n).(type) {
	case bool:
		return clr.Bool(v)
	case float64:
		return clr.Float(v)
	case string:
		return f.Str(v)
	case []*Node:
		f.Alloc(24 * len(v))
		return nodes(v)
	}
	return clr.Null
}

// selectElements is XPathSelectElements, which takes nothing but elements.
func selectElements(f F, a []V) []*Node {
	var out []*Node
	unexpected := func(v V) {
		clr.Throw(clr.ExInvalidOp, "The XPath expression evaluated to unexpected type "+f.TypeOf(v).FullName()+".")
	}
	v := evaluateXPath(f, node(notNull(a[0], "node")), a, func(ns []*Node) V { out = ns; return clr.Null })
	if !v.IsNull() {
		unexpected(v)
	}
	for _, n := range out {
		if n.kind != xElement {
			unexpected(clr.Object(n))
		}
	}
	return out
}

// nsManager is an XmlNamespaceManager.
type nsManager struct{ m map[string]string }

// RuntimeType is XmlNamespaceManager.
func (*nsManager) RuntimeType() *clr.Type { return named("System.Xml.XmlNamespaceManager") }

// navigator is an XPathNavigator at a node.
type navigator struct{ n *Node }

// RuntimeType is XPathNavigator.
func (*navigator) RuntimeType() *clr.Type { return named(pns + "XPathNavigator") }

// Text is the string-value of the node.
func (x *navigator) Text(f F) string { return (&xpathTree{f: f}).Value(x.n) }

// nodeIterator is an XPathNodeIterator; i is the number of nodes that were taken.
type nodeIterator struct {
	nodes []*Node
	i     int
}

// RuntimeType is XPathNodeIterator.
func (*nodeIterator) RuntimeType() *clr.Type { return named(pns + "XPathNodeIterator") }

// Each yields navigators.
func (x *nodeIterator) Each(f F, yield func(V) bool) {
	for _, n := range x.nodes[x.i:] {
		f.Step(1)
		if !yield(clr.Object(&navigator{n})) {
			return
		}
	}
}

// navigatorType is XPathNodeType, numbered its own way.
func navigatorType(n *Node) V {
	kinds := map[int]int64{xDocument: 0, xElement: 1, xAttribute: 2, xNamespace: 3, xText: 4, xCData: 4, xPI: 7, xComment: 8}
	return clr.Scalar(named(pns+"XPathNodeType"), kinds[n.kind])
}

func xpathDecls() []clr.Decl {
	m := func(a []V) map[string]string { return a[0].Ref().(*nsManager).m }
	at := func(v V) *Node { return v.Ref().(*navigator).n }
	iterator := func(ns []*Node) V { return clr.Object(&nodeIterator{nodes: ns}) }
	it := func(a []V) *nodeIterator { return a[0].Ref().(*nodeIterator) }
	create := func(_ F, a []V) V { return clr.Object(&navigator{node(notNull(a[0], "node"))}) }
	evaluate := func(f F, a []V) V { return evaluateXPath(f, at(a[0]), a, iterator) }
	selects := func(f F, a []V) V { return iterator(selectNodes(f, at(a[0]), a)) }
	single := func(f F, a []V) V {
		if l := selectNodes(f, at(a[0]), a); len(l) > 0 {
			return clr.Object(&navigator{l[0]})
		}
		return clr.Null
	}
	element := func(f F, a []V) V {
		if l := selectElements(f, a); len(l) > 0 {
			return clr.Object(l[0])
		}
		return clr.Null
	}
	elements := func(f F, a []V) V { return nodes(lns+"XElement", selectElements(f, a)) }
	objects := func(f F, a []V) V {
		return evaluateXPath(f, node(notNull(a[0], "node")), a, func(ns []*Node) V { return nodes("System.Object", ns) })
	}
	const resolver = ", System.Xml.IXmlNamespaceResolver resolver)"
	return []clr.Decl{
		D("interface System.Xml.IXmlNamespaceResolver"), D("class System.Xml.XmlNameTable"),
		D("class System.Xml.XmlNamespaceManager : System.Xml.IXmlNamespaceResolver",
			R("new(XmlNameTable nameTable)", func(F, []V) V {
				return clr.Object(&nsManager{map[string]string{"xml": xmlURI, "xmlns": xmlnsURI, "": ""}})
			}),
			R("void AddNamespace(string prefix, string uri)", func(f F, a []V) V {
				f.Alloc(64)
				m(a)[text(a[1], "prefix")] = text(a[2], "uri")
				return clr.Null
			}),
			R("void RemoveNamespace(string prefix, string uri)", func(_ F, a []V) V {
				if p := text(a[1], "prefix"); m(a)[p] == text(a[2], "uri") {
					delete(m(a), p)
				}
				return clr.Null
			}),
			R("bool HasNamespace(string prefix)", func(_ F, a []V) V { return clr.Bool(m(a)[a[1].Str()] != "") }),
			R("string LookupNamespace(string prefix)", func(_ F, a []V) V {
				if uri, ok := m(a)[a[1].Str()]; ok {
					return clr.String(uri)
				}
				return clr.Null
			}),
			R("string LookupPrefix(string uri)", func(_ F, a []V) V {
				for p, uri := range m(a) {
					if uri == a[1].Str() {
						return clr.String(p)
					}
				}
				return clr.Null
			}),
			R("string DefaultNamespace", func(_ F, a []V) V { return clr.String(m(a)[""]) })),
		D("enum " + pns + "XPathNodeType { Root, Element, Attribute, Namespace, Text, SignificantWhitespace, Whitespace, ProcessingInstruction, Comment, All }"),
		D("class "+pns+"XPathNavigator",
			R("object Evaluate(string xpath)", evaluate), R("object Evaluate(string xpath"+resolver, evaluate),
			R(pns+"XPathNodeIterator Select(string xpath)", selects), R(pns+"XPathNodeIterator Select(string xpath"+resolver, selects),
			R(pns+"XPathNavigator SelectSingleNode(string xpath)", single), R(pns+"XPathNavigator SelectSingleNode(string xpath"+resolver, single),
			R("string Value", toStringRow), R("string ToString()", toStringRow), R(pns+"XPathNodeType NodeType", func(_ F, a []V) V { return navigatorType(at(a[0])) }),
			R("string Name", func(_ F, a []V) V { return clr.String(at(a[0]).qname()) }), R("string LocalName", func(_ F, a []V) V { return clr.String(at(a[0]).local) }),
			R("string NamespaceURI", func(_ F, a []V) V { return clr.String(at(a[0]).space) }), R("string Prefix", func(_ F, a []V) V { return clr.String(at(a[0]).prefix) }),
			R("string OuterXml", func(f F, a []V) V { return f.Str(writeXML(f, at(a[0]), true)) }),
			R("object UnderlyingObject", func(_ F, a []V) V { return clr.Object(at(a[0])) })),
		D("class "+pns+"XPathNodeIterator : IEnumerable<"+pns+"XPathNavigator>",
			R("int Count", func(_ F, a []V) V { return clr.Int(len(it(a).nodes)) }), R("int CurrentPosition", func(_ F, a []V) V { return clr.Int(it(a).i) }),
			R("bool MoveNext()", func(f F, a []V) V {
				f.Step(1)
				x := it(a)
				if x.i == len(x.nodes) {
					return clr.Bool(false)
				}
				x.i++
				return clr.Bool(true)
			}),
			R(pns+"XPathNavigator Current", func(_ F, a []V) V {
				if x := it(a); x.i > 0 {
					return clr.Object(&navigator{x.nodes[x.i-1]})
				}
				return clr.Null
			})),
		D("class System.Xml.XmlNode", R(pns+"XPathNavigator CreateNavigator()", create)),
		// Its namespace is not imported: the methods are called with its full name.
		D("static class "+pns+"Extensions",
			R("static XElement XPathSelectElement(this XNode node, string expression)", element), R("static XElement XPathSelectElement(this XNode node, string expression"+resolver, element),
			R("static IEnumerable<XElement> XPathSelectElements(this XNode node, string expression)", elements), R("static IEnumerable<XElement> XPathSelectElements(this XNode node, string expression"+resolver, elements),
			R("static object XPathEvaluate(this XNode node, string expression)", objects), R("static object XPathEvaluate(this XNode node, string expression"+resolver, objects),
			R("static "+pns+"XPathNavigator CreateNavigator(this XNode node)", create)),
	}
}
