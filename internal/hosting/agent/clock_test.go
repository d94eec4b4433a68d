package agent

import (
	"testing"
	"time"
)

// A clock that is set between two looks does not make a phase look longer or shorter than it was.
func TestObserved_FollowsASetClock(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{-time.Hour, time.Hour} {
		m := &machine{a: &agent{}, since: time.Now()}
		m.status.Since = time.Now().Round(0).Add(-by) // what it says that began before the clock was set by so much
		if age := time.Since(m.observed(time.Now()).Since); age < 0 || age > time.Minute {
			t.Errorf("clock set by %v: the phase seems to last for %v, want next to nothing", by, age)
		}
	}
	m := &machine{a: &agent{}, since: time.Now()}
	m.begin()
	if first := m.status.Since; !m.observed(time.Now()).Since.Equal(first) {
		t.Errorf("with the clock left alone Since moved from %v to %v", first, m.observed(time.Now()).Since)
	}
}
