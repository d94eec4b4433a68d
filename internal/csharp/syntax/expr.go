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
		p.newer(p.next(), "coalescing assignment", "8.0")
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
	if p.hole && p.tok().Kind == EOF {
		p.report(from, p.tok().End, "CS8361", "A conditional expression cannot be used directly in a string interpolation because the ':' ends the interpolation. Parenthesize the conditional expression.")
		return &Cond{p.since(from), x, then, &Bad{p.since(from)}}
	}
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
			p.tooComplex()
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
			if p.is("throw") {
				p.invalidTerm(p.tok())
				y = p.expr()
			} else {
				y = p.binary(prec + 1)
			}
			x = &Binary{p.since(from), op, x, y, at}
		}
	}
}

// patternOperand is the precedence of operators that are part of a constant in a pattern: higher than that of is.
const patternOperand = 8

// pattern reads what follows is or case.
func (p *parser) pattern() *Pattern {
	from := p.tok().Pos
	if p.newerPattern() {
		return &Pattern{Range: p.since(from), Const: &Bad{p.since(from)}}
	}
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
		if p.tok().Kind == Ident && !p.word("when") && !p.joinsPatterns() {
			pat.Name = p.next().Text
			return true
		}
		t := p.tok()
		operator, _ := p.binOp()
		return t.Kind == EOF || t.Kind == Keyword || t.Kind == Ident ||
			t.Kind == Op && precedence[operator] < patternOperand && !slices.Contains([]string{"(", ".", "?.", "[", "<", "++", "--"}, t.Text)
	})
	if !ok {
		pat.Type = nil
		pat.Const = p.binary(patternOperand)
	}
	pat.Range = p.since(from)
	for p.joinsPatterns() {
		t := p.next()
		p.newer(t, t.Text+" pattern", "9.0")
		p.pattern()
	}
	return pat
}

// newerPattern refuses the patterns of C# 8 and later, passing them.
func (p *parser) newerPattern() bool {
	t := p.tok()
	switch {
	case p.word("not") && (p.ahead(1).beginsExpr() || p.ahead(1).is("{")):
		p.newer(p.next(), "not pattern", "9.0")
		p.pattern()
	case t.Kind == Op && slices.Contains([]string{"<", "<=", ">", ">="}, t.Text):
		p.newer(p.next(), "relational pattern", "9.0")
		p.binary(patternOperand)
	case t.is("{"):
		p.newer(t, "recursive patterns", "8.0")
		p.skipBraces()
	case t.is("["):
		p.newer(t, "list pattern", "11.0")
		p.args("]")
	default:
		return false
	}
	return true
}

// joinsPatterns reports whether and or or stands between two patterns.
func (p *parser) joinsPatterns() bool {
	return (p.word("or") || p.word("and")) && (p.ahead(1).beginsExpr() || p.ahead(1).is("<") || p.ahead(1).is(">"))
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
	case t.is("&"), t.is("*"):
		p.pointer(p.next())
		return p.unary()
	case t.is("^") || t.is(".."):
		p.newer(p.next(), map[string]string{"^": "index operator", "..": "range operator"}[t.Text], "8.0")
		if !p.tok().beginsExpr() {
			return &Bad{p.since(from)}
		}
		return p.unary()
	case t.is("ref"):
		p.unsupported(p.next(), "Reference variables are")
		return p.unary()
	case p.word("await") && (p.ahead(1).Kind == Ident || p.ahead(1).is("new")):
		p.failAt(p.next(), "CS4033", "The 'await' operator can only be used within an async method. Consider marking this method with the 'async' modifier and changing its return type to 'Task'.")
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
		return (!slices.Contains(queryWords, t.Text) || p.query == 0) && !(p.label && t.Text == "when")
	}
	return true
}

// pointer refuses the operators of pointers.
func (p *parser) pointer(t *Token) {
	if t.is("&") {
		p.failAt(t, "CS0214", "Pointers and fixed size buffers may only be used in an unsafe context")
	} else {
		p.failAt(t, "CS0193", "The * or -> operator must be applied to a pointer")
	}
}

func (p *parser) primary() Expr {
	from := p.tok().Pos
	x := p.atom()
	return p.postfix(from, x)
}

func (p *parser) postfix(from Pos, x Expr) Expr {
	for chain := 0; ; chain++ {
		if chain > maxChain {
			p.tooComplex()
			return x
		}
		switch t := p.tok(); {
		case t.is("."):
			p.next()
			x = p.member(from, x)
		case t.is("("):
			args := p.args(")")
			x = &Call{Range: p.since(from), Fn: x, Args: args}
		case t.is("["):
			args := p.args("]")
			x = &Index{p.since(from), x, args}
		case t.is("++") || t.is("--"):
			p.next()
			x = &Unary{p.since(from), t.Text, x, true}
		case t.is("?."), t.is("?") && p.ahead(1).is("["):
			return p.condAccess(from, x)
		case t.is("!") && !p.ahead(1).beginsExpr():
			p.newer(p.next(), "nullable reference types", "8.0")
		case t.is("->"):
			p.pointer(p.next())
			x = p.member(from, x)
		case t.is("switch") && p.ahead(1).is("{"):
			p.newer(p.next(), "recursive patterns", "8.0")
			p.skipBraces()
			return &Bad{p.since(from)}
		case p.word("with") && p.ahead(1).is("{"):
			p.newer(p.next(), "records", "9.0")
			p.skipBraces()
			return &Bad{p.since(from)}
		case t.is("..") && x != nil:
			p.newer(p.next(), "range operator", "8.0")
			if p.tok().beginsExpr() {
				p.unary()
			}
			return &Bad{p.since(from)}
		default:
			return x
		}
	}
}

func (p *parser) condAccess(from Pos, x Expr) Expr {
	if !p.enter() {
		return x
	}
	defer p.leave()
	at := p.tok().Pos
	var then Expr = &Bound{Range{at, at + 1}}
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
	if closing == "]" && p.is("]") {
		p.fail("CS0443", "Syntax error; value expected")
	}
	p.list(closing, func() {
		switch {
		case p.is(","):
			p.noArgument(closing)
		case p.tok().beginsExpr() || p.is("out") || p.is("in") || p.is("[") || p.is("^") || p.is(".."):
			args = append(args, p.argument())
			if p.is(",") && p.ahead(1).is(closing) {
				p.next()
				p.noArgument(closing)
			}
		}
	})
	return args
}

// noArgument reports that a value is missing.
func (p *parser) noArgument(closing string) {
	switch {
	case closing == "]":
		p.fail("CS0443", "Syntax error; value expected")
	case p.is(closing):
		p.fail("CS1525", "Invalid expression term '"+closing+"'")
	default:
		p.fail("CS0839", "Argument missing")
	}
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
		if p.ahead(1).is("::") {
			if t.Text != "global" {
				p.failAt(t, "CS0432", "Alias '"+t.Text+"' not found")
			}
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
		switch t.Text {
		case "(":
			return p.paren()
		case "[":
			p.newer(t, "collection expressions", "12.0")
			p.args("]")
			return &Bad{p.since(from)}
		}
	}
	p.invalidTerm(t)
	return &Bad{Range{t.Pos, t.End}}
}

// invalidTerm reports a token that cannot begin an expression. It stays.
func (p *parser) invalidTerm(t *Token) {
	if t.Kind == EOF {
		p.fail("CS1733", "Expected expression")
		return
	}
	p.fail("CS1525", "Invalid expression term '"+t.Text+"'")
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
	case "this":
		p.failAt(p.next(), "CS0026", "Keyword 'this' is not valid in a static property, static method, or static field initializer")
		return &Bad{p.since(from)}
	case "base":
		p.failAt(p.next(), "CS1511", "Keyword 'base' is not available in a static method")
		return &Bad{p.since(from)}
	case "sizeof":
		p.next()
		p.expect("(")
		typ := p.typ()
		p.expect(")")
		return &SizeOf{p.since(from), typ}
	case "stackalloc":
		p.failAt(p.next(), "CS0214", "Pointers and fixed size buffers may only be used in an unsafe context")
		p.newArray(from, p.typeNoArray())
		return &Bad{p.since(from)}
	}
	if !predefined[t.Text] {
		return nil
	}
	typ := p.typeNoArray()
	if !p.is(".") {
		p.failAt(t, "CS1525", "Invalid expression term '"+t.Text+"'")
	}
	return &TypeName{p.since(from), typ}
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
	if len(elems) == 1 && elems[0].Name != "" {
		p.fail("CS8124", "Tuple must contain at least two elements.")
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
	if t := p.behindParen(0); !t.is("=") && !t.is("in") {
		return nil
	}
	var tup *Tuple
	decl := false
	if !p.try(func() bool { tup = p.targets(&decl); return tup != nil && decl }) {
		return nil
	}
	p.pairs(tup)
	return tup
}

// pairs refuses targets of one.
func (p *parser) pairs(tup *Tuple) {
	for _, e := range tup.Elems {
		if inner, ok := e.X.(*Tuple); ok {
			p.pairs(inner)
		}
	}
	if len(tup.Elems) == 1 {
		p.report(tup.To-1, tup.To, "CS8124", "Tuple must contain at least two elements.")
	}
}

// behindParen is the token behind the parenthesis that closes the one n tokens
// ahead.
func (p *parser) behindParen(n int) *Token {
	depth := 0
	for i := p.i + n; i < len(p.toks)-1; i++ {
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
		e := InterpExpr{Format: part.Format, HasFormat: part.HasFormat}
		e.X, e.Align = p.sub(part.Hole)
		out.Parts = append(out.Parts, e)
	}
	return out
}

// sub parses the tokens of a hole: an expression, and perhaps its width behind a
// comma. Only here it shows that a comma belongs to f<A, B>().
func (p *parser) sub(toks []Token) (x, align Expr) {
	q := &parser{src: p.src, hole: true, toks: toks, errs: p.errs, depth: p.depth + 1, trial: p.trial, left: p.left}
	if q.depth > maxDepth {
		p.fail("CS8078", TooComplex)
		return &Bad{}, nil
	}
	x = q.expr()
	if q.accept(",") {
		align = q.expr()
	}
	if q.tok().Kind != EOF {
		t := q.tok()
		q.report(toks[0].Pos, t.End, "CS1073", "Unexpected token '"+p.src[t.Pos:t.End]+"'")
	}
	p.bad = p.bad || q.bad
	return x, align
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
	case p.is("(") && !p.tupleArray():
		if t := p.newTuple(); t != nil {
			return t
		}
		p.newer(&p.toks[p.i-1], "target-typed object creation", "9.0")
		p.args(")")
		return &Bad{p.since(from)}
	}
	t := p.typeNoArray()
	if p.is("?") && (p.ahead(1).is("[") || p.ahead(1).is("(")) { // new int?[n], new int?(1)
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

// tupleArray reports whether (int, string)[ follows new.
func (p *parser) tupleArray() bool {
	found := false
	p.try(func() bool {
		p.typeNoArray()
		found = !p.bad && (p.is("[") || p.is("?") && p.ahead(1).is("["))
		return false
	})
	return found
}

// newTuple refuses new (int, int)(1, 2).
func (p *parser) newTuple() Expr {
	at := p.tok()
	if !p.try(func() bool { p.typ(); return !p.bad && p.is("(") }) {
		return nil
	}
	p.failAt(at, "CS8181", "'new' cannot be used with tuple type. Use a tuple literal expression instead.")
	return &Bad{p.since(at.Pos)}
}

func (p *parser) newArray(from Pos, elem *Type) Expr {
	n := &NewArray{Elem: elem, Rank: 1}
	rank := p.tok()
	p.next()
	switch {
	case p.is("]") || p.is(","):
		for p.accept(",") {
			n.Rank++
		}
		p.expect("]")
	case !p.tok().beginsExpr():
		p.expect("]")
		n.Sizes = []Expr{&Bad{p.since(from)}}
	default:
		p.list("]", func() { n.Sizes = append(n.Sizes, p.expr()) })
		n.Rank = len(n.Sizes)
	}
	n.Elem = p.arrays(elem)
	if p.is("[") && n.Sizes != nil && !p.bad {
		p.failAt(p.ahead(1), "CS0178", "Invalid rank specifier: expected ',' or ']'")
		p.args("]")
	}
	if p.is("{") {
		n.Init = p.initializer()
	} else if n.Sizes == nil {
		p.failAt(rank, "CS1586", "Array creation must have array size or array initializer")
	}
	n.Range = p.since(from)
	return n
}

func (p *parser) newAnon(from Pos) Expr {
	n := &NewAnon{}
	p.next()
	p.list("}", func() {
		at := p.tok().Pos
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
		n.At = append(n.At, p.since(at))
	})
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
	p.list("}", func() { in.Elems = append(in.Elems, p.initElem()) })
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
		p.list("}", func() { e.Args = append(e.Args, p.expr()) })
	default:
		e.X = p.expr()
	}
	e.Range = p.since(from)
	return e
}
