package service

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

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
	// Location is where the machine is, normalised: a service is compiled as it is there.
	Location string
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
	s.manifest, s.digest, s.strict = b.Manifest, b.Manifest.Digest(), c.StrictProtocols
	refused := s.apply(c.edits(prev, b))
	if s.info == nil {
		return nil, refused, ErrIncomplete
	}
	return &s, refused, nil
}

// An edit is what becomes of a part: from one form to another, either of which may be nil.
type edit struct {
	ref      snapshot.PartRef // of the manifest; no digest for a part that is gone
	from, to *part
	err      error // why to is not what ref says
}

// edits compiles whatever a bundle has that a service has not.
func (c *Compiler) edits(prev *Service, b Bundle) []edit {
	keys := prev.stale(b.Manifest)
	out := make([]edit, len(keys))
	each(len(keys), func(i int) {
		e := &out[i]
		var stays bool
		e.from, _ = prev.parts.Get(keys[i])
		if e.ref, stays = b.Manifest.Parts.Get(keys[i]); stays {
			e.to, e.err = c.part(e.from, b, e.ref)
		}
	})
	return out
}

// each calls f for the numbers below n, with all processors when they are many.
func each(n int, f func(int)) {
	const many = 64
	workers := 1
	if n > many {
		workers = runtime.GOMAXPROCS(0)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
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

// apply brings edits into the service and lists what was refused. All that goes goes first: what comes may be in its
// place.
func (s *Service) apply(edits []edit) (refused []snapshot.Refusal) {
	s.refused = nil
	for _, e := range edits {
		if e.err != nil {
			refused = append(refused, snapshot.Refusal{Kind: e.ref.Kind, ID: e.ref.ID, Digest: e.ref.Digest, Reason: e.err.Error()})
			s.refused = append(s.refused, e.ref.Key())
		}
		if e.from != nil && e.from != e.to {
			s.parts = s.parts.Delete(e.from.ref.Key())
			s.unlink(e.from.value)
		}
	}
	for _, e := range edits {
		if e.to != nil && e.from != e.to {
			s.parts = s.parts.Set(e.to.ref.Key(), e.to)
			s.link(e.to.value)
		}
	}
	return refused
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
