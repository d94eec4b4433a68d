package hosting_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
)

// at is the wish of an additional location.
func at(location string, wish platform.Wish) platform.LocationWish {
	return platform.LocationWish{Location: location, Wish: wish}
}

// locations lists where a service has how many machines.
func (w *world) locations(service string) map[string]int {
	w.t.Helper()
	st, _ := w.status(service)
	out := map[string]int{}
	for _, l := range st.Locations() {
		out[l.Name] = 0
		for _, s := range l.Hosting.Sets {
			out[l.Name] += len(s.Machines)
		}
	}
	return out
}

func (w *world) wantLocations(service string, want map[string]int) {
	w.t.Helper()
	w.until(fmt.Sprintf("%s is at %v", service, want), func() bool { return cmp.Equal(want, w.locations(service)) })
}

func (w *world) wantHosts(want map[string][]string) {
	w.t.Helper()
	inv, err := w.f.Inventory(w.t.Context())
	if d := cmp.Diff(want, inv.Hosts); d != "" || err != nil {
		w.t.Errorf("hosts differ, %v (-want +got):\n%s", err, d)
	}
}

// Machines of a location without zones are in none, and one that is switched off is nothing to them.
func TestLocations_WithoutZones(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{Zoneless: func(location string) bool { return location == "westus" }})
	w.create("shop", premium)
	w.ended(w.ask("shop", "service.update", premium, at("westus", premium)), lro.Succeeded)
	w.wantLocations("shop", map[string]int{"westeurope": 2, "westus": 2})
	st, _ := w.status("shop")
	zones := map[string][]string{}
	for _, l := range st.Locations() {
		for _, m := range l.Hosting.Sets[0].Machines {
			zones[l.Name] = append(zones[l.Name], m.Zone)
		}
	}
	if d := cmp.Diff(map[string][]string{"westeurope": {"1", "2"}, "westus": {"", ""}}, zones); d != "" {
		t.Errorf("zones differ (-want +got):\n%s", d)
	}
}

func TestLocations_ComeAndGoWhileTheOthersStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{})
	before := w.create("shop", premium)
	stop := w.load(before.VIPs[0].Address)
	two := premium
	two.Units = 2
	op := w.ended(w.ask("shop", "service.update", premium, at("northeurope", two), at("eastus", premium)), lro.Succeeded)
	w.wantLocations("shop", map[string]int{"westeurope": 2, "northeurope": 4, "eastus": 2})
	if d := cmp.Diff([]string{"start machines in northeurope", "start machines in eastus"}, steps(op)[:2]); d != "" {
		t.Errorf("steps differ (-want +got):\n%s", d)
	}
	st, _ := w.status("shop")
	for _, l := range st.Locations() {
		set := l.Hosting.Sets[0]
		if set.Location != l.Name || l.Previous != nil || l.Platform() != platform.STv2 {
			t.Errorf("location %+v", l)
		}
		if got, err := w.get(l.Hosting.VIPs[0].Address); err != nil || !strings.Contains(fmt.Sprint(set.Machines), got) {
			t.Errorf("%s answers %q, %v", l.Name, got, err)
		}
	}
	east := st.Others[1].Hosting
	w.ended(w.ask("shop", "service.update", premium, at("eastus", premium)), lro.Succeeded)
	w.wantLocations("shop", map[string]int{"westeurope": 2, "eastus": 2})
	if good, failed := stop(); len(failed) > 0 || good == 0 {
		t.Errorf("%d requests failed of %d, the first: %v", len(failed), good+len(failed), failed)
	}
	st, _ = w.status("shop")
	if d := cmp.Diff([]platform.State{before, east}, []platform.State{st.Hosting, st.Others[0].Hosting}); d != "" {
		t.Errorf("the locations that stay have changed (-want +got):\n%s", d)
	}
	w.ended(w.ask("shop", "service.delete", gone), lro.Succeeded)
	w.clean()
}

func TestLocations_AllGoBackWhenOneFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{Coexistence: time.Millisecond})
	w.ended(w.ask("shop", "service.create", v1premium, at("eastus", v1premium), at("westus", v1premium)), lro.Succeeded)
	w.settled("shop")
	before, _ := w.status("shop")
	w.spoil(badness{start: func(m fabric.MachineConfig) error {
		if m.Location == "northeurope" {
			return errors.New("exit status 7")
		}
		return nil
	}})
	// The primary and one location migrate, one is to go, one comes and fails.
	op := w.ended(w.ask("shop", "service.update", premium, at("northeurope", premium), at("eastus", premium)), lro.Failed)
	if op.Error.Code != platform.CodeCrashed {
		t.Errorf("error %+v", op.Error)
	}
	w.wantLocations("shop", map[string]int{"westeurope": 2, "eastus": 2, "westus": 2})
	w.settled("shop")
	after, _ := w.status("shop")
	for i, l := range after.Locations() {
		if l.Platform() != platform.STv1 || l.Previous != nil {
			t.Errorf("%+v", l)
		}
		if was := before.Locations()[i].Hosting.VIPs[0].Address; l.Hosting.VIPs[0].Address != was {
			t.Errorf("the address of %s is %s, was %s", l.Name, l.Hosting.VIPs[0].Address, was)
		}
	}
}

var v1premium = platform.Wish{Platform: platform.STv1, Tier: platform.Premium, Units: 1}

func TestLocations_OneThatWaitsHoldsNoOtherUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{})
	hang := make(chan struct{})
	w.spoil(badness{start: func(m fabric.MachineConfig) error {
		if m.Location == "westeurope" {
			<-hang
		}
		return nil
	}})
	op := w.ask("shop", "service.create", premium, at("eastus", premium))
	w.until("the other location serves", func() bool {
		st, _ := w.status("shop")
		return len(st.Others) == 1 && st.Others[0].Platform() == platform.STv2
	})
	w.until("the name leads there", func() bool {
		inv, err := w.f.Inventory(t.Context())
		st, _ := w.status("shop")
		return err == nil && cmp.Equal(inv.Hosts["shop.apim.localhost"], []string{st.Others[0].Hosting.Active})
	})
	if got := w.operation(op).Status; got != lro.InProgress {
		t.Errorf("the operation is %s before all locations are there", got)
	}
	close(hang)
	w.ended(op, lro.Succeeded)
	st, _ := w.status("shop")
	w.wantHosts(map[string][]string{
		"shop.apim.localhost":                        {st.Hosting.Active, st.Others[0].Hosting.Active},
		"shop-westeurope-01.regional.apim.localhost": {st.Hosting.Active},
		"shop-eastus-01.regional.apim.localhost":     {st.Others[0].Hosting.Active},
	})
	// A location that is out of rotation is left to its own name; with all of them out, names lead to all.
	out := premium
	out.Disabled = true
	w.ended(w.ask("shop", "service.update", out, at("eastus", premium)), lro.Succeeded)
	w.wantHosts(map[string][]string{
		"shop.apim.localhost":                        {st.Others[0].Hosting.Active},
		"shop-westeurope-01.regional.apim.localhost": {st.Hosting.Active},
		"shop-eastus-01.regional.apim.localhost":     {st.Others[0].Hosting.Active},
	})
	w.ended(w.ask("shop", "service.update", out, at("eastus", out)), lro.Succeeded)
	w.wantHosts(map[string][]string{
		"shop.apim.localhost":                        {st.Hosting.Active, st.Others[0].Hosting.Active},
		"shop-westeurope-01.regional.apim.localhost": {st.Hosting.Active},
		"shop-eastus-01.regional.apim.localhost":     {st.Others[0].Hosting.Active},
	})
	w.ended(w.ask("shop", "service.update", premium), lro.Succeeded)
	w.wantHosts(map[string][]string{
		"shop.apim.localhost":                        {st.Hosting.Active},
		"shop-westeurope-01.regional.apim.localhost": {st.Hosting.Active},
	})
}

// TestLocations_CrashAfterEveryCall lets the controller die at each of the calls that a service's life at two locations
// takes.
func TestLocations_CrashAfterEveryCall(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		w := newWorld(t, hosting.Options{Coexistence: time.Millisecond, Retry: 100 * time.Millisecond})
		crashed := w.crashAt(n)
		before := w.create("shop", v1premium)
		stop := w.load(before.VIPs[0].Address)
		w.ended(w.ask("shop", "service.update", v1premium, at("eastus", v1premium)), lro.Succeeded)
		w.ended(w.ask("shop", "service.migrate", premium, at("eastus", premium)), lro.Succeeded)
		w.ended(w.ask("shop", "service.update", premium), lro.Succeeded)
		if good, failed := stop(); len(failed) > 0 || good == 0 {
			t.Fatalf("crash at call %d: %d requests failed of %d, the first: %v", n, len(failed), good+len(failed), failed[0])
		}
		w.ended(w.ask("shop", "service.delete", gone), lro.Succeeded)
		w.clean()
		if !crashed() {
			t.Logf("%d calls", n-1)
			return
		}
		w.close()
	}
}
