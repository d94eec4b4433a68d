package counters

import (
	"time"

	"golang.org/x/sys/unix"
)

// A moment is read from two clocks. Rate limits go by the first, which no one can set; quotas and leases by the
// calendar.
type moment struct {
	mono int64 // milliseconds since the host was started, the same in every process
	wall int64 // seconds since 1970
}

// clock reads both. Go's own monotonic clock begins with each process, so the difference to the host's is taken once.
type clock struct {
	start  time.Time
	offset time.Duration // of start, since the host was started
}

func newClock() clock {
	c := clock{start: time.Now()}
	best := time.Duration(1<<63 - 1)
	for range 16 { // a pause between two readings would be an error for ever
		var ts unix.Timespec
		before := time.Since(c.start)
		if unix.ClockGettime(hostClock, &ts) != nil {
			return c // on its own, then: never seen
		}
		if took := time.Since(c.start) - before; took < best {
			best, c.offset = took, time.Duration(ts.Nano())-before
		}
	}
	return c
}

func (c *clock) now() moment {
	return moment{(c.offset + time.Since(c.start)).Milliseconds(), time.Now().Unix()}
}
