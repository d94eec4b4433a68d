package csharp_test

import (
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/csharp/apim"
	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/lib"
)

// exchange is a context object with fixed content for tests.
type exchange struct {
	vars  *vars
	req   *request
	resp  *response
	trace []string
}

type vars struct {
	m    map[string]clr.Value
	full apim.VariablesMap
}

func (v *vars) Get(n string) (clr.Value, bool)   { x, ok := v.m[n]; return x, ok }
func (v *vars) Len() int                         { return len(v.m) }
func (v *vars) VariablesMap() *apim.VariablesMap { return &v.full }
func (v *vars) Each(yield func(string, clr.Value) bool) {
	for _, k := range []string{"a", "n"} {
		if !yield(k, v.m[k]) {
			return
		}
	}
}

type header struct {
	m    map[string][]string // by lower-case name
	full apim.HeaderMap
}

func newHeader(m map[string][]string) *header {
	h := &header{m: m}
	h.full.Header = h
	return h
}

func (h *header) find(n string) []string {
	if v, ok := h.m[n]; ok {
		return v
	}
	for k, v := range h.m {
		if strings.EqualFold(k, n) {
			return v
		}
	}
	return nil
}

func (h *header) Get(n string) (string, bool) {
	v := h.find(n)
	if len(v) == 1 {
		return v[0], true
	}
	return strings.Join(v, ","), v != nil
}
func (h *header) Values(n string) []string   { return h.find(n) }
func (h *header) Len() int                   { return len(h.m) }
func (h *header) HeaderMap() *apim.HeaderMap { return &h.full }
func (h *header) Each(yield func(string) bool) {
	var names []string
	for k := range h.m {
		names = append(names, k)
	}
	slices.Sort(names)
	for _, k := range names {
		if !yield(k) {
			return
		}
	}
}

type body struct{ b []byte }

func (b *body) Read(bool) ([]byte, error) { return b.b, nil }

type address struct{ u *url.URL }

func (a *address) Scheme() string { return a.u.Scheme }
func (a *address) Host() string   { return a.u.Hostname() }
func (a *address) Port() int      { n, _ := strconv.Atoi(a.u.Port()); return n }
func (a *address) Path() string   { return a.u.Path }
func (a *address) QueryString() string {
	if a.u.RawQuery == "" {
		return ""
	}
	return "?" + a.u.RawQuery
}
func (a *address) Query() apim.Header { return newHeader(a.u.Query()) }
func (a *address) String() string     { return a.u.String() }

type params map[string]string

func (p params) Get(n string) (string, bool) { v, ok := p[n]; return v, ok }
func (p params) Len() int                    { return len(p) }
func (p params) Each(yield func(string, string) bool) {
	for k, v := range p {
		if !yield(k, v) {
			return
		}
	}
}

type request struct {
	body   apim.Body
	header *header
	url    *address
	params params
}

func (r *request) Body() apim.Body                 { return r.body }
func (r *request) Certificate() *lib.Certificate   { return nil }
func (r *request) Headers() apim.Header            { return r.header }
func (r *request) IPAddress() string               { return "203.0.113.7" }
func (r *request) MatchedParameters() apim.Strings { return r.params }
func (r *request) Method() string                  { return "POST" }
func (r *request) OriginalURL() apim.URL           { return r.url }
func (r *request) URL() apim.URL                   { return r.url }

// bare is a request of which the host knows nothing.
type bare struct{}

func (bare) Body() apim.Body                 { return nil }
func (bare) Certificate() *lib.Certificate   { return nil }
func (bare) Headers() apim.Header            { return nil }
func (bare) IPAddress() string               { return "" }
func (bare) MatchedParameters() apim.Strings { return nil }
func (bare) Method() string                  { return "" }
func (bare) OriginalURL() apim.URL           { return nil }
func (bare) URL() apim.URL                   { return nil }

type response struct{ header *header }

// brokenResponse is a response whose body ends too early.
type brokenResponse struct{ *response }

func (brokenResponse) Body() apim.Body { return brokenBody{} }

type brokenBody struct{}

func (brokenBody) Read(bool) ([]byte, error) { return nil, io.ErrUnexpectedEOF }

func (r *response) Body() apim.Body      { return &body{[]byte(`{"ok":true,"items":[1,2,3]}`)} }
func (r *response) Headers() apim.Header { return r.header }
func (r *response) StatusCode() int      { return 200 }
func (r *response) StatusReason() string { return "OK" }

type operation struct{}

func (operation) OperationID() string { return "get-order" }
func (operation) Method() string      { return "POST" }
func (operation) Name() string        { return "Get order" }
func (operation) URLTemplate() string { return "/orders/{id}" }

type api struct{}

func (api) APIID() string                 { return "orders" }
func (api) Name() string                  { return "Orders" }
func (api) Path() string                  { return "shop/orders" }
func (api) Protocols() []string           { return []string{"http", "https"} }
func (api) ServiceURL() apim.URL          { u, _ := url.Parse("http://backend:8080/v1"); return &address{u} }
func (api) SubscriptionKeyHeader() string { return "Ocp-Apim-Subscription-Key" }
func (api) SubscriptionKeyQuery() string  { return "subscription-key" }
func (api) IsCurrentRevision() bool       { return true }
func (api) Revision() string              { return "2" }
func (api) Version() string               { return "v1" }

func (e *exchange) API() apim.API               { return api{} }
func (e *exchange) Deployment() apim.Deployment { return nil }
func (e *exchange) Elapsed() time.Duration      { return 1500 * time.Millisecond }
func (e *exchange) LastError() apim.LastError   { return nil }
func (e *exchange) Operation() apim.Operation   { return operation{} }
func (e *exchange) Product() apim.Product       { return nil }
func (e *exchange) Request() apim.Request       { return e.req }
func (e *exchange) RequestID() [16]byte {
	return [16]byte{0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 1, 2, 3, 4, 5, 6, 7, 8}
}
func (e *exchange) Response() apim.Response         { return e.resp }
func (e *exchange) Subscription() apim.Subscription { return nil }
func (e *exchange) Timestamp() time.Time            { return time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC) }
func (e *exchange) Tracing() bool                   { return false }
func (e *exchange) User() apim.User                 { return nil }
func (e *exchange) Variables() apim.Variables       { return e.vars }
func (e *exchange) Trace(_, message string)         { e.trace = append(e.trace, message) }

const testToken = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJtZSIsInN1YiI6IjEyMyIsInJvbGVzIjpbImEiLCJiIl0sImFkbWluIjp0cnVlLCJleHAiOjE3MDAwMDAwMDB9.c2ln"

func newExchange() *exchange {
	u, _ := url.Parse("https://api.contoso.com:8443/shop/orders/7?a=1&b=x%20y&a=2")
	e := &exchange{
		vars: &vars{m: map[string]clr.Value{
			"a": clr.String("hello"), "n": clr.Int(42), "flag": clr.Bool(true), "long": clr.Long(7), "null": clr.Null, "list": clr.Strings([]string{"x", "y"}),
		}},
		req: &request{
			body:   &body{[]byte(`{"id":7,"name":"Ann","when":"2024-01-02T03:04:05Z","tags":["x","y"],"price":1.5,"nested":{"deep":{"v":"q"}},"none":null}`)},
			header: newHeader(map[string][]string{"X-A": {"a"}, "Accept": {"text/html", "application/json"}, "Authorization": {"Bearer " + testToken}, "X-Basic": {"Basic dXNlcjpwYTpzcw=="}}),
			url:    &address{u}, params: params{"id": "7"},
		},
		resp: &response{newHeader(map[string][]string{"Content-Type": {"application/json"}})},
	}
	e.vars.full.Vars = e.vars
	e.vars.m["resp"] = clr.Object(e.resp)
	e.vars.m["bare"], e.vars.m["broken"] = clr.Object(bare{}), clr.Object(brokenResponse{e.resp})
	e.vars.m["anonymous"] = clr.Object(&apim.Authorization{})
	e.vars.m["auth"] = clr.Object(&apim.Authorization{AccessToken: "secret", Claims: &vars{m: map[string]clr.Value{"a": clr.String("ann"), "n": clr.Int(1)}}})
	return e
}
