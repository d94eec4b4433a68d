// Package expr compares policy expressions with other expression engines for Go
// on the same logic. It is a module of its own, so that the product does not
// depend on them: go test -bench . -benchmem
package expr

import (
	"context"
	"encoding/json"
	"testing"

	"cel.dev/cel-go/cel"
	"github.com/dop251/goja"
	"github.com/expr-lang/expr"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/apim"
	"github.com/portico-dev/portico/internal/csharp/clr"
)

// headers and variables are what every engine reads; maps are what the other
// engines are fastest with.
var (
	headers   = map[string]string{"X-A": "a"}
	variables = map[string]string{"a": "hello"}
	claims    = map[string]string{"sub": "123", "iss": "me"}
	numbers   = func() []int {
		out := make([]int, 100)
		for i := range out {
			out[i] = i
		}
		return out
	}()
)

// sink keeps results alive.
var sink any

func portico(b *testing.B, src string) {
	b.Helper()
	p, errs := csharp.Compile(src, csharp.Options{Types: apim.Universe(), Context: apim.ContextType()})
	if errs != nil {
		b.Fatal(errs)
	}
	f := csharp.NewFrame(context.Background(), newHost())
	defer f.Release()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Run(f); err != nil {
			b.Fatal(err)
		}
	}
}

func exprLang(b *testing.B, src string) {
	b.Helper()
	env := map[string]any{"headers": headers, "variables": variables, "claims": claims, "numbers": numbers}
	p, err := expr.Compile(src, expr.Env(env))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if sink, err = expr.Run(p, env); err != nil {
			b.Fatal(err)
		}
	}
}

func celGo(b *testing.B, src string) {
	b.Helper()
	text := cel.MapType(cel.StringType, cel.StringType)
	env, err := cel.NewEnv(cel.Variable("headers", text), cel.Variable("variables", text), cel.Variable("claims", text), cel.Variable("numbers", cel.ListType(cel.IntType)))
	if err != nil {
		b.Fatal(err)
	}
	ast, iss := env.Compile(src)
	if iss.Err() != nil {
		b.Fatal(iss.Err())
	}
	p, err := env.Program(ast)
	if err != nil {
		b.Fatal(err)
	}
	in := map[string]any{"headers": headers, "variables": variables, "claims": claims, "numbers": numbers}
	b.ReportAllocs()
	for b.Loop() {
		if sink, _, err = p.Eval(in); err != nil {
			b.Fatal(err)
		}
	}
}

func javaScript(b *testing.B, src string) {
	b.Helper()
	vm := goja.New()
	for name, v := range map[string]any{"headers": headers, "variables": variables, "claims": claims, "numbers": numbers} {
		if err := vm.Set(name, v); err != nil {
			b.Fatal(err)
		}
	}
	p, err := goja.Compile("bench", src, true)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if sink, err = vm.RunProgram(p); err != nil {
			b.Fatal(err)
		}
	}
}

func plainGo(b *testing.B, fn func() any) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		sink = fn()
	}
}

func BenchmarkHeader(b *testing.B) {
	b.Run("portico", func(b *testing.B) { portico(b, `context.Request.Headers.GetValueOrDefault("X-A","") == "a"`) })
	b.Run("expr", func(b *testing.B) { exprLang(b, `(headers["X-A"] ?? "") == "a"`) })
	b.Run("cel", func(b *testing.B) { celGo(b, `"X-A" in headers && headers["X-A"] == "a"`) })
	b.Run("goja", func(b *testing.B) { javaScript(b, `(headers["X-A"] ?? "") === "a"`) })
	b.Run("go", func(b *testing.B) { plainGo(b, func() any { return headers["X-A"] == "a" }) })
}

func BenchmarkVariable(b *testing.B) {
	b.Run("portico", func(b *testing.B) { portico(b, `context.Variables.GetValueOrDefault<string>("a")`) })
	b.Run("expr", func(b *testing.B) { exprLang(b, `variables["a"]`) })
	b.Run("cel", func(b *testing.B) { celGo(b, `variables["a"]`) })
	b.Run("goja", func(b *testing.B) { javaScript(b, `variables["a"]`) })
	b.Run("go", func(b *testing.B) { plainGo(b, func() any { return variables["a"] }) })
}

func BenchmarkClaim(b *testing.B) {
	b.Run("portico", func(b *testing.B) {
		portico(b, `((Jwt)context.Variables["jwt"]).Claims.GetValueOrDefault("sub", "") == "123" && ((Jwt)context.Variables["jwt"]).Issuer == "me"`)
	})
	b.Run("expr", func(b *testing.B) { exprLang(b, `claims["sub"] == "123" && claims["iss"] == "me"`) })
	b.Run("cel", func(b *testing.B) { celGo(b, `claims["sub"] == "123" && claims["iss"] == "me"`) })
	b.Run("goja", func(b *testing.B) { javaScript(b, `claims["sub"] === "123" && claims["iss"] === "me"`) })
	b.Run("go", func(b *testing.B) {
		plainGo(b, func() any { return claims["sub"] == "123" && claims["iss"] == "me" })
	})
}

func BenchmarkObject(b *testing.B) {
	b.Run("portico", func(b *testing.B) {
		portico(b, `new JObject(new JProperty("a", 1), new JProperty("b", 2), new JProperty("c", 3), new JProperty("d", 4), new JProperty("e", 5), new JProperty("f", "x"), new JProperty("g", "y"), new JProperty("h", true), new JProperty("i", 1.5), new JProperty("j", "z")).ToString(Newtonsoft.Json.Formatting.None)`)
	})
	b.Run("expr", func(b *testing.B) {
		exprLang(b, `toJSON({"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": "x", "g": "y", "h": true, "i": 1.5, "j": "z"})`)
	})
	b.Run("goja", func(b *testing.B) {
		javaScript(b, `JSON.stringify({a: 1, b: 2, c: 3, d: 4, e: 5, f: "x", g: "y", h: true, i: 1.5, j: "z"})`)
	})
	b.Run("go", func(b *testing.B) {
		plainGo(b, func() any {
			out, _ := json.Marshal(map[string]any{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": "x", "g": "y", "h": true, "i": 1.5, "j": "z"})
			return out
		})
	})
}

func BenchmarkLINQ(b *testing.B) {
	b.Run("portico", func(b *testing.B) {
		portico(b, `((int[])context.Variables["numbers"]).Where(x => x % 2 == 0).Select(x => x * 3).Sum()`)
	})
	b.Run("expr", func(b *testing.B) { exprLang(b, `sum(map(filter(numbers, # % 2 == 0), # * 3))`) })
	b.Run("cel", func(b *testing.B) { celGo(b, `numbers.filter(x, x % 2 == 0).map(x, x * 3).size()`) })
	b.Run("goja", func(b *testing.B) {
		javaScript(b, `numbers.filter(x => x % 2 === 0).map(x => x * 3).reduce((a, b) => a + b, 0)`)
	})
	b.Run("go", func(b *testing.B) {
		plainGo(b, func() any {
			s := 0
			for _, x := range numbers {
				if x%2 == 0 {
					s += x * 3
				}
			}
			return s
		})
	})
}

// host is the least context object that the expressions read. What it embeds
// stays nil.
type host struct {
	apim.Context
	req  *request
	vars *vars
}

func (h *host) Request() apim.Request     { return h.req }
func (h *host) Variables() apim.Variables { return h.vars }

type request struct {
	apim.Request
	head head
}

func (r *request) Headers() apim.Header { return &r.head }

type vars struct {
	table
	full apim.VariablesMap
}

func (v *vars) VariablesMap() *apim.VariablesMap { return &v.full }

func newHost() apim.Context {
	f := &clr.Frame{}
	f.Reset(context.Background(), 1000, 1<<20)
	jwt, _ := apim.ParseJwt(f, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJtZSIsInN1YiI6IjEyMyJ9.c2ln")
	ns := make([]clr.Value, len(numbers))
	for i, n := range numbers {
		ns[i] = clr.Int(n)
	}
	h := &host{req: &request{}, vars: &vars{table: table{
		"a": clr.String("hello"), "jwt": clr.Object(jwt), "numbers": clr.Object(clr.ArrOf(clr.Int32, ns)),
	}}}
	h.vars.full.Vars = h.vars
	h.req.head.full.Header = &h.req.head
	return h
}

type table map[string]clr.Value

func (t table) Get(n string) (clr.Value, bool) { v, ok := t[n]; return v, ok }
func (t table) Len() int                       { return len(t) }
func (t table) Each(yield func(string, clr.Value) bool) {
	for k, v := range t {
		if !yield(k, v) {
			return
		}
	}
}

type head struct{ full apim.HeaderMap }

func (h *head) Get(n string) (string, bool) { v, ok := headers[n]; return v, ok }
func (h *head) Values(n string) []string    { return []string{headers[n]} }
func (h *head) Each(func(string) bool)      {}
func (h *head) Len() int                    { return len(headers) }
func (h *head) HeaderMap() *apim.HeaderMap  { return &h.full }
