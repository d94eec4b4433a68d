package agent

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/portico-dev/portico/internal/platform"
)

// While no machine takes connections they wait: in the intake of their set, and in the kernel's queue of a VIP. Nobody is
// to wait for one that does not come. After a time in which connections waited and no machine was there to take them, the
// edge is told to answer them, and all that follow, with 503 until there is one: after QueueTime where many services share
// a worker, which starts in a moment, and after GapTime where a service has machines of its own.

// A queue is what the agent knows of connections that wait for one of several machines.
type queue struct {
	waited  time.Time // since when they wait and nobody takes them; zero when that is not so
	refuses bool      // the edge answers them
}

// overdue notes whether connections wait for nobody, and says when the edge is to answer them from now on.
func (q *queue) overdue(now time.Time, wait bool, bound time.Duration) bool {
	switch {
	case q.refuses:
	case !wait:
		q.waited = time.Time{}
	case q.waited.IsZero():
		q.waited = now
	case now.Sub(q.waited) >= bound:
		q.refuses = true
		return true
	}
	return false
}

// watchQueues looks at intakes and VIPs until ctx ends.
func (a *agent) watchQueues(ctx context.Context) {
	tick := time.NewTicker(min(a.opt.QueueTime, a.opt.GapTime) / 10)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			a.checkQueues(now)
		}
	}
}

func (a *agent) checkQueues(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.sets {
		if s.overdue(now, !a.ready(s.id) && s.waits(), a.bound(s)) {
			a.log.Warn("nobody takes the connections of a set: they are refused", slog.String("set", s.id))
			a.edge.markQueue(s.id)
			signal(a.edge.kick)
		}
	}
	for _, v := range a.vips {
		if v.overdue(now, !a.readyAt(v) && v.waits(), a.opt.GapTime) {
			a.log.Warn("nobody takes the connections of a VIP: they are refused", slog.String("vip", v.id))
			a.edge.markVIP(v.id)
			signal(a.edge.kick)
		}
	}
}

// bound is how long connections wait for a machine of a set. a.mu is held.
func (a *agent) bound(s *set) time.Duration {
	if s.wish != nil && s.wish.Platform == platform.MTv1 {
		return a.opt.QueueTime
	}
	return a.opt.GapTime
}

// ready says whether a set has a machine that takes connections, or is about to be told to. a.mu is held.
func (a *agent) ready(id string) bool {
	s := a.sets[id]
	if s == nil {
		return false
	}
	for _, m := range s.machines {
		if m.mayAccept() {
			return true
		}
	}
	return false
}

// readyAt is ready for the sets that accept on a VIP. a.mu is held.
func (a *agent) readyAt(v *vip) bool { return slices.ContainsFunc(v.allow, a.ready) }

// sleeps says whether a connection would wake a machine. a.mu is held.
func (s *set) sleeps() bool {
	for _, m := range s.machines {
		if m.aimed() == aimSleep {
			return true
		}
	}
	return false
}

// reopen has connections wait again where a machine takes them, or sleeps until they come. a.mu is held.
func (a *agent) reopen() {
	for _, s := range a.sets {
		if s.refuses && (a.ready(s.id) || s.sleeps()) {
			s.queue = queue{}
			a.edge.markQueue(s.id)
		}
	}
	for _, v := range a.vips {
		if v.refuses && a.readyAt(v) {
			v.queue = queue{}
			a.edge.markVIP(v.id)
		}
	}
}
