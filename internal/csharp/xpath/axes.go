package xpath

import "slices"

// axis is the direction of a step.
type axis uint8

const (
	child axis = iota
	descendant
	descendantOrSelf
	self
	parent
	ancestor
	ancestorOrSelf
	followingSibling
	precedingSibling
	following
	preceding
	attribute
	namespace
)

var axes = map[string]axis{
	"child": child, "descendant": descendant, "descendant-or-self": descendantOrSelf, "self": self, "parent": parent, "ancestor": ancestor,
	"ancestor-or-self": ancestorOrSelf, "following-sibling": followingSibling, "preceding-sibling": precedingSibling, "following": following,
	"preceding": preceding, "attribute": attribute, "namespace": namespace,
}

// principal is the kind of the nodes that names on the axis mean.
func (a axis) principal() Kind {
	switch a {
	case attribute:
		return Attribute
	case namespace:
		return Namespace
	}
	return Element
}

// forward reports whether the axis goes in document order.
func (a axis) forward() bool {
	switch a {
	case parent, ancestor, ancestorOrSelf, precedingSibling, preceding:
		return false
	}
	return true
}

// along gives the nodes of an axis to yield, in the order of the axis.
func (ev *evaluator[N]) along(a axis, n N, yield func(N)) {
	t := ev.tree
	visit := func(n N) {
		t.Step(1)
		yield(n)
	}
	switch a {
	case child:
		for _, k := range t.Children(n) {
			visit(k)
		}
	case descendant:
		ev.below(n, visit)
	case descendantOrSelf:
		visit(n)
		ev.below(n, visit)
	case self:
		visit(n)
	case parent:
		if p, ok := t.Parent(n); ok {
			visit(p)
		}
	case ancestor, ancestorOrSelf:
		if a == ancestorOrSelf {
			visit(n)
		}
		for p, ok := t.Parent(n); ok; p, ok = t.Parent(p) {
			visit(p)
		}
	case followingSibling:
		_, after := ev.siblings(n)
		for _, k := range after {
			visit(k)
		}
	case precedingSibling:
		before, _ := ev.siblings(n)
		for _, b := range slices.Backward(before) {
			visit(b)
		}
	case following:
		ev.following(n, visit)
	case preceding:
		ev.preceding(n, visit)
	case attribute:
		for _, k := range t.Attributes(n) {
			visit(k)
		}
	case namespace:
		for _, k := range t.Namespaces(n) {
			visit(k)
		}
	}
}

// below visits descendants in document order.
func (ev *evaluator[N]) below(n N, visit func(N)) {
	for _, k := range ev.tree.Children(n) {
		visit(k)
		ev.below(k, visit)
	}
}

// siblings are the nodes before and behind n; attributes have none.
func (ev *evaluator[N]) siblings(n N) (before, after []N) {
	p, ok := ev.tree.Parent(n)
	if k := ev.tree.Kind(n); !ok || k == Attribute || k == Namespace {
		return nil, nil
	}
	all := ev.tree.Children(p)
	ev.tree.Step(len(all))
	for i, k := range all {
		if k == n {
			return all[:i], all[i+1:]
		}
	}
	return nil, nil
}

// following visits what begins behind the end of n.
func (ev *evaluator[N]) following(n N, visit func(N)) {
	if k := ev.tree.Kind(n); k == Attribute || k == Namespace {
		p, ok := ev.tree.Parent(n)
		if !ok {
			return
		}
		ev.below(p, visit)
		n = p
	}
	for ok := true; ok; n, ok = ev.tree.Parent(n) {
		_, after := ev.siblings(n)
		for _, k := range after {
			visit(k)
			ev.below(k, visit)
		}
	}
}

// preceding visits what ends before the beginning of n, the last first.
func (ev *evaluator[N]) preceding(n N, visit func(N)) {
	if k := ev.tree.Kind(n); k == Attribute || k == Namespace {
		p, ok := ev.tree.Parent(n)
		if !ok {
			return
		}
		n = p
	}
	var back func(n N)
	back = func(n N) {
		kids := ev.tree.Children(n)
		for _, kid := range slices.Backward(kids) {
			back(kid)
		}
		visit(n)
	}
	for ok := true; ok; n, ok = ev.tree.Parent(n) {
		before, _ := ev.siblings(n)
		for _, b := range slices.Backward(before) {
			back(b)
		}
	}
}

// matches reports whether a node passes a node test.
func (ev *evaluator[N]) matches(t *test, n N) bool {
	if t.any {
		return true
	}
	if ev.tree.Kind(n) != t.kind {
		return false
	}
	if t.starNS && t.target == "" {
		return true
	}
	_, local, space := ev.tree.Name(n)
	if t.kind == Instruction {
		return local == t.target
	}
	return space == t.space && (t.star || local == t.local)
}
