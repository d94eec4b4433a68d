package expression_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/expression"
	"github.com/portico-dev/portico/internal/policy"
)

// read gives the expression of a set-variable in a document.
func read(t *testing.T, format policy.Format, xml string, named map[string]string) *policy.Expression {
	t.Helper()
	doc, findings := policy.ParseSource(policy.NewSource(xml, func(n string) (string, bool) { v, ok := named[n]; return v, ok }), format)
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return doc.Section(policy.Inbound).Children[0].Attribute("value").Expr
}

const around = `<policies><inbound><set-variable name="v" value="%s" /></inbound></policies>`

func TestCompile_WantedTypes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		source string
		want   policy.Type
		fails  string
	}{
		{`@(1 == 1)`, policy.Bool, ""},
		{`@("true")`, policy.Bool, "Cannot implicitly convert type 'string' to 'bool'"},
		{`@(context.Variables["x"])`, policy.Bool, "Cannot implicitly convert type 'object' to 'bool'. An explicit conversion exists (are you missing a cast?)"},
		{`@((bool)context.Variables["x"])`, policy.Bool, ""},
		{`@(5)`, policy.String, ""},
		{`@(5)`, policy.Int, ""},
		{`@("5")`, policy.Int, ""},
		{`@(null)`, policy.String, ""},
		{`@((int?)null)`, policy.String, ""},
		{`@(context.Variables["x"])`, policy.String, ""},
		{`@(context.Request.Url.ToUri())`, policy.String, ""},
		{`@(StringComparison.Ordinal)`, policy.String, ""},
		{`@(JObject.Parse("{}")["a"])`, policy.String, ""},
		{`@(new byte[2])`, policy.Bytes, ""},
		{`@("text")`, policy.Bytes, "Cannot implicitly convert type 'string' to 'byte[]'"},
		{`@(new List<int>())`, policy.String, "Cannot implicitly convert type 'List<int>' to 'string'"},
		{`@(new List<int>())`, policy.Any, ""},
		{`@(context.Trace("x"))`, policy.Any, "Cannot implicitly convert type 'void' to 'object'"},
		{`@{ context.Trace("x"); }`, policy.Any, "not all code paths return a value"},
	} {
		e := read(t, policy.RawXML, fmt.Sprintf(around, c.source), nil)
		p, findings := expression.Compile(e, c.want)
		got := ""
		if len(findings) > 0 {
			got = findings[0].Message
		}
		if !strings.HasPrefix(got, c.fails) || (got == "") != (c.fails == "") || (p == nil) != (got != "") {
			t.Errorf("%s for %s:\n got %q\nwant %q", c.source, c.want, got, c.fails)
		}
	}
}

func TestCompile_TellsEveryErrorAtItsPlace(t *testing.T) {
	t.Parallel()
	const raw = "<policies><inbound><set-variable name=\"v\" value=\"@{\n  var a = nope;\n  return gone + \"&amp;\";\n}\" /></inbound></policies>"
	const escaped = "<policies><inbound><set-variable name=\"v\" value=\"@{\n  var a = nope;\n  return &quot;&quot; + gone;\n}\" /></inbound></policies>"
	for _, c := range []struct {
		format policy.Format
		text   string
		want   []string
	}{
		{policy.RawXML, raw, []string{"2:11 The name 'nope' does not exist in the current context", "3:10 The name 'gone' does not exist in the current context"}},
		{policy.XML, escaped, []string{"2:11 The name 'nope' does not exist in the current context", "3:25 The name 'gone' does not exist in the current context"}},
	} {
		var got []string
		for _, f := range expression.Check(read(t, c.format, c.text, nil), policy.Any) {
			got = append(got, fmt.Sprintf("%d:%d %s", f.Line, f.Column, f.Message))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.format, diff)
		}
	}
}

// TestCompile_NeverTellsNamedValues puts secrets into expressions that do not compile.
func TestCompile_NeverTellsNamedValues(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`@({{key}})`:                  "The value of {{key}} cannot stand here.",
		`@(context.{{key}})`:          "The value of {{key}} cannot stand here.",
		`@((int)"{{key}}")`:           "Cannot convert type 'string' to 'int'",
		`@(context.Nope("{{key}}"))`:  "'IContext' does not contain a definition for 'Nope'",
		`@("{{key}}" + nope{{key}}a)`: "The name 'nope{{key}}a' does not exist in the current context",
	} {
		e := read(t, policy.RawXML, fmt.Sprintf(around, source), map[string]string{"key": "s3cretValue"})
		findings := expression.Check(e, policy.Any)
		if len(findings) == 0 {
			t.Errorf("%s compiles", source)
			continue
		}
		if !strings.HasPrefix(findings[0].Message, want) || strings.Contains(findings.Pretty(), "s3cret") {
			t.Errorf("%s:\n got %s\nwant %s", source, findings.Pretty(), want)
		}
	}
}
