package xpath

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxDepth = 200 // of nested expressions

type tokenKind uint8

const (
	end tokenKind = iota
	name
	numeral
	quoted
	operator // signs, and the words and, or, div, mod where an operand has ended
)

type token struct {
	kind   tokenKind
	text   string // of a sign, the local part of a name, or * in its place
	prefix string
	n      float64
	call   bool // a name before (
	axis   bool // a name before ::
}

type parser struct {
	src    string
	pos    int
	tok    token
	spaces Resolver
	depth  int

	usesSpaces bool // the namespace axis occurs
}

func (p *parser) fail(message string) { panic(&Error{message}) }

func (p *parser) invalid() { p.fail("'" + p.src + "' has an invalid token.") }

func (p *parser) nodesExpected() { p.fail("Expression must evaluate to a node-set.") }

const needsContext = "Namespace Manager or XsltContext needed. This query has a prefix, variable, or user-defined function."

func (p *parser) space() {
	for p.pos < len(p.src) && strings.IndexByte(" \t\r\n", p.src[p.pos]) >= 0 {
		p.pos++
	}
}

// operand reports whether the token ends an operand, so that * and words are
// operators behind it.
func (t *token) operand() bool {
	switch t.kind {
	case name:
		return !t.axis
	case numeral, quoted:
		return true
	case operator:
		return t.text == ")" || t.text == "]" || t.text == "." || t.text == ".."
	}
	return false
}

var signs = []string{"//", "..", "::", "!=", "<=", ">=", "(", ")", "[", "]", ".", "@", ",", "/", "|", "+", "-", "=", "<", ">", "*", "$"}

// next reads a token.
func (p *parser) next() {
	before := p.tok.operand()
	started := p.pos > 0
	p.tok = token{}
	p.space()
	if p.pos >= len(p.src) {
		return
	}
	rest := p.src[p.pos:]
	c := rest[0]
	switch {
	case c == '"' || c == '\'':
		i := strings.IndexByte(rest[1:], c)
		if i < 0 {
			p.fail("This is an unclosed string.")
		}
		p.tok = token{kind: quoted, text: rest[1 : 1+i]}
		p.pos += i + 2
		return
	case c >= '0' && c <= '9' || c == '.' && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9':
		p.numeral()
		return
	case c == '*' && !(started && before):
		p.pos++
		p.tok = token{kind: name, text: "*"}
		return
	}
	if r, _ := utf8.DecodeRuneInString(rest); nameStart(r) {
		p.name(started && before)
		return
	}
	for _, s := range signs {
		if strings.HasPrefix(rest, s) {
			p.tok = token{kind: operator, text: s}
			p.pos += len(s)
			return
		}
	}
	p.invalid()
}

func (p *parser) numeral() {
	from := p.pos
	digits := func() {
		for p.pos < len(p.src) && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
			p.pos++
		}
	}
	digits()
	if p.pos < len(p.src) && p.src[p.pos] == '.' {
		p.pos++
		digits()
	}
	n, _ := strconv.ParseFloat(strings.TrimSuffix(p.src[from:p.pos], "."), 64)
	p.tok = token{kind: numeral, n: n}
}

func nameStart(r rune) bool { return r == '_' || unicode.IsLetter(r) }

func namePart(r rune) bool {
	return nameStart(r) || r == '-' || r == '.' || unicode.IsDigit(r) || unicode.In(r, unicode.Mn, unicode.Mc, unicode.Me, unicode.Lm)
}

func (p *parser) ncname() string {
	from := p.pos
	for p.pos < len(p.src) {
		r, n := utf8.DecodeRuneInString(p.src[p.pos:])
		if !namePart(r) {
			break
		}
		p.pos += n
	}
	return p.src[from:p.pos]
}

// name reads a name with its prefix, or a word that is an operator.
func (p *parser) name(behindOperand bool) {
	first := p.ncname()
	if behindOperand {
		if first != "and" && first != "or" && first != "div" && first != "mod" {
			p.invalid()
		}
		p.tok = token{kind: operator, text: first}
		return
	}
	p.tok = token{kind: name, text: first}
	if strings.HasPrefix(p.src[p.pos:], ":") && !strings.HasPrefix(p.src[p.pos:], "::") {
		p.pos++
		r, _ := utf8.DecodeRuneInString(p.src[p.pos:])
		switch {
		case r == '*':
			p.pos++
			p.tok = token{kind: name, prefix: first, text: "*"}
			return
		case !nameStart(r):
			p.fail("'" + p.src + "' has an invalid qualified name.")
		}
		p.tok = token{kind: name, prefix: first, text: p.ncname()}
	}
	p.space()
	p.tok.call = strings.HasPrefix(p.src[p.pos:], "(")
	p.tok.axis = p.tok.prefix == "" && strings.HasPrefix(p.src[p.pos:], "::")
}

func (p *parser) is(sign string) bool { return p.tok.kind == operator && p.tok.text == sign }

func (p *parser) accept(sign string) bool {
	if p.is(sign) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expect(sign string) {
	if !p.accept(sign) {
		p.invalid()
	}
}

// or reads an expression.
func (p *parser) or() expr {
	p.depth++
	if p.depth > maxDepth {
		p.fail("The xpath query is too complex.")
	}
	defer func() { p.depth-- }()
	return p.operators(0)
}

// levels are the operators from the weakest to the strongest.
var levels = [][]string{{"or"}, {"and"}, {"=", "!="}, {"<", "<=", ">", ">="}, {"+", "-"}, {"*", "div", "mod"}}

func (p *parser) operators(level int) expr {
	if level == len(levels) {
		return p.unary()
	}
	x := p.operators(level + 1)
	for p.tok.kind == operator {
		op := ""
		for _, o := range levels[level] {
			if p.tok.text == o {
				op = o
			}
		}
		if op == "" {
			break
		}
		p.next()
		x = &binary{op, x, p.operators(level + 1)}
	}
	return x
}

func (p *parser) unary() expr {
	minus, any := false, false
	for p.accept("-") {
		minus, any = !minus, true
	}
	x := p.union()
	switch {
	case minus:
		return &negation{x}
	case any: // an even number of them still makes a number
		return &negation{&negation{x}}
	}
	return x
}

func (p *parser) union() expr {
	x := p.path()
	for p.is("|") {
		p.next()
		y := p.path()
		p.checkNodes(x)
		p.checkNodes(y)
		x = &binary{"|", x, y}
	}
	return x
}

func (p *parser) checkNodes(x expr) {
	if x.typ() != nodeSet {
		p.nodesExpected()
	}
}

// primary reports whether a primary expression begins here: what is no step.
func (p *parser) primary() bool {
	t := p.tok
	switch t.kind {
	case quoted, numeral:
		return true
	case operator:
		return t.text == "(" || t.text == "$"
	}
	return t.kind == name && t.call && !nodeType(t)
}

func nodeType(t token) bool {
	return t.prefix == "" && (t.text == "node" || t.text == "text" || t.text == "comment" || t.text == "processing-instruction")
}

func (p *parser) path() expr {
	if !p.primary() {
		return p.location()
	}
	x := p.filter()
	if !p.is("/") && !p.is("//") {
		return x
	}
	p.checkNodes(x)
	out := &path{start: x}
	p.steps(out)
	return out
}

func (p *parser) filter() expr {
	x := p.atom()
	if !p.is("[") {
		return x
	}
	p.checkNodes(x)
	f := &filter{x: x}
	for p.is("[") {
		f.preds = append(f.preds, p.predicate())
	}
	return f
}

func (p *parser) predicate() expr {
	p.expect("[")
	x := p.or()
	p.expect("]")
	return x
}

func (p *parser) atom() expr {
	t := p.tok
	switch t.kind {
	case quoted:
		p.next()
		return &literal{t.text}
	case numeral:
		p.next()
		return &number{t.n}
	case name:
		return p.call()
	}
	if p.accept("$") {
		p.fail(needsContext)
	}
	p.expect("(")
	x := p.or()
	p.expect(")")
	return x
}

// location reads a location path.
func (p *parser) location() expr {
	out := &path{}
	switch {
	case p.accept("/"):
		out.absolute = true
		if p.beginsStep() {
			p.relative(out)
		}
	case p.is("//"):
		out.absolute = true
		p.steps(out)
	default:
		p.relative(out)
	}
	return out
}

func (p *parser) beginsStep() bool {
	return p.tok.kind == name || p.is(".") || p.is("..") || p.is("@")
}

func (p *parser) relative(out *path) {
	out.steps = append(out.steps, p.step())
	p.steps(out)
}

// steps reads the steps behind the first.
func (p *parser) steps(out *path) {
	for {
		switch {
		case p.accept("//"):
			s := p.step()
			if s.axis == child && s.plain {
				s.axis = descendant // the same, without a detour over all nodes
				out.steps = append(out.steps, s)
				continue
			}
			out.steps = append(out.steps, &step{axis: descendantOrSelf, test: test{any: true}, plain: true}, s)
		case p.accept("/"):
			out.steps = append(out.steps, p.step())
		default:
			return
		}
	}
}

func (p *parser) step() *step {
	switch {
	case p.accept("."):
		return &step{axis: self, test: test{any: true}, plain: true}
	case p.accept(".."):
		return &step{axis: parent, test: test{any: true}, plain: true}
	}
	s := &step{axis: child, plain: true}
	if p.accept("@") {
		s.axis = attribute
	} else if p.tok.kind == name && p.tok.axis {
		a, ok := axes[p.tok.text]
		if !ok {
			p.invalid()
		}
		s.axis = a
		p.usesSpaces = p.usesSpaces || a == namespace
		p.next()
		p.expect("::")
	}
	s.test = p.test(s.axis)
	for p.is("[") {
		x := p.predicate()
		s.preds = append(s.preds, x)
		s.plain = s.plain && x.typ() != numberType && !positional(x)
	}
	return s
}

// test reads a node test.
func (p *parser) test(a axis) test {
	t := p.tok
	if t.kind != name {
		p.nodesExpected()
	}
	if t.call {
		return p.typeTest(t)
	}
	p.next()
	out := test{kind: a.principal(), local: t.text, star: t.text == "*"}
	switch {
	case t.prefix != "":
		out.space = p.resolve(t.prefix)
	case out.star:
		out.starNS = true
	}
	return out
}

func (p *parser) typeTest(t token) test {
	if !nodeType(t) {
		p.invalid()
	}
	p.next()
	p.expect("(")
	out := test{any: t.text == "node", star: true, starNS: true}
	switch t.text {
	case "text":
		out.kind = Text
	case "comment":
		out.kind = Comment
	case "processing-instruction":
		out.kind = Instruction
		if p.tok.kind == quoted {
			out.target = p.tok.text
			p.next()
		}
	}
	p.expect(")")
	return out
}

func (p *parser) resolve(prefix string) string {
	if prefix == "xml" {
		return "http://www.w3.org/XML/1998/namespace"
	}
	if p.spaces == nil {
		p.fail(needsContext)
	}
	uri, ok := p.spaces(prefix)
	if !ok {
		p.fail("Namespace prefix '" + prefix + "' is not defined.")
	}
	return uri
}

// call reads the call of a function.
func (p *parser) call() expr {
	t := p.tok
	fn := functions[t.text]
	if t.prefix != "" || fn == nil {
		p.unknownFunction(t)
	}
	p.next()
	p.expect("(")
	c := &call{fn: fn}
	for !p.is(")") {
		c.args = append(c.args, p.or())
		if !p.accept(",") {
			break
		}
		if p.is(")") {
			p.nodesExpected()
		}
	}
	p.expect(")")
	if len(c.args) < fn.least || len(c.args) > fn.most {
		p.fail("Function '" + t.text + "' in '" + p.src + "' has an invalid number of arguments.")
	}
	for _, x := range c.args {
		if fn.nodes && x.typ() != nodeSet {
			p.fail("The argument to function '" + t.text + "' in '" + p.src + "' cannot be converted to a node-set.")
		}
	}
	return c
}

func (p *parser) unknownFunction(t token) {
	if p.spaces == nil {
		p.fail(needsContext)
	}
	if t.prefix != "" {
		p.resolve(t.prefix)
	}
	p.fail("XsltContext is needed for this query because of an unknown function.")
}

// positional reports whether an expression asks for the position, which the one
// in a path inside of it would not be.
func positional(x expr) bool {
	switch x := x.(type) {
	case *binary:
		return positional(x.x) || positional(x.y)
	case *negation:
		return positional(x.x)
	case *call:
		if x.fn.position {
			return true
		}
		if slices.ContainsFunc(x.args, positional) {
			return true
		}
	case *filter:
		return positional(x.x)
	case *path:
		return x.start != nil && positional(x.start)
	}
	return false
}
