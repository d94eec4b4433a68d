// Package xpath evaluates XPath 1.0 over any tree.
//
// It follows .NET's System.Xml.XPath where that reads the recommendation its own
// way: in the spelling of numbers, in what it says about bad expressions, and in
// counting characters as UTF-16 units. Work is told to the tree step by step, so
// that its owner can bound it. Start reading at Compile and Eval.
package xpath

// Kind is the kind of a node.
type Kind uint8

// The kinds of nodes.
const (
	Root Kind = iota
	Element
	Attribute
	Text
	Comment
	Instruction
	Namespace
)

// Tree is what expressions are evaluated over. Nodes are equal when they are the
// same node.
type Tree[N comparable] interface {
	Kind(n N) Kind
	Name(n N) (prefix, local, space string)
	Value(n N) string // the string-value
	Parent(n N) (N, bool)
	Children(n N) []N
	Attributes(n N) []N
	Namespaces(n N) []N
	Step(n int) // n pieces of work are to be done; it may panic to end them
}

// Error is what is wrong with an expression, as .NET says it.
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

// Expr is a compiled expression. It is immutable.
type Expr struct {
	src    string
	root   expr
	spaces bool // looks at namespace nodes
}

// Resolver gives the namespace of a prefix. A nil one knows none.
type Resolver func(prefix string) (uri string, ok bool)

// Compile reads an expression.
func Compile(src string, spaces Resolver) (e *Expr, err error) {
	defer func() {
		if r := recover(); r != nil {
			bad, ok := r.(*Error)
			if !ok {
				panic(r)
			}
			e, err = nil, bad
		}
	}()
	p := &parser{src: src, spaces: spaces}
	p.next()
	x := p.or()
	if p.tok.kind != end {
		p.invalid()
	}
	return &Expr{src, x, p.usesSpaces}, nil
}

// String is the source.
func (e *Expr) String() string { return e.src }

// Selects reports whether the value is a node-set.
func (e *Expr) Selects() bool { return e.root.typ() == nodeSet }

// Eval gives the value of an expression at a node: a []N in document order, a
// string, a float64 or a bool.
func Eval[N comparable](e *Expr, tree Tree[N], at N) any {
	ev := &evaluator[N]{tree: tree, spaces: e.spaces}
	return ev.eval(e.root, context[N]{node: at, pos: 1, size: 1})
}

// typ is the static type of an expression.
type typ uint8

const (
	nodeSet typ = iota
	stringType
	numberType
	boolType
)

// expr is a node of the syntax tree.
type expr interface{ typ() typ }

type (
	literal struct{ s string }
	number  struct{ n float64 }
	// binary is an operator on two operands; | makes a union.
	binary struct {
		op   string
		x, y expr
	}
	negation struct{ x expr }
	call     struct {
		fn   *function
		args []expr
	}
	// filter is an expression with predicates behind it.
	filter struct {
		x     expr
		preds []expr
	}
	// path is steps from a start: the root, another expression, or the context
	// node when both are missing.
	path struct {
		absolute bool
		start    expr
		steps    []*step
	}
)

type step struct {
	axis  axis
	test  test
	preds []expr
	plain bool // no predicate looks at positions
}

// test is a node test.
type test struct {
	any    bool // node()
	kind   Kind // of text(), comment(), processing-instruction(), and of the axis for names
	local  string
	space  string
	star   bool // any name
	starNS bool // any name in any namespace
	target string
}

func (*literal) typ() typ  { return stringType }
func (*number) typ() typ   { return numberType }
func (*negation) typ() typ { return numberType }
func (c *call) typ() typ   { return c.fn.ret }
func (*filter) typ() typ   { return nodeSet }
func (*path) typ() typ     { return nodeSet }

func (b *binary) typ() typ {
	switch b.op {
	case "|":
		return nodeSet
	case "+", "-", "*", "div", "mod":
		return numberType
	}
	return boolType
}
