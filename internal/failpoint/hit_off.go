//go:build !failpoint

package failpoint

// Enabled says whether this build obeys failpoints.
const Enabled = false

// Hit marks a point. In this build it does nothing.
func Hit(string) {}
