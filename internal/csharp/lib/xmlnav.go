package lib

import (
	"slices"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// siblingRows are the members of XNode that list what stands beside a node.
func siblingRows() []clr.Row {
	beside := func(after bool) func(n *Node) []*Node {
		return func(n *Node) []*Node {
			if n.parent == nil {
				return nil
			}
			i := slices.Index(n.parent.kids, n)
			if after {
				return slices.Clone(n.parent.kids[i+1:])
			}
			return slices.Clone(n.parent.kids[:i])
		}
	}
	elements := func(list func(n *Node) []*Node) func(F, []V) V {
		return func(_ F, a []V) V {
			name := clr.Null
			if len(a) > 1 {
				name = notNull(a[1], "name")
			}
			return nodes(lns+"XElement", slices.DeleteFunc(list(node(a[0])), func(k *Node) bool { return !k.is(name) }))
		}
	}
	var rows []clr.Row
	for _, where := range []string{"After", "Before"} {
		list := beside(where == "After")
		rows = append(rows,
			R("IEnumerable<XElement> Elements"+where+"Self()", elements(list)), R("IEnumerable<XElement> Elements"+where+"Self(XName name)", elements(list)),
			R("IEnumerable<XNode> Nodes"+where+"Self()", func(_ F, a []V) V { return nodes(lns+"XNode", list(node(a[0]))) }))
	}
	return rows
}

// attributeAt is the attribute of n at i, or null.
func attributeAt(n *Node, i int) V {
	if n == nil || i < 0 || i >= len(n.attrs) {
		return clr.Null
	}
	return clr.Object(n.attrs[i])
}

// nextAttribute is the attribute d places behind another one.
func nextAttribute(d int) func(F, []V) V {
	return func(_ F, a []V) V {
		n := node(a[0])
		if n.parent == nil {
			return clr.Null
		}
		return attributeAt(n.parent, slices.Index(n.parent.attrs, n)+d)
	}
}

// elementRows are the members of XElement that look at or replace all it has.
func elementRows() []clr.Row {
	replace := func(all bool) func(F, []V) V {
		return func(f F, a []V) V {
			n := node(a[0])
			n.attrs = nil
			if all {
				n.setText(f, "")
			}
			addXML(f, n, a[1])
			return clr.Null
		}
	}
	return []clr.Row{
		R("XAttribute FirstAttribute", func(_ F, a []V) V { return attributeAt(node(a[0]), 0) }),
		R("XAttribute LastAttribute", func(_ F, a []V) V { return attributeAt(node(a[0]), len(node(a[0]).attrs)-1) }),
		R("void ReplaceAll(object content)", replace(true)), R("void ReplaceAll(params object[] content)", replace(true)),
		R("void ReplaceAttributes(object content)", replace(false)), R("void ReplaceAttributes(params object[] content)", replace(false)),
		R("IEnumerable<XNode> DescendantNodesAndSelf()", func(f F, a []V) V {
			out := []*Node{node(a[0])}
			node(a[0]).walk(f, func(n *Node) { out = append(out, n) })
			return nodes(lns+"XNode", out)
		}),
		R("string GetPrefixOfNamespace(XNamespace ns)", func(_ F, a []V) V {
			space := xn(a[1], "ns").space
			for n := node(a[0]); n != nil; n = n.parent {
				for _, d := range n.attrs {
					if d.space == xmlnsURI && d.prefix != "" && d.value == space {
						return clr.String(d.local)
					}
				}
			}
			return clr.Null
		}),
	}
}

// lookup is the namespace that a prefix stands for.
func (n *Node) lookup(prefix string) (uri string, ok bool) {
	for ; n != nil; n = n.parent {
		for _, a := range n.attrs {
			if a.space == xmlnsURI && declared(a) == prefix {
				return a.value, true
			}
		}
	}
	return "", false
}
