package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// What a burst of work leaves behind is garbage that nobody collects before the next burst: the collector is called by
// allocations, and a process at rest makes none. tidy collects once it has become quiet, and gives the memory back.
const (
	tidyEvery = 5 * time.Second
	quietly   = 2 << 20 // bytes allocated between two looks by a process that is at rest
	untidy    = 4 << 20 // bytes allocated since the last time that make it worth while
)

// tidy runs until ctx ends.
func tidy(ctx context.Context) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for last, seen := uint64(0), allocated(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := allocated()
		if now-seen < quietly && now-last > untidy {
			debug.FreeOSMemory()
			last = allocated()
		}
		seen = now
	}
}

// allocated is how many bytes the process has ever allocated.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
