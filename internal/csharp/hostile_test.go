package csharp_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/apim"
	"github.com/portico-dev/portico/internal/csharp/clr"
)

func options() csharp.Options {
	return csharp.Options{Types: apim.Universe(), Context: apim.ContextType()}
}

// hostileReasons are the exact errors of those that can end in one way only.
var hostileReasons = map[string]string{
	"endless while":    "expression exceeded its step budget",
	"endless for":      "expression exceeded its step budget",
	"endless do":       "expression exceeded its step budget",
	"endless sequence": "expression exceeded its step budget",
	"catching":         "expression exceeded its step budget",
	"goto loop":        "expression exceeded its step budget",
	"finally loop":     "expression exceeded its step budget",
	"when filter":      "expression exceeded its step budget",
	"builder length":   "expression exceeded its step budget",
	"builder index":    "expression exceeded its step budget",
	"builder part":     "expression exceeded its step budget",
	"cartesian":        "expression exceeded its step budget",
	"huge repeat":      "expression exceeded its memory budget",
	"huge array":       "expression exceeded its memory budget",
	"huge matrix":      "expression exceeded its memory budget",
	"pad":              "expression exceeded its memory budget",
	"replace growth":   "expression exceeded its memory budget",
	"join growth":      "expression exceeded its memory budget",
	"recursion":        "expression calls itself too deeply",
	"lambda recursion": "expression calls itself too deeply",
	"mutual recursion": "expression calls itself too deeply",
	"recursive throw":  "expression calls itself too deeply",
}

// hostileSources would not end or would fill memory.
var hostileSources = map[string]string{
	"endless while":    `{ while (true) { } }`,
	"endless for":      `{ for (;;) { } }`,
	"endless do":       `{ int i = 0; do { i++; } while (i != -1 || true); return i; }`,
	"doubling":         `{ var s = "x"; while (true) { s += s; } }`,
	"builder":          `{ var b = new StringBuilder("x"); while (true) { b.Append(b.ToString()); } }`,
	"list":             `{ var l = new List<string>(); while (true) { l.Add("a"); } }`,
	"catching":         `{ while (true) { try { int.Parse("x"); } catch { } } }`,
	"recursion":        `{ int F(int n) { return F(n + 1) + 1; } return F(0); }`,
	"lambda recursion": `{ Func<int, int> f = null; f = n => f(n + 1); return f(0); }`,
	"huge repeat":      `new string('x', 2147483647)`,
	"huge array":       `new byte[2147483647].Length`,
	"huge matrix":      `{ var m = new int[60000, 60000]; return m.Length; }`,
	"endless sequence": `Enumerable.Repeat(1, 2147483647).Select(x => x + 1).Count()`,
	"cartesian":        `(from a in Enumerable.Range(0, 100000) from b in Enumerable.Range(0, 100000) select a + b).Count()`,
	"pad":              `"a".PadLeft(2147483647)`,
	"format width":     `string.Format("{0,999999999}", 1)`,
	"replace growth":   `{ var s = "aaaaaaaa"; while (true) { s = s.Replace("a", "aaaaaaaa"); } }`,
	"goto loop":        `{ switch (1) { case 1: goto case 1; } return 1; }`,
	"json growth":      `{ var j = new JArray(); while (true) { j.Add(j); } }`,
	"finally loop":     `{ while (true) { try { continue; } finally { } } }`,
	"mutual recursion": `{ int F(int n) => G(n); int G(int n) => F(n); return F(0); }`,
	"recursive throw":  `{ int F() { try { return F(); } catch { return F(); } } return F(); }`,
	"when filter":      `{ bool W() { while (true) { } } try { throw new Exception(); } catch when (W()) { } return 1; }`,
	"aggregate":        `Enumerable.Range(0, 1000).Aggregate("x", (a, b) => a + a)`,
	"join growth":      `{ var s = "xxxxxxxx"; while (true) { s = string.Join(s, s, s); } }`,
	"concat arrays":    `{ var a = new[] { 1 }; while (true) { a = a.Concat(a).ToArray(); } }`,
	"jagged arrays":    `{ var l = new List<byte[]>(); while (true) { l.Add(new byte[1000000]); } }`,
	"base64":           `{ var b = new byte[1000]; while (true) { b = Encoding.UTF8.GetBytes(Convert.ToBase64String(b)); } }`,
	"interpolation":    `{ var s = "x"; while (true) { s = $"{s}{s}"; } }`,
	"builder length":   `{ var b = new StringBuilder("é", 10); b.Append('x', 1000000); while (true) { var n = b.Length; } }`,
	"builder index":    `{ var b = new StringBuilder("é", 10); b.Append('x', 1000000); while (true) { var c = b[5]; } }`,
	"builder part":     `{ var b = new StringBuilder(new string('x', 1000000)); while (true) { var c = b.ToString(0, 0); } }`,
	"insert":           `{ var b = new StringBuilder(); while (true) { b.Insert(0, "0123456789"); } }`,
	"long add":         `{ var b = new StringBuilder("x", 10); while (true) { b.Append('x', 1000000); } }`,
	"order":            `{ while (true) { Enumerable.Range(0, 1000).OrderBy(x => -x).ToArray(); } }`,
	"dictionary":       `{ var d = new Dictionary<int, string>(); int i = 0; while (true) { d[i++] = "x"; } }`,
	"xml growth":       `{ var x = new XElement("a"); while (true) { x.Add(new XElement("b")); } }`,
	"json depth":       `JToken.Parse(new string('[', 1000000))`,
	"xml depth":        `XElement.Parse(string.Concat(Enumerable.Repeat("<a>", 200000)))`,
	"regex replace":    `{ var s = "a"; while (true) { s = Regex.Replace(s, "a", "aa"); } }`,
	"hashing":          `{ var h = SHA256.Create(); var b = new byte[1000000]; while (true) { h.ComputeHash(b); } }`,
	"self invocation":  `{ Func<object, object> f = null; f = x => f(new[] { x }); return f(1); }`,
	"xpath":            `{ var d = new XmlDocument(); d.LoadXml("<a>" + string.Concat(Enumerable.Repeat("<b/>", 1000)) + "</a>"); return d.SelectNodes("//*[//*[//*[//*=//*]]]").Count; }`,
	"xpath text":       `{ var x = new XElement("a"); for (int i = 0; i < 1000; i++) x.Add(new XText("aaaaaaaaaaaaaaaa"), new XElement("b")); return System.Xml.XPath.Extensions.XPathEvaluate(x, "count(.//b[contains(/, 'c') or contains(string(/), 'd')])"); }`,
	"self concat":      `{ IEnumerable<int> q = new[] { 1 }; for (int i = 0; i < 100000; i++) { q = q.Concat(new[] { 1 }); } return q.Count(); }`,
}

// TestHostile runs hostile sources: each must stop with an error of the budget.
func TestHostile(t *testing.T) {
	t.Parallel()
	for name, src := range hostileSources {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, errs := csharp.Compile(src, options())
			if errs != nil {
				t.Fatal(errs)
			}
			f := csharp.NewFrame(context.Background(), newExchange())
			defer f.Release()
			f.Budget = csharp.Budget{Steps: 200_000, Memory: 16 << 20}
			_, err := p.Run(f)
			var stop *csharp.Stop
			var ex *csharp.Exception
			if !errors.As(err, &stop) && !errors.As(err, &ex) {
				t.Fatalf("%s: got %v, want a stop", src, err)
			}
			if want := hostileReasons[name]; want != "" && err.Error() != want {
				t.Fatalf("%s: got %v, want %s", src, err, want)
			}
		})
	}
}

func TestHostileSources_AreRefused(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"parentheses": strings.Repeat("(", 100000) + "1" + strings.Repeat(")", 100000),
		"blocks":      strings.Repeat("{", 50000),
		"unary":       strings.Repeat("!", 100000) + "true",
		"chain":       strings.Repeat("1+", 100000) + "1",
		"members":     "context" + strings.Repeat(".a", 100000),
		"ternary":     strings.Repeat("true ? 1 : ", 50000) + "1",
		"lambdas":     strings.Repeat("x => ", 50000) + "1",
		"generics":    strings.Repeat("List<", 50000) + "int",
		"huge":        strings.Repeat("\"aaaaaaaaa\" + ", 200000) + "1",
		"interp":      strings.Repeat(`$"{`, 5000) + "1" + strings.Repeat(`}"`, 5000),
		"bad bytes":   strings.Repeat("\xff", 1<<20),
		"bad signs":   strings.Repeat("#", 1<<20),
		"number":      strings.Repeat("9", 100000),
	} {
		if _, errs := csharp.Compile(src, options()); len(errs) == 0 {
			t.Errorf("%s: compiled, want a refusal", name)
		}
	}
}

// numbered repeats a text, in which # is the number of the repetition.
func numbered(text string, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(text, "#", strconv.Itoa(i)))
	}
	return b.String()
}

// TestSourcesThatExplode_AreRefused compiles sources whose types, lambdas or
// trials of the parser grow far faster than they do. Without their bounds most
// would take hours or all memory.
func TestSourcesThatExplode_AreRefused(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"tuples of tuples":    `{ var a = (1, 1); ` + doubling("a", "(#, #)") + `return 1; }`,
		"compared tuples":     `{ var a = (1, 1); var b = (1, 1); ` + doubling("a", "(#, #)") + doubling("b", "(#, #)") + `return a39 == b39; }`,
		"anonymous types":     `{ var a = new { x = 1, y = 1 }; ` + doubling("a", "new { x = #, y = # }") + `int q = a39; return 1; }`,
		"arrays of arrays":    `typeof(int` + strings.Repeat("[]", 100_000) + `)`,
		"dotted type":         `typeof(a` + strings.Repeat(".a", 100_000) + `)`,
		"lambdas that fit":    `{ var a = new[] { 1 }; return ` + strings.Repeat("a.Where(delegate { return ", 40) + "true" + strings.Repeat("; }).Any()", 40) + `; }`,
		"jumps back":          "{ " + backward(30) + "return 1; }",
		"range variables":     "from a in new[] { 1 } " + numbered("from a# in new[] { 1 } ", 2000) + "select a",
		"let clauses":         "from a in new[] { 1 } " + numbered("let a# = a ", 2000) + "select a",
		"tuple in casts":      strings.Repeat("(", 200) + strings.Repeat("a,", 20_000) + "a" + strings.Repeat(")", 200),
		"type arguments":      strings.Repeat("a<", 3900) + "1",
		"bad arguments":       "string.Concat(" + strings.Repeat("a<b<c<d, ", 50_000) + "1)",
		"distinct elements":   "new[] { " + strings.Repeat("null, ", 5_000) + numbered("new { a# = 1 }, ", 5_000) + "1 }",
		"constants that grow": "\"" + strings.Repeat("x", 50_000) + "\"" + strings.Repeat(` + "a"`, 3900),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, errs := csharp.Compile(src, options())
			complex := func(e *csharp.Error) bool {
				return e.Code == "CS8078" && e.Message == "An expression is too long or complex to compile"
			}
			if !slices.ContainsFunc(errs, complex) {
				t.Errorf("got %v, want CS8078", errs)
			}
		})
	}
}

// backward nests lambdas that each jump back, so that each is walked twice.
func backward(n int) string {
	s := "return 1;"
	for i := range n {
		k := strconv.Itoa(i)
		s = "Func<int> f" + k + " = () => { a" + k + ": ; if (context.Tracing) goto a" + k + "; " + s + " return 1; };"
	}
	return s
}

// doubling declares name0 to name39, each by its value twice.
func doubling(name, value string) string {
	var b strings.Builder
	last := name
	for i := range 40 {
		next := name + strconv.Itoa(i)
		b.WriteString("var " + next + " = " + strings.ReplaceAll(value, "#", last) + "; ")
		last = next
	}
	return b.String()
}

// TestLongSources_Compile compiles what is long, and nothing else: work must grow
// with the source and no faster.
func TestLongSources_Compile(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"variables":   "{ " + numbered("int a# = 1; if (a# == 1) { } ", 3000) + "return a2999; }",
		"captured":    "{ " + numbered("int a# = 1; ", 2000) + "Func<int> f = () => 0" + numbered(" + a#", 2000) + "; return f(); }",
		"labels":      "{ switch (1) { " + numbered("case #: goto case #; ", 5000) + "default: return 1; } }",
		"text labels": `{ switch ("") { ` + numbered(`case "#": break; `, 5000) + "} return 1; }",
		"texts":       `{ var s = ""; return ` + strings.Repeat("(", 50) + "s" + strings.Repeat(strings.Repeat(" + s", 200)+")", 50) + "; }",
		"holes":       `$"` + strings.Repeat(`{"abc"}`, 10_000) + `"`,
		"elements":    "new[] { " + strings.Repeat("1, ", 20_000) + "1 }",
		"gotos":       "{ " + numbered("a#: ; if (context.Tracing) goto a#; ", 3000) + "return 1; }",
		"returns":     "{ " + strings.Repeat("while (context.Tracing) { return 1; } ", 5000) + "return 1; }",
		"functions":   "{ " + numbered("int f#() => f0(); ", 3000) + "return 1; }",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, errs := csharp.Compile(src, options()); errs != nil {
				t.Error(errs)
			}
		})
	}
}

func TestErrors_AreAtMostFifty(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		"string.Concat(" + numbered("a#, ", 20_000) + "1)",
		"{ " + strings.Repeat("int x = ; ", 20_000) + "}",
		"{ " + numbered(`int x# = ""; `, 20_000) + "return 1; }",
		"{ " + numbered(`Func<int> f# = () => x#; `, 5_000) + "return 1; }",
	} {
		if _, errs := csharp.Compile(src, options()); len(errs) != 50 {
			t.Errorf("%.30s: %d findings, want 50", src, len(errs))
		}
	}
}

// TestConstants_HaveABudget leaves calls to the evaluation whose values would
// fill the memory of whoever compiles.
func TestConstants_HaveABudget(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]bool{
		`"".PadLeft(5)`:       true,
		`"".PadLeft(5000000)`: false,
		`"" + "".PadLeft(3000000).Length + "".PadLeft(3000000).Length`: false,
	} {
		p, errs := csharp.Compile(src, options())
		if errs != nil {
			t.Fatal(errs)
		}
		if _, got := p.Constant(); got != want {
			t.Errorf("%s: constant is %t, want %t", src, got, want)
		}
	}
}

func TestRegexBomb_TimesOut(t *testing.T) {
	t.Parallel()
	p, errs := csharp.Compile(`Regex.IsMatch(new string('a', 40) + "b", "^(a+)+$")`, options())
	if errs != nil {
		t.Fatal(errs)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	f := csharp.NewFrame(ctx, newExchange())
	defer f.Release()
	_, err := p.Run(f)
	var ex *csharp.Exception
	if !errors.As(err, &ex) || ex.Type.Name != "RegexMatchTimeoutException" {
		t.Fatalf("got %v, want RegexMatchTimeoutException", err)
	}
}

func TestRun_StopsWithItsContext(t *testing.T) {
	t.Parallel()
	p, errs := csharp.Compile(`{ try { while (true) { } } catch { return 1; } }`, options())
	if errs != nil {
		t.Fatal(errs)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f := csharp.NewFrame(ctx, newExchange())
	defer f.Release()
	if _, err := p.Run(f); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want %v", err, context.Canceled)
	}
}

func TestRun_SharesProgramsBetweenGoroutines(t *testing.T) {
	t.Parallel()
	p, errs := csharp.Compile(`{ var s = 0; foreach (var x in Enumerable.Range(0, 100)) { Func<int> g = () => s + x; s = g(); } return s; }`, options())
	if errs != nil {
		t.Fatal(errs)
	}
	done := make(chan error)
	for range 8 {
		go func() {
			var err error
			for range 50 {
				f := csharp.NewFrame(context.Background(), newExchange())
				v, e := p.Run(f)
				f.Release()
				if e != nil || v.Int() != 4950 {
					err = errors.Join(e, errors.New("wrong sum"))
				}
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	runtime.KeepAlive(p)
}

func TestCompile_ChecksTheWantedResult(t *testing.T) {
	t.Parallel()
	opt := options()
	opt.Result = clr.Boolean
	if _, errs := csharp.Compile(`"a"`, opt); len(errs) != 1 || errs[0].Code != "CS0029" {
		t.Errorf("got %v, want CS0029", errs)
	}
	if _, errs := csharp.Compile(`context.Request.Method == "GET"`, opt); errs != nil {
		t.Error(errs)
	}
}

func TestCompileMarked_CountsFromTheMark(t *testing.T) {
	t.Parallel()
	opt := options()
	opt.Line, opt.Col = 10, 21
	_, errs := csharp.CompileMarked(`@(foo)`, opt)
	if len(errs) != 1 || errs[0].Line != 10 || errs[0].Col != 23 {
		t.Errorf("got %v, want a finding at 10,23", errs)
	}
}

func TestErrors_AreReportedTogether(t *testing.T) {
	t.Parallel()
	_, errs := csharp.Compile("{\n  int a = \"x\";\n  foo();\n  return bar;\n}", options())
	var got []string
	for _, e := range errs {
		got = append(got, itoa(e.Line)+" "+e.Code)
	}
	if want := "2 CS0029,3 CS0103,4 CS0103"; strings.Join(got, ",") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// TestLoopsOverLongStrings: asking for length and characters costs a step each, whatever the length; walking calls cost
// steps by it.
func TestLoopsOverLongStrings(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("four million steps, which the race detector makes long and finds nothing in")
	}
	for _, c := range []struct{ name, source, want string }{
		{"ASCII", `{ var s = new string('a', 200000); var n = 0; for (var i = 0; i < s.Length; i++) { if (s[i] == 'a') n++; } return n; }`, "200000"},
		{"others", `{ var s = new string('é', 100000) + "€"; var n = 0; for (var i = 0; i < s.Length; i++) { if (s[i] == 'é') n++; } return n + s.Length; }`, "200001"},
		{"end", `{ var s = new string('a', 100); try { return s[100].ToString(); } catch (Exception e) { return e.Message; } }`, "Index was outside the bounds of the array."},
		{"walking", `{ var s = new string('a', 4000000); var n = 0; while (s.IndexOf('b') < 0) { n++; } return n; }`, "expression exceeded its step budget"},
	} {
		p, errs := csharp.Compile(c.source, options())
		if errs != nil {
			t.Fatal(c.name, errs)
		}
		f := csharp.NewFrame(t.Context(), nil)
		v, err := p.Run(f)
		got := ""
		if err != nil {
			got = err.Error()
		} else if got, err = f.Text(p, v); err != nil {
			t.Fatal(err)
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		f.Release()
	}
}
