package publish

import "github.com/portico-dev/portico/internal/snapshot"

// Of thousands of Consumption services few change at a time. The others rest: the digest of the manifest is known, by
// which a worker that has it is told from one that has not, and nothing of what it is made of. The next change, or a worker
// that has another manifest, has everything of the service made again.

// wake notes that parts of a service were made, and lets others rest in its stead. The caller holds mu and s.making.
func (p *Publisher) wake(s *service) {
	s.resting = false
	switch {
	case s.pool == nil:
		p.arouse(s)
		return
	case s.awake == nil:
		s.awake = p.awake.PushBack(s)
	default:
		p.awake.MoveToBack(s.awake)
	}
	for e := p.awake.Front(); e != nil && p.awake.Len() > p.opt.Awake; {
		next := e.Next()
		p.rest(e.Value.(*service))
		e = next
	}
}

// arouse takes a service off the list of those that may rest. The caller holds mu.
func (p *Publisher) arouse(s *service) {
	if s.awake != nil {
		p.awake.Remove(s.awake)
		s.awake = nil
	}
}

// rest lets go of what was made of a service, unless there is something to do about it or some of it cannot be made again.
// The caller holds mu.
func (p *Publisher) rest(s *service) {
	select {
	case s.making <- struct{}{}:
		defer s.making.give()
	default:
		return
	}
	if !s.stale.none() {
		return
	}
	for _, pt := range s.parts {
		if pt.kept != nil {
			return
		}
	}
	for _, pt := range s.parts {
		p.cache.drop(pt.ref.Digest)
	}
	for _, ses := range p.sessions {
		ses.forget(s.key)
	}
	s.parts, s.named, s.manifest.Parts, s.resting = nil, nil, snapshot.Parts{}, true
	p.arouse(s)
}

// forget keeps the digest alone of a manifest that a machine has.
func (s *session) forget(key string) {
	for _, have := range []map[string]holding{s.have, s.pending} {
		if h, ok := have[key]; ok {
			have[key] = holding{id: h.id, digest: h.digest}
		}
	}
}
