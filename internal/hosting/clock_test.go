package hosting

import (
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/platform"
)

// An observation that was made before the clock was set is told by the clock as it is now.
func TestRetell_FollowsASetClock(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	const age = 3 * time.Second
	for by, want := range map[time.Duration]time.Duration{
		time.Hour: age, -time.Hour: age, // set meanwhile
		time.Second: age + time.Second, // the way here
	} {
		obs := platform.Observation{At: at, Machines: map[string]platform.MachineStatus{"m": {Since: at.Add(-age)}}}
		now := at.Add(by)
		retell(&obs, now)
		if got := now.Sub(obs.Machines["m"].Since); got != want || !obs.At.Equal(now) {
			t.Errorf("clock %v on: the phase lasts for %v at %v, want %v at %v", by, got, obs.At, want, now)
		}
	}
}
