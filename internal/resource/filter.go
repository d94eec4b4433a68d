package resource

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxFilter and maxFilterDepth bound a $filter.
const (
	MaxFilter      = 8 << 10
	maxFilterDepth = 32
)

// A Filter is a parsed $filter. A nil Filter lets everything pass.
type Filter struct {
	match func(field func(string) any) bool
	// Fields are the names that the filter uses, in order.
	Fields []string
}

// ParseFilter reads the expressions that collections take: comparisons with eq ne gt ge lt le, the functions
// substringof contains startswith endswith, and, or, not, parentheses. Texts are in single quotes, ” stands for one.
func ParseFilter(s string) (*Filter, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	if len(s) > MaxFilter {
		return nil, fmt.Errorf("longer than %d bytes", MaxFilter)
	}
	tokens, err := filterTokens(s)
	if err != nil {
		return nil, err
	}
	p := &filterParser{tokens: tokens, filter: &Filter{}}
	if p.filter.match, err = p.or(0); err != nil {
		return nil, err
	}
	if p.pos < len(p.tokens) {
		return nil, fmt.Errorf("unexpected '%s'", p.tokens[p.pos].text)
	}
	return p.filter, nil
}

// Match says whether an item passes; field returns the value that a name stands for.
func (f *Filter) Match(field func(name string) any) bool { return f == nil || f.match(field) }

type filterToken struct {
	text    string
	literal bool // 'quoted'
}

func filterTokens(s string) ([]filterToken, error) {
	var out []filterToken
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			i++
		case c == '(' || c == ')' || c == ',':
			out = append(out, filterToken{text: string(c)})
			i++
		case c == '\'':
			text, n, ok := quoted(s[i:])
			if !ok {
				return nil, errors.New("a text has no closing quote")
			}
			out = append(out, filterToken{text: text, literal: true})
			i += n
		default:
			end := strings.IndexAny(s[i:], " \t\r\n(),'")
			if end < 0 {
				end = len(s) - i
			}
			out = append(out, filterToken{text: s[i : i+end]})
			i += end
		}
	}
	return out, nil
}

// quoted reads 'it”s' and says how many bytes it took.
func quoted(s string) (text string, n int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		return b.String(), i + 1, true
	}
	return "", 0, false
}

type filterParser struct {
	tokens []filterToken
	pos    int
	filter *Filter
}

type matcher = func(field func(string) any) bool

// word takes the next token if it is the given word.
func (p *filterParser) word(w string) bool {
	if p.pos < len(p.tokens) && !p.tokens[p.pos].literal && strings.EqualFold(p.tokens[p.pos].text, w) {
		p.pos++
		return true
	}
	return false
}

func (p *filterParser) next() (filterToken, error) {
	if p.pos >= len(p.tokens) {
		return filterToken{}, errors.New("unexpected end")
	}
	p.pos++
	return p.tokens[p.pos-1], nil
}

func (p *filterParser) or(depth int) (matcher, error) {
	left, err := p.and(depth)
	for err == nil && p.word("or") {
		l := left
		var r matcher
		if r, err = p.and(depth); err == nil {
			left = func(f func(string) any) bool { return l(f) || r(f) }
		}
	}
	return left, err
}

func (p *filterParser) and(depth int) (matcher, error) {
	left, err := p.term(depth)
	for err == nil && p.word("and") {
		l := left
		var r matcher
		if r, err = p.term(depth); err == nil {
			left = func(f func(string) any) bool { return l(f) && r(f) }
		}
	}
	return left, err
}

func (p *filterParser) term(depth int) (matcher, error) {
	if depth > maxFilterDepth {
		return nil, errors.New("nested too deeply")
	}
	if p.word("not") {
		m, err := p.term(depth + 1)
		return func(f func(string) any) bool { return !m(f) }, err
	}
	if p.word("(") {
		m, err := p.or(depth + 1)
		if err == nil && !p.word(")") {
			err = errors.New("a parenthesis is not closed")
		}
		return m, err
	}
	t, err := p.next()
	if err != nil {
		return nil, err
	}
	if fn := filterFunctions[strings.ToLower(t.text)]; fn != nil && !t.literal && p.word("(") {
		return p.call(t.text, fn)
	}
	if t.literal || !isName(t.text) {
		return nil, fmt.Errorf("unexpected '%s'", t.text)
	}
	return p.comparison(t.text)
}

// filterFunctions take the value of a field and a text, both in lower case.
var filterFunctions = map[string]func(value, text string) bool{
	"contains":    strings.Contains,
	"substringof": strings.Contains,
	"startswith":  strings.HasPrefix,
	"endswith":    strings.HasSuffix,
}

// call reads "field, 'text')" or "'text', field)": substringof has its text first.
func (p *filterParser) call(name string, fn func(value, text string) bool) (matcher, error) {
	a, err := p.next()
	if err != nil {
		return nil, err
	}
	if !p.word(",") {
		return nil, fmt.Errorf("'%s' takes two arguments", name)
	}
	b, err := p.next()
	if err != nil {
		return nil, err
	}
	if !p.word(")") {
		return nil, fmt.Errorf("'%s' is not closed", name)
	}
	if a.literal {
		a, b = b, a
	}
	if a.literal || !b.literal || !isName(a.text) {
		return nil, fmt.Errorf("'%s' takes a field and a text", name)
	}
	text := strings.ToLower(b.text)
	p.filter.Fields = append(p.filter.Fields, a.text)
	m := func(f func(string) any) bool {
		if list, ok := f(a.text).([]any); ok {
			for _, e := range list {
				if fn(strings.ToLower(filterText(e)), text) {
					return true
				}
			}
			return false
		}
		return fn(strings.ToLower(filterText(f(a.text))), text)
	}
	for _, truth := range []string{"true", "false"} { // substringof('a', name) eq true
		if at := p.pos; p.word("eq") {
			if p.word(truth) {
				if truth == "false" {
					inner := m
					return func(f func(string) any) bool { return !inner(f) }, nil
				}
				return m, nil
			}
			p.pos = at
		}
	}
	return m, nil
}

func (p *filterParser) comparison(field string) (matcher, error) {
	op, err := p.next()
	if err != nil {
		return nil, err
	}
	accept, ok := map[string]func(int) bool{
		"eq": func(c int) bool { return c == 0 }, "ne": func(c int) bool { return c != 0 },
		"gt": func(c int) bool { return c > 0 }, "ge": func(c int) bool { return c >= 0 },
		"lt": func(c int) bool { return c < 0 }, "le": func(c int) bool { return c <= 0 },
	}[strings.ToLower(op.text)]
	if !ok || op.literal {
		return nil, fmt.Errorf("'%s' is no operator", op.text)
	}
	v, err := p.next()
	if err != nil {
		return nil, err
	}
	if !v.literal && strings.ContainsAny(v.text, "(),") {
		return nil, fmt.Errorf("unexpected '%s'", v.text)
	}
	p.filter.Fields = append(p.filter.Fields, field)
	return func(f func(string) any) bool { return accept(compareFilter(f(field), v.text)) }, nil
}

// compareFilter compares numbers as numbers and everything else as text without case.
func compareFilter(value any, text string) int {
	s := filterText(value)
	a, err1 := strconv.ParseFloat(s, 64)
	b, err2 := strconv.ParseFloat(text, 64)
	if err1 == nil && err2 == nil {
		switch {
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	}
	return strings.Compare(strings.ToLower(s), strings.ToLower(text))
}

func filterText(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func isName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '/' || r == '_' || r == '.' || r == '-')
	})
}
