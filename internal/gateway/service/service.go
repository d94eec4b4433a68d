// Package service is the compiled configuration of one API Management service: what a machine makes of a snapshot and
// serves requests from. Compile makes one out of a manifest and its parts, taking over from the one before whatever
// did not change; Handle takes an exchange through matching, authorization and policies.
//
// A Service never changes. A machine holds the current one behind an atomic pointer, and a request keeps the one it
// began with.
package service

import (
	"crypto/tls"
	"strings"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/gateway/route"
	"github.com/portico-dev/portico/internal/snapshot"
)

// A Service is one compiled snapshot.
type Service struct {
	manifest snapshot.Manifest
	digest   string
	parts    map[partKey]*part

	info     *info
	products *products
	keys     keys
	users    users
	backends backends
	held     []pipeline.Certificate
	table    *route.Table
	apis     []*api
	open     map[string]*product // API ID to the open product that makes it callable without a key
	counters *shared
	strict   bool
}

// ID is the service's resource ID.
func (s *Service) ID() string { return s.manifest.Service }

// Name is the service's name.
func (s *Service) Name() string { return s.manifest.Name }

// Seq is the store transaction up to which everything is contained.
func (s *Service) Seq() int64 { return s.manifest.Seq }

// Digest identifies the content.
func (s *Service) Digest() string { return s.digest }

// Tier is the tier, spelt as the wire spells it.
func (s *Service) Tier() string { return s.info.Tier }

// AnswersTo reports whether the service owns a host name, given in lower case and without port.
func (s *Service) AnswersTo(host string) bool { return s.info.hosts[host] }

// Hosts lists the host names, lower case.
func (s *Service) Hosts() []string {
	out := make([]string, 0, len(s.info.Hosts))
	for _, h := range s.info.Hosts {
		out = append(out, h.Name)
	}
	return out
}

// Certificate is what the service presents to a client that asks for name in its TLS greeting; the default one when
// there is none for the name. It is nil when the service has no certificate at all.
func (s *Service) Certificate(name string) *tls.Certificate {
	if c := s.info.certificates[strings.ToLower(name)]; c != nil {
		return c
	}
	return s.info.fallback
}

// Backend implements pipeline.Services.
func (s *Service) Backend(name string) (*pipeline.Target, bool) {
	t, ok := s.backends[strings.ToLower(name)]
	return t, ok
}

// API implements pipeline.Services: the current revision of an API.
func (s *Service) API(id string) (*snapshot.API, bool) {
	id = withoutRevision(id)
	for _, a := range s.apis {
		if a.Current && a.id == id {
			return &a.API, true
		}
	}
	return nil, false
}

// Certificates implements pipeline.Services.
func (s *Service) Certificates() []pipeline.Certificate { return s.held }

// api is one compiled API revision.
type api struct {
	snapshot.API
	id         string // lower case, without revision: what products and subscriptions refer to
	templates  route.Compiled
	target     *pipeline.Target // nil without a service URL
	policy     *pipeline.Compiled
	operations []*pipeline.Compiled // by index of API.Operations; nil without a policy
}

// place is where requests find an API: below its path, with its version as the last segment of that, in a header or in
// the query.
func (a *api) place() (path string, v route.Version) {
	switch {
	case a.VersionScheme == snapshot.VersionSegment && a.Version != "":
		return strings.Trim(a.Path+"/"+a.Version, "/"), v
	case a.VersionScheme == snapshot.VersionHeader:
		return a.Path, route.Version{In: route.Header, Name: a.VersionName, Value: a.Version}
	case a.VersionScheme == snapshot.VersionQuery:
		return a.Path, route.Version{In: route.Query, Name: a.VersionName, Value: a.Version}
	}
	return a.Path, v
}

// product is one compiled product.
type product struct {
	snapshot.Product
	apis   map[string]bool // API IDs, lower case
	policy *pipeline.Compiled
}

// products is the part that holds all products.
type products struct {
	list []*product
	byID map[string]*product // lower case
}

// info is the part about the service itself.
type info struct {
	snapshot.Service
	id           string // lower case
	hosts        map[string]bool
	certificates map[string]*tls.Certificate
	fallback     *tls.Certificate
	policy       *pipeline.Compiled
}

type backends map[string]*pipeline.Target

// users finds the owner of a subscription by its resource ID in lower case.
type users map[string]*snapshot.User

// subscription is a key holder with its scope made comparable.
type subscription struct {
	snapshot.Subscription
	scope string // lower case
}

// withoutRevision cuts ";rev=2" off an API's resource ID and lowers it.
func withoutRevision(id string) string {
	id, _, _ = strings.Cut(strings.ToLower(id), ";rev=")
	return id
}
