package hosting_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
)

// timeline is what the platform says that it did: location, step and kind of operation.
func (w *world) timeline(service string) (all [][3]string) {
	w.t.Helper()
	t, err := w.ctl.Timeline(w.t.Context(), id(service))
	if err != nil {
		w.t.Fatal(err)
	}
	for i, s := range t.Value {
		all = append(all, [3]string{s.Location, s.Step, s.Kind})
		if s.Time.IsZero() || i > 0 && s.Time.Before(t.Value[i-1].Time) {
			w.t.Errorf("step %d of the timeline is at %v", i, s.Time)
		}
	}
	return all
}

func TestTimeline_TellsEveryStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{})
	if got := w.timeline("shop"); got != nil {
		t.Errorf("timeline of a service that is not there: %v", got)
	}
	w.create("shop", premium)
	want := [][3]string{
		{"westeurope", platform.StepStart, "service.create"}, {"westeurope", platform.StepOpen, "service.create"}, {"", "operation succeeded", "service.create"},
	}
	if d := cmp.Diff(want, w.timeline("shop")); d != "" {
		t.Errorf("timeline of a creation (-want +got):\n%s", d)
	}
	wish := premium
	wish.Units = 2
	op := w.ended(w.ask("shop", "service.update", wish), lro.Succeeded)
	for _, s := range op.Steps {
		want = append(want, [3]string{"westeurope", s.Name, "service.update"})
	}
	want = append(want, [3]string{"", "operation succeeded", "service.update"})
	if d := cmp.Diff(want, w.timeline("shop")); d != "" {
		t.Errorf("timeline after scaling (-want +got):\n%s", d)
	}
}
