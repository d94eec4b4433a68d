package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

func TestHeader(t *testing.T) {
	t.Parallel()
	h := pipeline.NewHeader(pipeline.Field{Name: "A", Value: "1"}, pipeline.Field{Name: "b", Value: "2"}, pipeline.Field{Name: "a", Value: "3"})
	if diff := cmp.Diff([]string{"1", "3"}, h.Values("a")); diff != "" {
		t.Error(diff)
	}
	h.Set("A", "x", "y")
	h.Add("c", "")
	h.Del("B")
	want := []pipeline.Field{{Name: "A", Value: "x"}, {Name: "A", Value: "y"}, {Name: "c"}}
	if diff := cmp.Diff(want, h.Fields()); diff != "" {
		t.Error(diff)
	}
	if !h.Has("C") || h.Has("b") || h.Get("a") != "x" {
		t.Error("look-up")
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	u, err := pipeline.ParseURL(" HTTPS://Host:1/a%2Fb/?k=1 ")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("https://Host:1/a%2Fb/c?k=1&x=2", u.Join("c", "x=2").String()); diff != "" {
		t.Error(diff)
	}
	u.SetQuery("K", "a b", "c")
	if diff := cmp.Diff("K=a+b&K=c", u.RawQuery); diff != "" {
		t.Error(diff)
	}
	if v, ok := pipeline.QueryValue("x=1&%6b=%20+", "K"); v != "  " || !ok {
		t.Errorf("%q, %v", v, ok)
	}
	for _, bad := range []string{"", "/path", "ftp://a", "http://", "http://a\x7f", "mailto:a"} {
		if _, err := pipeline.ParseURL(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestBody(t *testing.T) {
	t.Parallel()
	var none pipeline.Body
	if !none.Empty() || none.Size() != 0 || none.Reader() != nil {
		t.Error("no body")
	}
	b := pipeline.Stream(io.NopCloser(strings.NewReader("content")), -1)
	if _, err := b.Buffer(3); !errors.Is(err, pipeline.ErrBodyTooLarge) {
		t.Errorf("too large: %v", err)
	}
	b = pipeline.Stream(io.NopCloser(strings.NewReader("content")), -1)
	for range 2 { // once held, it can be read again
		if data, err := b.Buffer(7); string(data) != "content" || err != nil {
			t.Fatal(string(data), err)
		}
	}
	if data, err := io.ReadAll(b.Reader()); string(data) != "content" || err != nil {
		t.Fatal(string(data), err)
	}
	b = pipeline.Stream(io.NopCloser(strings.NewReader("content")), 7)
	if b.Reader() == nil || !b.Empty() {
		t.Error("a stream is handed over once")
	}
}

func TestErrorBody_Spacing(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(`{ "statusCode": 429, "message": "a \"b\"" }`, string(pipeline.ErrorBody(429, `a "b"`))); diff != "" {
		t.Error(diff)
	}
}

func TestValue(t *testing.T) {
	t.Parallel()
	of := func(source string) pipeline.Value {
		p, errs := csharp.Compile(source, csharp.Options{})
		if errs != nil {
			t.Fatal(errs)
		}
		return pipeline.Evaluated(p)
	}
	x := &pipeline.Exchange{Context: t.Context(), Request: &pipeline.Message{}}
	for _, c := range []struct {
		v    pipeline.Value
		want string
	}{{pipeline.Literal("x"), "x"}, {of("true"), "True"}, {of("1 > 2"), "False"}, {of("7"), "7"}, {of(`"s"`), "s"}, {of("1.50m"), "1.50"}} {
		if got, ok, err := c.v.String(x); got != c.want || !ok || err != nil {
			t.Errorf("got %q, %v, %v; want %q", got, ok, err, c.want)
		}
	}
	if _, ok, err := of("null").String(x); ok || err != nil {
		t.Error("null is a text")
	}
	if got, err := of("new byte[] { 1, 2 }").Bytes(x); string(got) != "\x01\x02" || err != nil {
		t.Errorf("bytes: %q, %v", got, err)
	}
	if got, err := of(`"1" == "1"`).Bool(x); !got || err != nil {
		t.Errorf("bool: %v, %v", got, err)
	}
	if got, err := of(`" 12 "`).Int(x); got != 12 || err != nil {
		t.Errorf("int: %v, %v", got, err)
	}
	_, _, err := of(`(new string[0])[1]`).String(x)
	var f *pipeline.Failure
	if !errors.As(err, &f) || f.Message != "Expression evaluation failed. Index was outside the bounds of the array." || f.Reason != pipeline.ReasonExpression {
		t.Errorf("failure: %v", err)
	}
}

// run compiles documents, narrow to broad, whose statements are <do>: fail, end, or a word that is noted.
func run(t *testing.T, docs ...string) (trace string, x *pipeline.Exchange) {
	t.Helper()
	var chain pipeline.Chain
	for i, xml := range docs {
		d, findings := policy.Parse(xml, policy.RawXML)
		if err := findings.Err(); err != nil {
			t.Fatal(err)
		}
		b := &pipeline.Build{ID: fmt.Sprint("/p", i), Scope: []policy.Scope{policy.API, policy.Global}[i], Builders: map[string]pipeline.Builder{
			"do": func(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
				what := s.Attr("it")
				if what == "keep" {
					b.Keeps()
				}
				return func(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
					trace += " " + what
					switch what {
					case "fail":
						return pipeline.Next, errors.New("broken")
					case "hit":
						x.KeptBy = b.ID
						return pipeline.Kept, x.SetResponse(pipeline.NewResponse(203))
					case "end":
						return pipeline.End, x.SetResponse(pipeline.NewResponse(299))
					}
					return pipeline.Next, nil
				}, nil
			},
		}}
		c, err := b.Document(d)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, c)
	}
	x = &pipeline.Exchange{Context: t.Context(), Request: &pipeline.Message{}}
	pipeline.Run(x, chain)
	return strings.TrimSpace(trace), x
}

func TestRun(t *testing.T) {
	t.Parallel()
	const global = `<policies><inbound><do it="g1"/></inbound><backend><do it="g2"/></backend><outbound><do it="g3"/></outbound><on-error><do it="g4"/></on-error></policies>`
	for name, c := range map[string]struct {
		doc, want string
		status    int
	}{
		"order":               {`<policies><inbound><do it="a"/><base/><do it="b"/></inbound><outbound><do it="c"/><base/><do it="d"/></outbound></policies>`, "a g1 b g2 c g3 d", 200},
		"cut off":             {`<policies><inbound/><backend/></policies>`, "g3", 200},
		"end":                 {`<policies><inbound><base/><do it="end"/><do it="no"/></inbound></policies>`, "g1 end", 299},
		"end in a base":       {`<policies><backend><do it="end"/></backend></policies>`, "g1 end", 299},
		"failure":             {`<policies><outbound><do it="fail"/><do it="no"/></outbound><on-error><do it="e"/><base/></on-error></policies>`, "g1 g2 fail e g4", 500},
		"failure in on-error": {`<policies><inbound><do it="fail"/></inbound><on-error><do it="fail"/><base/></on-error></policies>`, "fail fail", 500},
		"end in on-error":     {`<policies><inbound><do it="fail"/></inbound><on-error><do it="end"/></on-error></policies>`, "fail end", 299},
	} {
		trace, x := run(t, c.doc, global)
		if diff := cmp.Diff(c.want, trace); diff != "" || x.Response.Status != c.status {
			t.Errorf("%s: status %d, want %d\n%s", name, x.Response.Status, c.status, diff)
		}
	}
}

// TestRun_Kept: after a hit outbound goes on behind the statement that keeps, of the policy that looked if it has one.
func TestRun_Kept(t *testing.T) {
	t.Parallel()
	const (
		looks = `<policies><inbound><base/><do it="hit"/><do it="no"/></inbound><backend><do it="no"/></backend>`
		keeps = `<policies><outbound><do it="g1"/><do it="keep"/><do it="g2"/></outbound><on-error><do it="e"/></on-error></policies>`
		plain = `<policies><outbound><do it="g1"/></outbound></policies>`
	)
	for name, c := range map[string]struct{ api, global, want string }{
		"its own":              {looks + `<outbound><do it="a"/><do it="keep"/><do it="b"/><base/></outbound></policies>`, plain, "hit b g1"},
		"of a broader policy":  {looks + `<outbound><do it="a"/><base/><do it="b"/></outbound></policies>`, keeps, "hit g2 b"},
		"two":                  {looks + `<outbound><base/><do it="a"/><do it="keep"/><do it="b"/></outbound></policies>`, keeps, "hit b"},
		"the last":             {looks + `<outbound><base/><do it="keep"/></outbound></policies>`, keeps, "hit"},
		"absent":               {looks + `</policies>`, keeps, "hit g2"},
		"cut off":              {looks + `<outbound><do it="a"/></outbound></policies>`, keeps, "hit a"},
		"nothing keeps":        {looks + `<outbound><do it="a"/><base/></outbound></policies>`, plain, "hit a g1"},
		"looked for elsewhere": {`<policies><outbound><do it="a"/><base/><do it="keep"/></outbound></policies>`, `<policies><inbound><do it="hit"/></inbound>` + keeps[len("<policies>"):], "hit g2 keep"},
		"fails":                {looks + `<outbound><do it="keep"/><do it="fail"/><do it="no"/></outbound></policies>`, keeps, "hit fail e"},
		"ends":                 {looks + `<outbound><do it="keep"/><do it="end"/><do it="no"/></outbound></policies>`, keeps, "hit end"},
	} {
		if trace, _ := run(t, c.api, c.global); trace != c.want {
			t.Errorf("%s: %q, want %q", name, trace, c.want)
		}
	}
}

func TestRun_LastError(t *testing.T) {
	t.Parallel()
	_, x := run(t, `<policies><inbound><do it="a"/><do id="mine" it="fail"/></inbound></policies>`)
	f := x.LastError
	got := []string{f.Source, f.Reason, f.Message, f.Scope, f.Section, f.Path, f.PolicyID}
	want := []string{"do", "ExpressionValueEvaluationFailure", "broken", "api", "inbound", "do[2]", "mine"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzQuery(f *testing.F) {
	f.Add("a=1&b=2", "a")
	f.Fuzz(func(t *testing.T, query, name string) {
		u := pipeline.URL{RawQuery: query}
		u.SetQuery(name, "v")
		if v, ok := pipeline.QueryValue(u.RawQuery, name); !ok || v != "v" {
			t.Fatalf("%q: %q, %v", u.RawQuery, v, ok)
		}
		u.WithoutQuery(name)
		if u.HasQuery(name) {
			t.Fatalf("%q still has %q", u.RawQuery, name)
		}
	})
}

func TestWithoutDots(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"": "", "*": "*", "/": "/", "/a/b": "/a/b", "/.": "/", "/..": "/", "/a/.": "/a/", "/a/..": "/", "/a/../": "/",
		"/a/./b": "/a/b", "/a/../../b": "/b", "/a//../b": "/a/b", "/%2E%2e/a": "/a", "/a/.%2e/b": "/b",
		"/.a/..b/...": "/.a/..b/...", "/%2f../a": "/%2f../a", "/a/%20": "/a/%20",
	} {
		if got := pipeline.WithoutDots(path); got != want {
			t.Errorf("%q: got %q, want %q", path, got, want)
		}
	}
}

// FuzzWithoutDots: nothing is left to resolve, for this reader nor for one that decodes first.
func FuzzWithoutDots(f *testing.F) {
	f.Add("/a/../%2e/b")
	f.Add("/%2E.")
	f.Fuzz(func(t *testing.T, path string) {
		if !strings.HasPrefix(path, "/") {
			return
		}
		got := pipeline.WithoutDots(path)
		if again := pipeline.WithoutDots(got); again != got {
			t.Fatalf("%q: %q, then %q", path, got, again)
		}
		for s := range strings.SplitSeq(got, "/") {
			if plain, err := url.PathUnescape(s); err == nil && (plain == "." || plain == "..") {
				t.Fatalf("%q: %q holds %q", path, got, s)
			}
		}
	})
}
