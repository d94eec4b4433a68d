package syntax

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// grower invents trees.
type grower struct{ t *rapid.T }

func (g grower) n(most int) int { return rapid.IntRange(0, most).Draw(g.t, "choice") }

func (g grower) name() string {
	return rapid.SampledFrom([]string{"a", "b", "c", "größe", "_x1", "class", "Main"}).Draw(g.t, "name")
}

func pick[T any](g grower, xs ...T) T { return rapid.SampledFrom(xs).Draw(g.t, "pick") }

// some makes up to most items.
func some[T any](g grower, least, most int, item func() T) []T {
	out := []T{}
	for range rapid.IntRange(least, most).Draw(g.t, "items") {
		out = append(out, item())
	}
	return out
}

func (g grower) typ(depth int) *Type {
	kind := g.n(5)
	if depth == 0 {
		kind %= 2
	}
	switch kind {
	case 0:
		return &Type{Keyword: true, Parts: []NamePart{{Name: pick(g, "int", "string", "bool", "object", "decimal")}}}
	case 2:
		return &Type{Parts: []NamePart{{Name: "List", Args: some(g, 1, 2, func() *Type { return g.typ(depth - 1) })}}}
	case 3:
		return &Type{Elem: g.scalar(depth - 1), Rank: 1 + g.n(1), Arrays: true}
	case 4:
		return &Type{Elem: g.scalar(0), Nullable: true}
	case 5:
		return &Type{Tuple: some(g, 2, 3, func() TupleElem { return TupleElem{Type: g.typ(depth - 1), Name: pick(g, "", "m")} })}
	}
	return &Type{Parts: some(g, 1, 2, func() NamePart { return NamePart{Name: pick(g, "T", "U", "System")} })}
}

// scalar is a type that may be followed by ? or [].
func (g grower) scalar(depth int) *Type {
	for {
		if t := g.typ(max(0, depth)); !t.Nullable && !t.Arrays {
			return t
		}
	}
}

func (g grower) literal() Expr {
	tok := Token{Kind: Keyword, Text: pick(g, "true", "false", "null")}
	switch g.n(4) {
	case 1:
		tok = Token{Kind: IntLit, Lit: &Lit{Int: rapid.Uint64().Draw(g.t, "int"), Suffix: pick(g, "", "u", "l", "ul")}}
	case 2:
		tok = Token{Kind: RealLit, Text: fmt.Sprintf("%d.%d", g.n(99), g.n(99)), Lit: &Lit{Suffix: pick(g, "", "f", "d", "m")}}
	case 3:
		tok = Token{Kind: StringLit, Text: rapid.StringOfN(rapid.SampledFrom([]rune("ab\"\\{}'\n\t é😀%\x00")), 0, 6, -1).Draw(g.t, "string")}
	case 4:
		tok = Token{Kind: CharLit, Lit: &Lit{Int: uint64(rapid.Uint16().Draw(g.t, "char"))}}
	}
	return &Literal{Tok: tok}
}

func (g grower) args(depth int) []Argument {
	return some(g, 0, 2, func() Argument {
		return Argument{Name: pick(g, "", "", "n"), Mod: pick(g, "", "", "", "ref"), X: g.expr(depth)}
	})
}

var binaryOps = []string{"+", "-", "*", "/", "%", "<<", ">>", "<", ">", "<=", ">=", "==", "!=", "&", "|", "^", "&&", "||", "??"}

func (g grower) expr(depth int) Expr {
	if depth <= 0 {
		if g.n(1) == 0 {
			return g.literal()
		}
		return &Name{Ident: g.name()}
	}
	sub := func() Expr { return g.expr(depth - 1) }
	switch g.n(25) {
	case 0:
		return &Member{X: sub(), Name: NamePart{Name: g.name()}}
	case 1:
		generic := NamePart{Name: g.name(), Args: some(g, 1, 2, func() *Type { return g.typ(1) })}
		return &Call{Fn: &Member{X: sub(), Name: generic}, Args: g.args(depth - 1)}
	case 2:
		return &Call{Fn: &Member{X: sub(), Name: NamePart{Name: g.name()}}, Args: g.args(depth - 1)}
	case 3:
		return &Index{X: sub(), Args: some(g, 1, 2, func() Argument { return Argument{X: sub()} })}
	case 4:
		var then Expr = &Member{X: &Bound{}, Name: NamePart{Name: g.name()}}
		if g.n(1) == 0 {
			then = &Index{X: &Bound{}, Args: []Argument{{X: sub()}}}
		}
		if g.n(1) == 0 {
			then = &Call{Fn: then, Args: g.args(depth - 1)}
		}
		return &CondAccess{X: sub(), Then: then}
	case 5:
		return &Unary{Op: pick(g, "+", "-", "!", "~", "++", "--"), X: sub()}
	case 6:
		return &Unary{Op: pick(g, "++", "--"), X: sub(), Postfix: true}
	case 7, 8, 9:
		return &Binary{Op: pick(g, binaryOps...), X: sub(), Y: sub()}
	case 10:
		return &Assign{Op: pick(g, "=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="), X: sub(), Y: sub()}
	case 11:
		return &Cond{If: sub(), Then: sub(), Else: sub()}
	case 12:
		return &Cast{Type: g.typ(2), X: sub()}
	case 13:
		return &As{X: sub(), Type: g.typ(2)}
	case 14:
		return &Is{X: sub(), Pattern: g.pattern(depth - 1)}
	case 15:
		return &New{Type: g.typ(0), Args: g.args(depth - 1)}
	case 16:
		return &New{Type: &Type{Parts: []NamePart{{Name: "T"}}}, Init: g.init(depth - 1)}
	case 17:
		return &NewArray{Elem: g.scalar(1), Rank: 1, Sizes: []Expr{sub()}}
	case 18:
		return &NewArray{Rank: 1, Init: &Init{Elems: some(g, 0, 3, func() InitElem { return InitElem{X: g.expr(depth - 1)} })}}
	case 19:
		return &NewAnon{Names: []string{"p", "q"}, Vals: []Expr{sub(), sub()}}
	case 20:
		return g.lambda(depth - 1)
	case 21:
		return &Checked{On: g.n(1) == 0, X: sub()}
	case 22:
		return &Tuple{Elems: some(g, 2, 3, func() Argument { return Argument{Name: pick(g, "", "m"), X: sub()} })}
	case 23:
		return pick[Expr](g, &TypeOf{Type: g.typ(2)}, &Default{Type: g.typ(1)}, &Default{})
	case 24:
		return g.interp(depth - 1)
	}
	return g.query(depth - 1)
}

func (g grower) pattern(depth int) *Pattern {
	switch g.n(2) {
	case 0:
		return &Pattern{IsVar: true, Name: pick(g, "v", "w")}
	case 1:
		t := g.typ(1)
		if t.Nullable || t.Tuple != nil {
			t = &Type{Keyword: true, Parts: []NamePart{{Name: "int"}}}
		}
		return &Pattern{Type: t, Name: pick(g, "v", "w")}
	}
	return &Pattern{Const: pick(g, g.literal(), g.expr(depth))}
}

func (g grower) init(depth int) *Init {
	return &Init{Elems: some(g, 0, 3, func() InitElem {
		x := g.expr(depth)
		switch g.n(4) {
		case 0:
			return InitElem{Name: g.name(), X: x}
		case 1:
			return InitElem{Keys: []Argument{{X: x}}, X: g.expr(depth)}
		case 2:
			return InitElem{Args: []Expr{x, g.expr(depth)}}
		case 3:
			return InitElem{Name: g.name(), Nested: &Init{Elems: []InitElem{{X: &Name{Ident: "a"}}}}}
		}
		return InitElem{X: x}
	})}
}

func (g grower) lambda(depth int) Expr {
	l := &Lambda{Body: g.expr(depth)}
	if g.n(2) == 0 {
		l.Body = g.block(depth)
	}
	l.Typed = g.n(1) == 0
	l.Params = some(g, 0, 2, func() LambdaParam {
		p := LambdaParam{Name: g.name()}
		if l.Typed {
			p.Type, p.Mod = g.typ(1), pick(g, "", "ref", "out")
		}
		return p
	})
	l.Typed = l.Typed && len(l.Params) > 0
	return l
}

func (g grower) interp(depth int) Expr {
	x := &Interp{}
	for i := range 1 + g.n(3) {
		if i%2 == 0 {
			x.Parts = append(x.Parts, InterpExpr{Text: "t" + pick(g, "", "{", "}}", "\"\\", "\n")})
			continue
		}
		e := InterpExpr{X: g.expr(depth)}
		if g.n(2) == 0 {
			e.Align = g.literal()
		}
		if g.n(2) == 0 {
			e.HasFormat, e.Format = true, pick(g, "N2", "yyyy-MM-dd HH:mm", "{x}", "'a'")
		}
		x.Parts = append(x.Parts, e)
	}
	return x
}

func (g grower) query(depth int) Expr {
	q := &Query{Clauses: []Clause{{Kind: "from", Name: "a", X: g.expr(depth)}}}
	for range g.n(2) {
		switch g.n(4) {
		case 0:
			q.Clauses = append(q.Clauses, Clause{Kind: "where", X: g.expr(depth)})
		case 1:
			q.Clauses = append(q.Clauses, Clause{Kind: "let", Name: "b", X: g.expr(depth)})
		case 2:
			q.Clauses = append(q.Clauses, Clause{Kind: "orderby", Keys: some(g, 1, 2, func() OrderKey { return OrderKey{g.expr(depth), g.n(1) == 0} })})
		case 3:
			q.Clauses = append(q.Clauses, Clause{Kind: "join", Name: "c", X: g.expr(depth), On: g.expr(depth), Eq: g.expr(depth), Into: pick(g, "", "d")})
		case 4:
			q.Clauses = append(q.Clauses, Clause{Kind: "from", Type: pick(g, nil, g.typ(1)), Name: "e", X: g.expr(depth)})
		}
	}
	if g.n(1) == 0 {
		return &Query{Clauses: append(q.Clauses, Clause{Kind: "group", X: g.expr(depth), By: g.expr(depth)})}
	}
	q.Clauses = append(q.Clauses, Clause{Kind: "select", X: g.expr(depth)})
	return q
}

func (g grower) block(depth int) *Block {
	b := &Block{}
	for range g.n(2) {
		b.Stmts = append(b.Stmts, g.stmt(depth))
	}
	return b
}

func (g grower) variables(depth int) []Variable {
	return some(g, 1, 2, func() Variable {
		switch g.n(2) {
		case 0:
			return Variable{Name: g.name()}
		case 1:
			return Variable{Name: g.name(), Init: &Init{Elems: []InitElem{{X: g.expr(depth)}}}}
		}
		return Variable{Name: g.name(), X: g.expr(depth)}
	})
}

func (g grower) stmt(depth int) Stmt {
	x := func() Expr { return g.expr(min(depth, 2)) }
	if depth <= 0 {
		return pick[Stmt](g, &Empty{}, &Return{}, &Return{X: x()}, &ThrowStmt{}, &Jump{Kind: "break"}, &Jump{Kind: "continue"})
	}
	body := func() Stmt { return g.block(depth - 1) }
	switch g.n(14) {
	case 0:
		return &LocalDecl{Const: g.n(4) == 0, Type: g.typ(2), Vars: g.variables(1)}
	case 1:
		return &ExprStmt{X: &Assign{Op: pick(g, "=", "+="), X: &Name{Ident: g.name()}, Y: x()}}
	case 2:
		return &ExprStmt{X: &Call{Fn: &Member{X: &Name{Ident: g.name()}, Name: NamePart{Name: g.name()}}, Args: g.args(1)}}
	case 3:
		return &If{Cond: x(), Then: body(), Else: pick(g, nil, body())}
	case 4:
		return &While{Cond: x(), Body: body(), Do: g.n(1) == 0}
	case 5:
		f := &For{Body: body(), Init: []Stmt{&LocalDecl{Type: g.typ(1), Vars: g.variables(1)}}, Cond: pick(g, nil, x())}
		f.Post = []Expr{&Unary{Op: "++", X: &Name{Ident: "a"}, Postfix: true}}
		return f
	case 6:
		return &Foreach{Type: g.typ(1), Name: g.name(), X: x(), Body: body()}
	case 7:
		return &Switch{X: x(), Sections: some(g, 0, 2, func() Section {
			s := Section{Labels: some(g, 1, 2, func() Label { return Label{Pattern: g.pattern(1), When: pick(g, nil, g.expr(1))} })}
			if g.n(2) == 0 {
				s.Labels = append(s.Labels, Label{Default: true})
			}
			s.Body = []Stmt{g.stmt(depth - 1), pick[Stmt](g, &Jump{Kind: "break"}, &Jump{Kind: "goto default"}, &Jump{Kind: "goto case", X: g.literal()})}
			return s
		})}
	case 8:
		s := &Try{Body: g.block(depth - 1), Finally: g.block(depth - 1)}
		s.Catches = some(g, 0, 2, func() Catch {
			c := Catch{Body: g.block(depth - 1)}
			if g.n(2) > 0 {
				c.Type, c.Name, c.When = &Type{Parts: []NamePart{{Name: "E"}}}, pick(g, "", "e"), pick(g, nil, g.expr(1))
			}
			return c
		})
		return s
	case 9:
		return &Using{Decl: &LocalDecl{Type: g.typ(1), Vars: []Variable{{Name: g.name(), X: x()}}}, Body: body()}
	case 10:
		return &Lock{X: x(), Body: body()}
	case 11:
		return &CheckedStmt{On: g.n(1) == 0, Body: g.block(depth - 1)}
	case 12:
		f := &LocalFunc{Ret: g.typ(2), Name: g.name(), Body: pick[Node](g, g.block(depth-1), g.expr(1))}
		f.Params = some(g, 0, 2, func() FuncParam {
			return FuncParam{LambdaParam: LambdaParam{Type: g.typ(1), Name: g.name(), Mod: pick(g, "", "ref", "out")}, Default: pick(g, nil, g.literal())}
		})
		return f
	case 13:
		return &ThrowStmt{X: x()}
	}
	return g.block(depth - 1)
}

// A tree that is written as a source and read again is the same tree.
func TestProperty_TreesSurviveText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := grower{t}
		var n Node = g.block(3)
		if g.n(2) > 0 {
			n = g.expr(3)
		}
		text, _ := printSource(n)
		m, errs := Parse(text)
		if len(errs) > 0 {
			t.Fatalf("%s\n%v", text, errs[0])
		}
		if want, got := dump(n), dump(m); got != want {
			t.Fatalf("%s\n got %s\nwant %s", text, got, want)
		}
	})
}

// A name in a pattern is a type, unless an operator behind it makes it the beginning of a constant.
func TestPattern_ConstantThatBeginsWithAName(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"a++", "a--", "a % 2", "a * 2", "a << 2", "a >> 2", "a + 2", "a(2)", "a[2]", "a.b.c", "a?.b",
	} {
		n, errs := Parse("{ switch (x) { case " + text + ": break; } }")
		if len(errs) > 0 {
			t.Errorf("%s: %v", text, errs[0])
			continue
		}
		pat := n.(*Block).Stmts[0].(*Switch).Sections[0].Labels[0].Pattern
		if isType := text == "a.b.c"; (pat.Type != nil) != isType || (pat.Const == nil) != isType {
			t.Errorf("%s is read as type %v, constant %v", text, pat.Type, pat.Const)
		}
	}
}
