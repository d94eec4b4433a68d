package hosting_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
)

// newer is hardware of a second generation.
var newer = platform.Hardware{Cores: 2, Memory: 2 << 30}

// hardware counts the machines that the fabric has, by what they are on.
func (w *world) hardware() map[platform.Hardware]int {
	w.t.Helper()
	inv, err := w.f.Inventory(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	n := map[platform.Hardware]int{}
	for _, s := range inv.Sets {
		for _, m := range s.Machines {
			n[m.Hardware]++
		}
	}
	return n
}

func (w *world) untilHardware(want map[platform.Hardware]int) {
	w.t.Helper()
	w.until("the fabric has machines on the wanted hardware alone", func() bool { return cmp.Equal(want, w.hardware()) })
}

// TestHardware_CrashAfterEveryCall moves a service to newer hardware under load, and lets the controller die at each of
// the calls.
func TestHardware_CrashAfterEveryCall(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		w := newWorld(t, hosting.Options{})
		wish := platform.Wish{Platform: platform.STv2, Tier: platform.Basic, Units: 1, Gateway: "1.0"}
		before := w.create("shop", wish)
		stop := w.load(before.VIPs[0].Address)
		crashed := w.crashAt(n)
		w.ended(w.ask("shop", "service.upgrade", wish.On(newer)), lro.Succeeded)
		after := w.settled("shop")
		if good, failed := stop(); len(failed) > 0 || good == 0 {
			t.Fatalf("crash at call %d: %d requests failed of %d, the first: %v", n, len(failed), good+len(failed), failed[0])
		}
		w.untilHardware(map[platform.Hardware]int{newer: 2})
		st, _ := w.status("shop")
		if after.Active != before.Active || after.VIPs[0].Address != before.VIPs[0].Address || st.Platform() != "stv2.1" {
			t.Fatalf("crash at call %d: on %s, %+v, was %+v", n, st.Platform(), after, before)
		}
		if told := w.timeline("shop"); !slices.Contains(told, [3]string{"westeurope", "platform version stv2.1", "service.upgrade"}) {
			t.Errorf("crash at call %d: the timeline tells %v", n, told)
		}
		if !crashed() {
			t.Logf("%d calls", n-1)
			return
		}
		w.close()
	}
}

// TestHardware_ThatDoesNotGetHealthyIsLeft moves a service to hardware on which machines crash.
func TestHardware_ThatDoesNotGetHealthyIsLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{})
	wish := platform.Wish{Platform: platform.STv2, Tier: platform.Basic, Units: 1, Gateway: "1.0"}
	before := w.create("shop", wish)
	w.spoil(badness{start: func(m fabric.MachineConfig) error {
		if m.Machine.Hardware == newer {
			return errors.New("exit status 7")
		}
		return nil
	}})
	stop := w.load(before.VIPs[0].Address)
	if op := w.ended(w.ask("shop", "service.upgrade", wish.On(newer)), lro.Failed); op.Error.Code != platform.CodeCrashed {
		t.Errorf("error %+v", op.Error)
	}
	w.settled("shop")
	w.untilHardware(map[platform.Hardware]int{{}: 2})
	if good, failed := stop(); len(failed) > 0 || good == 0 {
		t.Errorf("%d requests failed of %d, the first: %v", len(failed), good+len(failed), failed)
	}
	if st, _ := w.status("shop"); st.Wish.Hardware.Newer() || st.Platform() != platform.STv2 {
		t.Errorf("wish %+v on %s", st.Wish, st.Platform())
	}
}
