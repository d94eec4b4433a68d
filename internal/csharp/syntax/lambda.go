package syntax

// lambda reads a lambda when one begins here.
func (p *parser) lambda() Expr {
	from := p.tok().Pos
	if p.word("async") && (p.ahead(1).Kind == Ident && p.ahead(2).is("=>") || p.ahead(1).is("(") && p.closes(1)) {
		p.unsupported(p.next(), "Asynchronous functions are")
	}
	if p.is("static") && (p.ahead(1).is("(") && p.closes(1) || p.ahead(2).is("=>")) {
		p.newer(p.next(), "static anonymous function", "9.0")
	}
	switch {
	case p.tok().Kind == Ident && p.ahead(1).is("=>"):
		t := p.next()
		return p.lambdaBody(from, &Lambda{Params: []LambdaParam{{Range: Range{t.Pos, t.End}, NameAt: t.Pos, Name: t.Text}}})
	case p.is("(") && p.closes(0):
		l := &Lambda{}
		p.next()
		p.params(func() { l.Params = append(l.Params, p.lambdaParam(l, false)) })
		return p.lambdaBody(from, l)
	}
	return nil
}

// closes reports whether the parenthesis n tokens ahead is closed and followed
// by =>.
func (p *parser) closes(n int) bool {
	depth := 0
	for i := p.i + n; i < len(p.toks); i++ {
		switch t := &p.toks[i]; {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
			if depth == 0 {
				return i+1 < len(p.toks) && p.toks[i+1].is("=>")
			}
		case t.is("{"), t.is(";"), t.Kind == StringLit:
			return false
		}
		if i-p.i > 200 {
			return false
		}
	}
	return false
}

// params reads parameters up to the closing parenthesis.
func (p *parser) params(item func()) {
	p.list(")", func() {
		if p.is("{") || p.is(";") {
			return
		}
		item()
		if p.is(",") && p.ahead(1).is(")") {
			p.next()
			p.fail("CS1001", "Identifier expected")
		}
	})
}

func (p *parser) lambdaParam(l *Lambda, typed bool) LambdaParam {
	var a LambdaParam
	from := p.tok().Pos
	if p.is("out") || p.is("ref") {
		a.Mod = p.next().Text
	}
	if typed || p.tok().Kind != Ident || !p.ahead(1).is(",") && !p.ahead(1).is(")") {
		a.Type = p.typ()
		l.Typed = true
	}
	a.NameAt = p.tok().Pos
	a.Name, _ = p.name()
	a.Range = p.since(from)
	if n := len(l.Params); n > 0 && (a.Type == nil) != (l.Params[n-1].Type == nil) {
		p.report(from, a.To, "CS0748", "Inconsistent lambda parameter usage; parameter types must be all explicit or all implicit")
	}
	if p.is("=") {
		p.newer(p.next(), "lambda optional parameters", "12.0")
		p.expr()
	}
	return a
}

func (p *parser) lambdaBody(from Pos, l *Lambda) Expr {
	l.Arrow = Range{p.tok().Pos, p.tok().End}
	p.expect("=>")
	if p.is("{") {
		l.Body = p.block()
	} else {
		l.Body = p.expr()
	}
	l.Range = p.since(from)
	return l
}

// anonMethod reads delegate (T x) { … }.
func (p *parser) anonMethod() Expr {
	t := p.next()
	from := t.Pos
	l := &Lambda{NoSig: true, Anonymous: true, Arrow: Range{t.Pos, t.End}}
	if p.accept("(") {
		l.NoSig = false
		p.params(func() { l.Params = append(l.Params, p.lambdaParam(l, true)) })
	}
	l.Typed = l.NoSig || len(l.Params) > 0 // as of a lambda: without parameters there is nothing to type
	l.Body = p.block()
	l.Range = p.since(from)
	return l
}

var queryWords = []string{"from", "where", "let", "join", "orderby", "select", "group", "into", "on", "equals", "by", "ascending", "descending"}

// isQuery reports whether "from x in" or "from T x in" begins here.
func (p *parser) isQuery() bool {
	if !p.word("from") {
		return false
	}
	if p.ahead(1).Kind == Ident && p.ahead(2).is("in") {
		return true
	}
	found := false
	p.try(func() bool {
		p.next()
		p.typ()
		found = !p.bad && p.tok().Kind == Ident && p.ahead(1).is("in")
		return false
	})
	return found
}

func (p *parser) queryExpr() Expr {
	from := p.tok().Pos
	p.query++
	defer func() { p.query-- }()
	q := &Query{}
	q.Clauses = append(q.Clauses, p.fromClause())
	for {
		at := p.tok().Pos
		c := Clause{}
		switch {
		case p.isQuery():
			q.Clauses = append(q.Clauses, p.fromClause())
			continue
		case p.word("where"):
			c.Kind = p.next().Text
			c.X = p.expr()
		case p.word("let"):
			c.Kind = p.next().Text
			p.clauseName(&c)
			p.expect("=")
			c.X = p.expr()
		case p.word("join"):
			p.joinClause(&c)
		case p.word("orderby"):
			p.orderClause(&c)
		case p.word("select"):
			c.Kind = p.next().Text
			c.X = p.expr()
		case p.word("group"):
			c.Kind = p.next().Text
			c.X = p.expr()
			c.By = p.afterWord("CS0745", "by")
		case p.word("into"):
			c.Kind = p.next().Text
			p.clauseName(&c)
		default:
			last := q.Clauses[len(q.Clauses)-1].Kind
			if last != "select" && last != "group" {
				p.fail("CS0742", "A query body must end with a select clause or a group clause")
			}
			q.Range = p.since(from)
			return q
		}
		c.Range = p.since(at)
		q.Clauses = append(q.Clauses, c)
		if last := len(q.Clauses) - 2; c.Kind != "into" && (q.Clauses[last].Kind == "select" || q.Clauses[last].Kind == "group") {
			p.fail("CS0742", "A query body must end with a select clause or a group clause")
			q.Range = p.since(from)
			return q
		}
	}
}

// afterWord reads the expression behind a word that a clause must have.
func (p *parser) afterWord(code, w string) Expr {
	if !p.word(w) {
		p.fail(code, "Expected contextual keyword '"+w+"'")
		return &Bad{p.since(p.tok().Pos)}
	}
	p.next()
	return p.expr()
}

func (p *parser) fromClause() Clause {
	at := p.tok().Pos
	c := Clause{Kind: p.next().Text}
	if !p.ahead(1).is("in") {
		c.Type = p.typ()
	}
	p.clauseName(&c)
	p.expect("in")
	c.X = p.expr()
	c.Range = p.since(at)
	return c
}

// clauseName reads the range variable that a clause declares.
func (p *parser) clauseName(c *Clause) {
	c.NameAt = Range{p.tok().Pos, p.tok().End}
	c.Name, _ = p.name()
}

func (p *parser) joinClause(c *Clause) {
	c.Kind = p.next().Text
	if !p.ahead(1).is("in") {
		c.Type = p.typ()
	}
	p.clauseName(c)
	p.expect("in")
	c.X = p.expr()
	c.On = p.afterWord("CS0743", "on")
	c.Eq = p.afterWord("CS0744", "equals")
	if p.word("into") {
		p.next()
		c.Into, _ = p.name()
	}
}

func (p *parser) orderClause(c *Clause) {
	c.Kind = p.next().Text
	for {
		k := OrderKey{X: p.expr()}
		if p.word("ascending") || p.word("descending") {
			k.Desc = p.next().Text == "descending"
		}
		c.Keys = append(c.Keys, k)
		if !p.accept(",") {
			return
		}
	}
}
