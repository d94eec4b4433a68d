package feed

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/portico-dev/portico/internal/gateway/service"
	"github.com/portico-dev/portico/internal/snapshot"
)

// settle decides which part is the last good one for each of the manifest: the part itself, or an earlier one where
// it was refused.
func (s *state) settle(before []snapshot.PartRef) {
	refused := make(map[string]bool, len(s.refused))
	for _, r := range s.refused {
		refused[r.ID+r.Digest] = true
	}
	for _, ref := range s.manifest.Parts {
		if !refused[ref.ID+ref.Digest] {
			s.good[partKey{ref.Kind, ref.ID}] = ref
			continue
		}
		for _, g := range before {
			if g.Kind == ref.Kind && g.ID == ref.ID {
				s.good[partKey{ref.Kind, ref.ID}] = g
			}
		}
	}
}

// fallbacks lists last good parts that differ from those of a manifest.
func (s *state) fallbacks(m snapshot.Manifest) []snapshot.PartRef {
	var out []snapshot.PartRef
	for _, ref := range m.Parts {
		if g, ok := s.good[partKey{ref.Kind, ref.ID}]; ok && g.Digest != ref.Digest {
			out = append(out, g)
		}
	}
	return out
}

// hostsOf reads the host names out of a snapshot's service part.
func hostsOf(m snapshot.Manifest, load func(string) ([]byte, error)) ([]string, error) {
	for _, ref := range m.Parts {
		if ref.Kind != snapshot.KindService {
			continue
		}
		data, err := load(ref.Digest)
		if err != nil {
			return nil, err
		}
		var v snapshot.Service
		if err := json.Unmarshal(data, &v); err != nil {
			return nil, fmt.Errorf("decode service part: %w", err)
		}
		hosts := make([]string, 0, len(v.Hosts))
		for _, h := range v.Hosts {
			hosts = append(hosts, strings.ToLower(h.Name))
		}
		return hosts, nil
	}
	return nil, service.ErrIncomplete
}

// Find implements engine.Catalogue.
func (f *Feed) Find(host string) (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id, ok := f.hosts[host]
	return id, ok
}

// Load implements engine.Catalogue.
func (f *Feed) Load(serviceID string) (service.Bundle, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.services[key(serviceID)]
	if s == nil {
		return service.Bundle{}, fmt.Errorf("no snapshot of %s", serviceID)
	}
	return service.Bundle{Manifest: s.manifest, Load: f.cache.part, Good: s.fallbacks(s.manifest)}, nil
}

// Refuse implements engine.Catalogue: it takes note of parts that turned out to be unusable when their service was
// activated. They are reported with the next poll.
func (f *Feed) Refuse(serviceID string, refused []snapshot.Refusal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.services[key(serviceID)]; s != nil {
		s.refused = refused
	}
}
