package syntax

import (
	"slices"
	"strings"
)

const (
	maxDepth  = 250       // nesting of expressions and statements
	maxChain  = 4000      // operators in a row
	maxSource = 512 << 10 // bytes, as of the policy document around it
)

// MaxErrors is how many findings are reported for one source.
const MaxErrors = 50

// TooComplex is what is wrong with a source that takes too much work.
const TooComplex = "An expression is too long or complex to compile"

type parser struct {
	src   string
	toks  []Token
	i     int
	errs  *[]*Error
	depth int
	query int // inside a query, whose words are keywords
	trial int // speculative parsing: errors are not reported
	left  *int
	bad   bool
	hole  bool // inside of a hole of an interpolated string
	label bool // in front of the when of a case
}

// trialTokens bounds the tokens that are read on trial, for each token of the
// source and for any source. Types, which trials look for, are short; a type as
// long as the source, in parentheses, would be read anew behind each of them.
const (
	trialTokens    = 4
	trialTokensAny = 1 << 16
)

// Parse reads the inside of @( ), or a block with its braces. What it returns is
// an Expr or a *Block; it is usable as far as it goes even when there are errors.
func Parse(text string) (Node, []*Error) {
	var errs []*Error
	if len(text) > maxSource {
		return &Bad{}, []*Error{{0, 0, "CS8078", TooComplex}}
	}
	sc := &scanner{src: text, errs: &errs}
	p := &parser{src: text, toks: sc.scan(), errs: &errs, left: new(int)}
	*p.left = trialTokensAny + trialTokens*len(p.toks)
	var n Node
	if p.is("{") {
		n = p.block()
	} else {
		n = p.expr()
	}
	if p.tok().Kind != EOF && len(errs) == 0 {
		t := p.tok()
		switch {
		case t.Text == ")" || t.Text == "}":
			p.failAt(t, "CS1022", "Type or namespace definition, or end-of-file expected")
		default:
			p.failAt(t, "CS1026", ") expected")
		}
	}
	return n, sorted(errs)
}

// sorted puts errors into the order of the source and leaves out what is too
// much.
func sorted(errs []*Error) []*Error {
	slices.SortStableFunc(errs, func(a, b *Error) int { return int(a.Pos - b.Pos) })
	return errs[:min(len(errs), MaxErrors)]
}

// Merged puts the findings of a later phase with those about the syntax. Of two
// at one place the one about the syntax stays: the other is likely due to it.
func Merged(errs, more []*Error) []*Error {
	out := slices.Clone(errs)
	for _, e := range more {
		if !slices.ContainsFunc(errs, func(o *Error) bool { return o.Pos == e.Pos }) {
			out = append(out, e)
		}
	}
	return sorted(out)
}

// GivenUp reports whether a source was too long or complex to be read.
func GivenUp(errs []*Error) bool {
	return slices.ContainsFunc(errs, func(e *Error) bool { return e.Message == TooComplex })
}

func (p *parser) tok() *Token { return &p.toks[p.i] }

func (p *parser) ahead(n int) *Token { return &p.toks[min(p.i+n, len(p.toks)-1)] }

func (p *parser) next() *Token {
	t := &p.toks[p.i]
	if p.i < len(p.toks)-1 {
		p.i++
	}
	return t
}

// is reports whether the next token is that operator or keyword.
func (p *parser) is(text string) bool { return p.tok().is(text) }

func (t *Token) is(text string) bool {
	return (t.Kind == Op || t.Kind == Keyword) && t.Text == text
}

// word reports whether the next token is that contextual keyword.
func (p *parser) word(text string) bool { return p.tok().Kind == Ident && p.tok().Text == text }

func (p *parser) accept(text string) bool {
	if p.is(text) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expect(text string) bool {
	if p.accept(text) {
		return true
	}
	switch text {
	case ";":
		p.fail("CS1002", "; expected")
	case ")":
		p.fail("CS1026", ") expected")
	case "}":
		p.fail("CS1513", "} expected")
	case "{":
		p.fail("CS1514", "{ expected")
	default:
		p.fail("CS1003", "Syntax error, '"+text+"' expected")
	}
	return false
}

// fail reports what is missing. As for the C# compiler its place is the next
// token, or the end of the previous one when that is the last of its line.
func (p *parser) fail(code, msg string) {
	t := p.tok()
	if p.i > 0 {
		if prev := p.toks[p.i-1]; breaksLine(p.src[prev.End:max(prev.End, t.Pos)]) {
			p.report(prev.End, prev.End, code, msg)
			return
		}
	}
	p.failAt(t, code, msg)
}

// breaksLine reports whether a line ends in the space between two tokens, not
// counting the inside of comments.
func breaksLine(space string) bool {
	for {
		from := strings.Index(space, "/*")
		if from < 0 {
			return strings.Contains(space, "\n")
		}
		to := strings.Index(space[from+2:], "*/")
		if to < 0 || strings.Contains(space[:from], "\n") {
			return strings.Contains(space[:from], "\n")
		}
		space = space[from+2+to+2:]
	}
}

// newer refuses syntax of a later version of C#.
func (p *parser) newer(t *Token, feature, version string) {
	p.failAt(t, "CS8107", "Feature '"+feature+"' is not available in C# 7.0. Please use language version "+version+" or greater.")
}

// unsupported refuses what C# 7 has and expressions do not.
func (p *parser) unsupported(t *Token, what string) {
	p.failAt(t, "SANDBOX", what+" not supported within expressions")
}

// list reads items up to the closing token. A comma missing between two items is
// reported, and the list goes on.
func (p *parser) list(closing string, item func()) {
	for !p.is(closing) && p.tok().Kind != EOF {
		at := p.i
		item()
		if p.accept(",") {
			continue
		}
		if p.is(closing) || p.i == at || !p.tok().beginsExpr() || p.trial > 0 {
			break
		}
		p.fail("CS1003", "Syntax error, ',' expected")
	}
	p.expect(closing)
}

// beginsExpr reports whether an expression may begin with the token.
func (t *Token) beginsExpr() bool {
	switch t.Kind {
	case EOF:
		return false
	case Keyword:
		return predefined[t.Text] || slices.Contains([]string{
			"true", "false", "null", "new", "typeof", "default", "sizeof", "checked", "unchecked", "delegate", "this", "base", "stackalloc", "throw", "ref",
		}, t.Text)
	case Op:
		return slices.Contains([]string{"(", "+", "-", "!", "~", "++", "--", "&", "*"}, t.Text)
	}
	return true
}

func (p *parser) failAt(t *Token, code, msg string) { p.report(t.Pos, t.End, code, msg) }

func (p *parser) report(from, to Pos, code, msg string) {
	p.bad = true
	if p.trial > 0 || len(*p.errs) > MaxErrors {
		return
	}
	if n := len(*p.errs); n > 0 && (*p.errs)[n-1].Pos >= from && (*p.errs)[n-1].Pos <= to {
		return // one error for a place
	}
	*p.errs = append(*p.errs, &Error{from, to, code, msg})
}

// try parses speculatively: when fn fails everything is as before.
func (p *parser) try(fn func() bool) bool {
	i, bad := p.i, p.bad
	p.bad = false
	p.trial++
	ok := fn() && !p.bad
	p.trial--
	p.bad = bad
	if *p.left >= 0 {
		if *p.left -= p.i - i; *p.left < 0 {
			*p.errs = append(*p.errs, &Error{p.toks[i].Pos, p.toks[i].End, "CS8078", TooComplex})
		}
	}
	if *p.left < 0 {
		p.i = len(p.toks) - 1
		return false
	}
	if !ok {
		p.i = i
	}
	return ok
}

func (p *parser) since(from Pos) Range {
	end := from
	if p.i > 0 {
		end = p.toks[p.i-1].End
	}
	return Range{from, max(from, end)}
}

// enter guards against nesting; leave must follow when it reports true.
func (p *parser) enter() bool {
	p.depth++
	if p.depth > maxDepth {
		p.depth--
		p.tooComplex()
		return false
	}
	return true
}

// tooComplex refuses to read any further.
func (p *parser) tooComplex() {
	p.fail("CS8078", TooComplex)
	p.i = len(p.toks) - 1
}

func (p *parser) leave() { p.depth-- }

func (p *parser) name() (string, bool) {
	if p.tok().Kind == Ident {
		return p.next().Text, true
	}
	if p.tok().Kind == Keyword {
		p.fail("CS1041", "Identifier expected; '"+p.tok().Text+"' is a keyword")
	} else {
		p.fail("CS1001", "Identifier expected")
	}
	return "", false
}

var predefined = map[string]bool{
	"bool": true, "byte": true, "sbyte": true, "short": true, "ushort": true, "int": true, "uint": true, "long": true,
	"ulong": true, "float": true, "double": true, "decimal": true, "char": true, "string": true, "object": true,
}

// typ reads a type.
func (p *parser) typ() *Type {
	t := p.typeNoArray()
	return p.arrays(t)
}

// arrays reads the ranks behind an element type. The first one is the outermost: int[][,] is an array of int[,].
func (p *parser) arrays(t *Type) *Type {
	var ranks []int
	for p.is("[") {
		if len(ranks) > maxDepth {
			p.tooComplex()
			break
		}
		n := 1
		for p.ahead(n).is(",") {
			n++
		}
		if !p.ahead(n).is("]") {
			break
		}
		p.i += n + 1
		ranks = append(ranks, n)
	}
	for _, n := range slices.Backward(ranks) {
		t = &Type{Range: p.since(t.From), Elem: t, Rank: n, Arrays: true}
	}
	return t
}

func (p *parser) typeNoArray() *Type {
	from := p.tok().Pos
	t := &Type{}
	switch {
	case p.tok().Kind == Keyword && (predefined[p.tok().Text] || p.is("void")):
		t.Keyword = true
		tok := p.next()
		t.Parts = []NamePart{{Name: tok.Text, Range: Range{tok.Pos, tok.End}}}
	case p.is("("):
		p.tupleType(t)
	default:
		if p.word("global") && p.ahead(1).is("::") {
			p.i += 2
		}
		for {
			at := p.tok().Pos
			name, ok := p.typePart(len(t.Parts) == 0)
			if !ok {
				break
			}
			part := NamePart{Name: name}
			if p.is("<") {
				part.Args = p.typeArgs()
			}
			part.Range = p.since(at)
			t.Parts = append(t.Parts, part)
			if !p.is(".") || p.ahead(1).Kind != Ident {
				break
			}
			if len(t.Parts) > maxDepth {
				p.tooComplex()
				break
			}
			p.next()
		}
	}
	t.Range = p.since(from)
	if p.is("?") && p.nullableMark() {
		p.next()
		return &Type{Range: p.since(from), Elem: t, Nullable: true}
	}
	return t
}

// typePart reads a part of the name of a type.
func (p *parser) typePart(first bool) (string, bool) {
	if first && p.tok().Kind != Ident {
		p.fail("CS1031", "Type expected")
		return "", false
	}
	return p.name()
}

// nullableMark tells T? from the conditional operator: behind a nullable type
// comes a name, a closing token, or an operator that ends a type.
func (p *parser) nullableMark() bool {
	t := p.ahead(1)
	switch t.Kind {
	case Op:
		return strings.Contains(") ] > , ; } { = == != && || ?? [ .", t.Text) && t.Text != "" && !t.is("(") && (!t.is("[") || p.ahead(2).is("]"))
	case Ident:
		// T? name — or cond ? name : x, which has a colon later at this depth.
		n := p.ahead(2)
		return n.is("=") || n.is(";") || n.is(",") || n.is(")") || n.is("in") || n.is("(") && p.bodyFollows(2)
	case Keyword:
		return t.is("in")
	}
	return t.Kind == EOF
}

// bodyFollows reports whether the parenthesis n tokens ahead belongs to a local
// function.
func (p *parser) bodyFollows(n int) bool {
	t := p.behindParen(n)
	return t.is("{") || t.is("=>")
}

func (p *parser) tupleType(t *Type) {
	if !p.enter() {
		return
	}
	defer p.leave()
	p.expect("(")
	for !p.is(")") && p.tok().Kind != EOF && (p.trial == 0 || !p.bad) {
		e := TupleElem{Type: p.typ()}
		if n := p.tok(); n.Kind == Ident {
			e.Name, e.NameAt = p.next().Text, Range{n.Pos, n.End}
		}
		t.Tuple = append(t.Tuple, e)
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	if len(t.Tuple) < 2 {
		p.fail("CS8124", "Tuple must contain at least two elements.")
	}
}

// typeArgs reads <A, B>.
func (p *parser) typeArgs() []*Type {
	p.expect("<")
	var out []*Type
	for {
		if p.is(",") || p.is(">") {
			out = append(out, &Type{Range: Range{p.tok().Pos, p.tok().Pos}, Omitted: true})
		} else {
			if !p.enter() {
				return out
			}
			out = append(out, p.typ())
			p.leave()
		}
		if !p.accept(",") {
			break
		}
	}
	p.expect(">")
	return out
}

// genericTail decides whether < begins type arguments: it does when a list of
// types and > parse, and what follows cannot follow a comparison.
func (p *parser) genericTail() []*Type {
	if !p.is("<") {
		return nil
	}
	var args []*Type
	ok := p.try(func() bool {
		args = p.typeArgs()
		if p.bad {
			return false
		}
		t := p.tok()
		if t.Kind == EOF {
			return true
		}
		return t.Kind == Op && slices.Contains([]string{
			"(", ")", "]", "}", ":", ";", ",", ".", "?", "==", "!=", "|", "^", "&&", "||", "&", "[", "?.", "=>", "{",
		}, t.Text)
	})
	if !ok {
		return nil
	}
	return args
}
