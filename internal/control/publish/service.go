package publish

import (
	"container/list"
	"context"
	"encoding/json"
	"log/slog"
	"strings"

	"github.com/portico-dev/portico/internal/control/identity"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/snapshot"
	"github.com/portico-dev/portico/internal/store"
)

// Types of the documents that snapshots are made of.
const (
	typeService      = "microsoft.apimanagement/service"
	typeProduct      = typeService + "/products"
	typeProductAPI   = typeProduct + "/apis"
	typeSubscription = typeService + "/subscriptions"
	typeProductGroup = typeProduct + "/groups"
	typeGroup        = typeService + "/groups"
	typeCertificate  = typeService + "/certificates"
	typeNamedValue   = typeService + "/namedvalues"
	typeBackend      = typeService + "/backends"
	typeAPI          = typeService + "/apis"
	typeOperation    = typeAPI + "/operations"
)

// A partKey names a part within a service: its kind and, for an API, the last segment of its ID in lower case.
type partKey struct{ kind, api string }

// keyOf is the key of a part of a manifest.
func keyOf(ref snapshot.PartRef) partKey {
	if ref.Kind != snapshot.KindAPI {
		return partKey{kind: ref.Kind}
	}
	return partKey{ref.Kind, strings.ToLower(lastSegment(ref.ID))}
}

var (
	servicePart       = partKey{kind: snapshot.KindService}
	productsPart      = partKey{kind: snapshot.KindProducts}
	subscriptionsPart = partKey{kind: snapshot.KindSubscriptions}
	usersPart         = partKey{kind: snapshot.KindUsers}
	backendsPart      = partKey{kind: snapshot.KindBackends}
	certificatesPart  = partKey{kind: snapshot.KindCertificates}
)

// A part is what is known of a part of the manifest. Its bytes are in the cache, or can be made again; those of a last
// good form cannot and are kept here.
type part struct {
	ref snapshot.PartRef
	// uses is what it is made of beside its own documents, whether that exists or not: named values by name in lower
	// case, others by useOf.
	uses  map[string]bool // nil when there is nothing
	mocks bool            // a policy of it has a mock-response
	kept  []byte
}

// staleness says what must be made again.
type staleness struct {
	all   bool
	parts map[partKey]bool
	named map[string]bool // keys of named value documents that changed
	// used are other documents that parts are made of and that changed, as part.uses names them.
	used map[string]bool
}

func (s staleness) none() bool {
	return !s.all && len(s.parts) == 0 && len(s.named) == 0 && len(s.used) == 0
}

func (s *staleness) add(o staleness) {
	s.all = s.all || o.all
	for key := range o.parts {
		s.part(key)
	}
	for key := range o.named {
		s.name(key)
	}
	for what := range o.used {
		s.use(what)
	}
}

// part, name and use note one thing more. There are thousands of services of which nothing is stale: they have no maps.
func (s *staleness) part(key partKey) { noted(&s.parts, key) }
func (s *staleness) name(key string)  { noted(&s.named, key) }
func (s *staleness) use(what string)  { noted(&s.used, what) }

func noted[K comparable](set *map[K]bool, key K) {
	if *set == nil {
		*set = map[K]bool{}
	}
	(*set)[key] = true
}

// useOf is how part.uses lists a document: no name of a named value has a slash.
func useOf(kind, name string) string { return strings.ToLower(kind + "/" + name) }

// A service is what the Publisher keeps of one service. Publisher.mu guards its fields.
type service struct {
	id          string
	key         string // of id
	making      turn   // held by whoever makes its parts
	location    string
	consumption bool

	pool  *pool // that it is in; nil for none
	place *list.Element
	seq   int64 // of the newest change of any of its documents
	stale staleness
	// parts and named are changed by the holder of making, with mu held, so that he may read them without.
	parts map[partKey]part
	named map[string]string // key of a named value document to its display name, lower case
	// manifest names the parts; digest is empty until it was made once.
	manifest snapshot.Manifest
	digest   string

	awake   *list.Element // in Publisher.awake; nil for a service of no pool, and for one that rests
	resting bool          // of what was made only the digest is known: see rest.go
}

func newService(id string) *service {
	s := &service{
		id: id, key: store.Key(id), making: newTurn(),
		manifest: snapshot.Manifest{Format: snapshot.Format, Service: id, Name: lastSegment(id)},
	}
	s.stale.all = true
	return s
}

// mark notes what a change touches. The caller holds mu.
func (p *Publisher) mark(ctx context.Context, c store.Change, docs map[string]store.Document) {
	key := store.Key(c.ID)
	if host, ok := strings.CutPrefix(key, identity.CertificatePrefix); ok {
		p.markHost(host, c.Seq)
		return
	}
	if c.Type == typeService {
		d, there := docs[key]
		if c.Deleted || !there {
			p.remove(key)
			return
		}
		s := p.services[key]
		if s == nil {
			s = newService(d.ID)
			p.insert(s)
		}
		s.seq = max(s.seq, c.Seq)
		s.stale.part(servicePart)
		p.describe(ctx, s, d)
		p.enlist(s)
		return
	}
	serviceKey, rest := splitService(key)
	s := p.services[serviceKey]
	if s == nil {
		return
	}
	s.seq = max(s.seq, c.Seq)
	s.touch(key, rest)
	p.enlist(s)
}

// insert makes a service known, and remove makes it unknown. The caller holds mu.
func (p *Publisher) insert(s *service) {
	p.services[s.key] = s
	p.hosts[hostName(s.id, p.opt.Domain)] = s
}

func (p *Publisher) remove(key string) {
	s := p.services[key]
	if s == nil {
		return
	}
	s.leavePool()
	p.arouse(s)
	delete(p.services, key)
	delete(p.hosts, hostName(s.id, p.opt.Domain))
}

// describe takes over what decides which machines get a service. The caller holds mu.
func (p *Publisher) describe(ctx context.Context, s *service, d store.Document) {
	var doc servicePlace
	if err := json.Unmarshal(d.Desired, &doc); err != nil {
		p.log.ErrorContext(ctx, "service document cannot be read", slog.String("id", d.ID), slog.Any("error", err))
		return
	}
	s.location = normalLocation(doc.Location)
	s.consumption = strings.EqualFold(doc.SKU.Name, string(platform.Consumption))
}

// touch marks the parts that a document below the service belongs to. rest is the lower-case path below the service.
func (s *service) touch(key, rest string) {
	segs := strings.Split(rest, "/")
	switch segs[0] {
	case "policies":
		s.stale.part(servicePart)
	case "subscriptions":
		s.stale.part(subscriptionsPart)
		s.stale.part(usersPart) // it holds those that own one
	case "users":
		s.stale.part(usersPart)
	case "groups":
		s.stale.part(usersPart)
		if len(segs) == 2 { // products list the groups that see them
			s.stale.part(productsPart)
		}
	case "backends":
		s.stale.part(backendsPart)
	case "certificates":
		s.stale.part(certificatesPart)
	case "products":
		s.stale.part(productsPart)
	case "namedvalues":
		s.stale.name(key)
	case "policyfragments", "apiversionsets":
		s.stale.use(rest)
	case "apis":
		if len(segs) < 2 {
			return
		}
		s.stale.part(partKey{snapshot.KindAPI, segs[1]})
	}
}

// markHost marks the service that answers to a host whose certificate changed. The caller holds mu.
func (p *Publisher) markHost(host string, seq int64) {
	if s := p.hosts[host]; s != nil {
		s.seq = max(s.seq, seq)
		s.stale.part(servicePart)
		p.enlist(s)
	}
}

// splitService cuts the key of a document below a service into the service's key and the rest.
func splitService(key string) (service, rest string) {
	const marker = "/providers/" + typeService + "/"
	i := strings.Index(key, marker)
	if i < 0 {
		return "", ""
	}
	name, rest, ok := strings.Cut(key[i+len(marker):], "/")
	if !ok {
		return "", ""
	}
	return key[:i+len(marker)+len(name)], rest
}

// hostName is the default host name of a service.
func hostName(serviceID, domain string) string {
	return strings.ToLower(lastSegment(serviceID) + "." + domain)
}

func lastSegment(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// normalLocation is the form in which locations are compared: westeurope.
func normalLocation(l string) string { return strings.ToLower(strings.ReplaceAll(l, " ", "")) }
