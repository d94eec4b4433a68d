package metric_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/metric"
	"github.com/portico-dev/portico/internal/platform"
)

var (
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	shop = metric.Place{Service: "/shop", Location: "westeurope"}
)

func loads(cpu ...int) []platform.Load {
	var all []platform.Load
	for _, n := range cpu {
		all = append(all, platform.Load{CPU: n, Memory: 4, Queue: 1})
	}
	return all
}

func points(t *testing.T, h *metric.History, n metric.Name) ([]metric.Point, time.Time) {
	t.Helper()
	all, since, ok := h.Points(shop, n, noon.Add(-24*time.Hour), noon.Add(48*time.Hour))
	if !ok {
		t.Fatal("the place is not known")
	}
	return all, since
}

func TestHistory_HasAPointForEachMinute(t *testing.T) {
	t.Parallel()
	h := metric.NewHistory()
	h.Look(noon, map[metric.Place][]platform.Load{shop: loads(10, 30)})
	h.Look(noon.Add(50*time.Second), map[metric.Place][]platform.Load{shop: loads(2, 50)})
	h.Look(noon.Add(61*time.Second), map[metric.Place][]platform.Load{shop: loads(8)})
	got, since := points(t, h, metric.Capacity)
	want := []metric.Point{{At: noon, Count: 4, Sum: 94, Min: 4, Max: 50}, {At: noon.Add(time.Minute), Count: 1, Sum: 8, Min: 8, Max: 8}}
	if d := cmp.Diff(want, got); d != "" || !since.Equal(noon) {
		t.Errorf("since %v: %s", since, d)
	}
	got, _ = points(t, h, metric.CPU)
	want = []metric.Point{{At: noon, Count: 4, Sum: 92, Min: 2, Max: 50}, {At: noon.Add(time.Minute), Count: 1, Sum: 8, Min: 8, Max: 8}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"westeurope"}, h.Locations("/shop")); d != "" {
		t.Error(d)
	}
	h.Look(noon.Add(2*time.Minute), nil)
	if _, _, ok := h.Points(shop, metric.CPU, noon, noon.Add(time.Hour)); ok {
		t.Error("a place that is not seen any more is still known")
	}
}

// Requests are one number for each minute, also of minutes in which nobody says how busy he is.
func TestHistory_CountsRequests(t *testing.T) {
	t.Parallel()
	h := metric.NewHistory()
	h.Count(noon, map[metric.Place]int64{shop: 1}) // of a place that nobody has looked at
	h.Look(noon, map[metric.Place][]platform.Load{shop: loads(10, 30)})
	h.Count(noon, map[metric.Place]int64{shop: 20})
	h.Count(noon.Add(50*time.Second), map[metric.Place]int64{shop: 5})
	h.Look(noon.Add(time.Minute), map[metric.Place][]platform.Load{shop: loads(10)})
	h.Look(noon.Add(2*time.Minute), map[metric.Place][]platform.Load{shop: nil})
	h.Look(noon.Add(3*time.Minute), map[metric.Place][]platform.Load{shop: nil})
	h.Count(noon.Add(3*time.Minute), map[metric.Place]int64{shop: 7})
	point := func(minute int, n float64) metric.Point {
		return metric.Point{At: noon.Add(time.Duration(minute) * time.Minute), Count: 1, Sum: n, Min: n, Max: n}
	}
	got, _ := points(t, h, metric.Requests)
	if d := cmp.Diff([]metric.Point{point(0, 25), point(1, 0), point(3, 7)}, got); d != "" {
		t.Error(d)
	}
	if got, _ = points(t, h, metric.Capacity); len(got) != 2 {
		t.Errorf("%d minutes with a load, want 2", len(got))
	}
}

// A clock that passes over minutes does not leave them empty; one that saw nothing does.
func TestHistory_FillsWhatTheClockPassesOver(t *testing.T) {
	t.Parallel()
	h := metric.NewHistory()
	at := func(m int) time.Time { return noon.Add(time.Duration(m) * time.Minute) }
	h.Look(at(0), map[metric.Place][]platform.Load{shop: loads(1)})
	h.Look(at(3), map[metric.Place][]platform.Load{shop: loads(3)})
	h.Blind(at(5))
	h.Look(at(6), map[metric.Place][]platform.Load{shop: loads(6)})
	h.Look(at(8), map[metric.Place][]platform.Load{shop: nil})
	h.Look(at(9), map[metric.Place][]platform.Load{shop: loads(9)})
	var got []float64
	all, since := points(t, h, metric.CPU)
	for _, p := range all {
		got = append(got, p.At.Sub(noon).Minutes(), p.Sum)
	}
	if d := cmp.Diff([]float64{0, 1, 1, 3, 2, 3, 3, 3, 6, 6, 9, 9}, got); d != "" || !since.Equal(noon) {
		t.Error(since, d)
	}
}

func TestHistory_IsBounded(t *testing.T) {
	t.Parallel()
	h := metric.NewHistory()
	for m := range 3 * 24 * 60 {
		h.Look(noon.Add(time.Duration(m)*time.Minute), map[metric.Place][]platform.Load{shop: loads(1)})
	}
	all, _, _ := h.Points(shop, metric.CPU, noon, noon.Add(4*24*time.Hour))
	if least, most := 12*60, 12*60+64; len(all) < least || len(all) > most {
		t.Errorf("%d minutes are kept, want %d to %d", len(all), least, most)
	}
	if last := all[len(all)-1].At; !last.Equal(noon.Add((3*24*60 - 1) * time.Minute)) {
		t.Errorf("the newest is %v", last)
	}
}

func TestName_BelongsToTiers(t *testing.T) {
	t.Parallel()
	for tier, want := range map[platform.Tier][]metric.Name{
		platform.Premium: {metric.Capacity, metric.Requests}, platform.Developer: {metric.Capacity, metric.Requests},
		platform.BasicV2: {metric.CPU, metric.Memory, metric.Requests}, platform.Consumption: nil,
	} {
		var got []metric.Name
		for _, n := range metric.Names() {
			if n.Of(tier) {
				got = append(got, n)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", tier, d)
		}
	}
	if n, ok := metric.Parse("capacity"); !ok || n != metric.Capacity {
		t.Errorf("capacity is %q, %v", n, ok)
	}
}
