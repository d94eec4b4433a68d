package syntax

import "slices"

// block reads { … }.
func (p *parser) block() *Block {
	from := p.tok().Pos
	b := &Block{}
	if !p.expect("{") || !p.enter() {
		return b
	}
	defer p.leave()
	b.Stmts = p.stmts(func() bool { return p.is("}") })
	p.expect("}")
	b.Range = p.since(from)
	return b
}

// stmts reads statements until end, going on after errors: what is missing is
// reported, and what can begin no statement is passed.
func (p *parser) stmts(end func() bool) []Stmt {
	var out []Stmt
	for !end() && p.tok().Kind != EOF {
		at, bad := p.i, p.bad
		if !p.tok().beginsStmt() {
			p.fail("CS1513", "} expected")
			for p.next(); !p.tok().beginsStmt() && !p.is("}") && p.tok().Kind != EOF; {
				p.next()
			}
			continue
		}
		p.bad = false
		out = append(out, p.stmt())
		if p.i == at {
			p.next()
		}
		p.bad = p.bad || bad
		if p.trial > 0 && p.bad {
			return out
		}
	}
	return out
}

// beginsStmt reports whether a statement may begin with the token.
func (t *Token) beginsStmt() bool {
	switch {
	case t.Kind == Op:
		return !slices.Contains([]string{")", "]", "}", "[", "?", ":"}, t.Text)
	case t.Kind == Keyword && !t.beginsExpr():
		return slices.Contains(stmtWords, t.Text)
	}
	return true
}

// stmtWords are the keywords that only statements begin with, declarations of
// types included: they are refused by name.
var stmtWords = []string{
	"if", "while", "do", "for", "foreach", "switch", "return", "break", "continue", "goto", "try", "catch", "finally",
	"using", "lock", "const", "fixed", "unsafe", "void", "static", "readonly", "volatile", "public", "private", "protected",
	"internal", "abstract", "sealed", "virtual", "override", "extern", "class", "struct", "interface", "enum", "namespace",
}

// stmt reads a statement.
func (p *parser) stmt() Stmt {
	from := p.tok().Pos
	if !p.enter() {
		return &Empty{p.since(from)}
	}
	defer p.leave()
	t := p.tok()
	if t.Kind == Op {
		switch t.Text {
		case "{":
			return p.block()
		case ";":
			p.next()
			return &Empty{p.since(from)}
		}
	}
	if t.Kind == Keyword {
		if s := p.keywordStmt(t); s != nil {
			return s
		}
	}
	if t.Kind == Ident && p.ahead(1).is(":") {
		p.i += 2
		body := p.stmt()
		return &Labeled{p.since(from), t.Text, body}
	}
	if t.Kind == Ident && t.Text == "yield" && (p.ahead(1).is("return") || p.ahead(1).is("break")) {
		p.unsupported(p.next(), "Iterators are")
		if p.next().is("return") {
			p.expr()
		}
		p.expect(";")
		return &Empty{p.since(from)}
	}
	if t.is("ref") {
		p.unsupported(p.next(), "Reference variables are")
		return p.stmt()
	}
	if s := p.declaration(); s != nil {
		return s
	}
	x := p.expr()
	p.expect(";")
	return &ExprStmt{p.since(from), x}
}

func (p *parser) keywordStmt(t *Token) Stmt {
	from := t.Pos
	switch t.Text {
	case "if":
		p.next()
		cond := p.parenExpr()
		then := p.embedded()
		s := &If{Cond: cond, Then: then}
		if p.accept("else") {
			s.Else = p.embedded()
		}
		s.Range = p.since(from)
		return s
	case "while":
		p.next()
		cond := p.parenExpr()
		body := p.embedded()
		return &While{p.since(from), cond, body, false}
	case "do":
		p.next()
		body := p.embedded()
		p.expect("while")
		cond := p.parenExpr()
		p.expect(";")
		return &While{p.since(from), cond, body, true}
	case "for":
		return p.forStmt()
	case "foreach":
		return p.foreachStmt()
	case "switch":
		return p.switchStmt()
	case "return":
		p.next()
		s := &Return{}
		if !p.is(";") {
			s.X = p.expr()
		}
		p.expect(";")
		s.Range = p.since(from)
		return s
	case "break", "continue", "goto":
		return p.jump()
	case "try":
		return p.tryStmt()
	case "throw":
		p.next()
		s := &ThrowStmt{}
		if !p.is(";") {
			s.X = p.expr()
		}
		p.expect(";")
		s.Range = p.since(from)
		return s
	case "using":
		return p.usingStmt()
	case "lock":
		p.next()
		x := p.parenExpr()
		body := p.embedded()
		return &Lock{p.since(from), x, body}
	case "checked", "unchecked":
		if p.ahead(1).is("{") {
			p.next()
			b := p.block()
			return &CheckedStmt{p.since(from), t.Text == "checked", b}
		}
	case "const":
		p.next()
		d := p.localDecl(from, p.typ())
		d.Const = true
		p.expect(";")
		d.Range = p.since(from)
		return d
	case "static", "readonly", "volatile", "public", "private", "protected", "internal", "abstract", "sealed", "virtual", "override", "extern":
		return p.modified(t)
	case "class", "struct", "interface", "enum", "namespace":
		p.unsupported(t, "Declarations of types are")
		p.skipBraces()
		return &Empty{p.since(from)}
	case "unsafe", "fixed":
		p.failAt(t, "CS0227", "Unsafe code may only appear if compiling with /unsafe")
		p.skipBraces()
		return &Empty{p.since(from)}
	case "catch", "finally":
		p.fail("CS1003", "Syntax error, 'try' expected")
		p.skipBraces()
		return &Empty{p.since(from)}
	}
	return nil
}

// modified refuses a modifier before a local declaration.
func (p *parser) modified(t *Token) Stmt {
	p.next()
	s := p.stmt()
	if _, ok := s.(*LocalFunc); ok && t.Text == "static" {
		p.newer(t, "static local functions", "8.0")
	} else {
		p.failAt(t, "CS0106", "The modifier '"+t.Text+"' is not valid for this item")
	}
	return s
}

// skipBraces passes everything up to the end of the next { … }.
func (p *parser) skipBraces() {
	depth := 0
	for p.tok().Kind != EOF {
		switch t := p.next(); {
		case t.is("{"):
			depth++
		case t.is("}"):
			depth--
			if depth <= 0 {
				return
			}
		case t.is(";") && depth == 0:
			return
		}
	}
}

func (p *parser) parenExpr() Expr {
	p.expect("(")
	x := p.expr()
	p.expect(")")
	return x
}

// embedded reads the statement of an if or loop, which must not declare.
func (p *parser) embedded() Stmt {
	s := p.stmt()
	switch s.(type) {
	case *LocalDecl, *LocalFunc, *Labeled:
		f, t := s.Span()
		p.report(f, t, "CS1023", "Embedded statement cannot be a declaration or labeled statement")
	}
	return s
}

// declaration reads a local declaration or local function when one begins here.
func (p *parser) declaration() Stmt {
	from := p.tok().Pos
	var typ *Type
	function, pointer := false, false
	ok := p.try(func() bool {
		if p.word("await") || p.word("async") && (p.ahead(1).Kind == Ident || p.ahead(1).is("void") || predefined[p.ahead(1).Text]) {
			return false
		}
		typ = p.typ()
		for typ.Keyword && p.is("*") {
			p.next()
			pointer = true
		}
		if p.bad || p.tok().Kind != Ident {
			// A keyword of a type begins nothing else, but for its members.
			return typ.Keyword && !p.bad && !p.is(".") && !p.is("(") && p.tok().Kind != Keyword
		}
		switch n := p.ahead(1); {
		case n.is("("), n.is("<"):
			function = p.functionAhead()
			return function || n.is("(")
		case n.Kind == Op:
			return slices.Contains([]string{"=", ";", ",", "}", "[", ")"}, n.Text)
		}
		return true
	})
	if !ok {
		if p.word("async") && p.ahead(1).Kind != Op {
			p.unsupported(p.next(), "Asynchronous functions are")
			return p.stmt()
		}
		return p.varTuple()
	}
	if pointer {
		p.report(typ.From, typ.To, "CS0214", "Pointers and fixed size buffers may only be used in an unsafe context")
	}
	if function {
		return p.localFunc(from, typ)
	}
	d := p.localDecl(from, typ)
	p.expect(";")
	d.Range = p.since(from)
	return d
}

// functionAhead tells a local function from a variable: behind the name stand
// type parameters, or parameters, of which each begins with a type.
func (p *parser) functionAhead() bool {
	n := p.ahead(2)
	if p.ahead(1).is("<") {
		return n.Kind == Ident && (p.ahead(3).is(",") || p.ahead(3).is(">"))
	}
	return n.Kind == Ident || n.is(")") || n.is("{") || n.is("(") || n.Kind == Keyword && (predefined[n.Text] || n.is("ref") || n.is("out") || n.is("params") || n.is("in"))
}

// varTuple reads var (a, b) = x;.
func (p *parser) varTuple() Stmt {
	if !p.word("var") || !p.ahead(1).is("(") {
		return nil
	}
	from := p.tok().Pos
	var tup *Tuple
	ok := p.try(func() bool {
		v := p.next()
		varType := &Type{Range: Range{v.Pos, v.End}, Parts: []NamePart{{Name: "var"}}}
		tup = p.varNames(varType)
		return tup != nil && p.is("=")
	})
	if !ok {
		return nil
	}
	p.pairs(tup)
	p.next()
	x := p.expr()
	p.expect(";")
	return &ExprStmt{p.since(from), &Assign{p.since(from), "=", tup, x}}
}

// varNames reads (a, (b, c)), the names of a deconstruction; nil when it is
// something else.
func (p *parser) varNames(typ *Type) *Tuple {
	tup := &Tuple{}
	from := p.next().Pos
	for {
		at := p.tok().Pos
		if p.is("(") {
			if !p.enter() {
				return nil
			}
			inner := p.varNames(typ)
			p.leave()
			if inner == nil {
				return nil
			}
			tup.Elems = append(tup.Elems, Argument{Range: inner.Range, X: inner})
		} else {
			name, ok := p.name()
			if !ok {
				return nil
			}
			tup.Elems = append(tup.Elems, Argument{Range: p.since(at), X: &Decl{Range: p.since(at), Type: typ, Name: name}})
		}
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	tup.Range = p.since(from)
	return tup
}

func (p *parser) localDecl(from Pos, typ *Type) *LocalDecl {
	d := &LocalDecl{Type: typ}
	for {
		at := p.tok().Pos
		name, ok := p.name()
		if !ok {
			break
		}
		v := Variable{Name: name}
		p.badDeclarator()
		if p.accept("=") {
			if p.is("{") {
				v.Init = p.initializer()
			} else {
				v.X = p.expr()
			}
		}
		v.Range = p.since(at)
		d.Vars = append(d.Vars, v)
		if !p.accept(",") {
			break
		}
	}
	d.Range = p.since(from)
	return d
}

// badDeclarator refuses int x(5) and int x[5].
func (p *parser) badDeclarator() {
	switch {
	case p.is("("):
		p.fail("CS1528", "Expected ; or = (cannot specify constructor arguments in declaration)")
		p.args(")")
	case p.is("["):
		p.fail("CS0650", "Bad array declarator: To declare a managed array the rank specifier precedes the variable's identifier. To declare a fixed size buffer field, use the fixed keyword before the field type.")
		p.args("]")
	}
}

func (p *parser) localFunc(from Pos, ret *Type) Stmt {
	f := &LocalFunc{Ret: ret, NameAt: Range{p.tok().Pos, p.tok().End}}
	f.Name, _ = p.name()
	if p.accept("<") {
		for {
			at := p.tok().Pos
			n, ok := p.name()
			if !ok {
				break
			}
			f.TypeParams = append(f.TypeParams, n)
			f.TypeParamsAt = append(f.TypeParamsAt, p.since(at))
			if !p.accept(",") {
				break
			}
		}
		p.expect(">")
	}
	p.expect("(")
	p.params(func() { f.Params = append(f.Params, p.funcParam()) })
	if p.word("where") {
		p.unsupported(p.tok(), "Constraints of type parameters are")
		for !p.is("{") && !p.is("=>") && !p.is(";") && p.tok().Kind != EOF {
			p.next()
		}
	}
	switch {
	case p.accept("=>"):
		f.Body = p.expr()
		p.expect(";")
	case !p.accept(";"): // the checker misses the body
		f.Body = p.block()
	}
	f.Range = p.since(from)
	return f
}

func (p *parser) funcParam() FuncParam {
	var a FuncParam
	at := p.tok().Pos
	a.Params = p.accept("params")
	switch {
	case p.is("out") || p.is("ref"):
		a.Mod = p.next().Text
	case p.is("in"):
		p.newer(p.next(), "readonly references", "7.2")
	}
	a.Type = p.typ()
	a.NameAt = p.tok().Pos
	a.Name, _ = p.name()
	if p.accept("=") {
		a.Default = p.expr()
	}
	a.Range = p.since(at)
	return a
}

func (p *parser) forStmt() Stmt {
	t := p.next()
	from := t.Pos
	if i := p.i; p.try(func() bool { p.next(); p.typ(); p.next(); return p.is("in") }) {
		p.i = i - 1
		p.failAt(t, "CS1003", "Syntax error, 'foreach' expected")
		return p.foreachStmt()
	}
	f := &For{}
	p.expect("(")
	if !p.is(";") {
		if d := p.forDecl(); d != nil {
			f.Init = append(f.Init, d)
		} else {
			for {
				x := p.expr()
				fr, to := x.Span()
				f.Init = append(f.Init, &ExprStmt{Range{fr, to}, x})
				if !p.accept(",") {
					break
				}
			}
		}
	}
	p.expect(";")
	if !p.is(";") {
		f.Cond = p.expr()
	}
	p.expect(";")
	for !p.is(")") && p.tok().Kind != EOF {
		f.Post = append(f.Post, p.expr())
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	f.Body = p.embedded()
	f.Range = p.since(from)
	return f
}

func (p *parser) forDecl() Stmt {
	from := p.tok().Pos
	var typ *Type
	ok := p.try(func() bool {
		typ = p.typ()
		return !p.bad && p.tok().Kind == Ident && (p.ahead(1).is("=") || p.ahead(1).is(";") || p.ahead(1).is(",") || p.ahead(1).is(")"))
	})
	if !ok {
		return nil
	}
	return p.localDecl(from, typ)
}

func (p *parser) foreachStmt() Stmt {
	from := p.next().Pos
	f := &Foreach{}
	p.expect("(")
	if p.word("var") && p.ahead(1).is("(") {
		v := p.next()
		tup := p.paren()
		if t, ok := tup.(*Tuple); ok {
			for i, e := range t.Elems {
				if n, ok := e.X.(*Name); ok {
					t.Elems[i].X = &Decl{n.Range, &Type{Range: Range{v.Pos, v.End}, Parts: []NamePart{{Name: "var"}}}, n.Ident}
				}
			}
		}
		f.Target = tup
	} else if d := p.deconstructionAhead(); d != nil {
		f.Target = d
	} else {
		f.Type = p.typ()
		if p.is("in") {
			p.fail("CS0230", "Type and identifier are both required in a foreach statement")
		} else {
			f.Name, _ = p.name()
		}
	}
	if !p.accept("in") {
		p.fail("CS1515", "'in' expected")
	}
	f.X = p.expr()
	p.expect(")")
	f.Body = p.embedded()
	f.Range = p.since(from)
	return f
}

func (p *parser) deconstructionAhead() Expr {
	if !p.is("(") {
		return nil
	}
	return p.deconstruction()
}

func (p *parser) switchStmt() Stmt {
	from := p.next().Pos
	s := &Switch{X: p.parenExpr()}
	p.expect("{")
	for (p.is("case") || p.is("default")) && p.tok().Kind != EOF {
		var sec Section
		for p.is("case") || p.is("default") {
			at := p.tok().Pos
			var l Label
			if p.next().Text == "default" {
				l.Default = true
			} else {
				p.label = true
				l.Pattern = p.pattern()
				p.label = false
				if p.word("when") {
					p.next()
					l.When = p.expr()
				}
			}
			p.expect(":")
			l.Range = p.since(at)
			sec.Labels = append(sec.Labels, l)
		}
		sec.Body = p.stmts(func() bool { return p.is("case") || p.is("default") && !p.ahead(1).is("(") || p.is("}") })
		s.Sections = append(s.Sections, sec)
	}
	p.expect("}")
	s.Range = p.since(from)
	return s
}

func (p *parser) jump() Stmt {
	t := p.next()
	j := &Jump{Kind: t.Text}
	if j.Kind == "goto" {
		switch {
		case p.accept("case"):
			j.Kind = "goto case"
			j.X = p.expr()
		case p.accept("default"):
			j.Kind = "goto default"
		default:
			at := p.tok().Pos
			j.Label.Ident, _ = p.name()
			j.Label.Range = p.since(at)
		}
	}
	p.expect(";")
	j.Range = p.since(t.Pos)
	return j
}

func (p *parser) tryStmt() Stmt {
	from := p.next().Pos
	s := &Try{Body: p.block()}
	for p.is("catch") {
		at := p.next().Pos
		var c Catch
		if p.accept("(") {
			c.Type = p.typ()
			if t := p.tok(); t.Kind == Ident {
				c.Name, c.NameAt = p.next().Text, Range{t.Pos, t.End}
			}
			p.expect(")")
		}
		if p.word("when") {
			p.next()
			c.When = p.parenExpr()
		}
		c.Body = p.block()
		c.Range = p.since(at)
		s.Catches = append(s.Catches, c)
	}
	if p.accept("finally") {
		s.Finally = p.block()
	}
	if len(s.Catches) == 0 && s.Finally == nil && !p.bad {
		end := p.toks[p.i-1]
		p.failAt(&end, "CS1524", "Expected catch or finally")
	}
	s.Range = p.since(from)
	return s
}

func (p *parser) usingStmt() Stmt {
	t := p.next()
	u := &Using{}
	if !p.is("(") {
		return p.usingDecl(t)
	}
	p.next()
	if d := p.forDecl(); d != nil {
		u.Decl, _ = d.(*LocalDecl)
	} else {
		u.X = p.expr()
	}
	p.expect(")")
	u.Body = p.embedded()
	u.Range = p.since(t.Pos)
	return u
}

// usingDecl refuses using T x = y; and using directives.
func (p *parser) usingDecl(t *Token) Stmt {
	if p.tok().Kind == Ident && (p.ahead(1).is(";") || p.ahead(1).is(".") || p.ahead(1).is("=")) {
		p.unsupported(t, "Using directives are")
		p.skipBraces()
		return &Empty{p.since(t.Pos)}
	}
	p.newer(t, "using declarations", "8.0")
	return p.stmt()
}
