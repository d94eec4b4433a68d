package hosting_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
)

// gateways lists the versions of the machines that the fabric has, by how many there are.
func (w *world) gateways() map[string]int {
	w.t.Helper()
	inv, err := w.f.Inventory(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	n := map[string]int{}
	for _, s := range inv.Sets {
		for _, m := range s.Machines {
			n[m.Gateway]++
		}
	}
	return n
}

func (w *world) untilGateways(want map[string]int) {
	w.t.Helper()
	w.until("the fabric runs the wanted versions alone", func() bool { return cmp.Equal(want, w.gateways()) })
}

func TestUpgrade_WalksUnderLoad(t *testing.T) {
	t.Parallel()
	for _, wish := range []platform.Wish{
		{Platform: platform.STv1, Tier: platform.Premium, Units: 3, Gateway: "1.0"},
		{Platform: platform.STv2, Tier: platform.Premium, Units: 3, Gateway: "1.0"},
		{Platform: platform.STv1, Tier: platform.Developer, Units: 1, Gateway: "1.0"},
	} {
		t.Run(string(wish.Platform)+" "+string(wish.Tier), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, hosting.Options{Gateway: "2.0"})
			before := w.create("shop", wish)
			if d := cmp.Diff(map[string]int{"1.0": wish.Machines()}, w.gateways()); d != "" {
				t.Errorf("versions of a new service (-want +got):\n%s", d)
			}
			stop := w.load(before.VIPs[0].Address)
			to := wish
			to.Gateway = "2.0"
			w.ended(w.ask("shop", "service.upgrade", to), lro.Succeeded)
			after := w.settled("shop")
			w.untilGateways(map[string]int{"2.0": wish.Machines()})
			if good, failed := stop(); len(failed) > 0 || good == 0 {
				t.Errorf("%d requests failed of %d, the first: %v", len(failed), good+len(failed), failed)
			}
			if after.Sets[0].ID != before.Sets[0].ID || after.VIPs[0].Address != before.VIPs[0].Address {
				t.Errorf("set or address changed: %+v, was %+v", after, before)
			}
		})
	}
}

// TestUpgrade_OfAServiceInAPoolIsOneOfThePool moves two services that share a pool, then lets a version fail.
func TestUpgrade_OfAServiceInAPoolIsOneOfThePool(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{Gateway: "1.0"})
	thin := func(gateway string) platform.Wish {
		return platform.Wish{Platform: platform.MTv1, Tier: platform.Consumption, Gateway: gateway}
	}
	w.create("a", thin("1.0"))
	w.create("b", thin("1.0"))
	w.untilGateways(map[string]int{"1.0": 1})
	w.ended(w.ask("a", "service.upgrade", thin("2.0")), lro.Succeeded)
	w.untilGateways(map[string]int{"2.0": 1})
	w.ended(w.ask("b", "service.upgrade", thin("2.0")), lro.Succeeded) // is there already
	w.untilGateways(map[string]int{"2.0": 1})

	w.spoil(badness{start: func(m fabric.MachineConfig) error {
		if m.Machine.Gateway == "3.0" {
			return errors.New("exit status 7")
		}
		return nil
	}})
	one, other := w.ask("a", "service.upgrade", thin("3.0")), w.ask("b", "service.upgrade", thin("4.0"))
	if op := w.ended(one, lro.Failed); op.Error.Code != platform.CodeCrashed {
		t.Errorf("error %+v", op.Error)
	}
	w.ended(other, lro.Succeeded)
	w.untilGateways(map[string]int{"4.0": 1})
	for service, want := range map[string]string{"a": "2.0", "b": "4.0"} {
		if st, _ := w.status(service); st.Wish.Gateway != want || st.Operation != "" {
			t.Errorf("%s: wish %+v, operation %q; want gateway %s", service, st.Wish, st.Operation, want)
		}
	}
	use, err := w.ctl.Versions(t.Context())
	want := map[string]hosting.VersionUse{"2.0": {Services: 1}, "4.0": {Services: 1, Machines: 1}}
	if d := cmp.Diff(want, use); d != "" || err != nil {
		t.Errorf("versions in use, %v (-want +got):\n%s", err, d)
	}
}

// TestUpgrade_CrashAfterEveryCall lets the controller die at each of the calls of an upgrade.
func TestUpgrade_CrashAfterEveryCall(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		w := newWorld(t, hosting.Options{})
		wish := platform.Wish{Platform: platform.STv1, Tier: platform.Basic, Units: 1, Gateway: "1.0"}
		before := w.create("shop", wish)
		stop := w.load(before.VIPs[0].Address)
		crashed := w.crashAt(n)
		wish.Gateway = "2.0"
		w.ended(w.ask("shop", "service.upgrade", wish), lro.Succeeded)
		w.settled("shop")
		if good, failed := stop(); len(failed) > 0 || good == 0 {
			t.Fatalf("crash at call %d: %d requests failed of %d, the first: %v", n, len(failed), good+len(failed), failed[0])
		}
		w.untilGateways(map[string]int{"2.0": 2})
		if !crashed() {
			t.Logf("%d calls", n-1)
			return
		}
		w.close()
	}
}
