package feed

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/gateway/service"
	"github.com/portico-dev/portico/internal/snapshot"
)

// settle decides which parts are the last good ones in the place of those that were refused: those of the state before.
func (s *state) settle(old *state) {
	if s.good = nil; len(s.refused) == 0 {
		return
	}
	s.good = make(map[snapshot.PartKey]snapshot.PartRef, len(s.refused))
	for _, r := range s.refused {
		key := snapshot.PartKey{Kind: r.Kind, ID: r.ID}
		if g, ok := old.good[key]; ok {
			s.good[key] = g
		} else if ref, had := old.manifest.Parts.Get(key); had && !old.refuses(key) {
			s.good[key] = ref
		}
	}
}

func (s *state) refuses(key snapshot.PartKey) bool {
	return slices.ContainsFunc(s.refused, func(r snapshot.Refusal) bool { return r.Kind == key.Kind && r.ID == key.ID })
}

// fallbacks lists the last good parts in the place of those that were refused.
func (s *state) fallbacks() []snapshot.PartRef {
	return slices.SortedFunc(maps.Values(s.good), func(a, b snapshot.PartRef) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.ID, b.ID))
	})
}

// whole says whether all parts of a service are there. They were when the service was taken in, and are unless one was
// lost. It is called with mu held.
func (f *Feed) whole(s *state) bool {
	if !f.cache.lacks() {
		return true
	}
	s, err := f.warm(s)
	if err != nil {
		return false
	}
	for ref := range s.manifest.Parts.All() {
		if !f.cache.has(ref.Digest) {
			return false
		}
	}
	return true
}

// A worker knows thousands of services, of which most are asked for nothing: their manifests are on disk alone.

// cool lets go of a manifest that the cache has.
func (f *Feed) cool(s *state) {
	if f.opt.Service != "" || !f.cache.let(s.id) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s.manifest = snapshot.Manifest{}
}

// warm is a state with its manifest; itself where that is in memory. On an error it is the state without.
func (f *Feed) warm(s *state) (*state, error) {
	if s.manifest.Service != "" || s.digest == "" {
		return s, nil
	}
	kept, _, err := f.cache.kept(journalFile(s.id))
	if err == nil && kept.Manifest.Digest() != s.digest {
		err = errMoved
	}
	if err != nil {
		return s, fmt.Errorf("read manifest of %s: %w", s.id, err)
	}
	w := *s
	w.manifest = kept.Manifest
	return &w, nil
}

// lose has a service sent again.
func (f *Feed) lose(s *state) {
	f.mu.Lock()
	s.lost = true
	f.mu.Unlock()
	f.cache.harm()
}

// errMoved is returned for a manifest on disk that is not the one in question.
var errMoved = errors.New("the manifest on disk is another one")

// index is the reverse of fallbacks.
func index(good []snapshot.PartRef) map[snapshot.PartKey]snapshot.PartRef {
	out := make(map[snapshot.PartKey]snapshot.PartRef, len(good))
	for _, ref := range good {
		out[ref.Key()] = ref
	}
	return out
}

// uses lists the parts that a state needs and that are in question: one side of each difference, and the last good ones.
func (s *state) uses(differ []snapshot.Difference, side func(snapshot.Difference) string) (digests []string) {
	for _, d := range differ {
		if digest := side(d); digest != "" {
			digests = append(digests, digest)
		}
	}
	for _, ref := range s.good {
		digests = append(digests, ref.Digest)
	}
	return digests
}

// findHosts reads the host names out of a snapshot's service part, if that is another one than before.
func (s *state) findHosts(differ []snapshot.Difference, load func(string) ([]byte, error)) error {
	for _, d := range differ {
		if d.Kind != snapshot.KindService || d.To == "" {
			continue
		}
		data, err := load(d.To)
		if err != nil {
			return err
		}
		var v snapshot.Service
		if err := json.Unmarshal(data, &v); err != nil {
			return fmt.Errorf("decode service part: %w", err)
		}
		s.hosts = make([]string, 0, len(v.Hosts))
		for _, h := range v.Hosts {
			s.hosts = append(s.hosts, strings.ToLower(h.Name))
		}
	}
	if len(s.hosts) == 0 {
		return service.ErrIncomplete
	}
	return nil
}

// Find implements engine.Catalogue.
func (f *Feed) Find(host string) (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id, ok := f.hosts[host]
	if _, parent, cut := strings.Cut(host, "."); !ok && cut {
		id, ok = f.hosts["*."+parent]
	}
	return id, ok
}

// Load implements engine.Catalogue.
func (f *Feed) Load(serviceID string) (service.Bundle, error) {
	const attempts = 3 // it may be changed meanwhile
	for attempt := 1; ; attempt++ {
		f.mu.Lock()
		s := f.services[key(serviceID)]
		var cold state
		if s != nil {
			cold = *s
		}
		f.mu.Unlock()
		if s == nil {
			return service.Bundle{}, fmt.Errorf("no snapshot of %s", serviceID)
		}
		warm, err := f.warm(&cold)
		if err == nil {
			return service.Bundle{Manifest: warm.manifest, Load: f.cache.part, Good: warm.fallbacks()}, nil
		}
		if attempt == attempts {
			f.lose(s)
			return service.Bundle{}, err
		}
	}
}

// Refuse implements engine.Catalogue: it takes note of parts that turned out to be unusable when their service was
// activated. They are reported with the next poll.
func (f *Feed) Refuse(serviceID string, refused []snapshot.Refusal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.services[key(serviceID)]; s != nil {
		s.refused = refused
		f.refuse(s)
	}
}
