package hosting_test

import (
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/metric"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// What machines say of their load is told by units, and kept minute by minute for the location of their service.
func TestLoad_IsKeptForEachLocation(t *testing.T) {
	t.Parallel()
	clock, h := pace.New(pace.Manual()), metric.NewHistory()
	w := newWorld(t, hosting.Options{Clock: clock, Metrics: h})
	w.spoil(badness{report: func(m fabric.MachineConfig, s *platform.MachineStatus) {
		s.Load = platform.Load{CPU: 20 + 40*m.Machine.Slot, Memory: 3, Queue: 1}
	}})
	w.create("shop", premium)
	w.settled("shop")
	units, err := w.ctl.Units(t.Context(), id("shop"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range units.Locations[0].Sets[0].Machines {
		if want := 20 + 40*m.Slot; m.Load == nil || m.Load.CPU != want || m.Capacity != want {
			t.Errorf("machine %s says %+v, %d; want %d", m.ID, m.Load, m.Capacity, want)
		}
	}
	place := metric.Place{Service: store.Key(id("shop")), Location: "westeurope"}
	var got []metric.Point
	w.minutes("three of them are kept", func() bool {
		got, _, _ = h.Points(place, metric.Capacity, time.Time{}, clock.Now())
		return len(got) > 2
	})
	for _, p := range got {
		if p.Count%2 != 0 || p.Min != 20 || p.Max != 60 || p.Sum != 40*float64(p.Count) {
			t.Errorf("%+v, want readings of 20 and 60", p)
		}
	}
	w.ended(w.ask("shop", "service.delete", gone), lro.Succeeded)
	w.minutes("the service is forgotten", func() bool { return len(h.Locations(place.Service)) == 0 })
}

// What machines have answered since somebody looks is kept for the location of their service, also when a machine begins to
// count anew.
func TestLoad_CountsRequests(t *testing.T) {
	t.Parallel()
	clock, h := pace.New(pace.Manual()), metric.NewHistory()
	w := newWorld(t, hosting.Options{Clock: clock, Metrics: h})
	answered := func(slot0, slot1 int64) {
		w.spoil(badness{report: func(m fabric.MachineConfig, s *platform.MachineStatus) {
			s.Load = platform.Load{CPU: 1}
			s.Answers.All = []int64{slot0, slot1}[m.Machine.Slot]
		}})
	}
	answered(100, 1000) // before anybody looked
	w.create("shop", premium)
	w.settled("shop")
	total := func() (n float64) {
		points, _, _ := h.Points(metric.Place{Service: store.Key(id("shop")), Location: "westeurope"}, metric.Requests, time.Time{}, clock.Now().Add(time.Hour))
		for _, p := range points {
			n += p.Sum
		}
		return n
	}
	looked := func() bool { return len(h.Locations(store.Key(id("shop")))) > 0 }
	w.minutes("machines are looked at", looked)
	if got := total(); got != 0 {
		t.Errorf("%v requests were counted, want none of those before", got)
	}
	answered(130, 1012)
	w.minutes("42 are counted", func() bool { return total() == 42 })
	answered(7, 1012)
	w.minutes("49 are counted", func() bool { return total() == 49 })
}

// minutes lets minutes go by until something holds: so fast that no loads are looked at in most of them.
func (w *world) minutes(what string, holds func() bool) {
	w.t.Helper()
	limit := time.After(patience)
	for tick := time.Tick(20 * time.Millisecond); !holds(); {
		select {
		case <-limit:
			w.t.Fatalf("waiting until %s", what)
		case <-tick:
			w.advance(time.Minute)
		}
	}
}

// What machines have answered is told with the service, version and configuration that it belongs to.
func TestAnswers_AreToldByMachine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{})
	w.spoil(badness{report: func(m fabric.MachineConfig, s *platform.MachineStatus) {
		s.Gateway, s.Digest, s.Answers = "1.0", "d", platform.Answers{All: 7, Failed: 2, Own: 1}
	}})
	w.create("shop", premium)
	w.create("thin", platform.Wish{Platform: platform.MTv1, Tier: platform.Consumption})
	w.settled("shop")
	all, err := w.ctl.Answers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	count := map[hosting.Answered]int{}
	for _, a := range all {
		a.Machine = ""
		count[a]++
	}
	of := func(service string) hosting.Answered {
		return hosting.Answered{Service: service, Location: "westeurope", Gateway: "1.0", Digest: "d", Answers: platform.Answers{All: 7, Failed: 2, Own: 1}}
	}
	if shop, pool := count[of(store.Key(id("shop")))], count[of("")]; shop != 2 || pool == 0 || shop+pool != len(all) {
		t.Errorf("%d of the service, %d of the pool: %+v", shop, pool, all)
	}
}
