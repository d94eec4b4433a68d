package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/policy"
)

// parse reads a good document or ends the test.
func parse(t testing.TB, text string, f policy.Format) *policy.Document {
	t.Helper()
	doc, findings := policy.Parse(text, f)
	if len(findings) > 0 {
		t.Fatalf("Parse(%q):\n%s", text, findings.Pretty())
	}
	return doc
}

// first reads a document with one inbound statement and gives that.
func first(t testing.TB, statement string, f policy.Format) *policy.Statement {
	t.Helper()
	return parse(t, "<policies><inbound>"+statement+"</inbound></policies>", f).Section(policy.Inbound).Children[0]
}

func TestParse_ExpressionsInAttributes(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, written string // the attribute with its quotes
		format        policy.Format
		want          string // source; "" when it is a literal
	}{
		{"raw quotes", `"@(a["x"] + ")")"`, policy.RawXML, `@(a["x"] + ")")`},
		{"raw markup", `"@(a < b && c > d)"`, policy.RawXML, `@(a < b && c > d)`},
		{"raw end tag", `"@("</inbound>")"`, policy.RawXML, `@("</inbound>")`},
		{"single quotes outside", `'@(a["x"])'`, policy.RawXML, `@(a["x"])`},
		{"char literals", `"@(a('"', '\'', ')'))"`, policy.RawXML, `@(a('"', '\'', ')'))`},
		{"escapes", `"@("\")" + "\\")"`, policy.RawXML, `@("\")" + "\\")`},
		{"verbatim", `"@(@"a\"")" + @"
)")"`, policy.RawXML, `@(@"a\"")" + @"
)")`},
		{"interpolated", `"@($"{a["x)"]}){{(}}")"`, policy.RawXML, `@($"{a["x)"]}){{(}}")`},
		{"nested holes", `"@($"{$"{b[")"]}"}")"`, policy.RawXML, `@($"{$"{b[")"]}"}")`},
		{"verbatim interpolated", `"@($@"\{a}"")" + @$"")"`, policy.RawXML, `@($@"\{a}"")" + @$"")`},
		{"comments", "\"@{ // it's )}\n /* \" } */ return a / b; }\"", policy.RawXML, "@{ // it's )}\n /* \" } */ return a / b; }"},
		{"white space around", "\"\n  @(a)  \"", policy.RawXML, `@(a)`},
		{"escaped in rawxml", `"@(a == &quot;(&quot; &amp;&amp; b &lt; 1)"`, policy.RawXML, `@(a == "(" && b < 1)`},
		{"partly escaped in rawxml", `"@(a["x"] &gt; 1)"`, policy.RawXML, `@(a["x"] > 1)`},
		{"references in a raw string stay", `"@(a.Replace("&", "&amp;"))"`, policy.RawXML, `@(a.Replace("&", "&amp;"))`},
		{"escaped", `"@(a == &quot;&amp;amp;(&quot; &#38;&#x26; b &lt; 1)"`, policy.XML, `@(a == "&amp;(" && b < 1)`},
		{"not the whole value", `"Call @(a)"`, policy.RawXML, ``},
		{"just an at sign", `"@"`, policy.RawXML, ``},
		{"at word", `"@name"`, policy.XML, ``},
		{"named value inside", `"@({{n}} + "{{s}}")"`, policy.RawXML, `@({{n}} + "{{s}}")`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := first(t, `<set-variable name="a" value=`+c.written+` id="last" />`, c.format)
			a := s.Attribute("value")
			got := ""
			if a.Expr != nil {
				got = a.Expr.Source
				if a.Value != got {
					t.Errorf("Value = %q, want the source %q", a.Value, got)
				}
			}
			if got != c.want {
				t.Errorf("%s: source = %q, want %q", c.written, got, c.want)
			}
			if s.Attr("id") != "last" {
				t.Errorf("%s: the attribute behind it was not read: %+v", c.written, s.Attrs)
			}
		})
	}
}

func TestParse_Text(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, statement string
		format          policy.Format
		text            string
		expression      bool
	}{
		{"trimmed", "<set-method>\n GET </set-method>", policy.XML, "GET", false},
		{"decoded", "<set-method>&lt;a&gt; &amp; &#65;</set-method>", policy.XML, "<a> & A", false},
		{"cdata", "<set-method> a<![CDATA[ <b> ]]>c </set-method>", policy.XML, "a <b> c", false},
		{"comment between", "<set-method>G<!-- @(x) -->ET</set-method>", policy.RawXML, "GET", false},
		{"expression", "<set-method>\n @(a < b) \n</set-method>", policy.RawXML, "@(a < b)", true},
		{"block", "<set-method>@{ if (a) { return \"}\"; } return \"</set-method>\"; }</set-method>", policy.RawXML, "@{ if (a) { return \"}\"; } return \"</set-method>\"; }", true},
		{"escaped expression", "<set-method>@(a &lt; b)</set-method>", policy.XML, "@(a < b)", true},
		{"escaped expression in rawxml", "<set-method>@(x.As&lt;string&gt;())</set-method>", policy.RawXML, "@(x.As<string>())", true},
		{"cdata expression", "<set-method> <![CDATA[ @(a < b && c) ]]> </set-method>", policy.XML, "@(a < b && c)", true},
		{"literal around", "<set-method>a @(b)</set-method>", policy.RawXML, "a @(b)", false},
		{"body verbatim", "<set-body>\n  a &amp; b\n</set-body>", policy.XML, "\n  a & b\n", false},
		{"body blank", "<set-body>\n  </set-body>", policy.XML, "", false},
		{"body cdata", "<set-body><![CDATA[\n]]></set-body>", policy.XML, "\n", false},
		{"body markup", "<set-body>\n<a b='1'>&amp;@(x)<!-- y --></a> </set-body>", policy.XML, "\n<a b='1'>&amp;@(x)<!-- y --></a> ", false},
		{"body expression", "<set-body>\n  @(a)\n</set-body>", policy.RawXML, "@(a)", true},
		{"body json", `<set-body>{"a": "@(b)"}</set-body>`, policy.RawXML, `{"a": "@(b)"}`, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := first(t, c.statement, c.format)
			if s.Text != c.text || (s.TextExpr != nil) != c.expression || len(s.Children) != 0 {
				t.Errorf("%s: text %q, expression %t, %d children; want %q, %t, 0",
					c.statement, s.Text, s.TextExpr != nil, len(s.Children), c.text, c.expression)
			}
		})
	}
}

func TestParse_PositionsAndPaths(t *testing.T) {
	t.Parallel()
	doc := parse(t, "\uFEFF<policies>\r\n"+
		"  <inbound><é>ü</é>\r"+
		"    <choose>\n"+
		"      <when condition='@(&quot;é&quot; + b)' />\n"+
		"      <when condition=\"true\"><set-method>\n\t@(x)</set-method><set-method /></when>\n"+
		"    </choose><choose /></inbound></policies>", policy.RawXML)
	inbound := doc.Section(policy.Inbound)
	choose := inbound.Elements("choose")[0]
	when := choose.Elements("when")
	condition := when[0].Attribute("condition")
	got := map[string]any{
		"policies":       doc.Root.Position,
		"é":              inbound.Child("é").Position,
		"choose":         choose.Position,
		"condition":      condition.Position,
		"condition at":   condition.ValuePos,
		"expression":     condition.Expr.Position,
		"b in it":        condition.Expr.At(strings.Index(condition.Expr.Source, "b")),
		"end of it":      condition.Expr.At(1 << 20),
		"text":           when[1].Child("set-method").TextExpr.Position,
		"path":           when[1].Elements("set-method")[1].Path,
		"section's path": inbound.Path,
		"second choose":  inbound.Elements("choose")[1].Path,
	}
	want := map[string]any{
		"policies":       policy.Position{Line: 1, Column: 2},
		"é":              policy.Position{Line: 2, Column: 13},
		"choose":         policy.Position{Line: 3, Column: 6},
		"condition":      policy.Position{Line: 4, Column: 13},
		"condition at":   policy.Position{Line: 4, Column: 24},
		"expression":     policy.Position{Line: 4, Column: 24},
		"b in it":        policy.Position{Line: 4, Column: 42},
		"end of it":      policy.Position{Line: 4, Column: 44},
		"text":           policy.Position{Line: 6, Column: 2},
		"path":           "choose[1]/when[2]/set-method[2]",
		"section's path": "",
		"second choose":  "choose[2]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestStatement_Lookups(t *testing.T) {
	t.Parallel()
	s := first(t, `<set-header name="A" id=""><value>1</value><value>2</value></set-header>`, policy.XML)
	if s.Attr("name") != "A" || s.Attr("none") != "" || !s.Has("id") || s.Has("none") || s.Attribute("none") != nil {
		t.Errorf("attributes: %+v", s.Attrs)
	}
	if s.Child("value").Text != "1" || s.Child("none") != nil || len(s.Elements("value")) != 2 || s.Elements("none") != nil {
		t.Errorf("children: %+v", s.Children)
	}
	var none *policy.Statement
	if none.Attr("a") != "" || none.Has("a") || none.Child("a") != nil || none.Elements("a") != nil {
		t.Error("a nil statement has something")
	}
	if got, want := s.Elements("value")[1].Source(), "<value>2</value>"; got != want {
		t.Errorf("Source() = %q, want %q", got, want)
	}
}

func TestReader_Bounds(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("<a>", 65) + strings.Repeat("</a>", 65)
	cases := []struct {
		name, text string
		reader     policy.Reader
		want       string
	}{
		{"bytes", strings.Repeat(" ", 256<<10+1), policy.Reader{}, "The document has 262145 bytes; at most 262144 are allowed."},
		{"own bytes", "<policies />", policy.Reader{MaxBytes: 5}, "The document has 12 bytes; at most 5 are allowed."},
		{"depth", deep, policy.Reader{}, "Elements are nested more than 64 deep."},
		{"attributes", `<policies a="" b="" c="" />`, policy.Reader{MaxAttrs: 2}, "An element can have at most 2 attributes."},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, findings := c.reader.Parse(c.text, policy.XML)
			if len(findings) != 1 || findings[0].Message != c.want {
				t.Errorf("findings %v, want %q", findings, c.want)
			}
		})
	}
	if _, findings := (policy.Reader{MaxFindings: 3}).Parse(strings.Repeat("&", 10)+strings.Repeat("</a>", 10), policy.XML); len(findings) != 3 {
		t.Errorf("%d findings, want 3", len(findings))
	}
	if _, findings := policy.Parse("<policies />", "yaml"); len(findings) != 1 {
		t.Errorf("unknown format: %v", findings)
	}
}

func TestDocument_TextConverts(t *testing.T) {
	t.Parallel()
	raw := `<policies>
  <!-- @(kept "as" <it> is) -->
  <inbound>
    <set-variable name="a" value="@(x["y"] < 1 && 'c' != z)" id='@literal' />
    <set-body> @{ return "<a>&amp;</a>"; } </set-body>
    <set-method><![CDATA[@(a < b)]]></set-method>
    <set-header name='@("it" + &apos;x&apos;)'><value>a &lt; b</value></set-header>
  </inbound>
</policies>`
	escaped := `<policies>
  <!-- @(kept "as" <it> is) -->
  <inbound>
    <set-variable name="a" value="@(x[&quot;y&quot;] &lt; 1 &amp;&amp; &apos;c&apos; != z)" id='@literal' />
    <set-body> @{ return "&lt;a&gt;&amp;amp;&lt;/a&gt;"; } </set-body>
    <set-method><![CDATA[@(a < b)]]></set-method>
    <set-header name='@(&quot;it&quot; + &apos;x&apos;)'><value>a &lt; b</value></set-header>
  </inbound>
</policies>`
	doc := parse(t, raw, policy.RawXML)
	if diff := cmp.Diff(raw, doc.Text(policy.RawXML)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(escaped, doc.Text(policy.XML)); diff != "" {
		t.Error(diff)
	}
	back := parse(t, escaped, policy.XML)
	if diff := cmp.Diff(outline(doc.Root), outline(back.Root)); diff != "" {
		t.Error(diff)
	}
	again := parse(t, back.Text(policy.RawXML), policy.RawXML)
	if diff := cmp.Diff(outline(doc.Root), outline(again.Root)); diff != "" {
		t.Error(diff)
	}
}

func TestDocument_TextKeepsWhatRawWouldMisread(t *testing.T) {
	t.Parallel()
	text := `<policies><inbound><set-variable name="a" value="@(a &amp;lt; b)" /></inbound></policies>`
	doc := parse(t, text, policy.XML)
	if got, want := doc.Section(policy.Inbound).Children[0].Attr("value"), "@(a &lt; b)"; got != want {
		t.Fatalf("value %q, want %q", got, want)
	}
	if diff := cmp.Diff(text, doc.Text(policy.RawXML)); diff != "" {
		t.Error(diff)
	}
}

func TestParseFragment(t *testing.T) {
	t.Parallel()
	doc, findings := policy.ParseFragment("<fragment>\n<set-variable name='a' value='b' /><base /><include-fragment fragment-id='x' /></fragment>", policy.RawXML)
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	if got := doc.Root.Children[0].Path; got != "set-variable[1]" {
		t.Errorf("path %q", got)
	}
	want := "Error in element 'base' on line 2, column 37: The element 'fragment' has invalid child element 'base'.\n" +
		"Error in element 'include-fragment' on line 2, column 45: Policy is not allowed in a policy fragment"
	if diff := cmp.Diff(want, doc.Check(policy.CheckOptions{}).Error()); diff != "" {
		t.Error(diff)
	}
	if _, findings := policy.ParseFragment("<policies />", policy.XML); len(findings) != 1 {
		t.Errorf("a policy as a fragment: %v", findings)
	}
}

func TestFindings_Err(t *testing.T) {
	t.Parallel()
	if err := (policy.Findings{}).Err(); err != nil {
		t.Errorf("no findings: %v", err)
	}
	f := policy.Finding{Element: "a", Line: 2, Column: 3, Message: "Odd."}
	if got, want := (policy.Findings{f, f}).Err().Error(), "Error in element 'a' on line 2, column 3: Odd.\nError in element 'a' on line 2, column 3: Odd."; got != want {
		t.Errorf("got %q", got)
	}
	if got, want := f.Pretty(), "2:3: a: Odd."; got != want {
		t.Errorf("Pretty() = %q, want %q", got, want)
	}
}

func TestFinding_SnippetOfALongLine(t *testing.T) {
	t.Parallel()
	text := "<policies><inbound>" + strings.Repeat(" ", 200) + "<nope/>" + strings.Repeat(" ", 200) + "</inbound></policies>"
	f := parse(t, text, policy.XML).Check(policy.CheckOptions{})[0]
	if got := f.Snippet[f.Caret : f.Caret+4]; len(f.Snippet) != 120 || got != "nope" {
		t.Errorf("snippet of %d characters, caret at %q", len(f.Snippet), got)
	}
}

func TestDefaultGlobal(t *testing.T) {
	t.Parallel()
	doc := parse(t, policy.DefaultGlobal, policy.RawXML)
	if findings := doc.Check(policy.CheckOptions{Scope: policy.Global}); len(findings) > 0 {
		t.Error(findings)
	}
	for _, name := range policy.AllSections() {
		if doc.Section(name) == nil {
			t.Errorf("no section %s", name)
		}
	}
}
