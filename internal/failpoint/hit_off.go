//go:build !failpoint

package failpoint

import "time"

// Enabled says whether this build obeys failpoints.
const Enabled = false

// Hit marks a point. In this build it does nothing.
func Hit(string) {}

// Now is the time of day. In this build it is time.Now.
func Now() time.Time { return time.Now() }

// Request stands where a gateway takes a request that it may fail. In this build it returns nil.
func Request() error { return nil }

// Full stands before a write that a full disk refuses. In this build it returns nil.
func Full() error { return nil }
