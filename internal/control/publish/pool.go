package publish

import (
	"container/list"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/snapshot"
	"github.com/portico-dev/portico/internal/store"
)

// A pool is the Consumption services of a location. A poll of a worker looks at those that have changed since the one
// before, and not at the thousands of others.
type pool struct {
	order *list.List        // of *service, the one that changed last at the end
	again map[*service]bool // those with a part that is worth another attempt, though nothing changes
}

// enlist puts a service where it belongs after a change: at the end of the pool of its location. The caller holds mu.
func (p *Publisher) enlist(s *service) {
	var to *pool
	if s.consumption {
		to = p.pools[s.location]
		if to == nil {
			to = &pool{order: list.New(), again: map[*service]bool{}}
			p.pools[s.location] = to
		}
	}
	if s.pool != to {
		s.leavePool()
	}
	switch {
	case to == nil:
	case s.pool == to:
		to.order.MoveToBack(s.place)
	default:
		s.pool, s.place = to, to.order.PushBack(s)
	}
}

// leavePool takes a service out of its pool, if it is in one. The caller holds Publisher.mu.
func (s *service) leavePool() {
	if s.pool != nil {
		s.pool.order.Remove(s.place)
		delete(s.pool.again, s)
		s.pool, s.place = nil, nil
	}
}

// tryAgain notes whether a part of the service is worth another attempt. The caller holds Publisher.mu.
func (s *service) tryAgain(worth bool) {
	switch {
	case s.pool == nil:
	case worth:
		s.pool.again[s] = true
	default:
		delete(s.pool.again, s)
	}
}

// since lists the services that changed after a Seq or are worth another attempt, by key, and the newest Seq of all.
func (p *pool) since(seq int64) (changed []*service, newest int64) {
	for e := p.order.Back(); e != nil; e = e.Prev() {
		s := e.Value.(*service)
		newest = max(newest, s.seq)
		if s.seq <= seq {
			break
		}
		changed = append(changed, s)
	}
	for s := range p.again {
		if s.seq <= seq {
			changed = append(changed, s)
		}
	}
	slices.SortFunc(changed, func(a, b *service) int { return strings.Compare(a.key, b.key) })
	return changed, newest
}

// servicesOf lists the services of a machine that may be news to it, and the newest Seq that concerns any of its
// services. The caller holds mu.
func (p *Publisher) servicesOf(req snapshot.PollRequest, ses *session) (news []*service, newest int64) {
	if req.Service != "" {
		if s := p.services[store.Key(req.Service)]; s != nil {
			return []*service{s}, s.seq
		}
		return nil, 0
	}
	if pool := p.pools[normalLocation(req.Location)]; pool != nil {
		return pool.since(ses.looked)
	}
	return nil, 0
}

// goneOf lists the keys of services that a machine has and that are none of its own any more. All others that it has are
// still there, so it has to look for some only where the numbers say so. The caller holds mu.
func (p *Publisher) goneOf(req snapshot.PollRequest, ses *session, news []*service) (gone []string) {
	there, pool := 0, p.pools[normalLocation(req.Location)]
	switch {
	case req.Service != "":
		there = len(news)
	case pool != nil:
		there = pool.order.Len()
	}
	after := len(ses.have)
	for _, s := range news {
		if _, had := ses.have[s.key]; !had {
			after++
		}
	}
	if after <= there {
		return nil
	}
	for key := range ses.have {
		s := p.services[key]
		if s == nil || req.Service == "" && s.pool != pool || req.Service != "" && key != store.Key(req.Service) {
			gone = append(gone, key)
		}
	}
	return gone
}
