package csharp_test

import (
	"context"
	"testing"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/apim"
	"github.com/portico-dev/portico/internal/csharp/clr"
)

// TestRun_AllocatesNothing runs what policies ask for at each request. The host
// gives the same dictionaries each time, so that reading one makes no wrapper. It
// is not parallel: others would allocate meanwhile.
func TestRun_AllocatesNothing(t *testing.T) {
	host := newExchange()
	frame := csharp.NewFrame(context.Background(), host)
	defer frame.Release()
	jwt, ok := apim.ParseJwt(newClrFrame(), testToken)
	if !ok {
		t.Fatal("the token does not parse")
	}
	host.vars.m["jwt"] = clr.Object(jwt)
	for _, src := range []string{
		`context.Request.Headers.GetValueOrDefault("X-A","") == "a"`,
		`context.Variables.GetValueOrDefault<string>("a")`,
		`context.Variables.GetValueOrDefault<int>("n") + 1 > 42 && context.Variables.ContainsKey("a")`,
		`(string)context.Variables["a"] == "hello" ? 1 : 2`,
		`context.Request.Method == "POST" && !context.Tracing`,
		`context.Response.StatusCode >= 200 && context.Response.StatusCode < 300`,
		`((Jwt)context.Variables["jwt"]).Claims.GetValueOrDefault("sub", "") == "123" && ((Jwt)context.Variables["jwt"]).Issuer == "me"`,
		`context.Api.Name == "Orders" || context.Operation.Id == "get-order"`,
		`{ var s = 0; for (int i = 0; i < 100; i++) { if (i % 3 == 0) { s += i; } } return s; }`,
		`{ long a = 1, b = 7; while (a < 1000) { a = a * b / 2 + a % 3; } return a; }`,
		`{ switch (context.Request.Method) { case "GET": return 1; case "POST": return 2; default: return 3; } }`,
		`(context.Variables.GetValueOrDefault<string>("a") ?? "x").StartsWith("hel")`,
	} {
		p, errs := csharp.Compile(src, options())
		if errs != nil {
			t.Fatal(errs)
		}
		run := func() {
			if _, err := p.Run(frame); err != nil {
				t.Fatal(err)
			}
		}
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %v allocations, want none", src, n)
		}
	}
}

func newClrFrame() *clr.Frame {
	f := &clr.Frame{}
	f.Reset(context.Background(), 1000, 1<<20)
	return f
}
