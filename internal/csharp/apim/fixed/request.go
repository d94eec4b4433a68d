package fixed

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/apim"
	"github.com/portico-dev/portico/internal/csharp/lib"
)

type request struct {
	spec        RequestSpec
	url, origin *url.URL
	headers     header
	matched     parameters
	certificate *lib.Certificate
}

func newRequest(s RequestSpec) (*request, error) {
	r := &request{spec: s, headers: newHeader(s.Headers), matched: s.MatchedParameters}
	r.spec.Method = cmp.Or(s.Method, http.MethodGet)
	r.spec.IPAddress = cmp.Or(s.IPAddress, "127.0.0.1")
	var err error
	if r.url, err = url.Parse(cmp.Or(s.URL, "https://api.example.com/")); err != nil {
		return nil, fmt.Errorf("request.url: %w", err)
	}
	if r.origin, err = url.Parse(cmp.Or(s.OriginalURL, r.url.String())); err != nil {
		return nil, fmt.Errorf("request.originalUrl: %w", err)
	}
	if s.Certificate != "" {
		if r.certificate, err = readCertificate(s.Certificate); err != nil {
			return nil, fmt.Errorf("request.certificate: %w", err)
		}
	}
	return r, nil
}

func (r *request) Body() apim.Body                 { return newBody(r.spec.Body) }
func (r *request) Certificate() *lib.Certificate   { return r.certificate }
func (r *request) Headers() apim.Header            { return r.headers }
func (r *request) IPAddress() string               { return r.spec.IPAddress }
func (r *request) MatchedParameters() apim.Strings { return r.matched }
func (r *request) Method() string                  { return r.spec.Method }
func (r *request) OriginalURL() apim.URL           { return address{r.origin} }
func (r *request) URL() apim.URL                   { return address{r.url} }

func (r *request) PrivateEndpointConnection() (name, group, member string, ok bool) {
	if e := r.spec.PrivateEndpoint; e != nil {
		return e.Name, e.GroupID, e.MemberName, true
	}
	return "", "", "", false
}

type response struct {
	spec    ResponseSpec
	headers header
}

func newResponse(s ResponseSpec) *response {
	s.StatusCode = cmp.Or(s.StatusCode, http.StatusOK)
	s.StatusReason = cmp.Or(s.StatusReason, http.StatusText(s.StatusCode))
	return &response{s, newHeader(s.Headers)}
}

func (r *response) Body() apim.Body      { return newBody(r.spec.Body) }
func (r *response) Headers() apim.Header { return r.headers }
func (r *response) StatusCode() int      { return r.spec.StatusCode }
func (r *response) StatusReason() string { return r.spec.StatusReason }

// body is read as often as one likes: it is given, not streamed.
type body string

func newBody(text *string) apim.Body {
	if text == nil {
		return nil
	}
	return body(*text)
}

func (b body) Read(bool) ([]byte, error) { return []byte(b), nil }

// header maps canonical names to values.
type header map[string][]string

func newHeader(from map[string]Values) header {
	h := header{}
	for name, values := range from {
		h[name] = values
	}
	return h
}

func (h header) Values(name string) []string {
	for have, values := range h {
		if strings.EqualFold(have, name) {
			return values
		}
	}
	return nil
}

func (h header) Get(name string) (string, bool) {
	values := h.Values(name)
	return strings.Join(values, ","), values != nil
}

func (h header) Len() int { return len(h) }

func (h header) Each(yield func(string) bool) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if !yield(name) {
			return
		}
	}
}

type parameters map[string]string

func (p parameters) Get(name string) (string, bool) { v, ok := p[name]; return v, ok }
func (p parameters) Len() int                       { return len(p) }
func (p parameters) Each(yield func(string, string) bool) {
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if !yield(name, p[name]) {
			return
		}
	}
}

type address struct{ u *url.URL }

func (a address) Scheme() string { return a.u.Scheme }
func (a address) Host() string   { return a.u.Hostname() }
func (a address) Path() string   { return a.u.Path }
func (a address) String() string { return a.u.String() }

func (a address) Query() apim.Header { return header(a.u.Query()) }

func (a address) Port() int {
	if n, err := strconv.Atoi(a.u.Port()); err == nil {
		return n
	}
	if a.u.Scheme == "https" {
		return 443
	}
	return 80
}

func (a address) QueryString() string {
	if a.u.RawQuery == "" {
		return ""
	}
	return "?" + a.u.RawQuery
}
