package hosting

import (
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
)

// The deadline of new machines counts from the begin of the operation, also for machines that waited before it: one that
// has no power for hours, say, is no reason to give an operation up that has just begun.
func TestInput_TellsWhenTheOperationBegan(t *testing.T) {
	t.Parallel()
	at := time.Now()
	c := New(nil, nil, nil, Options{})
	c.vigil.since(at, at)
	for began, want := range map[time.Duration]time.Duration{-time.Hour: 0, time.Hour: time.Hour} {
		rec := &record{op: &lro.Operation{Begun: at.Add(began)}}
		if got := c.input(rec.places()[0], platform.Observation{}).Since; !got.Equal(at.Add(want)) {
			t.Errorf("an operation that began %v after the controller: deadlines count from %v after it", began, got.Sub(at))
		}
	}
}

// A forecast reaches a wish that lists a zone if that has power, and another one in any case.
func TestForecast_KnowsTheZonesThatAreDown(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		down, zones []string
		waitsFor    string
	}{
		{nil, []string{"1", "2"}, ""},
		{[]string{"3"}, []string{"1", "2"}, ""},
		{[]string{"2"}, []string{"1", "2"}, "2 of 4 machines are not ready"},
		{[]string{"2"}, nil, ""},
	} {
		c := New(nil, nil, nil, Options{})
		c.noteDown(tt.down)
		wish := platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 2, Zones: tt.zones}
		if got := c.Forecast("/shop", platform.ServiceStatus{Location: platform.Location{Wish: wish}})[0].WaitsFor; got != tt.waitsFor {
			t.Errorf("zones %v of a service, %v are down: waits for %q, want %q", tt.zones, tt.down, got, tt.waitsFor)
		}
	}
}
