package lib

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dlclark/regexp2"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// regexTime bounds one match.
const regexTime = time.Second

// Regex is a compiled regular expression.
type Regex struct {
	re  *regexp2.Regexp
	src string
}

// RuntimeType is System.Text.RegularExpressions.Regex.
func (*Regex) RuntimeType() *clr.Type { return named("System.Text.RegularExpressions.Regex") }

// Text is the pattern.
func (r *Regex) Text(F) string { return r.src }

// newRegex compiles a pattern with .NET's RegexOptions.
func newRegex(f F, pattern string, opts int64) *Regex {
	f.Alloc(len(pattern) * 64)
	var o regexp2.RegexOptions
	for bit, opt := range map[int64]regexp2.RegexOptions{
		1: regexp2.IgnoreCase, 2: regexp2.Multiline, 4: regexp2.ExplicitCapture, 16: regexp2.Singleline, 32: regexp2.IgnorePatternWhitespace,
		64: regexp2.RightToLeft, 256: regexp2.ECMAScript,
	} {
		if opts&bit != 0 {
			o |= opt
		}
	}
	re, err := regexp2.Compile(unitPattern(pattern), o)
	if err != nil {
		clr.Throw(clr.ExArgument, "Invalid pattern '"+pattern+"': "+strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	re.MatchTimeout = f.Deadline(regexTime)
	return &Regex{re, pattern}
}

func regexFail(err error) {
	if err != nil {
		clr.Throw(clr.ExRegexTimeout, "The Regex engine has timed out while trying to match a pattern to an input string. This can occur for many reasons, including very large inputs or excessive backtracking caused by nested quantifiers, back-references and other factors.")
	}
}

func (r *Regex) isMatch(f F, s string) bool {
	f.Step(len(s) / 16)
	var ok bool
	var err error
	if ascii(s) {
		ok, err = r.re.MatchString(s)
	} else {
		ok, err = r.re.MatchRunes(unitRunes(s))
	}
	regexFail(err)
	return ok
}

func (r *Regex) find(f F, s string) *match1 {
	x := newSubject(f, s)
	m, err := r.re.FindRunesMatch(x.u)
	regexFail(err)
	return &match1{m: m, x: x}
}

// findFrom is the first match at or behind the unit at start, or before it if
// the expression goes from right to left.
func (r *Regex) findFrom(f F, s string, start int64) *match1 {
	x := newSubject(f, s)
	if start < 0 || start > int64(len(x.u)) {
		clr.ThrowRange("startat", "Start index cannot be less than 0 or greater than input length.")
	}
	m, err := r.re.FindRunesMatchStartingAt(x.u, int(start))
	regexFail(err)
	return &match1{m: m, x: x}
}

// each yields all matches.
func (r *Regex) each(f F, s string, yield func(m *match1) bool) { r.rest(f, r.find(f, s), yield) }

// eachFrom yields all matches from a start on.
func (r *Regex) eachFrom(f F, s string, start int64, yield func(m *match1) bool) {
	r.rest(f, r.findFrom(f, s, start), yield)
}

// rest yields m and the matches that follow it.
func (r *Regex) rest(f F, m *match1, yield func(m *match1) bool) {
	for at := 0; m.m != nil; {
		f.Step(max(m.m.Index-at, at-m.m.Index)/16 + 1)
		at = m.m.Index
		if !yield(m) {
			return
		}
		next, err := r.re.FindNextMatch(m.m)
		regexFail(err)
		m = &match1{m: next, x: m.x}
	}
}

// match1 is a Match; m is nil for one that failed.
type match1 struct {
	m *regexp2.Match
	x *subject
}

// RuntimeType is Match.
func (*match1) RuntimeType() *clr.Type { return named("System.Text.RegularExpressions.Match") }

// Text is the matched text.
func (m *match1) Text(F) string {
	if m.m == nil {
		return ""
	}
	return m.x.text(&m.m.Capture)
}

// group1 is a Group or Capture; g is nil for one that failed.
type group1 struct {
	g *regexp2.Group
	c *regexp2.Capture
	x *subject
}

// RuntimeType is Group.
func (g *group1) RuntimeType() *clr.Type {
	if g.g == nil && g.c != nil {
		return named("System.Text.RegularExpressions.Capture")
	}
	return named("System.Text.RegularExpressions.Group")
}

// Text is the captured text.
func (g *group1) Text(F) string { return g.x.text(g.capture()) }

func (g *group1) capture() *regexp2.Capture {
	switch {
	case g.c != nil:
		return g.c
	case g.g != nil && len(g.g.Captures) > 0:
		return &g.g.Capture
	}
	return &regexp2.Capture{}
}

func captureOf(v V) *regexp2.Capture {
	switch o := v.Ref().(type) {
	case *match1:
		if o.m != nil {
			return &o.m.Capture
		}
	case *group1:
		return o.capture()
	}
	return &regexp2.Capture{}
}

func subjectOf(v V) *subject {
	switch o := v.Ref().(type) {
	case *match1:
		return o.x
	case *group1:
		return o.x
	}
	return nil
}

// results is a MatchCollection, GroupCollection or CaptureCollection.
type results struct {
	List
	t *clr.Type
	m *match1
}

// RuntimeType is the collection's type.
func (r *results) RuntimeType() *clr.Type { return r.t }

// Count is the number of items.
func (r *results) Count(F) int { return len(r.V) }

func newResults(name string, v []V) *results {
	return &results{List: List{V: v}, t: named("System.Text.RegularExpressions." + name)}
}

func (m *match1) groups() V {
	r := newResults("GroupCollection", nil)
	r.m = m
	if m.m == nil {
		r.V = []V{clr.Object(&group1{})}
		return clr.Object(r)
	}
	for _, g := range m.m.Groups() {
		r.V = append(r.V, clr.Object(&group1{g: &g, x: m.x}))
	}
	return clr.Object(r)
}

// expand replaces $1, ${name}, $$, $&, $`, $', $+ and $_ of a replacement.
func (m *match1) expand(f F, by string) string {
	if strings.IndexByte(by, '$') < 0 {
		return by
	}
	var b strings.Builder
	for i := 0; i < len(by); i++ {
		if by[i] != '$' || i+1 == len(by) {
			b.WriteByte(by[i])
			continue
		}
		part, n := m.reference(by[i+1:])
		if n == 0 {
			b.WriteByte('$')
			continue
		}
		f.Alloc(len(part))
		b.WriteString(part)
		i += n
	}
	return b.String()
}

// reference is what the reference behind a $ stands for and its length; 0 when
// it is none.
func (m *match1) reference(s string) (part string, n int) {
	at, end := m.m.Index, m.m.Index+m.m.Length
	switch c := s[0]; {
	case c == '$':
		return "$", 1
	case c == '&':
		return m.x.cut(at, end), 1
	case c == '`':
		return m.x.cut(0, at), 1
	case c == '\'':
		return m.x.cut(end, len(m.x.u)), 1
	case c == '_':
		return m.x.cut(0, len(m.x.u)), 1
	case c == '+':
		groups := m.m.Groups()
		return m.x.text(&groups[len(groups)-1].Capture), 1
	case c == '{':
		if i := strings.IndexByte(s, '}'); i > 0 {
			if g := m.m.GroupByName(s[1:i]); g != nil {
				return m.x.text(&g.Capture), i + 1
			}
		}
	case c >= '0' && c <= '9':
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		no, err := strconv.Atoi(s[:n])
		if g := m.m.GroupByNumber(no); err == nil && g != nil {
			return m.x.text(&g.Capture), n
		}
	}
	return "", 0
}

// begin is where an operation without a start begins.
func (r *Regex) begin(s string) int64 {
	if r.re.RightToLeft() {
		return int64(length(s))
	}
	return 0
}

func checkMost(count int64) {
	if count < -1 {
		clr.ThrowRange("count", "Count cannot be less than -1.")
	}
}

// replace replaces up to count matches from start on; -1 stands for all.
func (r *Regex) replace(f F, s string, count, start int64, with func(m *match1) string) V {
	checkMost(count)
	if count == 0 {
		return clr.String(s)
	}
	m := r.findFrom(f, s, start)
	x, left := m.x, r.re.RightToLeft()
	at := x.begin(left)
	var parts []string
	r.rest(f, m, func(m *match1) bool {
		parts = append(parts, x.between(&at, m, left))
		by := with(m)
		f.Alloc(len(by))
		parts = append(parts, by)
		count--
		return count != 0
	})
	if left {
		parts = append(parts, x.cut(0, at))
		slices.Reverse(parts)
	} else {
		parts = append(parts, x.cut(at, len(x.u)))
	}
	return f.Str(strings.Join(parts, ""))
}

// split splits into up to count parts from start on; 0 stands for all.
func (r *Regex) split(f F, s string, count, start int64) V {
	if count < 0 {
		clr.ThrowRange("count", "Count cannot be less than -1.")
	}
	m := r.findFrom(f, s, start)
	x, left := m.x, r.re.RightToLeft()
	at := x.begin(left)
	var out []string
	if count != 1 {
		r.rest(f, m, func(m *match1) bool {
			out = append(out, x.between(&at, m, left))
			for i, g := range m.m.Groups() {
				if i > 0 && len(g.Captures) > 0 {
					out = append(out, x.text(&g.Capture))
				}
			}
			count--
			return count != 1
		})
	}
	f.Alloc(24 * len(out))
	if left {
		out = append(out, x.cut(0, at))
		slices.Reverse(out)
		return clr.Strings(out)
	}
	return clr.Strings(append(out, x.cut(at, len(x.u))))
}

// regexFromRows are the members that take a start or a count.
func regexFromRows(re func(V) *Regex) []clr.Row {
	input := func(a []V) string { return text(a[1], "input") }
	expand := func(f F, by V) func(m *match1) string {
		t := text(by, "replacement")
		return func(m *match1) string { return m.expand(f, t) }
	}
	call := func(f F, by V) func(m *match1) string {
		fn := notNull(by, "evaluator")
		return func(m *match1) string { return f.Invoke(fn, clr.Object(m)).Str() }
	}
	rows := []clr.Row{
		R("bool IsMatch(string input, int startat)", func(f F, a []V) V { return clr.Bool(re(a[0]).findFrom(f, input(a), a[2].Int()).m != nil) }),
		R("Match Match(string input, int startat)", func(f F, a []V) V { return clr.Object(re(a[0]).findFrom(f, input(a), a[2].Int())) }),
		R("Match Match(string input, int beginning, int length)", func(f F, a []V) V { return clr.Object(re(a[0]).findPart(f, input(a), a[2].Int(), a[3].Int())) }),
		R("MatchCollection Matches(string input, int startat)", func(f F, a []V) V {
			var out []V
			re(a[0]).eachFrom(f, input(a), a[2].Int(), func(m *match1) bool { f.Alloc(128); out = append(out, clr.Object(m)); return true })
			return clr.Object(newResults("MatchCollection", out))
		}),
		R("string[] Split(string input, int count)", func(f F, a []V) V {
			s := input(a)
			return re(a[0]).split(f, s, a[2].Int(), re(a[0]).begin(s))
		}),
		R("string[] Split(string input, int count, int startat)", func(f F, a []V) V { return re(a[0]).split(f, input(a), a[2].Int(), a[3].Int()) }),
	}
	for _, param := range []string{"string replacement", "MatchEvaluator evaluator"} {
		with := expand
		if strings.HasPrefix(param, "MatchEvaluator") {
			with = call
		}
		rows = append(rows,
			R("string Replace(string input, "+param+", int count)", func(f F, a []V) V {
				s := input(a)
				return re(a[0]).replace(f, s, a[3].Int(), re(a[0]).begin(s), with(f, a[2]))
			}),
			R("string Replace(string input, "+param+", int count, int startat)", func(f F, a []V) V {
				return re(a[0]).replace(f, input(a), a[3].Int(), a[4].Int(), with(f, a[2]))
			}))
	}
	return rows
}

// findPart is the first match in a part of s, which looks like all of it to
// anchors and look-around.
func (r *Regex) findPart(f F, s string, from, n int64) *match1 {
	all := int64(length(s))
	if from < 0 || from > all {
		clr.ThrowRange("beginning", "Start index cannot be less than 0 or greater than input length.")
	}
	if n < 0 || n > all-from {
		clr.ThrowRange("length", "Length cannot be less than 0 or exceed input length.")
	}
	m := r.find(f, cut(s, int(from), int(n)))
	m.x.base = int(from)
	return m
}

func regexDecls() []clr.Decl {
	const ns = "System.Text.RegularExpressions."
	re := func(v V) *Regex { return v.Ref().(*Regex) }
	rows := []clr.Row{
		R("new(string pattern)", func(f F, a []V) V { return clr.Object(newRegex(f, text(a[0], "pattern"), 0)) }),
		R("new(string pattern, RegexOptions options)", func(f F, a []V) V { return clr.Object(newRegex(f, text(a[0], "pattern"), a[1].Int())) }),
		R("new(string pattern, RegexOptions options, TimeSpan matchTimeout)", func(f F, a []V) V {
			r := newRegex(f, text(a[0], "pattern"), a[1].Int())
			if a[2].Int() > 0 {
				r.re.MatchTimeout = min(r.re.MatchTimeout, time.Duration(a[2].Int())*100)
			}
			return clr.Object(r)
		}),
		R("static string Unescape(string str)", func(f F, a []V) V {
			s, err := regexp2.Unescape(text(a[0], "str"))
			if err != nil {
				clr.Throw(clr.ExArgument, "Invalid pattern '"+a[0].Str()+"'.")
			}
			return f.Str(s)
		}),
	}
	// Each operation exists on an instance, and static with pattern and options.
	op := func(ret, name, params string, n int, fn func(f F, r *Regex, s string, rest []V) V) {
		rest := params
		if rest != "" {
			rest = ", " + rest
		}
		input := func(a V) string { return text(a, "input") }
		rows = append(rows,
			R(ret+" "+name+"(string input"+rest+")", func(f F, a []V) V { return fn(f, re(a[0]), input(a[1]), a[2:]) }),
			R("static "+ret+" "+name+"(string input, string pattern"+rest+")", func(f F, a []V) V {
				s := input(a[0])
				return fn(f, newRegex(f, text(a[1], "pattern"), 0), s, a[2:])
			}),
			R("static "+ret+" "+name+"(string input, string pattern"+rest+", RegexOptions options)", func(f F, a []V) V {
				s := input(a[0])
				return fn(f, newRegex(f, text(a[1], "pattern"), a[2+n].Int()), s, a[2:2+n])
			}),
			R("static "+ret+" "+name+"(string input, string pattern"+rest+", RegexOptions options, TimeSpan matchTimeout)", func(f F, a []V) V {
				s := input(a[0])
				return fn(f, newRegex(f, text(a[1], "pattern"), a[2+n].Int()), s, a[2:2+n])
			}),
		)
	}
	op("bool", "IsMatch", "", 0, func(f F, r *Regex, s string, _ []V) V { return clr.Bool(r.isMatch(f, s)) })
	op("Match", "Match", "", 0, func(f F, r *Regex, s string, _ []V) V { return clr.Object(r.find(f, s)) })
	op("MatchCollection", "Matches", "", 0, func(f F, r *Regex, s string, _ []V) V {
		var out []V
		r.each(f, s, func(m *match1) bool { f.Alloc(128); out = append(out, clr.Object(m)); return true })
		return clr.Object(newResults("MatchCollection", out))
	})
	op("string", "Replace", "string replacement", 1, func(f F, r *Regex, s string, rest []V) V {
		by := text(rest[0], "replacement")
		return r.replace(f, s, -1, r.begin(s), func(m *match1) string { return m.expand(f, by) })
	})
	op("string", "Replace", "MatchEvaluator evaluator", 1, func(f F, r *Regex, s string, rest []V) V {
		fn := notNull(rest[0], "evaluator")
		return r.replace(f, s, -1, r.begin(s), func(m *match1) string { return f.Invoke(fn, clr.Object(m)).Str() })
	})
	op("string[]", "Split", "", 0, func(f F, r *Regex, s string, _ []V) V { return r.split(f, s, 0, r.begin(s)) })
	rows = append(rows, regexFromRows(re)...)
	item := func(_ F, a []V) V {
		r := a[0].Ref().(*results)
		if a[1].IsString() {
			if r.m != nil && r.m.m != nil {
				if g := r.m.m.GroupByName(a[1].Str()); g != nil {
					return clr.Object(&group1{g: g, x: r.m.x})
				}
			}
			return clr.Object(&group1{})
		}
		i := a[1].Int()
		if i < 0 || i >= int64(len(r.V)) {
			if r.m != nil {
				return clr.Object(&group1{})
			}
			clr.ThrowRange("i", "Specified argument was out of the range of valid values.")
		}
		return r.V[i]
	}
	return []clr.Decl{
		D("flags enum " + ns + "RegexOptions { None = 0, IgnoreCase = 1, Multiline = 2, ExplicitCapture = 4, Compiled = 8, Singleline = 16, IgnorePatternWhitespace = 32, RightToLeft = 64, ECMAScript = 256, CultureInvariant = 512 }"),
		{Sig: "delegate string " + ns + "MatchEvaluator(Match match)"},
		{Sig: "class " + ns + "Capture", Access: clr.AccessListed, Rows: []clr.Row{
			R("int Index", func(_ F, a []V) V { return clr.Int(subjectOf(a[0]).index(captureOf(a[0]))) }),
			R("int Length", func(_ F, a []V) V { return clr.Int(captureOf(a[0]).Length) }),
			R("string Value", func(_ F, a []V) V { return clr.String(subjectOf(a[0]).text(captureOf(a[0]))) }),
			R("string ToString()", toStringRow),
		}},
		{Sig: "class " + ns + "Group : Capture", Access: clr.AccessListed, Refused: "Name Synchronized", Rows: []clr.Row{
			R("bool Success", func(_ F, a []V) V {
				switch o := a[0].Ref().(type) {
				case *match1:
					return clr.Bool(o.m != nil)
				case *group1:
					return clr.Bool(o.g != nil && len(o.g.Captures) > 0)
				}
				return clr.Bool(false)
			}),
			R("CaptureCollection Captures", func(_ F, a []V) V {
				var out []V
				var g *regexp2.Group
				switch o := a[0].Ref().(type) {
				case *match1:
					if o.m != nil {
						g = &o.m.Group
					}
				case *group1:
					g = o.g
				}
				if g != nil {
					for i := range g.Captures {
						out = append(out, clr.Object(&group1{c: &g.Captures[i], x: subjectOf(a[0])}))
					}
				}
				return clr.Object(newResults("CaptureCollection", out))
			}),
		}},
		{Sig: "class " + ns + "Match : Group", Access: clr.AccessListed, Refused: "NextMatch Synchronized", Rows: []clr.Row{
			R("static Match Empty", func(F, []V) V { return clr.Object(&match1{}) }),
			R("GroupCollection Groups", func(_ F, a []V) V { return a[0].Ref().(*match1).groups() }),
			R("string Result(string replacement)", func(f F, a []V) V {
				m := a[0].Ref().(*match1)
				if m.m == nil {
					clr.Throw(clr.ExNotSupported, "Result cannot be called on a failed Match.")
				}
				return f.Str(m.expand(f, text(a[1], "replacement")))
			}),
		}},
		{Sig: "class " + ns + "MatchCollection : IEnumerable<Match>", Rows: []clr.Row{R("int Count", countRow), R("Match this[int i]", item)}},
		{Sig: "class " + ns + "GroupCollection : IEnumerable<Group>", Access: clr.AccessListed, Rows: []clr.Row{R("int Count", countRow), R("Group this[int groupnum]", item), R("Group this[string groupname]", item)}},
		{Sig: "class " + ns + "CaptureCollection : IEnumerable<Capture>", Access: clr.AccessListed, Rows: []clr.Row{R("int Count", countRow), R("Capture this[int i]", item)}},
		{Sig: "class " + ns + "Regex", Access: clr.AccessListed, Refused: "Escape CompileToAssembly GetGroupNames GetGroupNumbers GroupNameFromNumber GroupNumberFromName Options MatchTimeout CacheSize RightToLeft", Rows: rows},
	}
}
