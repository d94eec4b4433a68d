// Package metric keeps what was measured of services: one value for each minute, metric, service and location, for half
// a day and in memory. Minutes are those of platform time. Hosting writes what machines report; control reads it for
// clients and for autoscale.
//
// Start reading at History.
package metric

import (
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/platform"
)

// A Name is a metric, spelt as the wire spells it.
type Name string

// The metrics. Services of the classic tiers have Capacity, those of the v2 tiers CPU and Memory, all of them Requests;
// what a tier does not have is 0 there.
const (
	Capacity Name = "Capacity"
	CPU      Name = "CpuPercent_Gateway"
	Memory   Name = "MemoryPercent_Gateway"
	Requests Name = "Requests" // answered in a minute, by all machines together
)

// Names lists the metrics.
func Names() []Name { return []Name{Capacity, CPU, Memory, Requests} }

// Of says whether services of a tier have the metric. Those that share a pool have none.
func (n Name) Of(t platform.Tier) bool {
	on := t.Facts().Platforms
	return !slices.Contains(on, platform.MTv1) && (n == Requests || (n == Capacity) != slices.Contains(on, platform.V2))
}

// Parse finds a metric by its name in any case.
func Parse(s string) (Name, bool) {
	for _, n := range Names() {
		if strings.EqualFold(string(n), s) {
			return n, true
		}
	}
	return "", false
}

// Kept is how long values are kept.
const Kept = 12 * time.Hour

// A Place is a location of a service.
type Place struct {
	Service  string // resource ID in lower case
	Location string // normalised
}

// A Point is what was measured in a minute: of each machine, as often as it was looked at; of Requests, once.
type Point struct {
	At       time.Time // when the minute begins
	Count    int
	Sum      float64
	Min, Max float64
}

// A History keeps what was measured. It is safe for concurrent use.
type History struct {
	mu     sync.Mutex // guards below
	last   int64      // minute of the last look; 0 for none
	places map[Place]*record
}

// NewHistory returns an empty history.
func NewHistory() *History { return &History{places: map[Place]*record{}} }

// A record is what is known of a place, the oldest minute first.
type record struct {
	since   int64 // minute of the first look
	minutes []minute
}

type minute struct {
	at       int64    // minutes since 1970
	count    int32    // readings of each of values
	requests uint32   // answered
	values   [3]value // Capacity, CPU, Memory
}

type value struct {
	sum      float32
	min, max uint8
}

func (m *minute) add(l platform.Load) {
	for i, n := range [...]int{l.Capacity(), l.CPU, l.Memory} {
		v := &m.values[i]
		if m.count == 0 || uint8(n) < v.min { //nolint:gosec // percent
			v.min = uint8(n) //nolint:gosec // percent
		}
		v.max = max(v.max, uint8(n)) //nolint:gosec // percent
		v.sum += float32(n)
	}
	m.count++
}

// Look enters what the machines of each place report at a platform time; a place whose machines say nothing is listed
// with none. A reading also stands for the whole minutes since the look before, which a fast clock passes over. Places
// that are not listed are forgotten.
func (h *History) Look(now time.Time, seen map[Place][]platform.Load) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := minuteOf(now)
	first := at
	if h.last != 0 && h.last < at {
		first = max(h.last+1, at-int64(Kept/time.Minute))
	}
	for p := range h.places {
		if _, ok := seen[p]; !ok {
			delete(h.places, p)
		}
	}
	for p, loads := range seen {
		r := h.places[p]
		from := first
		if r == nil {
			r, from = &record{since: at}, at
			h.places[p] = r
		}
		for m := from; m <= at && len(loads) > 0; m++ {
			r.add(m, loads)
		}
		r.forget(at - int64(Kept/time.Minute))
	}
	h.last = at
}

// Count enters how many requests the machines of places have answered since it was last told. They count for the minute
// of a platform time.
func (h *History) Count(now time.Time, answered map[Place]int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for p, n := range answered {
		if r := h.places[p]; r != nil && n > 0 {
			r.minute(minuteOf(now)).requests += uint32(min(n, math.MaxInt32)) //nolint:gosec // bounded
		}
	}
}

// Blind notes that nobody could be looked at: no reading stands for the time until now.
func (h *History) Blind(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = max(h.last, minuteOf(now))
}

func (r *record) add(at int64, loads []platform.Load) {
	m := r.minute(at)
	for _, l := range loads {
		m.add(l)
	}
}

// minute is the newest one, which begins unless it goes on.
func (r *record) minute(at int64) *minute {
	if n := len(r.minutes); n == 0 || r.minutes[n-1].at < at {
		r.minutes = append(r.minutes, minute{at: at})
	}
	return &r.minutes[len(r.minutes)-1]
}

// forget drops the minutes before one, when there are enough of them to be worth it.
func (r *record) forget(before int64) {
	const some = 64
	n, _ := slices.BinarySearchFunc(r.minutes, before, func(m minute, at int64) int { return int(m.at - at) })
	if n >= some {
		r.minutes = slices.Clone(r.minutes[n:])
	}
}

// Points are the minutes of a metric from one time up to another, those without a reading left out, and the time since
// when the place is looked at; ok is false for a place that nobody knows.
func (h *History) Points(p Place, n Name, from, to time.Time) (points []Point, since time.Time, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.places[p]
	if r == nil {
		return nil, time.Time{}, false
	}
	for _, m := range r.minutes {
		p := m.point(n)
		if p.Count > 0 && p.At.Add(time.Minute).After(from) && p.At.Before(to) {
			points = append(points, p)
		}
	}
	return points, time.Unix(60*r.since, 0).UTC(), true
}

// point is what was measured of a metric; its Count is 0 where nothing was.
func (m minute) point(n Name) Point {
	at := time.Unix(60*m.at, 0).UTC()
	if n == Requests {
		v := float64(m.requests)
		return Point{at, int(min(m.count+int32(min(m.requests, 1)), 1)), v, v, v} //nolint:gosec // 0 or 1
	}
	v := m.values[slices.Index(Names(), n)]
	return Point{at, int(m.count), float64(v.sum), float64(v.min), float64(v.max)}
}

// Locations lists the locations of a service that are known, in their order.
func (h *History) Locations(service string) (all []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for p := range h.places {
		if p.Service == service {
			all = append(all, p.Location)
		}
	}
	slices.Sort(all)
	return all
}

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// With is what was measured in two spans of time together; it begins when p does, and is the other where p is of none.
func (p Point) With(other Point) Point {
	if p.Count == 0 {
		return other
	}
	p.Count += other.Count
	p.Sum += other.Sum
	p.Min, p.Max = min(p.Min, other.Min), max(p.Max, other.Max)
	return p
}
