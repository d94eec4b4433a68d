package check

import (
	"slices"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// query translates a LINQ query into calls of methods, as the C# specification
// does. Several range variables travel in a tuple; their names mean its items.
func (b *binder) query(n *syntax.Query) Expr {
	q := &queryBuilder{b: b, at: n.Range}
	b.push()
	defer b.pop()
	b.spend(len(n.Clauses))
	first := n.Clauses[0]
	q.src = q.castTo(first.X, first.Type)
	q.declare(&first)
	q.vars = []string{first.Name}
	for i := 1; i < len(n.Clauses); i++ {
		c := n.Clauses[i]
		q.at, q.clause = c.Range, c.Kind
		switch c.Kind {
		case "where":
			q.src = q.call(q.src, "Where", q.lambda(c.X))
		case "let":
			q.declare(&c)
			q.extend(&c)
		case "from":
			q.from(c)
		case "join":
			q.join(c)
		case "orderby":
			q.order(c.Keys)
		case "select":
			q.src = q.call(q.src, "Select", q.lambda(c.X))
		case "group":
			q.group(c)
		case "into":
			q.vars = nil
			q.declare(&c)
			q.vars = []string{c.Name}
		}
	}
	return b.expr(q.src)
}

// itemName is the name that every tuple has for its item i, counted from 0.
func itemName(i int) string { return "Item" + strconv.Itoa(i+1) }

type queryBuilder struct {
	b    *binder
	src  syntax.Expr
	vars []string // range variables; more than one are items of a tuple
	at   syntax.Range

	clause string // at hand
}

// declare checks the name of a new range variable.
func (q *queryBuilder) declare(c *syntax.Clause) {
	switch s := q.b.find(c.Name); {
	case slices.Contains(q.vars, c.Name):
		q.b.err(c.NameAt, "CS1930", "The range variable '"+c.Name+"' has already been declared")
	case s != nil || q.b.findLater(q.b.scope, c.Name):
		q.b.err(c.NameAt, "CS1931", "The range variable '"+c.Name+"' conflicts with a previous declaration of '"+c.Name+"'")
	}
}

func (q *queryBuilder) call(x syntax.Expr, method string, args ...syntax.Expr) syntax.Expr {
	c := &syntax.Call{Range: q.at, Clause: q.clause, Fn: &syntax.Member{Range: q.at, X: x, Name: syntax.NamePart{Name: method, Range: q.at}}}
	for _, a := range args {
		c.Args = append(c.Args, syntax.Argument{Range: q.at, X: a})
	}
	return c
}

func (q *queryBuilder) castTo(x syntax.Expr, t *syntax.Type) syntax.Expr {
	if t == nil {
		return x
	}
	return &syntax.Call{Range: q.at, Fn: &syntax.Member{Range: q.at, X: x, Name: syntax.NamePart{Name: "Cast", Args: []*syntax.Type{t}, Range: q.at}}}
}

// tupleName is the hidden parameter that holds several range variables, which
// its name lists.
func (q *queryBuilder) tupleName() string { return "<" + strings.Join(q.vars, ",") + ">" }

// unpack enters the range variables that a hidden parameter holds: their names
// mean items of its tuple.
func (b *binder) unpack(param string, at syntax.Range) {
	list, ok := strings.CutPrefix(param, "<")
	if !ok {
		return
	}
	for i, v := range strings.Split(strings.TrimSuffix(list, ">"), ",") {
		b.scope.set(v, syntax.Expr(&syntax.Member{
			Range: at, X: &syntax.Name{Range: at, Ident: param},
			Name: syntax.NamePart{Name: itemName(i), Range: at},
		}))
	}
}

// lambda makes x => body, or t => body with the variables standing for items.
func (q *queryBuilder) lambda(body syntax.Expr, extra ...string) syntax.Expr {
	q.b.spend(len(q.vars))
	l := &syntax.Lambda{Range: q.at, Arrow: q.at, Query: true, Body: body}
	name := q.vars[0]
	if len(q.vars) > 1 {
		name = q.tupleName()
	}
	l.Params = append(l.Params, syntax.LambdaParam{Range: q.at, Name: name})
	for _, e := range extra {
		l.Params = append(l.Params, syntax.LambdaParam{Range: q.at, Name: e})
	}
	return l
}

// pack is the tuple of all range variables with one more.
func (q *queryBuilder) pack(last syntax.Expr) syntax.Expr {
	q.b.spend(len(q.vars))
	t := &syntax.Tuple{Range: q.at}
	add := func(x syntax.Expr) {
		t.Elems = append(t.Elems, syntax.Argument{Range: q.at, Name: itemName(len(t.Elems)), X: x})
	}
	whole := q.tupleName()
	for i, v := range q.vars {
		if len(q.vars) == 1 {
			add(&syntax.Name{Range: q.at, Ident: v})
		} else {
			add(&syntax.Member{Range: q.at, X: &syntax.Name{Range: q.at, Ident: whole}, Name: syntax.NamePart{Name: itemName(i), Range: q.at}})
		}
	}
	add(last)
	return t
}

func (q *queryBuilder) extend(c *syntax.Clause) {
	q.src = q.call(q.src, "Select", q.lambda(q.pack(&syntax.RangeValue{Range: c.NameAt, X: c.X})))
	q.vars = append(q.vars, c.Name)
}

func (q *queryBuilder) from(c syntax.Clause) {
	q.declare(&c)
	inner := q.lambda(q.castTo(c.X, c.Type))
	result := q.lambda(q.pack(&syntax.Name{Range: q.at, Ident: c.Name}), c.Name)
	q.src = q.call(q.src, "SelectMany", inner, result)
	q.vars = append(q.vars, c.Name)
}

func (q *queryBuilder) join(c syntax.Clause) {
	method, name := "Join", c.Name
	if c.Into != "" {
		method, name = "GroupJoin", c.Into
	}
	q.declare(&c)
	on := q.lambda(c.On)
	on.(*syntax.Lambda).Left = []string{c.Name}
	eq := &syntax.Lambda{Range: q.at, Arrow: q.at, Query: true, Params: []syntax.LambdaParam{{Range: q.at, Name: c.Name}}, Body: c.Eq, Right: q.vars}
	result := q.lambda(q.pack(&syntax.Name{Range: q.at, Ident: name}), name)
	q.src = q.call(q.src, method, q.castTo(c.X, c.Type), on, eq, result)
	q.vars = append(q.vars, name)
}

func (q *queryBuilder) order(keys []syntax.OrderKey) {
	for i, k := range keys {
		method := "OrderBy"
		if i > 0 {
			method = "ThenBy"
		}
		if k.Desc {
			method += "Descending"
		}
		q.src = q.call(q.src, method, q.lambda(k.X))
	}
}

func (q *queryBuilder) group(c syntax.Clause) {
	if name, ok := c.X.(*syntax.Name); ok && len(q.vars) == 1 && name.Ident == q.vars[0] {
		q.src = q.call(q.src, "GroupBy", q.lambda(c.By))
		return
	}
	q.src = q.call(q.src, "GroupBy", q.lambda(c.By), q.lambda(c.X))
}

// queryError explains a call that a clause of a query was made into.
func (b *binder) queryError(c *syntax.Call, g *group, near *picked, args []arg) {
	at := syntax.Range{From: c.From, To: c.From + syntax.Pos(len(c.Clause))}
	switch {
	case near == nil || !b.extensionOf(g) && len(g.members) == 0:
		b.err(sourceOf(c), "CS1936", "Could not find an implementation of the query pattern for source type '"+g.recv.T().String()+"'.  '"+g.name+"' not found.")
	case c.Clause == "from":
		l := c.Args[0].X.(*syntax.Lambda)
		b.err(l.Body, "CS1943", "An expression of type '"+typeIn(args[0])+"' is not allowed in a subsequent from clause in a query expression with source type '"+g.recv.T().String()+"'.  Type inference failed in the call to '"+g.name+"'.")
	case c.Clause == "join":
		b.err(at, "CS1941", "The type of one of the expressions in the join clause is incorrect.  Type inference failed in the call to '"+g.name+"'.")
	default:
		b.err(at, "CS1942", "The type of the expression in the "+c.Clause+" clause is incorrect.  Type inference failed in the call to '"+g.name+"'.")
	}
}

// typeIn is the type of what the lambda of a clause gives.
func typeIn(a arg) string {
	if l, ok := a.x.(*lambda); ok && len(l.cache) > 0 {
		return display(l.cache[len(l.cache)-1].expr)
	}
	return "?"
}

// sourceOf is the first source of a query.
func sourceOf(c *syntax.Call) syntax.Node {
	for {
		x := c.Fn.(*syntax.Member).X
		inner, ok := x.(*syntax.Call)
		if !ok || inner.Clause == "" {
			return x
		}
		c = inner
	}
}
