package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/policy"
)

// layer reads a document of a scope; statements are written as letters: "a" is <set-variable name="a" …/>, "-" <base/>.
func layer(t *testing.T, scope policy.Scope, sections ...string) *policy.Document {
	t.Helper()
	var b strings.Builder
	for _, s := range sections {
		name, statements, _ := strings.Cut(s, ":")
		b.WriteString("<" + name + ">")
		for _, c := range statements {
			if c == '-' {
				b.WriteString("<base />")
				continue
			}
			b.WriteString(`<set-variable name="` + string(c) + `" value="@("` + string(c) + `")" />`)
		}
		b.WriteString("</" + name + ">")
	}
	doc := parse(t, "<policies>"+b.String()+"</policies>", policy.RawXML)
	doc.Scope = scope
	return doc
}

func names(statements []policy.Placed) string {
	var b strings.Builder
	for _, s := range statements {
		b.WriteString(string(s.Scope)[:1] + ":" + s.Attr("name") + " ")
	}
	return strings.TrimSpace(b.String())
}

func TestCompose_NestsBase(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name                  string
		global, api, op, want string // inbound of each; "." is absent, "!" no document at all
	}{
		{"before and after", "a-b", "c-d", "e-f", "o:e a:c g:a g:b a:d o:f"},
		{"cut at the operation", "a", "c-", "e", "o:e"},
		{"cut at the API", "a", "c", "-e", "a:c o:e"},
		{"empty cuts", "a", "", "-", ""},
		{"absent inherits", "a", ".", ".", "g:a"},
		{"no document inherits", "a", "!", "e-", "o:e g:a"},
		{"nothing at all", "!", "!", "!", ""},
		{"base twice", "a", "--", "-", "g:a g:a"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			read := func(scope policy.Scope, inbound string) *policy.Document {
				switch inbound {
				case "!":
					return nil
				case ".":
					return layer(t, scope)
				}
				return layer(t, scope, "inbound:"+inbound)
			}
			got := policy.Compose([]*policy.Document{
				read(policy.Global, c.global), read(policy.API, c.api), read(policy.Operation, c.op),
			})
			if names(got.Inbound) != c.want {
				t.Errorf("inbound = %s, want %s", names(got.Inbound), c.want)
			}
		})
	}
}

func TestCompose_SectionsAreSeparate(t *testing.T) {
	t.Parallel()
	e := policy.Compose([]*policy.Document{
		layer(t, policy.Global, "inbound:a", "backend:b", "outbound:c", "on-error:d"),
		layer(t, policy.Operation, "inbound:e-", "outbound:f", "on-error:-g"),
	})
	want := map[policy.Section]string{
		policy.Inbound: "o:e g:a", policy.Backend: "g:b", policy.Outbound: "o:f", policy.OnError: "g:d o:g", "other": "",
	}
	for section, list := range want {
		if got := names(e.Section(section)); got != list {
			t.Errorf("%s = %s, want %s", section, got, list)
		}
		for _, s := range e.Section(section) {
			if s.Section != section || s.Path != "set-variable[1]" {
				t.Errorf("%s: section %s, path %s", s.Attr("name"), s.Section, s.Path)
			}
		}
	}
}

func TestEffective_Document(t *testing.T) {
	t.Parallel()
	global := parse(t, policy.DefaultGlobal, policy.XML)
	api := parse(t, `<policies><inbound><base /><set-header name="A"><value>@(&quot;a&quot;)</value></set-header></inbound></policies>`, policy.XML)
	want := `<policies>
    <inbound>
        <set-header name="A"><value>@("a")</value></set-header>
    </inbound>
    <backend>
        <forward-request />
    </backend>
    <outbound />
    <on-error />
</policies>`
	doc := policy.Compose([]*policy.Document{global, nil, api}).Document()
	if diff := cmp.Diff(want, doc.Text(policy.RawXML)); diff != "" {
		t.Error(diff)
	}
	if got, part := doc.Text(policy.XML), "@(\"a\")</value>"; !strings.Contains(got, part) {
		t.Errorf("as xml: %s", got)
	}
}
