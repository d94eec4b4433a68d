// Package service is the compiled configuration of one API Management service: what a machine makes of a snapshot and
// serves requests from. Compile makes one out of a manifest and its parts, sharing with the one before whatever did not
// change, so that a change costs what it is and not what the service is; Handle takes an exchange through matching,
// authorization and policies.
//
// A Service never changes. A machine holds the current one behind an atomic pointer, and a request keeps the one it
// began with.
package service

import (
	"crypto/tls"
	"net/netip"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/gateway/route"
	"github.com/portico-dev/portico/internal/immutable"
	"github.com/portico-dev/portico/internal/snapshot"
)

// A Service is one compiled snapshot.
type Service struct {
	manifest snapshot.Manifest
	digest   string
	parts    immutable.Map[snapshot.PartKey, *part]
	refused  []snapshot.PartKey // what could not be compiled

	info     *info
	products *products
	keys     keys
	users    users
	backends backends
	held     []pipeline.Certificate
	table    route.Table[*api]
	current  immutable.Map[apiID, *api] // the current revisions
	counters *shared
	strict   bool
}

// apiID is the resource ID of an API in lower case and without a revision: what products and subscriptions refer to.
type apiID string

// Hash implements immutable.Key.
func (id apiID) Hash() uint64 { return immutable.Hash(string(id)) }

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
func (s *Service) AnswersTo(host string) bool { return s.info.host(host) != nil }

// Admits says whether the service serves connections to an address of the machine: all of them, or, without public
// network access, those of private endpoints.
func (s *Service) Admits(local netip.Addr) bool {
	return !s.info.Closed || slices.Contains(s.info.Private, local.String())
}

// Certificate is what the service presents to a client that asks for name in its TLS greeting; the default one when
// there is none for the name. It is nil when the service has no certificate at all.
func (s *Service) Certificate(name string) *tls.Certificate {
	if h := s.info.greeted(name); h != nil {
		return h.certificate
	}
	return nil
}

// AsksClient reports whether a client that asks for name in its TLS greeting is asked for a certificate of its own.
func (s *Service) AsksClient(name string) bool {
	h := s.info.greeted(name)
	return h != nil && h.asksClient
}

// TLS is how the service speaks TLS.
func (s *Service) TLS() snapshot.TLS { return s.info.Service.TLS }

// OldestTLS implements pipeline.Services.
func (s *Service) OldestTLS() uint16 { return s.info.Service.TLS.OldestBackend }

// Trust implements pipeline.Services.
func (s *Service) Trust() *pipeline.Trust { return s.info.trust }

// Backend implements pipeline.Services.
func (s *Service) Backend(name string) (*pipeline.Target, bool) {
	t, ok := s.backends[strings.ToLower(name)]
	return t, ok
}

// API implements pipeline.Services: the current revision of an API.
func (s *Service) API(id string) (*snapshot.API, bool) {
	a, ok := s.current.Get(withoutRevision(id))
	if !ok {
		return nil, false
	}
	return &a.API, true
}

// Certificates implements pipeline.Services.
func (s *Service) Certificates() []pipeline.Certificate { return s.held }

// api is one compiled API revision. There may be very many: what requests do not need is not kept.
type api struct {
	snapshot.API
	id         apiID
	templates  *route.Compiled
	target     *pipeline.Target // nil without a service URL
	policy     *pipeline.Compiled
	operations map[int]*pipeline.Compiled // policies by index of API.Operations
}

// paths are where requests find an API: the current revision below the API's path, every revision below the path with
// ";rev=n".
func (a *api) paths() (out []string) {
	path := a.Path
	if a.VersionScheme == snapshot.VersionSegment && a.Version != "" {
		path = strings.Trim(a.Path+"/"+a.Version, "/")
	}
	if a.Current {
		out = append(out, path)
	}
	if a.Revision != "" && path != "" {
		out = append(out, path+";rev="+a.Revision)
	}
	return out
}

// entry is the API in the routing table. Of two APIs that are alike to requests the one with the lower ID is found.
func (a *api) entry(path string) route.Entry[*api] {
	e := route.Entry[*api]{Path: path, Operations: a.templates, Rank: a.ID, API: a}
	switch a.VersionScheme {
	case snapshot.VersionHeader:
		e.Version = route.Version{In: route.Header, Name: a.VersionName, Value: a.Version}
	case snapshot.VersionQuery:
		e.Version = route.Version{In: route.Query, Name: a.VersionName, Value: a.Version}
	}
	return e
}

// product is one compiled product.
type product struct {
	snapshot.Product
	apis   map[apiID]bool
	policy *pipeline.Compiled
}

// products is the part that holds all products.
type products struct {
	byID map[string]*product // lower case
	open map[apiID]*product  // the open product that makes an API callable without a key
}

// info is the part about the service itself.
type info struct {
	snapshot.Service
	id       string           // lower case
	hosts    map[string]*host // by name, in lower case and without brackets
	fallback *host            // for clients that ask for no name, or for one without a certificate; nil for none
	policy   *pipeline.Compiled
	trust    *pipeline.Trust
	away     bool // the location is out of rotation, while others are in
}

// host is a name, or an address literal, that the service answers to.
type host struct {
	certificate *tls.Certificate // nil for an address literal
	asksClient  bool
	local       bool // of the location of the machine, and not of the whole service
}

// host finds what is known of a name itself, or else of all names beside it.
func (i *info) host(name string) *host {
	if h := i.hosts[name]; h != nil {
		return h
	}
	if _, parent, ok := strings.Cut(name, "."); ok {
		return i.hosts["*."+parent]
	}
	return nil
}

// greeted is the host that a TLS greeting is for.
func (i *info) greeted(name string) *host {
	if h := i.host(strings.ToLower(name)); h != nil && h.certificate != nil {
		return h
	}
	return i.fallback
}

type backends map[string]*pipeline.Target

// users finds the owner of a subscription by its resource ID in lower case.
type users map[string]*snapshot.User

// subscription is a key holder with its scope made comparable.
type subscription struct {
	snapshot.Subscription
	scope string // lower case, without a revision
}

// withoutRevision cuts ";rev=2" off an API's resource ID and lowers it.
func withoutRevision(id string) apiID {
	id, _, _ = strings.Cut(strings.ToLower(id), ";rev=")
	return apiID(id)
}
