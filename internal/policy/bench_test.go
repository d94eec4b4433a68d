package policy_test

import (
	"strings"
	"testing"

	"github.com/portico-dev/portico/internal/policy"
)

// typical is a document of about 2 KB.
func typical() string {
	part := `    <set-header name="X-Trace" exists-action="override">
      <value>@($"{context.RequestId}-{context.Request.Headers.GetValueOrDefault("X-Id", "none")}")</value>
    </set-header>
    <set-variable name="tenant" value="@(context.Request.MatchedParameters["tenant"])" />
`
	return "<policies>\n  <inbound>\n    <base />\n" + strings.Repeat(part, 5) +
		"    <rewrite-uri template=\"/v2/{tenant}/orders\" />\n  </inbound>\n  <backend><base /></backend>\n" +
		"  <outbound><base />\n    <set-header name=\"Server\" exists-action=\"delete\" />\n  </outbound>\n  <on-error><base /></on-error>\n</policies>"
}

func BenchmarkParse(b *testing.B) {
	text := typical()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, findings := policy.Parse(text, policy.RawXML); len(findings) > 0 {
			b.Fatal(findings)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	doc, _ := policy.Parse(typical(), policy.RawXML)
	accept := func(*policy.Expression, policy.Type) policy.Findings { return nil }
	b.ReportAllocs()
	for b.Loop() {
		if findings := doc.Check(policy.CheckOptions{Scope: policy.API, Expression: accept}); len(findings) > 0 {
			b.Fatal(findings)
		}
	}
}

// A long line must not cost more than a long text.
func BenchmarkParse_OneLongLine(b *testing.B) {
	text := "<policies><inbound>" + strings.Repeat("<base/>", 30_000) + "</inbound></policies>"
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, findings := policy.Parse(text, policy.RawXML); len(findings) > 0 {
			b.Fatal(findings)
		}
	}
}
