package syntax

import "slices"

// expr reads an expression, assignments and lambdas included.
func (p *parser) expr() Expr {
	from := p.tok().Pos
	if !p.enter() {
		return &Bad{p.since(from)}
	}
	defer p.leave()
	if l := p.lambda(); l != nil {
		return l
	}
	if p.is("throw") {
		p.next()
		x := p.expr()
		return &Throw{p.since(from), x}
	}
	if p.isQuery() {
		return p.queryExpr()
	}
	x := p.conditional()
	switch op := p.assignOp(); op {
	case "":
		return x
	case "??=":
		p.fail("CS8107", "Feature 'coalescing assignment' is not available in C# 7. Please use language version 8.0 or greater.")
		p.next()
		y := p.expr()
		return &Assign{p.since(from), "=", x, y}
	default:
		y := p.expr()
		return &Assign{p.since(from), op, x, y}
	}
}

// assignOp reads an assignment operator; >>= comes as three tokens.
func (p *parser) assignOp() string {
	t := p.tok()
	if t.Kind != Op {
		return ""
	}
	switch t.Text {
	case "=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=":
		return p.next().Text
	case "??=":
		return t.Text
	case ">":
		if p.ahead(1).is(">=") && p.ahead(1).Pos == t.End {
			p.i += 2
			return ">>="
		}
	}
	return ""
}

func (p *parser) conditional() Expr {
	from := p.tok().Pos
	x := p.coalesce()
	if !p.is("?") {
		return x
	}
	p.next()
	then := p.expr()
	if !p.expect(":") {
		return &Cond{p.since(from), x, then, &Bad{p.since(from)}}
	}
	els := p.expr()
	return &Cond{p.since(from), x, then, els}
}

func (p *parser) coalesce() Expr {
	from := p.tok().Pos
	x := p.binary(1)
	if !p.is("??") {
		return x
	}
	if !p.enter() {
		return x
	}
	defer p.leave()
	at := p.next().Pos
	var y Expr
	if p.is("throw") {
		y = p.expr()
	} else if l := p.lambda(); l != nil {
		y = l
	} else {
		y = p.coalesce()
	}
	return &Binary{p.since(from), "??", x, y, at}
}

var precedence = map[string]int{
	"||": 1, "&&": 2, "|": 3, "^": 4, "&": 5, "==": 6, "!=": 6, "<": 7, ">": 7, "<=": 7, ">=": 7, "is": 7, "as": 7,
	"<<": 8, ">>": 8, "+": 9, "-": 9, "*": 10, "/": 10, "%": 10,
}

// binOp is the binary operator ahead with its number of tokens.
func (p *parser) binOp() (string, int) {
	t := p.tok()
	if t.Kind != Op && !t.is("is") && !t.is("as") {
		return "", 0
	}
	if t.Text == ">" {
		n := p.ahead(1)
		if n.is(">") && n.Pos == t.End {
			return ">>", 2
		}
		if n.is(">=") && n.Pos == t.End {
			return "", 0
		}
	}
	if precedence[t.Text] == 0 {
		return "", 0
	}
	return t.Text, 1
}

func (p *parser) binary(least int) Expr {
	from := p.tok().Pos
	x := p.unary()
	for chain := 0; ; chain++ {
		op, n := p.binOp()
		prec := precedence[op]
		if prec < least || prec == 0 {
			return x
		}
		if chain > maxChain {
			p.fail("CS8078", "An expression is too long or complex to compile")
			p.i = len(p.toks) - 1
			return x
		}
		at := p.tok().Pos
		p.i += n
		switch op {
		case "as":
			t := p.typ()
			x = &As{p.since(from), x, t}
		case "is":
			pat := p.pattern()
			x = &Is{p.since(from), x, pat}
		default:
			var y Expr
			if p.is("throw") && prec <= 2 {
				p.fail("CS8115", "A throw expression is not allowed in this context.")
			}
			y = p.binary(prec + 1)
			x = &Binary{p.since(from), op, x, y, at}
		}
	}
}

// pattern reads what follows is or case.
func (p *parser) pattern() *Pattern {
	from := p.tok().Pos
	pat := &Pattern{}
	if p.word("var") && p.ahead(1).Kind == Ident {
		p.next()
		pat.IsVar, pat.Name = true, p.next().Text
		pat.Range = p.since(from)
		return pat
	}
	ok := p.try(func() bool {
		pat.Type = p.typ()
		if p.bad {
			return false
		}
		if p.tok().Kind == Ident && !p.word("when") {
			pat.Name = p.next().Text
			return true
		}
		t := p.tok()
		return t.Kind == EOF || t.Kind == Keyword || t.Kind == Ident || t.Kind == Op && !slices.Contains([]string{"(", ".", "+", "-", "*", "/", "[", "<"}, t.Text)
	})
	if !ok {
		pat.Type = nil
		pat.Const = p.binary(8)
	}
	pat.Range = p.since(from)
	return pat
}

func (p *parser) unary() Expr {
	from := p.tok().Pos
	if !p.enter() {
		return &Bad{p.since(from)}
	}
	defer p.leave()
	t := p.tok()
	switch {
	case t.Kind == Op && slices.Contains([]string{"+", "-", "!", "~", "++", "--"}, t.Text):
		p.next()
		x := p.unary()
		return &Unary{p.since(from), t.Text, x, false}
	case t.is("&") || t.is("*"):
		p.fail("CS0214", "Pointers are not supported within expressions")
		p.next()
		return p.unary()
	case p.word("await") && (p.ahead(1).Kind == Ident || p.ahead(1).is("new") || p.ahead(1).is("(")):
		p.fail("CS4033", "The 'await' operator can only be used within an async method, which expressions do not support")
		p.next()
		return p.unary()
	case t.is("("):
		if c := p.cast(); c != nil {
			return c
		}
	}
	return p.primary()
}

// cast reads (T)x when the parentheses hold a type and what follows can only be
// its operand.
func (p *parser) cast() Expr {
	from := p.tok().Pos
	var typ *Type
	ok := p.try(func() bool {
		p.next()
		keyword := p.tok().Kind == Keyword
		typ = p.typ()
		if p.bad || !p.is(")") || typ.Tuple != nil && !p.castFollows(p.ahead(1)) {
			return false
		}
		sure := keyword || typ.Elem != nil
		t := p.ahead(1)
		p.next()
		return sure && t.Kind != EOF && !t.is(")") && !t.is(".") || p.castFollows(t)
	})
	if !ok {
		return nil
	}
	x := p.unary()
	return &Cast{p.since(from), typ, x}
}

func (p *parser) castFollows(t *Token) bool {
	switch t.Kind {
	case EOF:
		return false
	case Keyword:
		return t.Text != "is" && t.Text != "as" && t.Text != "in"
	case Op:
		return t.Text == "(" || t.Text == "!" || t.Text == "~"
	case Ident:
		return !slices.Contains(queryWords, t.Text) || p.query == 0
	}
	return true
}

func (p *parser) primary() Expr {
	from := p.tok().Pos
	x := p.atom()
	return p.postfix(from, x)
}

func (p *parser) postfix(from Pos, x Expr) Expr {
	for chain := 0; ; chain++ {
		if chain > maxChain {
			p.fail("CS8078", "An expression is too long or complex to compile")
			p.i = len(p.toks) - 1
			return x
		}
		switch t := p.tok(); {
		case t.is("."):
			p.next()
			x = p.member(from, x)
		case t.is("("):
			args := p.args(")")
			x = &Call{p.since(from), x, args}
		case t.is("["):
			args := p.args("]")
			x = &Index{p.since(from), x, args}
		case t.is("++") || t.is("--"):
			p.next()
			x = &Unary{p.since(from), t.Text, x, true}
		case t.is("?."), t.is("?") && p.ahead(1).is("[") && p.condIndex():
			return p.condAccess(from, x)
		case t.is("!") && p.ahead(1).is("."):
			p.fail("CS8107", "Feature 'nullable reference types' is not available in C# 7. Please use language version 8.0 or greater.")
			p.next()
		case t.is("->"):
			p.fail("CS0214", "Pointers are not supported within expressions")
			p.next()
			x = p.member(from, x)
		default:
			return x
		}
	}
}

// condIndex tells a?[i] from a ? [… which C# 7 does not have.
func (p *parser) condIndex() bool { return true }

func (p *parser) condAccess(from Pos, x Expr) Expr {
	if !p.enter() {
		return x
	}
	defer p.leave()
	at := p.tok().Pos
	var then Expr = &Bound{Range{at, at}}
	if p.accept("?.") {
		then = p.member(at, then)
	} else {
		p.next()
		args := p.args("]")
		then = &Index{p.since(at), then, args}
	}
	then = p.postfix(at, then)
	return &CondAccess{p.since(from), x, then}
}

func (p *parser) member(from Pos, x Expr) Expr {
	at := p.tok().Pos
	name, ok := p.name()
	if !ok {
		return &Member{p.since(from), x, NamePart{Name: "", Range: p.since(at)}}
	}
	part := NamePart{Name: name, Args: p.genericTail()}
	part.Range = p.since(at)
	return &Member{p.since(from), x, part}
}

// args reads arguments with their brackets.
func (p *parser) args(closing string) []Argument {
	p.next()
	args := []Argument{}
	for !p.is(closing) && p.tok().Kind != EOF {
		args = append(args, p.argument())
		if !p.accept(",") {
			break
		}
		if p.is(closing) {
			p.fail("CS1525", "Invalid expression term '"+closing+"'")
		}
	}
	p.expect(closing)
	return args
}

func (p *parser) argument() Argument {
	var a Argument
	from := p.tok().Pos
	if p.tok().Kind == Ident && p.ahead(1).is(":") {
		a.Name = p.next().Text
		p.next()
	}
	if p.is("out") || p.is("ref") || p.is("in") {
		a.Mod = p.next().Text
	}
	if a.Mod == "out" {
		a.X = p.declExpr()
	}
	if a.X == nil {
		a.X = p.expr()
	}
	a.Range = p.since(from)
	return a
}

// declExpr reads T x, as out arguments and deconstructions declare variables.
func (p *parser) declExpr() Expr {
	from := p.tok().Pos
	var d *Decl
	ok := p.try(func() bool {
		t := p.typ()
		if p.bad || p.tok().Kind != Ident {
			return false
		}
		d = &Decl{Type: t, Name: p.next().Text}
		return p.is(",") || p.is(")") || p.is("=")
	})
	if !ok {
		return nil
	}
	d.Range = p.since(from)
	return d
}

func (p *parser) atom() Expr {
	from := p.tok().Pos
	t := p.tok()
	switch t.Kind {
	case IntLit, RealLit, CharLit, StringLit:
		p.next()
		return &Literal{p.since(from), *t}
	case InterpLit:
		p.next()
		return p.interp(t)
	case Ident:
		if t.Text == "global" && p.ahead(1).is("::") {
			p.i += 2
		}
		name, _ := p.name()
		args := p.genericTail()
		return &Name{p.since(from), name, args}
	case Keyword:
		if x := p.keyword(t); x != nil {
			return x
		}
	case Op:
		if t.Text == "(" {
			return p.paren()
		}
	}
	p.invalidTerm(t)
	return &Bad{Range{t.Pos, t.End}}
}

// invalidTerm reports a token that cannot begin an expression. It stays, unless
// nothing else would pass it.
func (p *parser) invalidTerm(t *Token) {
	switch {
	case t.Kind == EOF:
		p.fail("CS1733", "Expected expression")
	case t.Text == "[" || t.Text == "..":
		p.fail("CS1525", "Invalid expression term '"+t.Text+"'")
		p.next()
	default:
		p.fail("CS1525", "Invalid expression term '"+t.Text+"'")
	}
}

func (p *parser) keyword(t *Token) Expr {
	from := t.Pos
	switch t.Text {
	case "true", "false", "null":
		p.next()
		return &Literal{p.since(from), *t}
	case "new":
		return p.newExpr()
	case "typeof":
		p.next()
		p.expect("(")
		typ := p.typ()
		p.expect(")")
		return &TypeOf{p.since(from), typ}
	case "default":
		p.next()
		if !p.accept("(") {
			return &Default{p.since(from), nil}
		}
		typ := p.typ()
		p.expect(")")
		return &Default{p.since(from), typ}
	case "checked", "unchecked":
		p.next()
		p.expect("(")
		x := p.expr()
		p.expect(")")
		return &Checked{p.since(from), t.Text == "checked", x}
	case "delegate":
		return p.anonMethod()
	case "this", "base":
		p.next()
		p.failAt(t, "CS0027", "Keyword '"+t.Text+"' is not available in the current context")
		return &Bad{p.since(from)}
	case "sizeof", "stackalloc", "fixed", "unsafe":
		p.failAt(t, "CS0233", "'"+t.Text+"' is not supported within expressions")
		return &Bad{p.since(from)}
	}
	if predefined[t.Text] {
		typ := p.typeNoArray()
		return &TypeName{p.since(from), typ}
	}
	return nil
}

// paren reads (x) or a tuple.
func (p *parser) paren() Expr {
	from := p.tok().Pos
	if d := p.deconstruction(); d != nil {
		return d
	}
	p.next()
	var elems []Argument
	for {
		at := p.tok().Pos
		var a Argument
		if p.tok().Kind == Ident && p.ahead(1).is(":") {
			a.Name = p.next().Text
			p.next()
		}
		a.X = p.expr()
		a.Range = p.since(at)
		elems = append(elems, a)
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	if len(elems) == 1 && elems[0].Name == "" {
		return &Paren{p.since(from), elems[0].X}
	}
	return &Tuple{p.since(from), elems}
}

// deconstruction reads (var a, (int b, c)) when = or in follows and something in
// it declares.
func (p *parser) deconstruction() Expr {
	if t := p.behindParen(); !t.is("=") && !t.is("in") {
		return nil
	}
	var tup *Tuple
	decl := false
	if !p.try(func() bool { tup = p.targets(&decl); return tup != nil && decl }) {
		return nil
	}
	return tup
}

// behindParen is the token behind the parenthesis that closes the one here.
func (p *parser) behindParen() *Token {
	depth := 0
	for i := p.i; i < len(p.toks)-1; i++ {
		switch t := &p.toks[i]; {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
			if depth == 0 {
				return &p.toks[i+1]
			}
		}
	}
	return &p.toks[len(p.toks)-1]
}

// targets reads declarations and names in parentheses; nil when it is something
// else. A declaration sets decl.
func (p *parser) targets(decl *bool) *Tuple {
	from := p.next().Pos
	tup := &Tuple{}
	for {
		x := p.deconstructed(decl)
		if x == nil {
			return nil
		}
		f, t := x.Span()
		tup.Elems = append(tup.Elems, Argument{X: x, Range: Range{f, t}})
		if !p.accept(",") {
			break
		}
	}
	if !p.accept(")") {
		return nil
	}
	tup.Range = p.since(from)
	return tup
}

// deconstructed reads one element of targets.
func (p *parser) deconstructed(decl *bool) Expr {
	if x := p.declExpr(); x != nil {
		*decl = true
		return x
	}
	at := p.tok().Pos
	switch {
	case p.tok().Kind == Ident:
		return &Name{Ident: p.next().Text, Range: p.since(at)}
	case p.is("(") && p.enter():
		tup := p.targets(decl)
		p.leave()
		if tup != nil {
			return tup
		}
	}
	return nil
}

func (p *parser) interp(t *Token) Expr {
	out := &Interp{Range: Range{t.Pos, t.End}}
	for _, part := range t.Lit.Parts {
		if part.Hole == nil {
			out.Parts = append(out.Parts, InterpExpr{Text: part.Text})
			continue
		}
		e := InterpExpr{Format: part.Format, HasFormat: part.HasFormat, X: p.sub(part.Hole)}
		if part.Alignment != nil {
			e.Align = p.sub(part.Alignment)
		}
		out.Parts = append(out.Parts, e)
	}
	return out
}

// sub parses the tokens of a hole as one expression.
func (p *parser) sub(toks []Token) Expr {
	q := &parser{toks: toks, errs: p.errs, depth: p.depth + 1, trial: p.trial}
	if q.depth > maxDepth {
		p.fail("CS8078", "An expression is too long or complex to compile")
		return &Bad{}
	}
	x := q.expr()
	if q.tok().Kind != EOF {
		q.fail("CS1003", "Syntax error, '}' expected")
	}
	p.bad = p.bad || q.bad
	return x
}

func (p *parser) newExpr() Expr {
	from := p.next().Pos
	switch {
	case p.is("{"):
		return p.newAnon(from)
	case p.is("["):
		rank := 1
		p.next()
		for p.accept(",") {
			rank++
		}
		p.expect("]")
		init := p.initializer()
		return &NewArray{p.since(from), nil, nil, rank, init}
	case p.is("("):
		p.failAt(&p.toks[p.i-1], "CS8400", "Feature 'target-typed object creation' is not available in C# 7. Please use language version 9.0 or greater.")
		args := p.args(")")
		return &New{p.since(from), nil, args, nil}
	}
	t := p.typeNoArray()
	if p.is("?") && p.ahead(1).is("[") { // new int?[n]
		p.next()
		t = &Type{Range: p.since(from), Elem: t, Nullable: true}
	}
	if p.is("[") {
		return p.newArray(from, t)
	}
	n := &New{Type: t}
	if p.is("(") {
		n.Args = p.args(")")
	}
	if p.is("{") {
		n.Init = p.initializer()
	} else if n.Args == nil {
		p.fail("CS1526", "A new expression requires (), [], or {} after type")
	}
	n.Range = p.since(from)
	return n
}

func (p *parser) newArray(from Pos, elem *Type) Expr {
	n := &NewArray{Elem: elem, Rank: 1}
	p.next()
	switch {
	case p.is("]") || p.is(","):
		for p.accept(",") {
			n.Rank++
		}
	default:
		for {
			n.Sizes = append(n.Sizes, p.expr())
			if !p.accept(",") {
				break
			}
			n.Rank++
		}
	}
	p.expect("]")
	n.Elem = p.arrays(elem)
	if p.is("{") {
		n.Init = p.initializer()
	} else if n.Sizes == nil {
		p.fail("CS1586", "Array creation must have array size or array initializer")
	}
	n.Range = p.since(from)
	return n
}

func (p *parser) newAnon(from Pos) Expr {
	n := &NewAnon{}
	p.next()
	for !p.is("}") && p.tok().Kind != EOF {
		name := ""
		if p.tok().Kind == Ident && p.ahead(1).is("=") {
			name = p.next().Text
			p.next()
		}
		x := p.expr()
		if name == "" {
			name = memberName(x)
			if name == "" {
				f, t := x.Span()
				p.report(f, t, "CS0746", "Invalid anonymous type member declarator. Anonymous type members must be declared with a member assignment, simple name or member access.")
			}
		}
		n.Names = append(n.Names, name)
		n.Vals = append(n.Vals, x)
		if !p.accept(",") {
			break
		}
	}
	p.expect("}")
	n.Range = p.since(from)
	return n
}

// memberName is the name that an anonymous member or tuple element takes from
// its expression.
func memberName(x Expr) string {
	switch x := x.(type) {
	case *Name:
		return x.Ident
	case *Member:
		return x.Name.Name
	case *CondAccess:
		return memberName(x.Then)
	}
	return ""
}

// InferredName is memberName for the checker.
func InferredName(x Expr) string { return memberName(x) }

// initializer reads { … } behind new.
func (p *parser) initializer() *Init {
	from := p.tok().Pos
	in := &Init{}
	if !p.expect("{") || !p.enter() {
		return in
	}
	defer p.leave()
	for !p.is("}") && p.tok().Kind != EOF {
		in.Elems = append(in.Elems, p.initElem())
		if !p.accept(",") {
			break
		}
	}
	p.expect("}")
	in.Range = p.since(from)
	return in
}

func (p *parser) initElem() InitElem {
	var e InitElem
	from := p.tok().Pos
	value := func() {
		if p.is("{") {
			e.Nested = p.initializer()
		} else {
			e.X = p.expr()
		}
	}
	switch {
	case p.tok().Kind == Ident && p.ahead(1).is("="):
		e.Name = p.next().Text
		p.next()
		value()
	case p.is("["):
		e.Keys = p.args("]")
		p.expect("=")
		value()
	case p.is("{"):
		p.next()
		e.Args = []Expr{}
		for !p.is("}") && p.tok().Kind != EOF {
			e.Args = append(e.Args, p.expr())
			if !p.accept(",") {
				break
			}
		}
		p.expect("}")
	default:
		e.X = p.expr()
	}
	e.Range = p.since(from)
	return e
}
