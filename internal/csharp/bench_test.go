package csharp_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portico-dev/portico/internal/csharp"
)

var benchSources = []struct{ name, src string }{
	{"header", `context.Request.Headers.GetValueOrDefault("X-A","") == "a"`},
	{"variable", `context.Variables.GetValueOrDefault<string>("a")`},
	{"status", `context.Response.StatusCode == 200 && context.Request.Method == "POST"`},
	{"jwt", `context.Request.Headers.GetValueOrDefault("Authorization","").AsJwt()?.Claims.GetValueOrDefault("sub", "") == "123"`},
	{"jobject", `new JObject(new JProperty("a", 1), new JProperty("b", 2), new JProperty("c", 3), new JProperty("d", 4), new JProperty("e", 5), new JProperty("f", "x"), new JProperty("g", "y"), new JProperty("h", true), new JProperty("i", 1.5), new JProperty("j", null)).ToString(Newtonsoft.Json.Formatting.None)`},
	{"linq", `Enumerable.Range(0, 100).Where(x => x % 2 == 0).Select(x => x * 3).Sum()`},
	{"loop", `{ var s = 0; for (int i = 0; i < 100; i++) { if (i % 3 == 0) { s += i; } } return s; }`},
	{"concat", `"Bearer " + context.Variables["a"] + "-" + context.Request.Method`},
}

func BenchmarkRun(b *testing.B) {
	for _, c := range benchSources {
		b.Run(c.name, func(b *testing.B) {
			p, errs := csharp.Compile(c.src, options())
			if errs != nil {
				b.Fatal(errs)
			}
			f := csharp.NewFrame(context.Background(), newExchange())
			defer f.Release()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Run(f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCorpus compiles every expression of the corpus, one after the other.
func BenchmarkCorpus(b *testing.B) {
	var sources []string
	err := filepath.WalkDir(corpusDir, func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".xml") {
			return err
		}
		data, err := os.ReadFile(path)
		sources = append(sources, extract(string(data))...)
		return err
	})
	if err != nil {
		b.Skip("the corpus is not there: ", err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, src := range sources {
			_, _ = csharp.CompileMarked(src, options()) // the damaged ones are refused
		}
	}
	b.ReportMetric(float64(len(sources)), "expressions")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(sources)), "ns/expression")
}

func BenchmarkCompile(b *testing.B) {
	short := `((JObject)context.Variables["body"])["items"]?.Count() > 0 ? "many" : "none!"`
	var long strings.Builder
	long.WriteString("{ var total = 0; ")
	for long.Len() < 7900 {
		long.WriteString(`if (context.Request.Headers.GetValueOrDefault("X-A", "").Split(',').Length > total) { total += 3 * total - 1; } `)
	}
	long.WriteString("return total; }")
	for name, src := range map[string]string{"77": short, "8000": long.String()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, errs := csharp.Compile(src, options()); errs != nil {
					b.Fatal(errs)
				}
			}
		})
	}
}
