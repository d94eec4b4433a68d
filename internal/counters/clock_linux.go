package counters

import "golang.org/x/sys/unix"

// hostClock is the clock behind Go's monotonic one.
const hostClock = unix.CLOCK_MONOTONIC
