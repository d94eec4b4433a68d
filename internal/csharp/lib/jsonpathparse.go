package lib

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// pathParser reads a JSONPath the way that Newtonsoft does, with its oddities: a
// query has no brackets, and what follows || after && belongs to the right side.
type pathParser struct {
	s string
	i int
}

const (
	openIndexer = "Path ended with open indexer."
	openQuery   = "Path ended with open query."
)

func pathError(msg string) { clr.Throw(clr.ExJSON, msg) }

// at is the character that stands here.
func (p *pathParser) at() string {
	_, n := utf8.DecodeRuneInString(p.s[p.i:])
	return p.s[p.i : p.i+n]
}

func (p *pathParser) badIndexer(c string) {
	pathError("Unexpected character while parsing path indexer: " + c)
}

func (p *pathParser) badQuery() {
	pathError("Unexpected character while parsing path query: " + p.at())
}

// ensure throws at the end of the path.
func (p *pathParser) ensure(msg string) {
	if p.i >= len(p.s) {
		pathError(msg)
	}
}

func (p *pathParser) space() {
	for p.i < len(p.s) && p.s[p.i] == ' ' {
		p.i++
	}
}

// match takes a word if it stands here.
func (p *pathParser) match(word string) bool {
	ok := strings.HasPrefix(p.s[p.i:], word)
	if ok {
		p.i += len(word)
	}
	return ok
}

func (p *pathParser) parse() []pathStep {
	from := 0 // spaces belong to the name that they stand in front of
	p.space()
	if p.i == len(p.s) || p.s == "$" {
		return nil
	}
	// A dollar sign in front of anything else begins a name.
	if rest := p.s[p.i:]; strings.HasPrefix(rest, "$.") || strings.HasPrefix(rest, "$[") {
		p.i++
		from = p.i
	}
	steps, ended := p.steps(from, false)
	if !ended {
		last := p.at()
		if p.space(); p.i < len(p.s) {
			pathError("Unexpected character while parsing path: " + last)
		}
	}
	return steps
}

// steps reads steps, the first from a place on, up to what can not belong to the
// path; ended tells that this was the end.
func (p *pathParser) steps(from int, query bool) (out []pathStep, ended bool) {
	deep, afterIndexer, afterDot := false, false, false
	member := func() {
		if p.i > from {
			out = append(out, memberStep(p.s[from:p.i], deep))
			deep = false
		}
	}
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '[' || c == '(':
			member()
			out = append(out, p.indexer(c, deep))
			p.i++
			from, deep, afterIndexer, afterDot = p.i, false, true, false
			continue
		case c == '.':
			member()
			deep = strings.HasPrefix(p.s[p.i:], "..")
			p.i++
			if deep {
				p.i++
			}
			from, afterIndexer, afterDot = p.i, false, true
			continue
		case c == ']' || c == ')' || c == ' ', query && strings.IndexByte("=<!>|&", c) >= 0:
		case afterIndexer:
			pathError("Unexpected character following indexer: " + p.at())
		default:
			p.i++
			continue
		}
		break
	}
	ended = p.i == len(p.s)
	if p.i == from && afterDot && (ended || query) {
		pathError("Unexpected end while parsing path.")
	}
	member()
	return out, ended
}

func memberStep(name string, deep bool) pathStep {
	if name == "*" {
		return pathStep{deep: deep, all: true}
	}
	return pathStep{deep: deep, names: []string{name}}
}

// indexer reads […] or (…) up to its closing bracket.
func (p *pathParser) indexer(open byte, deep bool) pathStep {
	end := byte(']')
	if open == '(' {
		end = ')'
	}
	p.i++
	p.ensure(openIndexer)
	p.space()
	p.ensure(openIndexer)
	switch p.s[p.i] {
	case '\'':
		return p.fields(end, deep)
	case '?':
		return p.queryStep(end, deep)
	}
	return p.indexes(end)
}

// fields reads 'name', 'name'.
func (p *pathParser) fields(end byte, deep bool) pathStep {
	st := pathStep{deep: deep}
	for {
		p.ensure(openIndexer)
		st.names = append(st.names, p.quoted())
		p.space()
		p.ensure(openIndexer)
		switch p.s[p.i] {
		case end:
			return st
		case ',':
			p.i++
			p.space()
		default:
			p.badIndexer(p.at())
		}
	}
}

func (p *pathParser) queryStep(end byte, deep bool) pathStep {
	p.i++
	p.ensure(openIndexer)
	if p.s[p.i] != '(' {
		p.badIndexer(p.at())
	}
	p.i++
	x := p.expression()
	p.i++
	p.ensure(openIndexer)
	p.space()
	p.ensure(openIndexer)
	if p.s[p.i] != end {
		p.badIndexer(p.at())
	}
	return pathStep{deep: deep, filter: x}
}

// indexes reads *, an index, several of them, or a slice.
func (p *pathParser) indexes(end byte) pathStep {
	var st pathStep
	var parts []string // of a slice
	from, to := p.i, -1
	number := func() string {
		text := p.s[from:p.i]
		if to >= 0 {
			text = p.s[from:to]
		}
		p.i++
		p.space()
		from, to = p.i, -1
		return text
	}
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == ' ':
			to = p.i
			p.space()
		case c == end && parts != nil:
			at := p.i
			st.slice = sliceOf(append(parts, number()))
			p.i = at
			return st
		case c == end:
			at := p.i
			st.index = append(st.index, pathIndex(number()))
			p.i = at
			return st
		case c == ',':
			st.index = append(st.index, pathIndex(number()))
		case c == ':':
			parts = append(parts, number())
		case c == '*':
			p.i++
			p.ensure(openIndexer)
			p.space()
			p.ensure(openIndexer)
			if p.s[p.i] != end {
				p.badIndexer("*")
			}
			st.items = true
			return st
		case c != '-' && (c < '0' || c > '9') || to >= 0:
			p.badIndexer(p.at())
		default:
			p.i++
		}
	}
	pathError(openIndexer)
	return st
}

func pathIndex(text string) int {
	if text == "" {
		pathError("Array index expected.")
	}
	return int(parseInteger(clr.String(text), clr.Int32, styleInteger).Int())
}

// sliceOf makes start, end and step of their texts, which may be empty.
func sliceOf(parts []string) *[3]*int {
	var out [3]*int
	for i, text := range parts {
		if text != "" {
			n := pathIndex(text)
			out[min(i, 2)] = &n
		}
	}
	return &out
}

// quoted reads a name or text in single quotes.
func (p *pathParser) quoted() string {
	var b strings.Builder
	for p.i++; p.i < len(p.s); p.i++ {
		c := p.s[p.i]
		switch {
		case c == '\\' && p.i+1 < len(p.s):
			p.i++
			b.WriteByte(p.escaped())
		case c == '\'':
			p.i++
			return b.String()
		default:
			b.WriteByte(c)
		}
	}
	pathError("Path ended with an open string.")
	return ""
}

func (p *pathParser) escaped() byte {
	switch c := p.s[p.i]; c {
	case 'b':
		return '\b'
	case 't':
		return '\t'
	case 'n':
		return '\n'
	case 'f':
		return '\f'
	case 'r':
		return '\r'
	case '\\', '"', '\'', '/':
		return c
	}
	pathError(`Unknown escape character: \` + p.at())
	return 0
}

// expression reads what stands between the brackets of ?( ) up to the closing
// one.
func (p *pathParser) expression() *filter {
	var root, parent *filter
	for p.i < len(p.s) {
		l := p.side()
		x := l
		if strings.IndexByte(")|&", p.s[p.i]) < 0 {
			op := p.operator()
			x = &filter{op: op, l: l, r: p.side()}
		}
		op := ""
		switch {
		case p.s[p.i] == ')' && parent == nil:
			return x
		case p.s[p.i] == ')':
			parent.all = append(parent.all, x)
			return root
		case p.match("&&"):
			op = "&&"
		case p.match("||"):
			op = "||"
		default:
			p.badQuery()
		}
		if parent == nil || parent.op != op {
			next := &filter{op: op}
			if parent != nil {
				parent.all = append(parent.all, next)
			} else {
				root = next
			}
			parent = next
		}
		parent.all = append(parent.all, x)
	}
	pathError(openQuery)
	return nil
}

// side reads one side of a comparison: a path, or a value.
func (p *pathParser) side() *filter {
	p.space()
	p.ensure(openQuery)
	x := &filter{}
	switch c := p.s[p.i]; {
	case c == '@' || c == '$':
		p.i++
		var ended bool
		x.root = c == '$'
		if x.path, ended = p.steps(p.i, true); ended {
			pathError(openQuery)
		}
	default:
		if x.lit = p.value(); x.lit == nil {
			if p.i >= len(p.s) {
				pathError(openQuery)
			}
			p.badQuery()
		}
	}
	p.space()
	p.ensure(openQuery)
	return x
}

// value reads a text, number, word or regular expression; nil is none of them.
func (p *pathParser) value() *Token {
	switch c := p.s[p.i]; {
	case c == '\'':
		return newValue(jString, clr.String(p.quoted()))
	case c == '/':
		return newValue(jString, clr.String(p.regex()))
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case p.match("true"):
		return newValue(jBoolean, clr.Bool(true))
	case p.match("false"):
		return newValue(jBoolean, clr.Bool(false))
	case p.match("null"):
		return newValue(jNull, clr.Null)
	}
	return nil
}

// number reads a number, which ends at a space or at the end of the query.
func (p *pathParser) number() *Token {
	n := strings.IndexAny(p.s[p.i:], " )")
	if n < 0 {
		p.i = len(p.s)
		return nil
	}
	text := p.s[p.i : p.i+n]
	p.i += n
	if strings.ContainsAny(text, ".eE") {
		if x, ok := readFloat(text); ok {
			return newValue(jFloat, clr.Float(x))
		}
		return nil
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return newValue(jInteger, clr.Long(i))
	}
	return nil
}

// regex reads /pattern/options.
func (p *pathParser) regex() string {
	from := p.i
	for p.i++; p.i < len(p.s); p.i++ {
		switch p.s[p.i] {
		case '\\':
			p.i++
		case '/':
			for p.i++; p.i < len(p.s) && unicode.IsLetter(rune(p.s[p.i])); {
				p.i++
			}
			return p.s[from:p.i]
		}
	}
	pathError("Path ended with an open regex.")
	return ""
}

func (p *pathParser) operator() string {
	if p.i+1 >= len(p.s) {
		pathError(openQuery)
	}
	for _, op := range []string{"===", "==", "=~", "!==", "!=", "<>", "<=", "<", ">=", ">"} {
		if p.match(op) {
			return strings.Replace(op, "<>", "!=", 1)
		}
	}
	pathError("Could not read query operator.")
	return ""
}
