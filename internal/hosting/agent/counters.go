package agent

import (
	"context"
	"log/slog"
	"time"

	"github.com/portico-dev/portico/internal/counters"
)

const (
	syncEvery  = 10 * time.Second // what a crash of the host can lose of quotas
	sweepEvery = time.Hour
)

// keepCounters writes what machines count to disk and removes the files that count nothing any more, until ctx ends.
// Machines make the files themselves, when a policy first counts, and share them without the agent: it may die.
func (a *agent) keepCounters(ctx context.Context) {
	dir := a.opt.Layout.Counters()
	write, sweep := time.NewTicker(syncEvery), time.NewTicker(sweepEvery)
	defer write.Stop()
	defer sweep.Stop()
	counters.Sweep(dir, a.log)
	for {
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			counters.Sweep(dir, a.log)
		case <-write.C:
			if err := counters.Sync(dir); err != nil {
				a.log.WarnContext(ctx, "counters not written to disk", slog.Any("error", err))
			}
		}
	}
}
