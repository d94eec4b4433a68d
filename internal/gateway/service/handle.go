package service

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/gateway/route"
)

// Handle takes an exchange whose request has been read through matching, authorization and the policies. Afterwards
// its Response is what the client gets.
func (s *Service) Handle(x *pipeline.Exchange) {
	x.Services, x.Service = s, &s.info.Service
	if s.info.Blocked {
		x.Response = answer(403, "We have blocked access to all endpoints for your service.")
		return
	}
	if s.info.refuses(x) {
		x.Response = answer(503, "The gateway is disabled.")
		return
	}
	if s.info.RequireClient && (x.TLS == nil || len(x.TLS.PeerCertificates) == 0) {
		x.Response = answer(403, "A client certificate is required.")
		return
	}
	if s.preflight(x) {
		return
	}
	m, ok := s.table.Match(asked(x, x.Request.Method), x.Params[:0])
	if !ok || s.strict && !slices.Contains(m.API.Protocols, x.OriginalURL.Scheme) {
		pipeline.Fail(x, s.chain(nil, nil, nil), notFound())
		return
	}
	a := m.API
	x.API, x.Target = &a.API, a.target
	if m.Operation < 0 {
		pipeline.Fail(x, s.chain(nil, a.policy, nil), notFound())
		return
	}
	x.Operation, x.Params = &a.Operations[m.Operation], m.Params
	p, failed := s.authorize(x, a)
	if failed != nil {
		pipeline.Fail(x, s.chain(a.operations[m.Operation], a.policy, nil), failed)
		return
	}
	var productPolicy *pipeline.Compiled
	if p != nil {
		x.Product, productPolicy = &p.Product, p.policy
	}
	x.Request.URL.Path = m.Rest
	pipeline.Run(x, s.chain(a.operations[m.Operation], a.policy, productPolicy))
}

// asked is what the routing table looks at.
func asked(x *pipeline.Exchange, method string) route.Request {
	return route.Request{Method: method, Path: x.Request.URL.Path, Query: x.Request.URL.RawQuery, Header: &x.Request.Header}
}

// preflight answers what a browser asks before a request of another origin, unless an API operation of its own takes
// OPTIONS or no cors statement would concern the request itself. No key is needed: browsers send none.
func (s *Service) preflight(x *pipeline.Exchange) bool {
	method := x.Request.Header.Get("Access-Control-Request-Method")
	if x.Request.Method != "OPTIONS" || method == "" || !x.Request.Header.Has("Origin") {
		return false
	}
	m, ok := s.table.Match(asked(x, "OPTIONS"), nil)
	if !ok || m.Operation >= 0 && m.API.Operations[m.Operation].Method == "OPTIONS" {
		return false
	}
	a := m.API
	var operation, product *pipeline.Compiled
	if m, ok = s.table.Match(asked(x, method), nil); ok && m.Operation >= 0 {
		operation = a.operations[m.Operation]
		x.Operation, x.Params = &a.Operations[m.Operation], m.Params
	}
	x.API, x.Target = &a.API, a.target
	if p := s.products.open[a.id]; p != nil {
		x.Product, product = &p.Product, p.policy
	}
	chain := s.chain(operation, a.policy, product)
	answered, err := pipeline.Preflight(x, chain)
	if err != nil {
		pipeline.Fail(x, chain, err)
	}
	if !answered {
		x.API, x.Operation, x.Product, x.Params, x.Preflight = nil, nil, nil, nil, false
	}
	return answered
}

// chain lists the documents that take part, narrow to broad.
func (s *Service) chain(operation, api, product *pipeline.Compiled) pipeline.Chain {
	c := make(pipeline.Chain, 0, 4)
	for _, d := range [...]*pipeline.Compiled{operation, api, product, s.info.policy} {
		if d != nil {
			c = append(c, d)
		}
	}
	return c
}

func notFound() *pipeline.Failure {
	return &pipeline.Failure{
		Source: "configuration", Reason: pipeline.ReasonOperationNotFound, Section: "inbound",
		Message: "Unable to match incoming request to an operation.", Status: 404, Public: "Resource not found",
	}
}

// authorize decides whether the request may use the API and in the context of which product. A key that is sent is
// checked even where none is needed.
func (s *Service) authorize(x *pipeline.Exchange, a *api) (*product, *pipeline.Failure) {
	key, sent := presentedKey(x, a)
	if !sent {
		if p := s.products.open[a.id]; p != nil {
			return p, nil
		}
		if !a.SubscriptionRequired {
			return nil, nil
		}
		return nil, denied(x, a, pipeline.ReasonKeyNotFound,
			"Access denied due to missing subscription key. Make sure to include subscription key when making requests to this API.",
			"Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API.")
	}
	sub := s.keys[sha256.Sum256([]byte(key))]
	if sub == nil || sub.State != "active" {
		return nil, invalidKey(x, a)
	}
	p, ok := s.covers(sub, a)
	if !ok {
		return nil, invalidKey(x, a)
	}
	owner := s.users[strings.ToLower(sub.OwnerID)]
	if owner != nil && owner.State == "blocked" {
		return nil, invalidKey(x, a)
	}
	x.Subscription, x.Key, x.User = &sub.Subscription, key, owner
	return p, nil
}

// covers reports whether a subscription's scope contains an API, and the product through which it does.
func (s *Service) covers(sub *subscription, a *api) (*product, bool) {
	switch sub.scope {
	case string(a.id), s.info.id, s.info.id + "/apis":
		return nil, true
	}
	p := s.products.byID[sub.scope]
	if p == nil || !p.Published || !p.apis[a.id] {
		return nil, false
	}
	return p, true
}

// presentedKey reads the key from the header, and from the query where there is no such header.
func presentedKey(x *pipeline.Exchange, a *api) (string, bool) {
	if x.Request.Header.Has(a.KeyHeader) {
		return x.Request.Header.Get(a.KeyHeader), true
	}
	return pipeline.QueryValue(x.Request.URL.RawQuery, a.KeyQuery)
}

func invalidKey(x *pipeline.Exchange, a *api) *pipeline.Failure {
	const text = "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription."
	return denied(x, a, pipeline.ReasonKeyInvalid, text, text)
}

func denied(x *pipeline.Exchange, a *api, reason, message, public string) *pipeline.Failure {
	host := x.OriginalURL.Host
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	return &pipeline.Failure{
		Source: "authorization", Reason: reason, Message: message, Section: "inbound", Status: 401, Public: public,
		Header: []pipeline.Field{{
			Name:  "WWW-Authenticate",
			Value: fmt.Sprintf(`AzureApiManagementKey realm="https://%s/%s",name="%s",type="header"`, host, a.Path, a.KeyHeader),
		}},
	}
}

func answer(status int, message string) *pipeline.Message {
	m := pipeline.NewResponse(status)
	m.Header.Add("Content-Type", "application/json")
	m.Body = pipeline.Bytes(pipeline.ErrorBody(status, message))
	return m
}
