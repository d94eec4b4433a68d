package pipeline

import (
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/apim"
	"github.com/portico-dev/portico/internal/csharp/lib"
	"github.com/portico-dev/portico/internal/gateway/route"
	"github.com/portico-dev/portico/internal/snapshot"
)

// view is an exchange as expressions see it: their context object. The parts of it are fields, so that reading one
// allocates nothing.
type view struct {
	x            *Exchange
	api          apiView
	operation    operationView
	product      productView
	subscription subscriptionView
	user         userView
	lastError    errorView
	url          urlView // of the request as it would be forwarded now
	original     urlView
	params       paramsView
}

// frame is what one evaluation works in; its owner releases it.
func (x *Exchange) frame() *csharp.Frame {
	x.view.x = x
	f := csharp.NewFrame(x, &x.view)
	f.Budget = x.Budget
	return f
}

func (v *view) API() apim.API {
	if v.x.API == nil {
		return nil
	}
	v.api.API = v.x.API
	return &v.api
}

func (v *view) Deployment() apim.Deployment { return (*deploymentView)(v) }
func (v *view) Elapsed() time.Duration      { return time.Since(v.x.Started) }
func (v *view) RequestID() [16]byte         { return v.x.requestID() }
func (v *view) Timestamp() time.Time        { return v.x.Started.UTC() }
func (v *view) Tracing() bool               { return false }
func (v *view) Variables() apim.Variables   { return &v.x.Variables }
func (v *view) Request() apim.Request       { return v.x.Request.request(v.x) }
func (v *view) Response() apim.Response     { return v.x.Response.AsResponse(v.x) }

func (v *view) LastError() apim.LastError {
	if v.x.LastError == nil {
		return nil
	}
	v.lastError.f = v.x.LastError
	return &v.lastError
}

func (v *view) Operation() apim.Operation {
	if v.x.Operation == nil {
		return nil
	}
	v.operation.Operation = v.x.Operation
	return &v.operation
}

func (v *view) Product() apim.Product {
	if v.x.Product == nil {
		return nil
	}
	v.product = productView{v.x.Product, v.x.Services}
	return &v.product
}

func (v *view) Subscription() apim.Subscription {
	if v.x.Subscription == nil {
		return nil
	}
	v.subscription = subscriptionView{v.x.Subscription, v.x.Key}
	return &v.subscription
}

func (v *view) User() apim.User {
	if v.x.User == nil {
		return nil
	}
	v.user.User = v.x.User
	return &v.user
}

// Trace logs a message of an expression.
func (v *view) Trace(source, message string) {
	if v.x.Log != nil {
		v.x.Log.DebugContext(v.x, "trace", slog.String("request", v.x.RequestID()), slog.String("source", source), slog.String("message", message))
	}
}

// deploymentView is the gateway.
type deploymentView view

func (d *deploymentView) GatewayID() string         { return "managed" }
func (d *deploymentView) GatewayInstanceID() string { return d.x.Machine }
func (d *deploymentView) IsManaged() bool           { return true }
func (d *deploymentView) Region() string            { return d.x.Service.Location }

func (d *deploymentView) ServiceID() string { return d.x.Service.ID }

func (d *deploymentView) ServiceName() string { return d.x.Service.Name }

func (d *deploymentView) Certificate(thumbprint string) *lib.Certificate {
	for _, c := range d.x.Services.Certificates() {
		if strings.EqualFold(c.Thumbprint, thumbprint) {
			return c.Certificate
		}
	}
	return nil
}

func (d *deploymentView) EachCertificate(yield func(string, *lib.Certificate) bool) {
	for _, c := range d.x.Services.Certificates() {
		if !yield(c.Thumbprint, c.Certificate) {
			return
		}
	}
}

// apiView is an API. Ids are the names of resources, without revision.
type apiView struct {
	*snapshot.API
	url urlView
}

func (a *apiView) APIID() string                 { return a.API.Name }
func (a *apiView) Name() string                  { return a.DisplayName }
func (a *apiView) Path() string                  { return a.API.Path }
func (a *apiView) Protocols() []string           { return a.API.Protocols }
func (a *apiView) SubscriptionKeyHeader() string { return a.KeyHeader }
func (a *apiView) SubscriptionKeyQuery() string  { return a.KeyQuery }
func (a *apiView) IsCurrentRevision() bool       { return a.Current }
func (a *apiView) Revision() string              { return a.API.Revision }
func (a *apiView) Version() string               { return a.API.Version }

func (a *apiView) ServiceURL() apim.URL {
	u, err := ParseURL(a.API.ServiceURL)
	if err != nil {
		return nil
	}
	a.url.URL = u
	return &a.url
}

type operationView struct{ *snapshot.Operation }

func (o *operationView) OperationID() string { return o.Operation.Name }
func (o *operationView) Method() string      { return o.Operation.Method }
func (o *operationView) Name() string        { return o.DisplayName }
func (o *operationView) URLTemplate() string { return o.Operation.URLTemplate }

type productView struct {
	*snapshot.Product
	services Services
}

func (p *productView) ProductID() string          { return p.Product.Name }
func (p *productView) Name() string               { return p.DisplayName }
func (p *productView) ApprovalRequired() bool     { return p.Product.ApprovalRequired }
func (p *productView) SubscriptionRequired() bool { return p.Product.SubscriptionRequired }
func (p *productView) Published() bool            { return p.Product.Published }
func (p *productView) Groups() []apim.Group       { return groups(p.Product.Groups) }

func (p *productView) SubscriptionLimit() (int, bool) {
	if p.SubscriptionsLimit == nil {
		return 0, false
	}
	return *p.SubscriptionsLimit, true
}

func (p *productView) APIs() []apim.API {
	var out []apim.API
	for _, id := range p.Product.APIs {
		if a, ok := p.services.API(id); ok {
			out = append(out, &apiView{API: a})
		}
	}
	return out
}

type subscriptionView struct {
	*snapshot.Subscription
	key string
}

func (s *subscriptionView) SubscriptionID() string       { return s.Subscription.Name }
func (s *subscriptionView) Name() string                 { return s.DisplayName }
func (s *subscriptionView) Key() string                  { return s.key }
func (s *subscriptionView) PrimaryKey() string           { return s.Subscription.PrimaryKey }
func (s *subscriptionView) SecondaryKey() string         { return s.Subscription.SecondaryKey }
func (s *subscriptionView) CreatedDate() time.Time       { return s.Created }
func (s *subscriptionView) StartDate() (time.Time, bool) { return moment(s.Starts) }
func (s *subscriptionView) EndDate() (time.Time, bool)   { return moment(s.Ends) }

type userView struct{ *snapshot.User }

func (u *userView) UserID() string              { return u.User.Name }
func (u *userView) Email() string               { return u.User.Email }
func (u *userView) FirstName() string           { return u.User.FirstName }
func (u *userView) LastName() string            { return u.User.LastName }
func (u *userView) Note() string                { return u.User.Note }
func (u *userView) RegistrationDate() time.Time { return u.Registered.UTC() }
func (u *userView) Groups() []apim.Group        { return groups(u.User.Groups) }

func (u *userView) Identities() []apim.Identity {
	out := make([]apim.Identity, len(u.User.Identities))
	for i, id := range u.User.Identities {
		out[i] = apim.Identity{ID: id.ID, Provider: id.Provider}
	}
	return out
}

type groupView struct{ *snapshot.Group }

func (g groupView) GroupID() string   { return g.Name }
func (g groupView) GroupName() string { return g.DisplayName }

func groups(list []snapshot.Group) []apim.Group {
	out := make([]apim.Group, len(list))
	for i := range list {
		out[i] = groupView{&list[i]}
	}
	return out
}

func moment(t *time.Time) (time.Time, bool) {
	if t == nil {
		return time.Time{}, false
	}
	return t.UTC(), true
}

type errorView struct{ f *Failure }

func (e *errorView) Source() string   { return e.f.Source }
func (e *errorView) Reason() string   { return e.f.Reason }
func (e *errorView) Message() string  { return e.f.Message }
func (e *errorView) Scope() string    { return e.f.Scope }
func (e *errorView) Section() string  { return e.f.Section }
func (e *errorView) Path() string     { return e.f.Path }
func (e *errorView) PolicyID() string { return e.f.PolicyID }

// urlView is an address.
type urlView struct{ URL }

func (u *urlView) Scheme() string { return u.URL.Scheme }
func (u *urlView) Path() string   { return u.URL.Path }

func (u *urlView) Host() string {
	if host, _, err := net.SplitHostPort(u.URL.Host); err == nil {
		return host
	}
	return strings.Trim(u.URL.Host, "[]")
}

func (u *urlView) Port() int {
	if _, port, err := net.SplitHostPort(u.URL.Host); err == nil {
		if n, err := strconv.Atoi(port); err == nil {
			return n
		}
	}
	if u.URL.Scheme == "https" {
		return 443
	}
	return 80
}

func (u *urlView) QueryString() string {
	if u.RawQuery == "" {
		return ""
	}
	return "?" + u.RawQuery
}

// Query gives the parameters in their order, decoded.
func (u *urlView) Query() apim.Header {
	h := new(headerView)
	h.of = new(Header)
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		h.of.Add(queryText(name), queryText(value))
	}
	return h
}

func queryText(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// paramsView are the captures of the operation's template, decoded.
type paramsView struct{ list []route.Param }

func (p *paramsView) Len() int { return len(p.list) }

func (p *paramsView) Get(name string) (string, bool) {
	for _, c := range p.list {
		if strings.EqualFold(c.Name, name) {
			return paramText(c), true
		}
	}
	return "", false
}

func (p *paramsView) Each(yield func(name, value string) bool) {
	for _, c := range p.list {
		if !yield(c.Name, paramText(c)) {
			return
		}
	}
}

func paramText(p route.Param) string {
	if p.Query {
		return queryText(p.Value)
	}
	if plain, err := url.PathUnescape(p.Value); err == nil {
		return plain
	}
	return p.Value
}

// certificate is what a client showed in its TLS greeting; nil for none. Expressions verify it with the certificates
// that the service holds for that.
func (x *Exchange) certificate() *lib.Certificate {
	if x.TLS == nil || len(x.TLS.PeerCertificates) == 0 {
		return nil
	}
	c := &lib.Certificate{X509: x.TLS.PeerCertificates[0]}
	if t := x.Trust(); t != nil {
		c.Roots, c.Intermediates = t.Roots, t.Intermediates(nil)
	}
	return c
}

// requestID is the GUID of the request, made when first asked for.
func (x *Exchange) requestID() uuid.UUID {
	if x.id == uuid.Nil {
		x.id = uuid.New()
	}
	return x.id
}
