package csharp_test

import (
	"context"
	"errors"
	"testing"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

var fuzzSeeds = []string{
	`1 + 2`, `context.Request.Headers.GetValueOrDefault("X-A","") == "a"`, `{ foreach (var x in new[] { 1 }) { return x; } return 0; }`,
	`$"a{1,5:D3}b{{"`, `new JObject(new JProperty("a", 1)).ToString()`, `{ try { int.Parse("x"); } catch (Exception e) when (e != null) { throw; } return 1; }`,
	`from x in new[] { 1, 2 } where x > 1 select x`, `(a, b) => a < b`, `{ switch (1) { case int n when n > 0: break; } return 1; }`, `((JObject)context.Variables["a"])["b"]?[0]`,
	`@"a""b" + 'x' + 0x1F + 1e5 + 1.5m`, `JObject.Parse("{'a':[1,{\"b\":null}]}").SelectToken("$..b")`, `XElement.Parse("<a b='1'><c/></a>").ToString()`,
	`Regex.Replace("abc", "(?<x>b)", "${x}${x}")`, `{ (int a, string b) t = (1, "x"); var (c, d) = t; return c + d; }`, `DateTime.Parse("2024-01-02").ToString("o")`,
}

func FuzzParse(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		_, errs := syntax.Parse(src)
		s := syntax.NewSource(src)
		for _, e := range errs {
			if line, col := s.Position(e.Pos); line < 1 || col < 1 || int(e.Pos) > len(src) {
				t.Fatalf("%q: bad position %d of %v", src, e.Pos, e)
			}
		}
	})
}

func FuzzCompileRun(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		p, errs := csharp.Compile(src, options())
		if errs != nil {
			return
		}
		fr := csharp.NewFrame(context.Background(), newExchange())
		defer fr.Release()
		fr.Budget = csharp.Budget{Steps: 20_000, Memory: 4 << 20}
		v, err := p.Run(fr)
		var bug *csharp.Internal
		if errors.As(err, &bug) {
			t.Fatalf("%q: %v", src, err)
		}
		if err == nil {
			if _, err = fr.Text(p, v); errors.As(err, &bug) {
				t.Fatalf("%q: text: %v", src, err)
			}
		}
	})
}
