package agent

import (
	"context"
	"log/slog"
	"time"

	"github.com/portico-dev/portico/internal/platform"
)

// Where many services share a worker, nobody is to wait for long for one that does not come: after QueueTime in which
// connections waited and no machine took any, the edge is told to answer them, and all that follow, with 503 until a
// machine takes connections again. Those of a service with machines of its own wait.

// watchQueues looks at the intakes of pools until ctx ends.
func (a *agent) watchQueues(ctx context.Context) {
	tick := time.NewTicker(a.opt.QueueTime / 10)
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
		if s.wish == nil || s.wish.Platform != platform.MTv1 || s.refuses {
			continue
		}
		switch {
		case a.takes(s.id) || !s.waits():
			s.waited = time.Time{}
		case s.waited.IsZero():
			s.waited = now
		case now.Sub(s.waited) >= a.opt.QueueTime:
			s.refuses = true
			a.log.Warn("nobody takes the connections of a set: they are refused", slog.String("set", s.id))
			a.edge.markQueue(s.id)
			signal(a.edge.kick)
		}
	}
}

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
		if s.refuses && (a.takes(s.id) || s.sleeps() || s.wish == nil) {
			s.refuses, s.waited = false, time.Time{}
			a.edge.markQueue(s.id)
		}
	}
}
