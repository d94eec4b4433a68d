package hosting

import (
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/lro"
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

// The deadline of new machines counts from the begin of the operation, also for machines that waited before it: one that
// has no power for hours, say, is no reason to give an operation up that has just begun.
func TestInput_TellsWhenTheOperationBegan(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	c := New(nil, nil, nil, Options{})
	for began, want := range map[time.Duration]time.Duration{-time.Hour: 0, time.Hour: time.Hour} {
		c.since = at
		rec := &record{op: &lro.Operation{Begun: at.Add(began)}}
		if got := c.input(rec.places()[0], platform.Observation{}).Since; !got.Equal(at.Add(want)) {
			t.Errorf("an operation that began %v after the controller: deadlines count from %v after it", began, got.Sub(at))
		}
	}
}
