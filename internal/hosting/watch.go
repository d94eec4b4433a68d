package hosting

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/portico-dev/portico/internal/platform"
)

// lookGap bounds how often the whole fabric is looked at.
const lookGap = 2 * time.Millisecond

// watchFabric wakes the services that have news.
func (c *Controller) watchFabric(ctx context.Context) {
	var (
		after    int64
		last     platform.Observation
		failures int
	)
	for ctx.Err() == nil {
		n, err := c.f.Wait(ctx, after)
		var obs platform.Observation
		if err == nil {
			obs, err = c.f.Observe(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			c.log.WarnContext(ctx, "fabric cannot be observed", slog.Any("error", err))
			sleep(ctx, c.pause(failures))
			failures++
			continue
		}
		if failures > 0 || last.Boot != "" && last.Boot != obs.Boot {
			failures = 0
			c.resync(ctx)
		}
		if !slices.Equal(last.Down, obs.Down) { // concerns what has machines in other zones too
			c.noteDown(obs.Down)
			if err := c.wakeAll(ctx); err != nil && ctx.Err() == nil {
				c.fail(err)
			}
		}
		c.news(ctx, last, obs)
		after, last = n, obs
		sleep(ctx, lookGap)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// resync has everything told again: the fabric was away and may have forgotten.
func (c *Controller) resync(ctx context.Context) {
	c.mu.Lock()
	for _, w := range c.workers {
		w.stale = true
	}
	c.mu.Unlock()
	if err := c.sweep(ctx); err != nil && ctx.Err() == nil {
		c.log.WarnContext(ctx, "leftovers were not removed", slog.Any("error", err))
	}
	if err := c.wakeAll(ctx); err != nil && ctx.Err() == nil {
		c.fail(err)
	}
}

// news compares two observations. A machine that came, went or changed its phase, mode or version, and a route that
// moved, wake their service; a new Seq wakes it only if it waits for something. Load is no news.
func (c *Controller) news(ctx context.Context, before, after platform.Observation) {
	large, small := map[string]bool{}, map[string]bool{}
	for id, m := range after.Machines {
		was, ok := before.Machines[id]
		switch {
		case !ok || was.Phase != m.Phase || was.Mode != m.Mode || was.Gateway != m.Gateway || was.Refused != m.Refused || was.Restarts != m.Restarts || was.Failures != m.Failures:
			large[id] = true
		case was.Seq != m.Seq:
			small[id] = true
		}
	}
	for id := range before.Machines {
		if _, ok := after.Machines[id]; !ok {
			large[id] = true
		}
	}
	for id, sets := range after.VIPs {
		if !slices.Equal(before.VIPs[id], sets) {
			large[id] = true
		}
	}
	for id := range before.VIPs {
		if _, ok := after.VIPs[id]; !ok {
			large[id] = true
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range large {
		c.tellOwner(ctx, id, false)
	}
	for id := range small {
		c.tellOwner(ctx, id, true)
	}
}

// tellOwner wakes the worker of whatever lists an ID, and, if that is a pool, the services that wait for it. Those that
// wait for nothing sleep through small news. c.mu is held.
func (c *Controller) tellOwner(ctx context.Context, id string, small bool) {
	key, ok := c.owners[id]
	if !ok {
		return
	}
	if w := c.worker(key); !small || w.waiting || w.running {
		c.start(ctx, w)
	}
	for member := range c.expectant[key] {
		c.start(ctx, c.worker(member))
	}
}
