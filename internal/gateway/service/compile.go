package service

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/portico-dev/portico/internal/counters"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/gateway/route"
	"github.com/portico-dev/portico/internal/snapshot"
)

// A Bundle is a snapshot ready to be compiled.
type Bundle struct {
	Manifest snapshot.Manifest
	// Load gives the content of a part by its digest. It is called for parts that changed, and may be called after
	// Compile returned never.
	Load func(digest string) ([]byte, error)
	// Good lists last good parts for those of the manifest that a machine refused before: a machine that starts anew
	// falls back to them too.
	Good []snapshot.PartRef
}

// A Compiler compiles services. It is used by many goroutines.
type Compiler struct {
	// Builders compile statements by element name.
	Builders map[string]pipeline.Builder
	// Counters opens the counters that a service shares with its other machines, by its resource ID. Nil: each service
	// counts in memory.
	Counters func(service string) (*counters.Table, error)
	// StrictProtocols answers 404 to a request whose scheme its API does not list.
	StrictProtocols bool
}

type partKey struct{ kind, id string }

// part is a compiled part. Two manifests with the same digest share it.
type part struct {
	ref   snapshot.PartRef
	value any
}

// ErrIncomplete is returned for a bundle without which a service cannot be served at all.
var ErrIncomplete = errors.New("the snapshot has no usable service part")

// Compile makes a service out of a bundle. Parts whose digest did not change are taken over from prev, which may be
// nil. A part that cannot be compiled keeps its last good form and is listed as refused.
func (c *Compiler) Compile(prev *Service, b Bundle) (*Service, []snapshot.Refusal, error) {
	if b.Manifest.Format > snapshot.Format {
		return nil, nil, fmt.Errorf("snapshot of %s has format %d, newest known is %d", b.Manifest.Service, b.Manifest.Format, snapshot.Format)
	}
	s := &Service{
		manifest: b.Manifest, digest: b.Manifest.Digest(), strict: c.StrictProtocols,
		parts: make(map[partKey]*part, len(b.Manifest.Parts)), counters: c.counters(prev, b.Manifest.Service),
	}
	var refused []snapshot.Refusal
	for _, ref := range b.Manifest.Parts {
		p, err := c.part(prev, b, ref)
		if err != nil {
			refused = append(refused, snapshot.Refusal{ID: ref.ID, Digest: ref.Digest, Reason: err.Error()})
		}
		if p != nil {
			s.parts[partKey{ref.Kind, ref.ID}] = p
		}
	}
	s.assemble()
	if s.info == nil {
		return nil, refused, ErrIncomplete
	}
	return s, refused, nil
}

// Parts lists the digests that the service is made of, last good ones included.
func (s *Service) Parts() []snapshot.PartRef {
	out := make([]snapshot.PartRef, 0, len(s.parts))
	for _, p := range s.parts {
		out = append(out, p.ref)
	}
	return out
}

// part compiles one part, or falls back to an earlier form of it; the error says why it had to.
func (c *Compiler) part(prev *Service, b Bundle, ref snapshot.PartRef) (*part, error) {
	var last *part
	if prev != nil {
		last = prev.parts[partKey{ref.Kind, ref.ID}]
	}
	if last != nil && last.ref.Digest == ref.Digest {
		return last, nil
	}
	p, err := c.load(b, ref)
	if err == nil {
		return p, nil
	}
	if last != nil {
		return last, err
	}
	for _, good := range b.Good {
		if good.Kind == ref.Kind && good.ID == ref.ID {
			if p, failed := c.load(b, good); failed == nil {
				return p, err
			}
		}
	}
	return nil, err
}

func (c *Compiler) load(b Bundle, ref snapshot.PartRef) (*part, error) {
	data, err := b.Load(ref.Digest)
	if err != nil {
		return nil, fmt.Errorf("load part: %w", err)
	}
	v, err := c.compile(ref.Kind, data)
	if err != nil {
		return nil, err
	}
	return &part{ref: ref, value: v}, nil
}

func (c *Compiler) compile(kind string, data []byte) (any, error) {
	switch kind {
	case snapshot.KindService:
		return decode(data, c.service)
	case snapshot.KindProducts:
		return decode(data, c.products)
	case snapshot.KindSubscriptions:
		return decode(data, newKeys)
	case snapshot.KindUsers:
		return decode(data, newUsers)
	case snapshot.KindBackends:
		return decode(data, newBackends)
	case snapshot.KindCertificates:
		return decode(data, newCertificates)
	case snapshot.KindAPI:
		return decode(data, c.api)
	}
	return nil, fmt.Errorf("parts of kind %q are not known", kind)
}

func decode[T, R any](data []byte, compile func(T) (R, error)) (any, error) {
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, fmt.Errorf("decode part: %w", err)
	}
	return compile(v)
}

// assemble puts compiled parts together. It only links: nothing that costs much happens here.
func (s *Service) assemble() {
	for _, p := range s.parts {
		switch v := p.value.(type) {
		case *info:
			s.info = v
		case *products:
			s.products = v
		case keys:
			s.keys = v
		case users:
			s.users = v
		case backends:
			s.backends = v
		case []pipeline.Certificate:
			s.held = v
		case *api:
			s.apis = append(s.apis, v)
		}
	}
	slices.SortFunc(s.apis, func(a, b *api) int { return cmp.Compare(a.ID, b.ID) })
	if s.products == nil {
		s.products = &products{}
	}
	s.link()
}

// link builds the routing table and finds the product that opens an API. The current revision answers below the
// API's path; every revision does below the path with ";rev=n".
func (s *Service) link() {
	var entries []route.Entry
	var order []*api
	for _, a := range s.apis {
		path, version := a.place()
		if a.Current {
			entries, order = append(entries, route.Entry{Path: path, Version: version, Operations: a.templates}), append(order, a)
		}
		if a.Revision != "" && path != "" {
			entries, order = append(entries, route.Entry{Path: path + ";rev=" + a.Revision, Version: version, Operations: a.templates}), append(order, a)
		}
	}
	s.apis, s.table = order, route.NewFrom(entries)
	s.open = make(map[string]*product)
	for _, p := range s.products.list {
		if !p.Published || p.SubscriptionRequired {
			continue
		}
		for id := range p.apis {
			if s.open[id] == nil {
				s.open[id] = p
			}
		}
	}
}
