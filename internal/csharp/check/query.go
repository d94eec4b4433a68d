package check

import (
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
	q.vars = []string{first.Name}
	for i := 1; i < len(n.Clauses); i++ {
		c := n.Clauses[i]
		q.at = c.Range
		switch c.Kind {
		case "where":
			q.src = q.call(q.src, "Where", q.lambda(c.X))
		case "let":
			q.extend(c.Name, c.X)
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
}

func (q *queryBuilder) call(x syntax.Expr, method string, args ...syntax.Expr) syntax.Expr {
	c := &syntax.Call{Range: q.at, Fn: &syntax.Member{Range: q.at, X: x, Name: syntax.NamePart{Name: method, Range: q.at}}}
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

func (q *queryBuilder) extend(name string, x syntax.Expr) {
	q.src = q.call(q.src, "Select", q.lambda(q.pack(x)))
	q.vars = append(q.vars, name)
}

func (q *queryBuilder) from(c syntax.Clause) {
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
	eq := &syntax.Lambda{Range: q.at, Params: []syntax.LambdaParam{{Range: q.at, Name: c.Name}}, Body: c.Eq}
	result := q.lambda(q.pack(&syntax.Name{Range: q.at, Ident: name}), name)
	q.src = q.call(q.src, method, q.castTo(c.X, c.Type), q.lambda(c.On), eq, result)
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
