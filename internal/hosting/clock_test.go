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

// A clock that is set makes nothing late that was waited for before.
func TestVigil_BeginsAnewWhenTheClockIsSet(t *testing.T) {
	t.Parallel()
	begin := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	for by, want := range map[time.Duration]time.Duration{
		0: 0, time.Second: 0, // it goes as fast as others do
		time.Hour: time.Hour + time.Minute, -time.Hour: time.Minute - time.Hour,
	} {
		var v vigil
		v.since(begin, begin)
		for _, later := range []time.Duration{time.Minute, 2 * time.Minute} {
			if got := v.since(begin.Add(later+by), begin.Add(later)).Sub(begin); got != want {
				t.Errorf("clock %v on, %v later: since %v after the beginning, want %v", by, later, got, want)
			}
		}
	}
}
