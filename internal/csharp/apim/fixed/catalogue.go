package fixed

import (
	"fmt"
	"net/url"
	"time"

	"github.com/portico-dev/portico/internal/csharp/apim"
)

type api struct {
	spec       APISpec
	serviceURL *url.URL
}

func newAPI(s APISpec) (*api, error) {
	a := &api{spec: s}
	if s.ServiceURL == "" {
		return a, nil
	}
	var err error
	if a.serviceURL, err = url.Parse(s.ServiceURL); err != nil {
		return nil, fmt.Errorf("serviceUrl: %w", err)
	}
	return a, nil
}

func (a *api) APIID() string                 { return a.spec.ID }
func (a *api) Name() string                  { return a.spec.Name }
func (a *api) Path() string                  { return a.spec.Path }
func (a *api) Protocols() []string           { return a.spec.Protocols }
func (a *api) SubscriptionKeyHeader() string { return "Ocp-Apim-Subscription-Key" }
func (a *api) SubscriptionKeyQuery() string  { return "subscription-key" }
func (a *api) IsCurrentRevision() bool       { return a.spec.IsCurrent }
func (a *api) Revision() string              { return a.spec.Revision }
func (a *api) Version() string               { return a.spec.Version }
func (a *api) ServiceURL() apim.URL {
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

type product struct {
	spec ProductSpec
	apis []apim.API
}

func newProduct(s ProductSpec) (*product, error) {
	p := &product{spec: s}
	for i, spec := range s.APIs {
		a, err := newAPI(spec)
		if err != nil {
			return nil, fmt.Errorf("product.apis[%d].%w", i, err)
		}
		p.apis = append(p.apis, a)
	}
	return p, nil
}

func (p *product) ProductID() string          { return p.spec.ID }
func (p *product) Name() string               { return p.spec.Name }
func (p *product) ApprovalRequired() bool     { return p.spec.ApprovalRequired }
func (p *product) SubscriptionRequired() bool { return p.spec.SubscriptionRequired }
func (p *product) Published() bool            { return p.spec.Published }
func (p *product) APIs() []apim.API           { return p.apis }
func (p *product) Groups() []apim.Group       { return groups(p.spec.Groups) }
func (p *product) SubscriptionLimit() (int, bool) {
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
func (u user) Identities() []apim.Identity {
	var all []apim.Identity
	for _, i := range u.spec.Identities {
		all = append(all, apim.Identity(i))
	}
	return all
}
