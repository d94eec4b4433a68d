package syntax

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// printer writes a tree as a source that reads as the same tree. It sets
// parentheses around every operand that is not primary, so it needs to know no
// precedences.
type printer struct {
	b strings.Builder
	// misplaced says that something declares where only a target may: the checker refuses it, and it cannot be written
	// with parentheses around.
	misplaced bool
}

// printSource is the source of an expression or a block; ok says whether it reads as the same.
func printSource(n Node) (text string, ok bool) {
	var p printer
	if b, ok := n.(*Block); ok {
		p.stmt(b)
	} else {
		p.expr(n)
	}
	return p.b.String(), !p.misplaced
}

func (p *printer) put(parts ...string) {
	for _, s := range parts {
		p.b.WriteString(s)
	}
}

// list puts n items with commas between them.
func (p *printer) list(n int, item func(i int)) {
	for i := range n {
		if i > 0 {
			p.put(", ")
		}
		item(i)
	}
}

func (p *printer) name(s string) {
	if keywords[s] {
		p.put("@")
	}
	p.put(s)
}

func (p *printer) typ(t *Type) {
	switch {
	case t == nil || t.Omitted:
	case t.Nullable:
		p.typ(t.Elem)
		p.put("?")
	case t.Arrays:
		elem, ranks := arrayRanks(t)
		p.typ(elem)
		p.put(ranks)
	case t.Tuple != nil:
		p.put("(")
		p.list(len(t.Tuple), func(i int) {
			p.typ(t.Tuple[i].Type)
			if t.Tuple[i].Name != "" {
				p.put(" ")
				p.name(t.Tuple[i].Name)
			}
		})
		p.put(")")
	case t.Keyword:
		p.put(t.Parts[0].Name)
	default:
		for i, part := range t.Parts {
			if i > 0 {
				p.put(".")
			}
			p.part(part)
		}
	}
}

// arrayRanks are the ranks of a type, the outermost first, and what they are ranks of.
func arrayRanks(t *Type) (elem *Type, ranks string) {
	for t != nil && t.Arrays {
		ranks += "[" + strings.Repeat(",", t.Rank-1) + "]"
		t = t.Elem
	}
	return t, ranks
}

func (p *printer) part(n NamePart) {
	p.name(n.Name)
	p.typeArgs(n.Args)
}

func (p *printer) typeArgs(args []*Type) {
	if args == nil {
		return
	}
	p.put("<")
	for i, a := range args {
		if i > 0 {
			p.put(",")
		}
		p.typ(a)
	}
	p.put(">")
}

func unparen(x Expr) Expr {
	for {
		q, ok := x.(*Paren)
		if !ok {
			return x
		}
		x = q.X
	}
}

// operand puts an expression where a primary one must stand. A name with type arguments is one only before some tokens.
func (p *printer) operand(x Expr) {
	switch x := unparen(x).(type) {
	case *Name:
		p.bare(x, x.Args == nil)
	case *Member:
		p.bare(x, x.Name.Args == nil)
	default:
		p.callee(x)
	}
}

// bare puts an expression, in parentheses if it cannot stand without.
func (p *printer) bare(x Expr, can bool) {
	if can {
		p.expr(x)
		return
	}
	p.put("(")
	p.expr(x)
	p.put(")")
}

// callee puts a primary expression in front of a parenthesis, a dot or a question mark.
func (p *printer) callee(x Expr) {
	x = unparen(x)
	switch x := x.(type) {
	case *Literal, *Interp, *Name, *TypeName, *Member, *Call, *Index, *New, *NewAnon, *TypeOf, *SizeOf, *Default, *Checked, *Tuple, *Bound:
		p.expr(x)
		return
	case *Unary:
		if x.Postfix { // primary, and in a?.b++.c no parentheses can stand around it
			p.expr(x)
			return
		}
	}
	p.bare(x, false)
}

func (p *printer) args(open string, args []Argument, closing string) {
	p.put(open)
	p.list(len(args), func(i int) { p.arg(args[i]) })
	p.put(closing)
}

func (p *printer) arg(a Argument) {
	if a.Name != "" {
		p.name(a.Name)
		p.put(": ")
	}
	if a.Mod != "" {
		p.put(a.Mod, " ")
	}
	p.item(a.X)
}

// item puts one of several expressions behind commas: a < b, c > (d) would be a call of a generic method.
func (p *printer) item(x Expr) {
	if _, ok := unparen(x).(*Binary); ok {
		p.operand(x)
		return
	}
	p.expr(x)
}

func (p *printer) expr(x Expr) {
	switch x := unparen(x).(type) {
	case *Literal:
		p.literal(x.Tok)
	case *Interp:
		p.interp(x)
	case *Name:
		p.name(x.Ident)
		p.typeArgs(x.Args)
	case *TypeName:
		p.typ(x.Type)
	case *Member:
		if _, bound := x.X.(*Bound); !bound {
			p.callee(x.X)
			p.put(".")
		}
		p.part(x.Name)
	case *Call:
		p.callee(x.Fn)
		p.args("(", x.Args, ")")
	case *Index:
		if _, bound := x.X.(*Bound); !bound {
			p.operand(x.X)
		}
		p.args("[", x.Args, "]")
	case *CondAccess:
		p.callee(x.X)
		p.put("?")
		if startsWithMember(x.Then) {
			p.put(".")
		}
		p.expr(x.Then)
	case *Unary:
		if x.Postfix {
			p.operand(x.X)
			p.put(x.Op)
		} else {
			p.put(x.Op)
			p.operand(x.X)
		}
	case *Binary:
		p.operand(x.X)
		p.put(" ", x.Op, " ")
		p.operand(x.Y)
	case *Assign:
		p.target(x.X)
		p.put(" ", x.Op, " ")
		p.expr(x.Y)
	case *Cond:
		p.operand(x.If)
		p.put(" ? ")
		p.operandOrThrow(x.Then)
		p.put(" : ")
		p.operandOrThrow(x.Else)
	case *Cast:
		p.put("(")
		p.typ(x.Type)
		p.put(")")
		p.castOperand(x.X)
	case *As:
		p.operand(x.X)
		p.put(" as ")
		p.typ(x.Type)
	case *Is:
		p.operand(x.X)
		p.put(" is ")
		p.pattern(x.Pattern)
	case *New:
		p.put("new ")
		p.typ(x.Type)
		if x.Args != nil {
			p.args("(", x.Args, ")")
		}
		p.init(x.Init)
	case *NewArray:
		p.newArray(x)
	case *NewAnon:
		p.put("new { ")
		p.list(len(x.Vals), func(i int) {
			if InferredName(unparen(x.Vals[i])) != x.Names[i] || x.Vals[i] != unparen(x.Vals[i]) {
				p.name(x.Names[i])
				p.put(" = ")
			}
			p.expr(x.Vals[i])
		})
		p.put(" }")
	case *Lambda:
		p.lambda(x)
	case *TypeOf:
		p.put("typeof(")
		p.typ(x.Type)
		p.put(")")
	case *SizeOf:
		p.put("sizeof(")
		p.typ(x.Type)
		p.put(")")
	case *Default:
		p.put("default")
		if x.Type != nil {
			p.put("(")
			p.typ(x.Type)
			p.put(")")
		}
	case *Checked:
		p.put(map[bool]string{true: "checked(", false: "unchecked("}[x.On])
		p.expr(x.X)
		p.put(")")
	case *Tuple:
		for _, e := range x.Elems {
			_, declares := e.X.(*Decl)
			p.misplaced = p.misplaced || declares
		}
		p.args("(", x.Elems, ")")
	case *Decl:
		p.typ(x.Type)
		p.put(" ")
		p.name(x.Name)
	case *Throw:
		p.put("throw ")
		p.expr(x.X)
	case *Query:
		p.query(x)
	default:
		panic(fmt.Sprintf("no printing of %T", x))
	}
}

// startsWithMember tells ?. from ?[.
func startsWithMember(x Expr) bool {
	switch x := x.(type) {
	case *Member:
		if _, bound := x.X.(*Bound); bound {
			return true
		}
		return startsWithMember(x.X)
	case *Index:
		if _, bound := x.X.(*Bound); bound {
			return false
		}
		return startsWithMember(x.X)
	case *Call:
		return startsWithMember(x.Fn)
	case *Unary:
		return startsWithMember(x.X)
	case *CondAccess:
		return startsWithMember(x.X)
	}
	panic(fmt.Sprintf("%T begins no conditional access", x))
}

// target puts the left side of an assignment.
func (p *printer) target(x Expr) {
	switch x := x.(type) {
	case *Decl:
		p.expr(x)
	case *Tuple:
		p.put("(")
		p.list(len(x.Elems), func(i int) {
			if e := x.Elems[i]; e.Name == "" && e.Mod == "" {
				p.target(e.X)
			} else {
				p.arg(e)
			}
		})
		p.put(")")
	default:
		p.operand(x)
	}
}

// operandOrThrow puts a branch of ?:, where throw may stand bare only.
func (p *printer) operandOrThrow(x Expr) {
	if t, ok := x.(*Throw); ok {
		p.expr(t)
		return
	}
	p.operand(x)
}

// castOperand puts what a cast is applied to: an operand with a sign needs
// parentheses, as (a)-b is a subtraction.
func (p *printer) castOperand(x Expr) {
	switch u := unparen(x).(type) {
	case *Cast:
		p.expr(u)
	case *Unary:
		if !u.Postfix && (u.Op == "!" || u.Op == "~") {
			p.expr(u)
			return
		}
		p.operand(u)
	default:
		p.operand(u)
	}
}

func (p *printer) newArray(x *NewArray) {
	p.put("new ")
	elem, ranks := arrayRanks(x.Elem)
	if elem != nil {
		p.typ(elem)
	}
	p.put("[")
	if x.Sizes == nil {
		p.put(strings.Repeat(",", x.Rank-1))
	}
	p.list(len(x.Sizes), func(i int) { p.expr(x.Sizes[i]) })
	p.put("]", ranks)
	p.init(x.Init)
}

func (p *printer) init(in *Init) {
	if in == nil {
		return
	}
	p.put(" { ")
	p.list(len(in.Elems), func(i int) {
		e := in.Elems[i]
		switch {
		case e.Name != "":
			p.name(e.Name)
			p.put(" =")
		case e.Keys != nil:
			p.args("[", e.Keys, "]")
			p.put(" =")
		case e.Args != nil:
			p.put("{")
			p.list(len(e.Args), func(j int) { p.item(e.Args[j]) })
			p.put("}")
			return
		}
		if e.Nested != nil {
			p.init(e.Nested)
			return
		}
		p.put(" ")
		p.elem(e)
	})
	p.put(" }")
}

// elem puts a value of an initializer; a bare assignment would read as a named
// element.
func (p *printer) elem(e InitElem) {
	if _, ok := unparen(e.X).(*Assign); ok {
		p.operand(e.X)
		return
	}
	p.expr(e.X)
}

func (p *printer) lambda(l *Lambda) {
	if l.NoSig {
		p.put("delegate ")
		p.stmt(l.Body)
		return
	}
	p.put("(")
	p.list(len(l.Params), func(i int) { p.param(l.Params[i]) })
	p.put(") => ")
	if b, ok := l.Body.(*Block); ok {
		p.stmt(b)
		return
	}
	p.expr(l.Body)
}

func (p *printer) param(a LambdaParam) {
	if a.Mod != "" {
		p.put(a.Mod, " ")
	}
	if a.Type != nil {
		p.typ(a.Type)
		p.put(" ")
	}
	p.name(a.Name)
}

func (p *printer) pattern(x *Pattern) {
	switch {
	case x.IsVar:
		p.put("var ")
		p.name(x.Name)
	case x.Type != nil:
		p.typ(x.Type)
		if x.Name != "" {
			p.put(" ")
			p.name(x.Name)
		}
	default:
		p.patternConst(x.Const)
	}
}

// patternConst puts a constant so that it cannot be read as a type.
func (p *printer) patternConst(x Expr) {
	switch unparen(x).(type) {
	case *Name, *Member, *Tuple:
		p.put("(")
		p.expr(x)
		p.put(")")
	default:
		p.operand(x)
	}
}

func (p *printer) query(q *Query) {
	for i, c := range q.Clauses {
		if i > 0 {
			p.put(" ")
		}
		p.put(c.Kind, " ")
		switch c.Kind {
		case "from":
			p.rangeVar(c)
		case "let":
			p.name(c.Name)
			p.put(" = ")
			p.operand(c.X)
		case "join":
			p.rangeVar(c)
			p.put(" on ")
			p.operand(c.On)
			p.put(" equals ")
			p.operand(c.Eq)
			if c.Into != "" {
				p.put(" into ")
				p.name(c.Into)
			}
		case "orderby":
			p.list(len(c.Keys), func(i int) {
				p.operand(c.Keys[i].X)
				if c.Keys[i].Desc {
					p.put(" descending")
				}
			})
		case "group":
			p.operand(c.X)
			p.put(" by ")
			p.operand(c.By)
		case "into":
			p.name(c.Name)
		default:
			p.operand(c.X)
		}
	}
}

func (p *printer) rangeVar(c Clause) {
	if c.Type != nil {
		p.typ(c.Type)
		p.put(" ")
	}
	p.name(c.Name)
	p.put(" in ")
	p.operand(c.X)
}

func (p *printer) literal(t Token) {
	switch t.Kind {
	case IntLit:
		p.put(strconv.FormatUint(t.Lit.Int, 10), t.Lit.Suffix)
	case RealLit:
		p.put(t.Text, t.Lit.Suffix)
	case CharLit:
		fmt.Fprintf(&p.b, `'\u%04x'`, t.Lit.Int)
	case StringLit:
		p.put(`"`)
		p.text(t.Text, `"\`)
		p.put(`"`)
	default:
		p.put(t.Text)
	}
}

// text puts a string's content with escapes, doubling nothing.
func (p *printer) text(s, special string) {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case n == 1 && r == utf8.RuneError && len(s)-i >= 3 && s[i] == 0xED && s[i+1]&0xE0 == 0xA0 && s[i+2]&0xC0 == 0x80:
			n = 3
			fmt.Fprintf(&p.b, `\u%04x`, 0xD000|int(s[i+1]&0x3F)<<6|int(s[i+2]&0x3F))
		case r < ' ' || r == 0x7F || strings.ContainsRune(special, r):
			fmt.Fprintf(&p.b, `\u%04x`, r)
		default:
			p.put(s[i : i+n])
		}
		i += n
	}
}

func (p *printer) interp(x *Interp) {
	p.put(`$"`)
	for _, part := range x.Parts {
		if part.X == nil {
			p.text(part.Text, `"\{}`)
			continue
		}
		p.put("{")
		p.operand(part.X)
		if part.Align != nil {
			p.put(",")
			p.operand(part.Align)
		}
		if part.HasFormat {
			p.put(":")
			p.text(part.Format, `"\{}`)
		}
		p.put("}")
	}
	p.put(`"`)
}

func (p *printer) stmt(s Stmt) {
	switch s := s.(type) {
	case *Block:
		p.put("{ ")
		for _, x := range s.Stmts {
			p.stmt(x)
			p.put(" ")
		}
		p.put("}")
	case *LocalDecl:
		p.decl(s)
		p.put(";")
	case *ExprStmt:
		p.exprStmt(s.X)
		p.put(";")
	case *Empty:
		p.put(";")
	case *If:
		p.cond("if", s.Cond)
		p.body(s.Then)
		if s.Else != nil {
			p.put(" else ")
			p.body(s.Else)
		}
	case *While:
		if s.Do {
			p.put("do ")
			p.body(s.Body)
			p.cond(" while", s.Cond)
			p.put(";")
			return
		}
		p.cond("while", s.Cond)
		p.body(s.Body)
	case *For:
		p.forStmt(s)
	case *Foreach:
		p.put("foreach (")
		if s.Target != nil {
			p.target(s.Target)
		} else {
			p.typ(s.Type)
			p.put(" ")
			p.name(s.Name)
		}
		p.put(" in ")
		p.expr(s.X)
		p.put(") ")
		p.body(s.Body)
	case *Switch:
		p.switchStmt(s)
	case *Return:
		p.jump("return", s.X)
	case *Jump:
		if s.Kind == "goto" {
			p.put("goto ")
			p.name(s.Label.Ident)
			p.put(";")
			return
		}
		p.jump(s.Kind, s.X)
	case *Labeled:
		p.name(s.Name)
		p.put(": ")
		p.stmt(s.Body)
	case *Try:
		p.try(s)
	case *ThrowStmt:
		p.jump("throw", s.X)
	case *Using:
		p.put("using (")
		if s.Decl != nil {
			p.decl(s.Decl)
		} else {
			p.expr(s.X)
		}
		p.put(") ")
		p.body(s.Body)
	case *Lock:
		p.cond("lock", s.X)
		p.body(s.Body)
	case *CheckedStmt:
		p.put(map[bool]string{true: "checked ", false: "unchecked "}[s.On])
		p.stmt(s.Body)
	case *LocalFunc:
		p.localFunc(s)
	default:
		panic(fmt.Sprintf("no printing of %T", s))
	}
}

// body puts the statement of an if or loop. Without braces an else could belong
// to another if, and braces would be a node of their own.
func (p *printer) body(s Stmt) { p.stmt(s) }

// exprStmt puts an expression as a statement. A deconstruction with types of its
// own begins with a parenthesis, all others with what they are.
func (p *printer) exprStmt(x Expr) { p.expr(x) }

func (p *printer) cond(word string, x Expr) {
	p.put(word, " (")
	p.expr(x)
	p.put(") ")
}

func (p *printer) jump(word string, x Expr) {
	p.put(word)
	if x != nil {
		p.put(" ")
		p.expr(x)
	}
	p.put(";")
}

func (p *printer) decl(d *LocalDecl) {
	if d.Const {
		p.put("const ")
	}
	p.typ(d.Type)
	p.put(" ")
	p.list(len(d.Vars), func(i int) {
		v := d.Vars[i]
		p.name(v.Name)
		if v.Init != nil {
			p.put(" =")
			p.init(v.Init)
		} else if v.X != nil {
			p.put(" = ")
			p.expr(v.X)
		}
	})
}

func (p *printer) forStmt(s *For) {
	p.put("for (")
	p.list(len(s.Init), func(i int) {
		if d, ok := s.Init[i].(*LocalDecl); ok {
			p.decl(d)
		} else {
			p.exprStmt(s.Init[i].(*ExprStmt).X)
		}
	})
	p.put("; ")
	if s.Cond != nil {
		p.expr(s.Cond)
	}
	p.put("; ")
	p.list(len(s.Post), func(i int) { p.expr(s.Post[i]) })
	p.put(") ")
	p.body(s.Body)
}

func (p *printer) switchStmt(s *Switch) {
	p.cond("switch", s.X)
	p.put("{ ")
	for _, sec := range s.Sections {
		for _, l := range sec.Labels {
			if l.Default {
				p.put("default: ")
				continue
			}
			p.put("case ")
			p.pattern(l.Pattern)
			if l.When != nil {
				p.put(" when ")
				p.operand(l.When)
			}
			p.put(": ")
		}
		for _, x := range sec.Body {
			p.stmt(x)
			p.put(" ")
		}
	}
	p.put("}")
}

func (p *printer) try(s *Try) {
	p.put("try ")
	p.stmt(s.Body)
	for _, c := range s.Catches {
		p.put(" catch ")
		if c.Type != nil {
			p.put("(")
			p.typ(c.Type)
			if c.Name != "" {
				p.put(" ")
				p.name(c.Name)
			}
			p.put(") ")
		}
		if c.When != nil {
			p.cond("when", c.When)
		}
		p.stmt(c.Body)
	}
	if s.Finally != nil {
		p.put(" finally ")
		p.stmt(s.Finally)
	}
}

func (p *printer) localFunc(s *LocalFunc) {
	p.typ(s.Ret)
	p.put(" ")
	p.name(s.Name)
	if s.TypeParams != nil {
		p.put("<", strings.Join(s.TypeParams, ", "), ">")
	}
	p.put("(")
	p.list(len(s.Params), func(i int) {
		a := s.Params[i]
		if a.Params {
			p.put("params ")
		}
		p.param(a.LambdaParam)
		if a.Default != nil {
			p.put(" = ")
			p.expr(a.Default)
		}
	})
	p.put(")")
	switch b := s.Body.(type) {
	case nil:
	case *Block:
		p.put(" ")
		p.stmt(b)
		return
	default:
		p.put(" => ")
		p.expr(b)
	}
	p.put(";")
}

// dump writes a tree without positions and parentheses, for comparison.
func dump(n Node) string {
	var b strings.Builder
	dumpValue(&b, reflect.ValueOf(n))
	return b.String()
}

func dumpValue(b *strings.Builder, v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			b.WriteString("nil")
			return
		}
		if q, ok := reflect.TypeAssert[*Paren](v); ok {
			dumpValue(b, reflect.ValueOf(q.X))
			return
		}
		if v.Kind() == reflect.Pointer {
			b.WriteString(v.Elem().Type().Name())
		}
		dumpValue(b, v.Elem())
	case reflect.Slice:
		b.WriteByte('[')
		for i := range v.Len() {
			dumpValue(b, v.Index(i))
			b.WriteByte(' ')
		}
		b.WriteByte(']')
	case reflect.Struct:
		if t, ok := reflect.TypeAssert[Token](v); ok {
			text := t.Text
			if t.Kind == IntLit {
				text = "" // 0x10 and 16 are the same
			}
			fmt.Fprintf(b, "(%d %q", t.Kind, text)
			if t.Lit != nil {
				fmt.Fprintf(b, " %d %s", t.Lit.Int, t.Lit.Suffix)
			}
			b.WriteByte(')')
			return
		}
		b.WriteByte('{')
		for i := range v.NumField() {
			switch f := v.Type().Field(i); f.Name {
			case "Range", "OpPos", "NameAt", "TypeParamsAt", "Arrow", "At", "Anonymous":
			default:
				b.WriteString(f.Name + ":")
				dumpValue(b, v.Field(i))
				b.WriteByte(' ')
			}
		}
		b.WriteByte('}')
	default:
		fmt.Fprintf(b, "%#v", v)
	}
}
