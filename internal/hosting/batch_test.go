package hosting_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/platform"
)

// paused is a service of six machines on stv2, which are upgraded one at a time, in the pause after the first.
func paused(t *testing.T) (w *world, op string, address string) {
	t.Helper()
	w = newWorld(t, hosting.Options{Clock: pace.New(pace.Manual()), Pause: 10 * time.Minute, Gateway: "1.0"})
	wish := platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 3, Gateway: "1.0"}
	before := w.create("shop", wish)
	wish.Gateway = "2.0"
	op = w.ask("shop", "service.upgrade", wish)
	w.untilGateways(map[string]int{"1.0": 5, "2.0": 1})
	return w, op, before.VIPs[0].Address
}

func TestUpgrade_PausesBetweenBatches(t *testing.T) {
	t.Parallel()
	w, op, _ := paused(t)
	for n := 1; n < 6; n++ {
		w.advance(10*time.Minute - 1)
		if got := w.operation(op).Status; got != lro.InProgress {
			t.Fatalf("after %d batches the operation is %s", n, got)
		}
		w.advance(1)
		if n < 5 {
			w.untilGateways(map[string]int{"1.0": 5 - n, "2.0": n + 1})
		}
	}
	done := w.ended(op, lro.Succeeded)
	w.untilGateways(map[string]int{"2.0": 6})
	var begun []time.Time
	for _, s := range done.Steps {
		if s.Name == platform.StepStart {
			begun = append(begun, s.At)
		}
	}
	if len(begun) != 6 {
		t.Fatalf("%d batches: %v", len(begun), done.Steps)
	}
	for i := range begun[1:] {
		if d := begun[i+1].Sub(begun[i]); d != 10*time.Minute {
			t.Errorf("batch %d began %v after the one before", i+2, d)
		}
	}
}

func TestUpgrade_CanceledGoesBack(t *testing.T) {
	t.Parallel()
	w, op, address := paused(t)
	stop := w.load(address)
	w.rewrite("shop", func(st *platform.ServiceStatus) { st.Cancel = true })
	done := w.ended(op, lro.Canceled)
	if done.Error == nil || done.Error.Code != "OperationCanceled" {
		t.Errorf("error %+v", done.Error)
	}
	w.untilGateways(map[string]int{"1.0": 6})
	if good, failed := stop(); len(failed) > 0 || good == 0 {
		t.Errorf("%d requests failed of %d, the first: %v", len(failed), good+len(failed), failed)
	}
	st, _ := w.status("shop")
	got := [4]any{st.ProvisioningState, st.Operation, st.Cancel, st.Wish.Gateway}
	if d := cmp.Diff([4]any{"Succeeded", "", false, "1.0"}, got); d != "" {
		t.Errorf("status (-want +got):\n%s", d)
	}
}

// TestUpgrade_CanceledBeforeItBegins gives up an upgrade whose time has not come yet.
func TestUpgrade_CanceledBeforeItBegins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{Clock: pace.New(pace.Manual()), Gateway: "1.0"})
	w.create("shop", v2)
	w.takes = 15 * time.Minute
	wish := v2
	wish.Gateway = "2.0"
	op := w.ask("shop", "service.upgrade", wish)
	w.rewrite("shop", func(st *platform.ServiceStatus) { st.Cancel = true })
	if done := w.ended(op, lro.Canceled); len(done.Steps) != 0 {
		t.Errorf("steps %v of an operation that never began", done.Steps)
	}
	w.untilGateways(map[string]int{"1.0": 1})
}
