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
	"time"

	"github.com/google/uuid"

	"github.com/portico-dev/portico/internal/csharp/apim"
	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/lib"
)

// object is the context object.
type object struct {
	spec       Spec
	id         uuid.UUID
	elapsed    time.Duration
	variables  variables
	request    *request
	response   *response
	serviceURL *url.URL
}

func (c *object) Elapsed() time.Duration    { return c.elapsed }
func (c *object) Request() apim.Request     { return c.request }
func (c *object) RequestID() [16]byte       { return c.id }
func (c *object) Timestamp() time.Time      { return c.spec.Timestamp }
func (c *object) Tracing() bool             { return c.spec.Tracing }
func (c *object) Variables() apim.Variables { return c.variables }
func (c *object) Trace(_, _ string)         {}

func (c *object) API() apim.API {
	if c.spec.API == nil {
		return nil
	}
	return api{*c.spec.API, c.serviceURL}
}

func (c *object) Deployment() apim.Deployment {
	if c.spec.Deployment == nil {
		return nil
	}
	return deployment{*c.spec.Deployment}
}

func (c *object) LastError() apim.LastError {
	if c.spec.LastError == nil {
		return nil
	}
	return lastError{*c.spec.LastError}
}

func (c *object) Operation() apim.Operation {
	if c.spec.Operation == nil {
		return nil
	}
	return operation{*c.spec.Operation}
}

func (c *object) Product() apim.Product {
	if c.spec.Product == nil {
		return nil
	}
	return product{*c.spec.Product}
}

func (c *object) Response() apim.Response {
	if c.response == nil {
		return nil
	}
	return c.response
}

func (c *object) Subscription() apim.Subscription {
	if c.spec.Subscription == nil {
		return nil
	}
	return subscription{*c.spec.Subscription}
}

func (c *object) User() apim.User {
	if c.spec.User == nil {
		return nil
	}
	return user{*c.spec.User}
}

type variables map[string]clr.Value

func (v variables) Get(name string) (clr.Value, bool) { x, ok := v[name]; return x, ok }
func (v variables) Len() int                          { return len(v) }
func (v variables) Each(yield func(string, clr.Value) bool) {
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if !yield(name, v[name]) {
			return
		}
	}
}

type request struct {
	spec        RequestSpec
	url, origin *url.URL
	headers     header
	matched     parameters
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
	return r, nil
}

func (r *request) Body() apim.Body                 { return newBody(r.spec.Body) }
func (r *request) Certificate() *lib.Certificate   { return nil }
func (r *request) Headers() apim.Header            { return r.headers }
func (r *request) IPAddress() string               { return r.spec.IPAddress }
func (r *request) MatchedParameters() apim.Strings { return r.matched }
func (r *request) Method() string                  { return r.spec.Method }
func (r *request) OriginalURL() apim.URL           { return address{r.origin} }
func (r *request) URL() apim.URL                   { return address{r.url} }

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

type api struct {
	spec       APISpec
	serviceURL *url.URL
}

func (a api) APIID() string                 { return a.spec.ID }
func (a api) Name() string                  { return a.spec.Name }
func (a api) Path() string                  { return a.spec.Path }
func (a api) Protocols() []string           { return a.spec.Protocols }
func (a api) SubscriptionKeyHeader() string { return "Ocp-Apim-Subscription-Key" }
func (a api) SubscriptionKeyQuery() string  { return "subscription-key" }
func (a api) IsCurrentRevision() bool       { return a.spec.IsCurrent }
func (a api) Revision() string              { return a.spec.Revision }
func (a api) Version() string               { return a.spec.Version }
func (a api) ServiceURL() apim.URL {
	if a.serviceURL == nil {
		return nil
	}
	return address{a.serviceURL}
}

type operation struct{ spec OperationSpec }

func (o operation) OperationID() string { return o.spec.ID }
func (o operation) Method() string      { return o.spec.Method }
func (o operation) Name() string        { return o.spec.Name }
func (o operation) URLTemplate() string { return o.spec.URLTemplate }

type product struct{ spec ProductSpec }

func (p product) ProductID() string          { return p.spec.ID }
func (p product) Name() string               { return p.spec.Name }
func (p product) ApprovalRequired() bool     { return p.spec.ApprovalRequired }
func (p product) SubscriptionRequired() bool { return p.spec.SubscriptionRequired }
func (p product) Published() bool            { return p.spec.Published }
func (p product) APIs() []apim.API           { return nil }
func (p product) Groups() []apim.Group       { return groups(p.spec.Groups) }
func (p product) SubscriptionLimit() (int, bool) {
	if p.spec.SubscriptionLimit == nil {
		return 0, false
	}
	return *p.spec.SubscriptionLimit, true
}

type group string

func (g group) GroupID() string   { return string(g) }
func (g group) GroupName() string { return string(g) }

func groups(names []string) []apim.Group {
	var all []apim.Group
	for _, n := range names {
		all = append(all, group(n))
	}
	return all
}

type subscription struct{ spec SubscriptionSpec }

func (s subscription) SubscriptionID() string       { return s.spec.ID }
func (s subscription) Name() string                 { return s.spec.Name }
func (s subscription) Key() string                  { return s.spec.Key }
func (s subscription) PrimaryKey() string           { return s.spec.PrimaryKey }
func (s subscription) SecondaryKey() string         { return s.spec.SecondaryKey }
func (s subscription) CreatedDate() time.Time       { return s.spec.CreatedDate }
func (s subscription) StartDate() (time.Time, bool) { return optional(s.spec.StartDate) }
func (s subscription) EndDate() (time.Time, bool)   { return optional(s.spec.EndDate) }

func optional(t *time.Time) (time.Time, bool) {
	if t == nil {
		return time.Time{}, false
	}
	return *t, true
}

type user struct{ spec UserSpec }

func (u user) UserID() string              { return u.spec.ID }
func (u user) Email() string               { return u.spec.Email }
func (u user) FirstName() string           { return u.spec.FirstName }
func (u user) LastName() string            { return u.spec.LastName }
func (u user) Note() string                { return u.spec.Note }
func (u user) RegistrationDate() time.Time { return u.spec.RegistrationDate }
func (u user) Groups() []apim.Group        { return groups(u.spec.Groups) }
func (u user) Identities() []apim.Identity { return nil }

type deployment struct{ spec DeploymentSpec }

func (d deployment) GatewayID() string                                   { return d.spec.GatewayID }
func (d deployment) GatewayInstanceID() string                           { return d.spec.InstanceID }
func (d deployment) IsManaged() bool                                     { return true }
func (d deployment) Region() string                                      { return d.spec.Region }
func (d deployment) ServiceID() string                                   { return d.spec.ServiceID }
func (d deployment) ServiceName() string                                 { return d.spec.ServiceName }
func (d deployment) Certificate(string) *lib.Certificate                 { return nil }
func (d deployment) EachCertificate(func(string, *lib.Certificate) bool) {}

type lastError struct{ spec LastErrorSpec }

func (e lastError) Source() string   { return e.spec.Source }
func (e lastError) Reason() string   { return e.spec.Reason }
func (e lastError) Message() string  { return e.spec.Message }
func (e lastError) Scope() string    { return e.spec.Scope }
func (e lastError) Section() string  { return e.spec.Section }
func (e lastError) Path() string     { return e.spec.Path }
func (e lastError) PolicyID() string { return e.spec.PolicyID }
