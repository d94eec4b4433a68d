package lib

import (
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// selectPath evaluates a JSONPath as SelectTokens does.
func selectPath(f F, t *Token, path string, must bool) []*Token {
	p := &pathParser{s: path}
	steps := p.parse()
	cur := []*Token{t}
	for _, st := range steps {
		var next []*Token
		for _, c := range cur {
			f.Step(1)
			next = st.apply(f, t, c, next)
		}
		if len(next) == 0 && must {
			st.missing(cur)
		}
		f.Alloc(8 * len(next))
		cur = next
	}
	return cur
}

// pathStep is one part of a path.
type pathStep struct {
	deep   bool
	names  []string
	index  []int
	all    bool
	slice  *[3]*int
	filter *filter
}

func (s *pathStep) missing(cur []*Token) {
	switch {
	case len(s.names) == 1 && !s.deep:
		clr.Throw(clr.ExJSON, "Property '"+s.names[0]+"' does not exist on "+kindClass(cur)+".")
	case len(s.index) == 1:
		clr.Throw(clr.ExJSON, "Index "+strconv.Itoa(s.index[0])+" outside the bounds of JArray.")
	}
	clr.Throw(clr.ExJSON, "Path did not return any tokens.")
}

func kindClass(cur []*Token) string {
	if len(cur) == 0 {
		return "JObject"
	}
	return cur[0].RuntimeType().Name
}

func (s *pathStep) apply(f F, root, t *Token, out []*Token) []*Token {
	if !s.deep {
		return s.one(f, root, t, out)
	}
	if !s.all {
		out = s.one(f, root, t, out)
	} else {
		out = append(out, t)
	}
	for _, k := range values(t) {
		f.Step(1)
		out = s.apply(f, root, k, out)
	}
	return out
}

// values are the children of a token, with properties replaced by their values.
func values(t *Token) []*Token {
	if t.kind != jObject {
		return t.kids
	}
	out := make([]*Token, len(t.kids))
	for i, k := range t.kids {
		out[i] = k.kids[0]
	}
	return out
}

func (s *pathStep) one(f F, root, t *Token, out []*Token) []*Token {
	for _, n := range s.names {
		if t.kind == jObject {
			if p := t.property(n); p != nil {
				out = append(out, p.kids[0])
			}
		}
	}
	for _, i := range s.index {
		if t.kind == jArray && i >= 0 && i < len(t.kids) {
			out = append(out, t.kids[i])
		}
	}
	switch {
	case s.all && !s.deep:
		out = append(out, values(t)...)
	case s.slice != nil && t.kind == jArray:
		out = s.cut(t, out)
	case s.filter != nil:
		for _, k := range values(t) {
			f.Step(1)
			if s.filter.match(f, root, k) {
				out = append(out, k)
			}
		}
	}
	return out
}

func (s *pathStep) cut(t *Token, out []*Token) []*Token {
	n, step := len(t.kids), 1
	if s.slice[2] != nil {
		step = *s.slice[2]
	}
	if step == 0 {
		clr.Throw(clr.ExJSON, "Step cannot be zero.")
	}
	from, to := 0, n
	if step < 0 {
		from, to = n-1, -1
	}
	if v := s.slice[0]; v != nil {
		from = *v
		if from < 0 {
			from += n
		}
	}
	if v := s.slice[1]; v != nil {
		to = *v
		if to < 0 {
			to += n
		}
	}
	from, to = max(from, -1), min(to, n)
	if step > 0 {
		from = max(from, 0)
	} else {
		from = min(from, n-1)
	}
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		if i >= 0 && i < n {
			out = append(out, t.kids[i])
		}
	}
	return out
}

// filter is ?( … ): a comparison, or several joined by && and ||.
type filter struct {
	op   string
	l, r *filter
	path []pathStep // operand
	root bool
	lit  *Token
}

func (x *filter) operand(f F, root, t *Token) []*Token {
	if x.lit != nil {
		return []*Token{x.lit}
	}
	if x.root {
		t = root
	}
	cur := []*Token{t}
	for i := range x.path {
		var next []*Token
		for _, c := range cur {
			next = x.path[i].apply(f, root, c, next)
		}
		cur = next
	}
	return cur
}

func (x *filter) match(f F, root, t *Token) bool {
	switch x.op {
	case "&&":
		return x.l.match(f, root, t) && x.r.match(f, root, t)
	case "||":
		return x.l.match(f, root, t) || x.r.match(f, root, t)
	case "":
		return len(x.operand(f, root, t)) > 0
	}
	for _, a := range x.l.operand(f, root, t) {
		for _, b := range x.r.operand(f, root, t) {
			if compareTokens(f, x.op, a, b) {
				return true
			}
		}
	}
	return false
}

func compareTokens(f F, op string, a, b *Token) bool {
	if a.container() || b.container() {
		eq := deepEqual(f, a, b)
		return op == "==" && eq || op == "!=" && !eq
	}
	if op == "=~" {
		return a.kind == jString && b.kind == jString && regexOperand(f, a.val.Str(), b.val.Str())
	}
	num := func(t *Token) (float64, bool) {
		if t.kind != jInteger && t.kind != jFloat {
			return 0, false
		}
		x, ok := parseFloat(Text(f, t.val))
		return x, ok
	}
	x, okX := num(a)
	y, okY := num(b)
	c := 0
	switch {
	case okX && okY:
		c = compareFloat(x, y)
	case a.kind == jNull || b.kind == jNull:
		eq := a.kind == b.kind
		return op == "==" && eq || op == "!=" && !eq
	case a.kind != b.kind && !(a.kind == jDate || b.kind == jDate):
		return op == "!="
	default:
		c = strings.Compare(Text(f, a.val), Text(f, b.val))
	}
	switch op {
	case "==", "===":
		return c == 0
	case "!=", "!==":
		return c != 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

func compareFloat(x, y float64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func regexOperand(f F, s, pattern string) bool {
	if len(pattern) < 2 || pattern[0] != '/' {
		return false
	}
	end := strings.LastIndexByte(pattern, '/')
	opts := int64(0)
	if strings.Contains(pattern[end:], "i") {
		opts = 1
	}
	return newRegex(f, pattern[1:end], opts).isMatch(f, s)
}

type pathParser struct {
	s string
	i int
}

func (p *pathParser) fail(msg string) { clr.Throw(clr.ExJSON, msg) }

func (p *pathParser) parse() []pathStep {
	if p.i < len(p.s) && p.s[p.i] == '$' && (len(p.s) == 1 || p.s[1] == '.' || p.s[1] == '[') {
		p.i++
	}
	var out []pathStep
	for p.i < len(p.s) {
		st, ok := p.step(len(out) == 0)
		if !ok {
			break
		}
		out = append(out, st)
	}
	return out
}

func (p *pathParser) step(first bool) (pathStep, bool) {
	var st pathStep
	switch c := p.s[p.i]; {
	case c == '.':
		p.i++
		if p.i < len(p.s) && p.s[p.i] == '.' {
			st.deep = true
			p.i++
		}
		if p.i >= len(p.s) {
			p.fail("Unexpected end while parsing path.")
		}
		if p.s[p.i] == '[' && st.deep {
			return p.bracket(st), true
		}
		return p.name(st), true
	case c == '[':
		return p.bracket(st), true
	case first && c != ' ' && c != ']' && c != ')':
		return p.name(st), true
	case c == ' ' || c == ')' || c == '=' || c == '<' || c == '>' || c == '!' || c == '&' || c == '|':
		return st, false
	}
	p.fail("Unexpected character while parsing path: " + p.s[p.i:p.i+1])
	return st, false
}

func (p *pathParser) name(st pathStep) pathStep {
	from := p.i
	for p.i < len(p.s) && !strings.ContainsRune(".[ )=<>!&|]", rune(p.s[p.i])) {
		p.i++
	}
	name := p.s[from:p.i]
	switch name {
	case "*":
		st.all = true
	case "":
		p.fail("Unexpected character while parsing path: " + p.s[p.i:min(p.i+1, len(p.s))])
	default:
		st.names = []string{name}
	}
	return st
}

func (p *pathParser) space() {
	for p.i < len(p.s) && p.s[p.i] == ' ' {
		p.i++
	}
}

func (p *pathParser) bracket(st pathStep) pathStep {
	p.i++
	p.space()
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '\'' || c == '"':
			st.names = append(st.names, p.quoted(c))
		case c == '*':
			p.i++
			st.all = true
		case c == '?':
			p.i++
			p.space()
			if p.i >= len(p.s) || p.s[p.i] != '(' {
				p.fail("Unexpected character while parsing path indexer: " + p.s[p.i:min(p.i+1, len(p.s))])
			}
			p.i++
			st.filter = p.or(0)
			p.space()
			if p.i >= len(p.s) || p.s[p.i] != ')' {
				p.fail("Path ended with open query.")
			}
			p.i++
		case c == '-' || c >= '0' && c <= '9' || c == ':':
			p.numbers(&st)
		default:
			p.fail("Unexpected character while parsing path indexer: " + string(c))
		}
		p.space()
		if p.i < len(p.s) && p.s[p.i] == ',' {
			p.i++
			p.space()
			continue
		}
		break
	}
	if p.i >= len(p.s) || p.s[p.i] != ']' {
		p.fail("Path ended with open indexer.")
	}
	p.i++
	return st
}

func (p *pathParser) quoted(q byte) string {
	p.i++
	var b strings.Builder
	for p.i < len(p.s) && p.s[p.i] != q {
		if p.s[p.i] == '\\' && p.i+1 < len(p.s) {
			p.i++
		}
		b.WriteByte(p.s[p.i])
		p.i++
	}
	if p.i >= len(p.s) {
		p.fail("Path ended with an open string.")
	}
	p.i++
	return b.String()
}

func (p *pathParser) numbers(st *pathStep) {
	var parts [3]*int
	n, colons := 0, 0
	for p.i < len(p.s) {
		c := p.s[p.i]
		if c == ':' {
			colons++
			n++
			p.i++
			if n > 2 {
				p.fail("Array slice cannot have more than 3 parts.")
			}
			continue
		}
		from := p.i
		for p.i < len(p.s) && (p.s[p.i] == '-' || p.s[p.i] >= '0' && p.s[p.i] <= '9') {
			p.i++
		}
		if from == p.i {
			break
		}
		v, err := strconv.Atoi(p.s[from:p.i])
		if err != nil {
			p.fail("Unexpected character while parsing path indexer: " + p.s[from:p.i])
		}
		parts[n] = &v
	}
	if colons > 0 {
		st.slice = &parts
		return
	}
	st.index = append(st.index, *parts[0])
}

func (p *pathParser) or(depth int) *filter {
	if depth > 30 {
		p.fail("Path is nested too deeply.")
	}
	l := p.and(depth)
	for p.space(); strings.HasPrefix(p.s[p.i:], "||"); p.space() {
		p.i += 2
		l = &filter{op: "||", l: l, r: p.and(depth)}
	}
	return l
}

func (p *pathParser) and(depth int) *filter {
	l := p.compare(depth)
	for p.space(); strings.HasPrefix(p.s[p.i:], "&&"); p.space() {
		p.i += 2
		l = &filter{op: "&&", l: l, r: p.compare(depth)}
	}
	return l
}

func (p *pathParser) compare(depth int) *filter {
	p.space()
	if p.i < len(p.s) && p.s[p.i] == '(' {
		p.i++
		x := p.or(depth + 1)
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != ')' {
			p.fail("Path ended with open query.")
		}
		p.i++
		return x
	}
	l := p.term()
	p.space()
	for _, op := range []string{"===", "!==", "==", "!=", "=~", "<=", ">=", "<", ">"} {
		if strings.HasPrefix(p.s[p.i:], op) {
			p.i += len(op)
			p.space()
			return &filter{op: op, l: l, r: p.term()}
		}
	}
	return l
}

func (p *pathParser) term() *filter {
	if p.i >= len(p.s) {
		p.fail("Path ended with open query.")
	}
	switch c := p.s[p.i]; {
	case c == '@' || c == '$':
		p.i++
		q := &pathParser{s: p.s, i: p.i}
		var steps []pathStep
		for q.i < len(q.s) && (q.s[q.i] == '.' || q.s[q.i] == '[') {
			st, _ := q.step(false)
			steps = append(steps, st)
		}
		p.i = q.i
		return &filter{path: steps, root: c == '$'}
	case c == '\'' || c == '"':
		return &filter{lit: newValue(jString, clr.String(p.quoted(c)))}
	case c == '/':
		from := p.i
		p.i++
		for p.i < len(p.s) && p.s[p.i] != '/' {
			p.i++
		}
		for p.i < len(p.s) && p.s[p.i] != ')' && p.s[p.i] != ' ' {
			p.i++
		}
		return &filter{lit: newValue(jString, clr.String(p.s[from:p.i]))}
	}
	from := p.i
	for p.i < len(p.s) && !strings.ContainsRune(" )=<>!&|", rune(p.s[p.i])) {
		p.i++
	}
	switch word := p.s[from:p.i]; word {
	case "true", "false":
		return &filter{lit: newValue(jBoolean, clr.Bool(word == "true"))}
	case "null":
		return &filter{lit: newValue(jNull, clr.Null)}
	default:
		if x, ok := parseFloat(word); ok {
			return &filter{lit: newValue(jFloat, clr.Float(x))}
		}
		p.fail("Unexpected character while parsing path query: " + p.s[from:min(from+1, len(p.s))])
	}
	return nil
}
