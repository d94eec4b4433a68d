package hosting

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/metric"
	"github.com/portico-dev/portico/internal/platform"
)

// Loads are looked at every few seconds of platform time, and not more often than machines measure.
const (
	loadEvery = 5 * time.Second
	loadGap   = 500 * time.Millisecond
)

// watchLoad enters what machines report of their load into the history, until ctx ends.
func (c *Controller) watchLoad(ctx context.Context) {
	if c.opt.Metrics == nil {
		return
	}
	var last map[string]platform.Answers
	for {
		sleep(ctx, loadGap)
		if c.opt.Clock.Sleep(ctx, loadEvery) != nil {
			return
		}
		obs, err := c.f.Observe(ctx)
		if err != nil {
			c.log.DebugContext(ctx, "loads are not known", slog.Any("error", err))
			c.opt.Metrics.Blind(c.opt.Clock.Now())
			continue
		}
		now := c.opt.Clock.Now()
		c.opt.Metrics.Look(now, c.loads(obs))
		c.opt.Metrics.Count(now, c.answered(obs, last))
		last = answers(obs)
	}
}

// answered is how many requests the places of services have answered since the look that last is of; none in the first
// one, which has no last: nobody knows when that was.
func (c *Controller) answered(obs platform.Observation, last map[string]platform.Answers) map[metric.Place]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := map[metric.Place]int64{}
	for id, location := range c.sites {
		if key := c.owners[id]; last != nil && !strings.HasPrefix(key, poolPrefix) {
			n[metric.Place{Service: key, Location: location}] += obs.Machines[id].Answers.Since(last[id]).All
		}
	}
	return n
}

// answers are the counts of all machines.
func answers(obs platform.Observation) map[string]platform.Answers {
	all := make(map[string]platform.Answers, len(obs.Machines))
	for id, m := range obs.Machines {
		all[id] = m.Answers
	}
	return all
}

// loads are the readings of all machines that serve, by the place of their service. Machines of a pool serve many.
func (c *Controller) loads(obs platform.Observation) map[metric.Place][]platform.Load {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := map[metric.Place][]platform.Load{}
	for id, location := range c.sites {
		key := c.owners[id]
		if strings.HasPrefix(key, poolPrefix) {
			continue
		}
		p := metric.Place{Service: key, Location: location}
		m := obs.Machines[id]
		if m.Phase == platform.Ready && (m.Mode == "" || m.Mode == platform.Serving) && m.Load != (platform.Load{}) {
			seen[p] = append(seen[p], m.Load)
		} else if seen[p] == nil {
			seen[p] = nil
		}
	}
	return seen
}
