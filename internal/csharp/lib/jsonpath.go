package lib

import (
	"slices"
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
			n := len(next)
			next = st.apply(f, t, c, next)
			if len(next) == n && must {
				st.missing(c)
			}
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
	all    bool // every property of objects
	items  bool // every item of arrays
	slice  *[3]*int
	filter *filter
}

// missing throws for a step that found nothing in t, where steps of its kind do.
func (s *pathStep) missing(t *Token) {
	class := t.RuntimeType().Name
	fail := func(msg string) { clr.Throw(clr.ExJSON, msg) }
	switch {
	case s.deep || s.filter != nil:
	case len(s.names) > 0 && t.kind == jObject:
		fail("Property '" + s.names[0] + "' does not exist on JObject.")
	case len(s.names) == 1:
		fail("Property '" + s.names[0] + "' not valid on " + class + ".")
	case len(s.names) > 1:
		fail("Properties '" + strings.Join(s.names, "', '") + "' not valid on " + class + ".")
	case s.all && t.kind != jObject:
		fail("Property '*' not valid on " + class + ".")
	case len(s.index) > 0 && t.kind == jArray:
		fail("Index " + strconv.Itoa(s.index[0]) + " outside the bounds of JArray.")
	case len(s.index) > 0:
		fail("Index " + strconv.Itoa(s.index[0]) + " not valid on " + class + ".")
	case s.items && t.kind != jArray:
		fail("Index * not valid on " + class + ".")
	case s.slice != nil && t.kind != jArray:
		fail("Array slice is not valid on " + class + ".")
	case s.slice != nil:
		bound := func(p *int) string {
			if p == nil {
				return "*"
			}
			return strconv.Itoa(*p)
		}
		fail("Array slice of " + bound(s.slice[0]) + " to " + bound(s.slice[1]) + " returned no results.")
	}
}

func (s *pathStep) apply(f F, root, t *Token, out []*Token) []*Token {
	if !s.deep {
		return s.one(f, root, t, out)
	}
	switch {
	case s.filter != nil:
		if t.container() || s.filter.match(f, root, t) {
			out = s.scan(f, t, out, func(_ string, k *Token) bool { return s.filter.match(f, root, k) })
		}
		return out
	case s.all:
		return s.scan(f, t, out, func(string, *Token) bool { return true })
	}
	return s.scan(f, t, out, func(name string, _ *Token) bool { return name != "" && slices.Contains(s.names, name) })
}

// scan walks t and all below it in the order of the document; name is that of
// the property a token is the value of.
func (s *pathStep) scan(f F, t *Token, out []*Token, test func(name string, t *Token) bool) []*Token {
	var walk func(name string, t *Token)
	walk = func(name string, t *Token) {
		f.Step(1)
		if test(name, t) {
			out = append(out, t)
		}
		for _, k := range t.kids {
			if k.kind == jProperty {
				walk(k.name, k.kids[0])
			} else {
				walk("", k)
			}
		}
	}
	walk("", t)
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
		if t.kind == jArray && i < len(t.kids) {
			out = append(out, t.kids[within(clr.Int(i), len(t.kids))])
		}
	}
	switch {
	case s.all && t.kind == jObject, s.items && t.kind == jArray:
		out = append(out, values(t)...)
	case s.slice != nil && t.kind == jArray:
		out = s.cut(t, out)
	case s.filter != nil && t.kind == jArray:
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

// filter is ?( … ): a comparison, or several joined by && or ||.
type filter struct {
	op   string
	all  []*filter  // that are joined
	l, r *filter    // of a comparison
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
		return !slices.ContainsFunc(x.all, func(y *filter) bool { return !y.match(f, root, t) })
	case "||":
		return slices.ContainsFunc(x.all, func(y *filter) bool { return y.match(f, root, t) })
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
		return op == "!="
	}
	switch op {
	case "=~":
		return a.kind == jString && b.kind == jString && regexOperand(f, a.val.Str(), b.val.Str())
	case "==":
		return looseEqual(f, a, b)
	case "!=":
		return !looseEqual(f, a, b)
	case "===":
		return strictEqual(f, a, b)
	case "!==":
		return !strictEqual(f, a, b)
	}
	c := compareValues(f, a, b)
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

func tokenNumber(f F, t *Token) (float64, bool) {
	if t.kind != jInteger && t.kind != jFloat {
		return 0, false
	}
	return parseFloat(Text(f, t.val))
}

func strictEqual(f F, a, b *Token) bool {
	x, okX := tokenNumber(f, a)
	y, okY := tokenNumber(f, b)
	if okX && okY {
		return a.kind == b.kind && x == y
	}
	return deepEqual(f, a, b)
}

// looseEqual is == of a query: numbers compare by value, and a string is equal
// to a value that is written so.
func looseEqual(f F, a, b *Token) bool {
	x, okX := tokenNumber(f, a)
	y, okY := tokenNumber(f, b)
	switch {
	case okX && okY:
		return x == y
	case a.kind == b.kind:
		return deepEqual(f, a, b)
	case b.kind != jString:
		return false
	case a.kind == jDate:
		return jsonDate(a.val) == b.val.Str()
	case a.kind == jGuid || a.kind == jTimeSpan || a.kind == jURI:
		return Text(f, a.val) == b.val.Str()
	}
	return false
}

// compareValues is JValue.CompareTo: the type of the left side counts, but that
// of the right side when the left is a string.
func compareValues(f F, a, b *Token) int {
	switch {
	case a.val.IsNull() || b.val.IsNull():
		return boolInt(!a.val.IsNull()) - boolInt(!b.val.IsNull())
	case a.kind == jString && b.kind == jString:
		return ordinal(a.val.Str(), b.val.Str())
	}
	kind := a.kind
	if kind == jString {
		kind = b.kind
	}
	as := clr.Double
	switch kind {
	case jBoolean:
		as = clr.Boolean
	case jDate:
		as = clr.DateTime
	case jInteger, jFloat:
	default:
		return strings.Compare(Text(f, a.val), Text(f, b.val))
	}
	return Compare(f, changeType(f, a.val, as), changeType(f, b.val, as))
}

// regexOperand matches a text with /pattern/options.
func regexOperand(f F, s, pattern string) bool {
	end := strings.LastIndexByte(pattern, '/')
	opts := int64(0)
	for i, c := range []string{"i", "m", "", "", "s", "x"} {
		if c != "" && strings.Contains(pattern[end:], c) {
			opts |= 1 << i
		}
	}
	return newRegex(f, pattern[1:end], opts).isMatch(f, s)
}
