package xpath

import (
	"math"
	"slices"
)

// context is where an expression is evaluated.
type context[N comparable] struct {
	node      N
	pos, size int
}

type evaluator[N comparable] struct {
	tree   Tree[N]
	spaces bool      // the expression looks at namespace nodes
	order  map[N]int // places in the document, when they were asked for
}

// eval gives a []N, string, float64 or bool.
func (ev *evaluator[N]) eval(x expr, c context[N]) any {
	switch x := x.(type) {
	case *literal:
		return x.s
	case *number:
		return x.n
	case *negation:
		return -ev.number(ev.eval(x.x, c))
	case *binary:
		return ev.binary(x, c)
	case *call:
		ev.tree.Step(1)
		return callFunction(ev, x, c)
	case *filter:
		nodes := ev.nodes(x.x, c)
		for _, p := range x.preds {
			nodes = ev.choose(nodes, p)
		}
		return nodes
	case *path:
		return ev.path(x, c)
	}
	return nil
}

func (ev *evaluator[N]) nodes(x expr, c context[N]) []N {
	n, _ := ev.eval(x, c).([]N)
	return n
}

func (ev *evaluator[N]) binary(x *binary, c context[N]) any {
	switch x.op {
	case "or":
		return truth[N](ev.eval(x.x, c)) || truth[N](ev.eval(x.y, c))
	case "and":
		return truth[N](ev.eval(x.x, c)) && truth[N](ev.eval(x.y, c))
	case "|":
		return ev.sorted(slices.Concat(ev.nodes(x.x, c), ev.nodes(x.y, c)))
	case "+", "-", "*", "div", "mod":
		return arithmetic(x.op, ev.number(ev.eval(x.x, c)), ev.number(ev.eval(x.y, c)))
	}
	return ev.compare(x.op, ev.eval(x.x, c), ev.eval(x.y, c))
}

func arithmetic(op string, a, b float64) float64 {
	switch op {
	case "+":
		return a + b
	case "-":
		return a - b
	case "*":
		return a * b
	case "div":
		return a / b
	}
	return math.Mod(a, b)
}

func (ev *evaluator[N]) path(x *path, c context[N]) []N {
	cur := []N{c.node}
	switch {
	case x.absolute:
		cur[0] = ev.root(c.node)
	case x.start != nil:
		cur = ev.nodes(x.start, c)
	}
	for _, s := range x.steps {
		cur = ev.step(s, cur)
	}
	return cur
}

func (ev *evaluator[N]) root(n N) N {
	for p, ok := ev.tree.Parent(n); ok; p, ok = ev.tree.Parent(p) {
		ev.tree.Step(1)
		n = p
	}
	return n
}

// step goes one step from each node.
func (ev *evaluator[N]) step(s *step, from []N) []N {
	var out []N
	for _, n := range from {
		var found []N
		ev.along(s.axis, n, func(k N) {
			if ev.matches(&s.test, k) {
				found = append(found, k)
			}
		})
		for _, p := range s.preds {
			found = ev.choose(found, p)
		}
		if !s.axis.forward() {
			slices.Reverse(found)
		}
		out = append(out, found...)
	}
	if len(from) > 1 && s.axis != self && s.axis != attribute && s.axis != namespace {
		return ev.sorted(out)
	}
	return out
}

// choose keeps the nodes for which a predicate holds; they are in the order of
// the axis.
func (ev *evaluator[N]) choose(nodes []N, p expr) []N {
	var out []N
	for i, n := range nodes {
		ev.tree.Step(1)
		v := ev.eval(p, context[N]{n, i + 1, len(nodes)})
		keep := false
		if at, ok := v.(float64); ok {
			keep = at == float64(i+1)
		} else {
			keep = truth[N](v)
		}
		if keep {
			out = append(out, n)
		}
	}
	return out
}

// sorted puts nodes into document order and drops those that come twice.
func (ev *evaluator[N]) sorted(nodes []N) []N {
	if len(nodes) < 2 {
		return nodes
	}
	if ev.order == nil {
		ev.order = map[N]int{}
		ev.place(ev.root(nodes[0]))
	}
	ev.tree.Step(len(nodes))
	slices.SortFunc(nodes, func(a, b N) int { return ev.order[a] - ev.order[b] })
	return slices.Compact(nodes)
}

// place gives every node of a tree its place in the document.
func (ev *evaluator[N]) place(n N) {
	ev.tree.Step(1)
	ev.order[n] = len(ev.order)
	if ev.spaces {
		for _, k := range ev.tree.Namespaces(n) {
			ev.order[k] = len(ev.order)
		}
	}
	for _, k := range ev.tree.Attributes(n) {
		ev.order[k] = len(ev.order)
	}
	for _, k := range ev.tree.Children(n) {
		ev.place(k)
	}
}
