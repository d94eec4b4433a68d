package main

import (
	"context"

	"github.com/portico-dev/portico/internal/csharp/apim"
	"github.com/portico-dev/portico/internal/csharp/clr"
)

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
	t, _ := apim.ParseJwt(f, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJtZSIsInN1YiI6IjEyMyJ9.c2ln")
	ns := make([]clr.Value, len(numbers))
	for i, n := range numbers {
		ns[i] = clr.Int(n)
	}
	h := &host{req: &request{}, vars: &vars{table: table{
		"a": clr.String("hello"), "jwt": clr.Object(t), "numbers": clr.Object(clr.ArrOf(clr.Int32, ns)),
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
