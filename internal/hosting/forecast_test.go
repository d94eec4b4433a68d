package hosting_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/platform"
)

// rough is a story without what depends on how long machines take: they get ready and are let in one by one, and those
// that drain are taken off the record when they have finished, whatever else is done meanwhile.
func rough(story []string) []string {
	rest := slices.DeleteFunc(slices.Clone(story), func(s string) bool { return s == platform.StepForget })
	return slices.Compact(rest)
}

// TestForecast_IsWhatTheControllerDoes foresees one change of a service after another and compares it with the steps of
// the operation, and with what is there in the end.
func TestForecast_IsWhatTheControllerDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{Gateway: "1.0", Clock: pace.New(pace.Manual())})
	wish := func(v platform.Version, tier platform.Tier, units int, gateway string, a platform.AddressMode, zones ...string) platform.Wish {
		return platform.Wish{Platform: v, Tier: tier, Units: units, Gateway: gateway, Address: a, Zones: zones}
	}
	var st platform.ServiceStatus
	for _, change := range []struct {
		kind string
		wish platform.Wish
	}{
		{"service.create", wish(platform.STv1, platform.Standard, 1, "1.0", "")},
		{"service.update", wish(platform.STv1, platform.Standard, 2, "1.0", "")},
		{"service.upgrade", wish(platform.STv1, platform.Standard, 2, "2.0", "")},
		{"service.migrate", wish(platform.STv2, platform.Standard, 2, "2.0", platform.PreserveIP)},
		{"service.update", wish(platform.STv2, platform.Premium, 3, "2.0", platform.NewIP, "1", "2", "3")},
		{"service.upgrade", wish(platform.STv2, platform.Premium, 3, "3.0", "", "1", "2", "3")},
		{"service.upgrade", wish(platform.STv2, platform.Premium, 3, "3.0", "", "1", "2", "3").On(newer)},
		{"service.update", wish(platform.STv2, platform.Developer, 1, "3.0", platform.NewIP)},
	} {
		next := st
		next.Name = "westeurope"
		next.Wish = change.wish
		if st.Name != "" {
			was := st.Wish
			next.Previous = &was
		}
		outlook := w.ctl.Forecast(id("shop"), next)[0]
		op := w.ended(w.ask("shop", change.kind, change.wish), lro.Succeeded)
		var want []string
		least := 0
		for _, s := range outlook.Steps {
			want = append(want, s.Step)
			if s.Reached && least == 0 {
				least = len(rough(want))
			}
		}
		want = rough(want)
		got := rough(steps(op)) // the first steps after the wish holds may still be the operation's
		if len(got) < least || !slices.Equal(got, want[:min(len(got), len(want))]) {
			t.Errorf("%s to %+v: steps differ (-forecast +happened):\n%s", change.kind, change.wish, cmp.Diff(want, got))
		}
		w.advance(time.Hour) // the end of the window, if there is one
		after := w.settled("shop")
		version := change.wish.Platform
		if change.wish.Hardware.Newer() {
			version = "stv2.1"
		}
		if outlook.After != version || len(outlook.AddressesAfter) != 1 || outlook.AddressesAfter[0] != "" && outlook.AddressesAfter[0] != after.VIPs[0].Address {
			t.Errorf("%s: foreseen %s at %v; is at %s", change.kind, outlook.After, outlook.AddressesAfter, after.VIPs[0].Address)
		}
		if kept := outlook.Kept != ""; kept != (len(outlook.AddressesBefore) > 0 && outlook.AddressesBefore[0] != after.VIPs[0].Address) {
			t.Errorf("%s: foreseen that %q is kept; before %v, after %s", change.kind, outlook.Kept, outlook.AddressesBefore, after.VIPs[0].Address)
		}
		st, _ = w.status("shop")
	}
}
