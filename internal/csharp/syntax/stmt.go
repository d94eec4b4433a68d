package syntax

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

// stmts reads statements until end, going on after errors.
func (p *parser) stmts(end func() bool) []Stmt {
	var out []Stmt
	for !end() && p.tok().Kind != EOF {
		at, bad := p.i, p.bad
		p.bad = false
		out = append(out, p.stmt())
		if p.bad {
			p.sync(at)
		}
		p.bad = p.bad || bad
		if p.trial > 0 && p.bad {
			return out
		}
	}
	return out
}

// sync goes to where a statement may begin. At least one token is passed.
func (p *parser) sync(start int) {
	if p.i > start && (p.toks[p.i-1].is(";") || p.toks[p.i-1].is("}")) {
		return
	}
	depth := 0
	for p.tok().Kind != EOF {
		switch t := p.tok(); {
		case t.is("{"):
			depth++
		case t.is("}"):
			if depth == 0 {
				if p.i == start {
					p.next()
				}
				return
			}
			depth--
		case t.is(";") && depth == 0:
			p.next()
			return
		}
		p.next()
	}
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
	if t.Kind == Ident && p.ahead(1).is(":") && !p.ahead(2).is(":") {
		p.fail("CS0159", "Labels and goto are not supported within expressions")
		p.i += 2
		return p.stmt()
	}
	if s := p.declaration(); s != nil {
		return s
	}
	x := p.expr()
	p.statementExpr(x)
	p.expect(";")
	return &ExprStmt{p.since(from), x}
}

// statementExpr refuses expressions that do nothing.
func (p *parser) statementExpr(x Expr) {
	inner := x
	if c, ok := x.(*CondAccess); ok {
		inner = c.Then
		for {
			d, ok := inner.(*CondAccess)
			if !ok {
				break
			}
			inner = d.Then
		}
	}
	switch u := inner.(type) {
	case *Call, *Assign, *New, *Bad:
		return
	case *Unary:
		if u.Op == "++" || u.Op == "--" {
			return
		}
	}
	if p.bad {
		return
	}
	f, t := x.Span()
	p.report(f, t, "CS0201", "Only assignment, call, increment, decrement, await, and new object expressions can be used as a statement")
	p.bad = false
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
	case "class", "struct", "interface", "enum", "namespace", "public", "private", "protected", "internal", "abstract", "sealed":
		p.fail("CS1513", "Type declarations are not supported within expressions")
	case "unsafe", "fixed":
		p.fail("CS0227", "Unsafe code is not supported within expressions")
	}
	return nil
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
	case *LocalDecl, *LocalFunc:
		f, t := s.Span()
		p.report(f, t, "CS1023", "Embedded statement cannot be a declaration or labeled statement")
	}
	return s
}

// declaration reads a local declaration or local function when one begins here.
func (p *parser) declaration() Stmt {
	from := p.tok().Pos
	var typ *Type
	function := false
	ok := p.try(func() bool {
		p.accept("static")
		if p.word("async") && p.ahead(1).Kind != Op {
			return false
		}
		typ = p.typ()
		if p.bad || p.tok().Kind != Ident {
			return false
		}
		n := p.ahead(1)
		if n.is("<") {
			function = p.functionAhead()
			return function
		}
		if n.is("(") {
			function = p.functionAhead()
			return function
		}
		return n.is("=") || n.is(";") || n.is(",") || n.Kind == Ident || n.Kind == EOF || n.Kind == Keyword || n.is("}") || n.is("[")
	})
	if p.word("async") && p.ahead(1).Kind != Op && !ok {
		p.fail("CS1998", "'async' is not supported within expressions")
	}
	if !ok {
		if s := p.varTuple(); s != nil {
			return s
		}
		return nil
	}
	if function {
		return p.localFunc(from, typ)
	}
	d := p.localDecl(from, typ)
	p.expect(";")
	d.Range = p.since(from)
	return d
}

// functionAhead reports whether name(…) { or => follows, which only a local
// function has.
func (p *parser) functionAhead() bool {
	depth := 0
	for i := p.i + 1; i < len(p.toks); i++ {
		switch t := &p.toks[i]; {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
			if depth == 0 {
				n := &p.toks[min(i+1, len(p.toks)-1)]
				return n.is("{") || n.is("=>") || n.Kind == Ident && n.Text == "where"
			}
		case t.is(";"), t.is("{"):
			return false
		}
	}
	return false
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

func (p *parser) localFunc(from Pos, ret *Type) Stmt {
	f := &LocalFunc{Ret: ret}
	f.Name, _ = p.name()
	if p.accept("<") {
		for {
			n, ok := p.name()
			if !ok {
				break
			}
			f.TypeParams = append(f.TypeParams, n)
			if !p.accept(",") {
				break
			}
		}
		p.expect(">")
	}
	p.expect("(")
	for !p.is(")") && p.tok().Kind != EOF {
		var a FuncParam
		at := p.tok().Pos
		a.Params = p.accept("params")
		if p.is("out") || p.is("ref") {
			a.Mod = p.next().Text
		}
		a.Type = p.typ()
		a.Name, _ = p.name()
		if p.accept("=") {
			a.Default = p.expr()
		}
		a.Range = p.since(at)
		f.Params = append(f.Params, a)
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	if p.accept("=>") {
		f.Body = p.expr()
		p.expect(";")
	} else {
		f.Body = p.block()
	}
	f.Range = p.since(from)
	return f
}

func (p *parser) forStmt() Stmt {
	from := p.next().Pos
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
		return !p.bad && p.tok().Kind == Ident && (p.ahead(1).is("=") || p.ahead(1).is(";") || p.ahead(1).is(","))
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
		f.Name, _ = p.name()
	}
	p.expect("in")
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
		for p.is("case") || p.is("default") && p.ahead(1).is(":") {
			at := p.tok().Pos
			var l Label
			if p.next().Text == "default" {
				l.Default = true
			} else {
				l.Pattern = p.pattern()
				if p.word("when") {
					p.next()
					l.When = p.expr()
				}
			}
			p.expect(":")
			l.Range = p.since(at)
			sec.Labels = append(sec.Labels, l)
		}
		sec.Body = p.stmts(func() bool { return p.is("case") || p.is("default") && p.ahead(1).is(":") || p.is("}") })
		s.Sections = append(s.Sections, sec)
		if len(sec.Labels) == 0 {
			break
		}
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
			p.failAt(t, "CS0159", "Labels and goto are not supported within expressions")
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
			if p.tok().Kind == Ident {
				c.Name = p.next().Text
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
	if len(s.Catches) == 0 && s.Finally == nil {
		p.fail("CS1524", "Expected catch or finally")
	}
	s.Range = p.since(from)
	return s
}

func (p *parser) usingStmt() Stmt {
	t := p.next()
	u := &Using{}
	if !p.is("(") {
		if p.tok().Kind == Ident && (p.ahead(1).is(";") || p.ahead(1).is(".")) {
			p.failAt(t, "CS1041", "Using directives are not supported within expressions")
		} else {
			p.failAt(t, "CS8107", "Feature 'using declarations' is not available in C# 7. Please use language version 8.0 or greater.")
		}
		return u
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
