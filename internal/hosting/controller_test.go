package hosting_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

var (
	v1      = platform.Wish{Platform: platform.STv1, Tier: platform.Developer, Units: 1}
	v2      = platform.Wish{Platform: platform.STv2, Tier: platform.Developer, Units: 1}
	premium = platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 1}
	gone    = platform.Wish{Gone: true}
)

func steps(op lro.Operation) []string {
	var out []string
	for _, s := range op.Steps {
		out = append(out, s.Name)
	}
	return out
}

func TestCreate_ServesOnAnAddressAndAName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{Gateway: "1.0"})
	op := w.ended(w.ask("shop", "service.create", v1), lro.Succeeded)
	if d := cmp.Diff([]string{platform.StepStart, platform.StepOpen}, steps(op)); d != "" {
		t.Errorf("steps differ (-want +got):\n%s", d)
	}
	st, _ := w.status("shop")
	got := [6]any{st.ProvisioningState, st.TargetProvisioningState, st.Operation, st.Previous == nil, st.Platform(), op.Percent}
	if d := cmp.Diff([6]any{"Succeeded", "", "", true, platform.STv1, 100}, got); d != "" {
		t.Errorf("status differs (-want +got):\n%s", d)
	}
	machine := st.Hosting.Sets[0].Machines[0]
	if got, err := w.get(st.Hosting.VIPs[0].Address); err != nil || got != machine.ID {
		t.Errorf("the address answers %q, %v; want %s", got, err, machine.ID)
	}
	inv, err := w.f.Inventory(t.Context())
	want := map[string][]string{
		"shop.apim.localhost": {st.Hosting.Active}, "shop-westeurope-01.regional.apim.localhost": {st.Hosting.Active},
	}
	if d := cmp.Diff(want, inv.Hosts); d != "" || err != nil {
		t.Errorf("hosts differ, %v (-want +got):\n%s", err, d)
	}
	if machine.Gateway != "1.0" || st.Epoch != 1 || st.Hosting.VIPs[0].Since == 0 {
		t.Errorf("machine %+v, epoch %d, VIP %+v", machine, st.Epoch, st.Hosting.VIPs[0])
	}
}

func TestScale_KeepsMachinesAndAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{})
	before := w.create("shop", premium)
	stop := w.load(before.VIPs[0].Address)
	wish := premium
	wish.Units = 3
	w.ended(w.ask("shop", "service.update", wish), lro.Succeeded)
	out := w.settled("shop")
	zones := map[string]int{}
	for _, m := range out.Sets[0].Machines {
		zones[m.Zone]++
	}
	if d := cmp.Diff(map[string]int{"1": 2, "2": 2, "3": 2}, zones); d != "" {
		t.Errorf("zones differ (-want +got):\n%s", d)
	}
	if d := cmp.Diff(before.Sets[0].Machines, out.Sets[0].Machines[:2]); d != "" {
		t.Errorf("the first machines changed (-want +got):\n%s", d)
	}
	w.ended(w.ask("shop", "service.update", premium), lro.Succeeded)
	in := w.settled("shop")
	if good, failed := stop(); len(failed) > 0 || good == 0 {
		t.Errorf("%d requests failed of %d, the first: %v", len(failed), good+len(failed), failed)
	}
	if in.VIPs[0].Address != before.VIPs[0].Address || in.Sets[0].ID != before.Sets[0].ID {
		t.Errorf("address or set changed: %+v, was %+v", in, before)
	}
}

// A v2 tier has machines of its own platform, changes to the other v2 tier, and scales under load.
func TestV2_ChangesTier(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{})
	before := w.create("shop", platform.Wish{Platform: platform.V2, Tier: platform.BasicV2, Units: 1})
	stop := w.load(before.VIPs[0].Address)
	for _, c := range []struct {
		tier            platform.Tier
		units, machines int
	}{{platform.StandardV2, 3, 6}, {platform.BasicV2, 2, 4}} {
		w.ended(w.ask("shop", "service.update", platform.Wish{Platform: platform.V2, Tier: c.tier, Units: c.units}), lro.Succeeded)
		st := w.settled("shop")
		got := [4]any{len(st.Sets), st.Sets[0].Platform, len(st.Sets[0].Machines), st.VIPs[0].Address}
		if d := cmp.Diff([4]any{1, platform.V2, c.machines, before.VIPs[0].Address}, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.tier, d)
		}
	}
	if good, failed := stop(); len(failed) > 0 || good == 0 {
		t.Errorf("%d requests failed of %d, the first: %v", len(failed), good+len(failed), failed)
	}
}

func TestMigrate_PreserveIPMovesTheRouteAndKeepsTheOldSetForTheWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{Coexistence: time.Hour})
	before := w.create("shop", v1)
	address := before.VIPs[0].Address
	stop := w.load(address)
	wish := v2
	wish.Address = platform.PreserveIP
	op := w.ended(w.ask("shop", "service.migrate", wish), lro.Succeeded)
	want := []string{platform.StepStart, platform.StepOpen, platform.StepRoute}
	if d := cmp.Diff(want, steps(op)[:3]); d != "" {
		t.Errorf("steps differ (-want +got):\n%s", d)
	}
	w.until("the old set is parked", func() bool {
		st, _ := w.status("shop")
		return st.Hosting.Set(before.Active).Machines[0].Mode == platform.Parked
	})
	st, _ := w.status("shop")
	h := st.Hosting
	if len(h.VIPs) != 1 || h.VIPs[0].Address != address || st.Platform() != platform.STv2 || h.Coexistence.Set != before.Active {
		t.Errorf("state %+v", h)
	}
	if got, err := w.get(address); err != nil || got != h.Set(h.Active).Machines[0].ID {
		t.Errorf("the address answers %q, %v", got, err)
	}
	if good, failed := stop(); len(failed) > 0 || good == 0 {
		t.Errorf("%d requests failed of %d, the first: %v", len(failed), good+len(failed), failed)
	}
	if err := w.stop(); err != nil { // the window is over for a controller with a short one: it is stored, so end it there
		t.Fatalf("stop: %v", err)
	}
	w.endWindow("shop")
	w.start()
	after := w.settled("shop")
	if after.VIPs[0].Address != address {
		t.Errorf("the address became %s, was %s", after.VIPs[0].Address, address)
	}
	w.until("one set is left", func() bool {
		inv, err := w.f.Inventory(t.Context())
		return err == nil && len(inv.Sets) == 1 && len(inv.VIPs) == 1
	})
}

func TestMigrate_NewIPAnswersOnBothAddressesUntilTheWindowEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{Coexistence: time.Hour})
	before := w.create("shop", v1)
	address := before.VIPs[0].Address
	stop := w.load(address)
	wish := v2
	wish.Address = platform.NewIP
	w.ended(w.ask("shop", "service.migrate", wish), lro.Succeeded)
	st, _ := w.status("shop")
	h := st.Hosting
	if len(h.VIPs) != 2 || h.VIPs[0].Address == address || h.VIPs[1].Address != address {
		t.Fatalf("VIPs %+v, want a new one before %s", h.VIPs, address)
	}
	for i, set := range []string{h.Active, before.Active} {
		if got, err := w.get(h.VIPs[i].Address); err != nil || got != h.Set(set).Machines[0].ID {
			t.Errorf("VIP %d answers %q, %v; want a machine of %s", i, got, err, set)
		}
	}
	if good, failed := stop(); len(failed) > 0 || good == 0 {
		t.Errorf("%d requests failed of %d, the first: %v", len(failed), good+len(failed), failed)
	}
	if err := w.stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}
	w.endWindow("shop")
	w.start()
	after := w.settled("shop")
	if after.VIPs[0].Address != h.VIPs[0].Address {
		t.Errorf("the address became %s, was %s", after.VIPs[0].Address, h.VIPs[0].Address)
	}
	w.until("the old address is closed", func() bool {
		inv, err := w.f.Inventory(t.Context())
		return err == nil && len(inv.VIPs) == 1 && len(inv.Sets) == 1
	})
}

// endWindow lets the coexistence of a service end now.
func (w *world) endWindow(service string) {
	w.t.Helper()
	w.rewrite(service, func(st *platform.ServiceStatus) { st.Hosting.Coexistence.Until = time.Now() })
}

func TestDelete_RemovesEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{})
	w.create("shop", premium)
	w.ended(w.ask("shop", "service.delete", gone), lro.Succeeded)
	if st, ok := w.status("shop"); ok {
		t.Errorf("the document is still there: %+v", st)
	}
	w.clean()
}

func TestFailedUpdate_RestoresThePreviousWish(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{OperationDeadline: 2 * time.Second})
	before := w.create("shop", v1)
	release := w.holdMachines("shop", platform.STv2)
	defer release()
	op := w.ended(w.ask("shop", "service.migrate", v2), lro.Failed)
	if op.Error.Code != "OperationTimedOut" {
		t.Errorf("error %+v", op.Error)
	}
	after := w.settled("shop")
	if d := cmp.Diff(before, after); d != "" {
		t.Errorf("compute differs (-want +got):\n%s", d)
	}
	st, _ := w.status("shop")
	got := [4]any{st.ProvisioningState, st.TargetProvisioningState, st.Operation, st.Wish.Platform}
	if d := cmp.Diff([4]any{"Failed", "", "", platform.STv1}, got); d != "" {
		t.Errorf("status differs (-want +got):\n%s", d)
	}
}

func TestFailedCreate_LeavesNothingBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{})
	w.fault("reserve", fmt.Errorf("no address left: %w", fabric.ErrImpossible))
	op := w.ended(w.ask("shop", "service.create", v2), lro.Failed)
	if op.Error.Code != "OperationFailed" {
		t.Errorf("error %+v", op.Error)
	}
	w.fault("reserve", nil)
	w.clean()
	w.until("the record is empty", func() bool { st, _ := w.status("shop"); return st.Hosting.Empty() })
	st, _ := w.status("shop")
	if st.ProvisioningState != "Failed" || !st.Wish.Gone || st.Wish.Tier != platform.Developer {
		t.Errorf("status %+v", st)
	}
}

func TestFabricErrors_AreRetried(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"reserve", "apply", "route", "name"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, hosting.Options{Retry: 100 * time.Millisecond})
			w.fault(method, errors.New("away"))
			op := w.ask("shop", "service.create", v2)
			w.until("it was tried", func() bool { return w.callCount(method) > 2 })
			w.fault(method, nil)
			w.ended(op, lro.Succeeded)
			w.settled("shop")
		})
	}
}

func TestRestart_CarriesOnInTheMiddle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{Coexistence: time.Hour})
	before := w.create("shop", v1)
	stopLoad := w.load(before.VIPs[0].Address)
	release := w.holdMachines("shop", platform.STv2)
	op := w.ask("shop", "service.migrate", v2)
	w.until("the new set is started", func() bool { st, _ := w.status("shop"); return len(st.Hosting.Sets) == 2 })
	if err := w.stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}
	// What the dead controller left: a set and an address that nothing mentions.
	orphan := fabric.Lease{Service: id("shop"), Epoch: 1}
	if err := w.f.Apply(t.Context(), orphan, platform.Set{ID: "orphan", Service: id("shop"), Machines: []platform.Machine{{ID: "stray", Mode: platform.Serving}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.f.Reserve(t.Context(), orphan, platform.VIP{ID: "stray-vip"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.f.Name(t.Context(), orphan, fabric.Names{Hosts: []string{"stray.apim.localhost"}, Sets: []string{"orphan"}}); err != nil {
		t.Fatal(err)
	}
	w.start()
	release()
	w.ended(op, lro.Succeeded)
	if good, failed := stopLoad(); len(failed) > 0 || good == 0 {
		t.Errorf("%d requests failed of %d, the first: %v", len(failed), good+len(failed), failed)
	}
	st, _ := w.status("shop")
	if st.Epoch != 2 || st.Platform() != platform.STv2 {
		t.Errorf("epoch %d, platform %s", st.Epoch, st.Platform())
	}
	w.until("orphans are gone", func() bool {
		inv, err := w.f.Inventory(t.Context())
		_, strayHost := inv.Hosts["stray.apim.localhost"]
		return err == nil && len(inv.Sets) == 2 && len(inv.VIPs) == 1 && !strayHost
	})
	if err := w.f.Apply(t.Context(), orphan, platform.Set{ID: "late"}); !errors.Is(err, fabric.ErrStaleLease) {
		t.Errorf("the old controller's lease still holds: %v", err)
	}
}

func TestTakeover_EndsTheFirstController(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{})
	w.create("shop", v2)
	first := w.stop
	w.start() // a second one on the same store and fabric
	w.until("the second acts", func() bool { st, _ := w.status("shop"); return w.acted(st) })
	w.ended(w.ask("shop", "service.update", platform.Wish{Platform: platform.STv2, Tier: platform.Basic, Units: 1}), lro.Succeeded)
	w.settled("shop")
	second := w.stop
	if err := first(); err != nil && !errors.Is(err, fabric.ErrStaleLease) {
		t.Errorf("the first controller ended with %v", err)
	}
	if err := second(); err != nil {
		t.Errorf("the second controller ended with %v", err)
	}
}

// acted says whether the newest lease has reached the fabric for a service.
func (w *world) acted(platform.ServiceStatus) bool {
	err := w.f.Route(context.Background(), fabric.Lease{Service: id("shop"), Epoch: 1}, platform.VIP{ID: "none"})
	return errors.Is(err, fabric.ErrStaleLease)
}

func TestConsumption_SharesAPoolWhileThereIsOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{})
	wish := platform.Wish{Platform: platform.MTv1, Tier: platform.Consumption}
	a, b := w.ask("a", "service.create", wish), w.ask("b", "service.create", wish)
	w.ended(a, lro.Succeeded)
	w.ended(b, lro.Succeeded)
	inv, err := w.f.Inventory(t.Context())
	if err != nil || len(inv.Sets) != 1 || len(inv.VIPs) != 0 || len(inv.Sets[0].Machines) != 1 {
		t.Fatalf("inventory %+v, %v; want one set with one machine", inv, err)
	}
	pool := inv.Sets[0]
	if d := cmp.Diff(map[string][]string{"a.apim.localhost": {pool.ID}, "b.apim.localhost": {pool.ID}}, inv.Hosts); d != "" {
		t.Errorf("hosts differ (-want +got):\n%s", d)
	}
	if pool.Platform != platform.MTv1 || pool.Service != "" || pool.Location != "westeurope" {
		t.Errorf("pool %+v", pool)
	}
	st, _ := w.status("a")
	if st.Platform() != platform.MTv1 {
		t.Errorf("platform %s", st.Platform())
	}
	w.ended(w.ask("a", "service.delete", platform.Wish{Platform: platform.MTv1, Tier: platform.Consumption, Gone: true}), lro.Succeeded)
	w.until("a's name is gone", func() bool {
		inv, err := w.f.Inventory(t.Context())
		return err == nil && len(inv.Hosts) == 1 && len(inv.Sets) == 1
	})
	w.ended(w.ask("b", "service.delete", platform.Wish{Platform: platform.MTv1, Tier: platform.Consumption, Gone: true}), lro.Succeeded)
	w.clean()
	w.until("the pool's record is gone", func() bool {
		n := -1
		_ = w.st.View(t.Context(), func(r store.Reader) (err error) {
			n, err = r.Count(store.Query{Type: "portico/pools"})
			return err
		})
		return n == 0
	})
}

func TestDeadMachine_IsReplacedOnlyIfItStaysAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{})
	before := w.create("shop", premium)
	id := before.Sets[0].Machines[0].ID
	w.f.Kill(id)
	w.until("it is back", func() bool {
		o, err := w.f.Observe(t.Context())
		return err == nil && o.Machines[id].Restarts == 1 && o.Machines[id].Phase == platform.Ready
	})
	if d := cmp.Diff(before, w.settled("shop")); d != "" {
		t.Errorf("the record changed (-want +got):\n%s", d)
	}
}

func TestUnits_ShowsWhatIsListedAndObserved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{})
	h := w.create("shop", premium)
	u, err := w.ctl.Units(t.Context(), id("SHOP"))
	if err != nil {
		t.Fatal(err)
	}
	l := u.Locations[0]
	if l.Location != "westeurope" || l.PlatformVersion != platform.STv2 || len(l.Sets) != 1 || len(l.VIPs) != 1 {
		t.Fatalf("units %+v", u)
	}
	for i, m := range l.Sets[0].Machines {
		if m.ID != h.Sets[0].Machines[i].ID || m.Phase != platform.Ready || m.Mode != platform.Serving || m.Seq == 0 || m.Zone == "" {
			t.Errorf("machine %+v", m)
		}
	}
	if d := cmp.Diff([]string{h.Active}, l.VIPs[0].Accepting); d != "" {
		t.Errorf("accepting differs (-want +got):\n%s", d)
	}
	if _, err := w.ctl.Units(t.Context(), id("nothing")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("units of nothing: %v", err)
	}
}

func TestManyServices_HaveDistinctAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{})
	var ops []string
	const n = 40
	for i := range n {
		ops = append(ops, w.ask(fmt.Sprintf("s%d", i), "service.create", v2))
	}
	seen := map[string]bool{}
	for i, op := range ops {
		w.ended(op, lro.Succeeded)
		st, _ := w.status(fmt.Sprintf("s%d", i))
		seen[st.Hosting.VIPs[0].Address] = true
	}
	if len(seen) != n {
		t.Errorf("%d addresses for %d services", len(seen), n)
	}
}

// TestCrash_AfterEveryCall lets the controller die at each of the calls that a service's life takes: the call does not
// happen, nor does anything after it, and a new controller carries on. No request fails, everything ends, nothing is left.
func TestCrash_AfterEveryCall(t *testing.T) {
	t.Parallel()
	zoned := platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 3, Zones: []string{"1", "2", "3"}, Address: platform.NewIP}
	for n := 1; ; n++ {
		w := newWorld(t, hosting.Options{Coexistence: time.Millisecond, Retry: 100 * time.Millisecond})
		crashed := w.crashAt(n)
		before := w.create("shop", v1)
		stop := w.load(before.VIPs[0].Address)
		w.ended(w.ask("shop", "service.migrate", v2), lro.Succeeded)
		if good, failed := stop(); len(failed) > 0 || good == 0 {
			t.Fatalf("crash at call %d: %d requests failed of %d, the first: %v", n, len(failed), good+len(failed), failed[0])
		}
		w.ended(w.ask("shop", "service.update", zoned), lro.Succeeded)
		w.settled("shop")
		w.ended(w.ask("shop", "service.delete", gone), lro.Succeeded)
		w.clean()
		if !crashed() {
			t.Logf("%d calls", n-1)
			return
		}
		w.close()
	}
}
