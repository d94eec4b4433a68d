package service

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/portico-dev/portico/internal/counters"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
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

// part is a compiled part. All compilations with the same digest share it.
type part struct {
	ref   snapshot.PartRef
	value any
}

// ErrIncomplete is returned for a bundle without which a service cannot be served at all.
var ErrIncomplete = errors.New("the snapshot has no usable service part")

// Compile makes a service out of a bundle. Parts whose digest did not change are taken over from prev, which may be
// nil, with all that links them. A part that cannot be compiled keeps its last good form and is listed as refused.
func (c *Compiler) Compile(prev *Service, b Bundle) (*Service, []snapshot.Refusal, error) {
	if b.Manifest.Format > snapshot.Format {
		return nil, nil, fmt.Errorf("snapshot of %s has format %d, newest known is %d", b.Manifest.Service, b.Manifest.Format, snapshot.Format)
	}
	if prev == nil {
		prev = &Service{products: &products{}, counters: c.counters(b.Manifest.Service)}
	}
	s := *prev
	s.manifest, s.digest, s.strict, s.refused = b.Manifest, b.Manifest.Digest(), c.StrictProtocols, nil
	var refused []snapshot.Refusal
	var old, fresh []*part
	for _, key := range prev.stale(b.Manifest) {
		last, _ := prev.parts.Get(key)
		ref, stays := b.Manifest.Parts.Get(key)
		var p *part
		if stays {
			var err error
			if p, err = c.part(last, b, ref); err != nil {
				refused = append(refused, snapshot.Refusal{Kind: ref.Kind, ID: ref.ID, Digest: ref.Digest, Reason: err.Error()})
				s.refused = append(s.refused, key)
			}
		}
		if p != last {
			old, fresh = append(old, last), append(fresh, p)
		}
	}
	s.replace(old, fresh)
	if s.info == nil {
		return nil, refused, ErrIncomplete
	}
	return &s, refused, nil
}

// stale lists the parts in which a manifest differs from what the service was made of, those that were refused included.
func (s *Service) stale(m snapshot.Manifest) []snapshot.PartKey {
	differ := snapshot.Differences(s.manifest.Parts, m.Parts)
	keys := make([]snapshot.PartKey, 0, len(differ)+len(s.refused))
	for _, d := range differ {
		keys = append(keys, d.PartKey)
	}
	for _, key := range s.refused {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Parts lists the digests that the service is made of, last good ones included.
func (s *Service) Parts() []snapshot.PartRef {
	out := make([]snapshot.PartRef, 0, s.parts.Len())
	for _, p := range s.parts.All() {
		out = append(out, p.ref)
	}
	return out
}

// part compiles one part, or falls back to its last form, which may be nil; the error says why it had to.
func (c *Compiler) part(last *part, b Bundle, ref snapshot.PartRef) (*part, error) {
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
		if good.Key() == ref.Key() {
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

// replace takes parts out of the service and puts others in; either may be nil.
func (s *Service) replace(old, fresh []*part) {
	for _, p := range old {
		if p != nil {
			s.parts = s.parts.Delete(p.ref.Key())
			s.unlink(p.value)
		}
	}
	for _, p := range fresh {
		if p != nil {
			s.parts = s.parts.Set(p.ref.Key(), p)
			s.link(p.value)
		}
	}
}

func (s *Service) link(value any) {
	switch v := value.(type) {
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
		if v.Current {
			s.current = s.current.Set(v.id, v)
		}
		for _, path := range v.paths() {
			s.table = s.table.With(v.entry(path))
		}
	}
}

func (s *Service) unlink(value any) {
	switch v := value.(type) {
	case *info:
		s.info = nil
	case *products:
		s.products = &products{}
	case keys:
		s.keys = nil
	case users:
		s.users = nil
	case backends:
		s.backends = nil
	case []pipeline.Certificate:
		s.held = nil
	case *api:
		if v.Current {
			s.current = s.current.Delete(v.id)
		}
		for _, path := range v.paths() {
			s.table = s.table.Without(path, v.ID)
		}
	}
}
