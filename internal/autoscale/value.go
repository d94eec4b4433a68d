package autoscale

import (
	"time"

	"github.com/portico-dev/portico/internal/metric"
)

// Readings are the minutes of a metric of the service from one time up to another, and since when it is looked at; ok is
// false for a service that nobody has looked at.
type Readings func(n metric.Name, from, to time.Time) (points []metric.Point, since time.Time, ok bool)

// Knowledge says how much of a value is known.
type Knowledge string

// A value is known, or nobody has looked for a whole window yet, or nothing was to be seen in all of it.
const (
	Known   Knowledge = "known"
	Early   Knowledge = "early"
	Missing Knowledge = "missing"
)

// value is what a rule compares at a time.
func (r Rule) value(now time.Time, units int, read Readings) (float64, Knowledge) {
	to := now.Truncate(time.Minute).Add(time.Minute) // the minute that goes on counts
	from := to.Add(-r.Window)
	points, since, ok := read(r.Metric, from, to)
	switch {
	case !ok || since.After(from):
		return 0, Early
	case len(points) == 0:
		return 0, Missing
	}
	v := r.overTime(r.grains(points, from))
	if r.PerInstance {
		v /= float64(max(units, 1))
	}
	return v, Known
}

// grains are the values of the grains of a window that have one, in their order.
func (r Rule) grains(points []metric.Point, from time.Time) (all []float64) {
	var grain metric.Point
	var at time.Duration = -1
	for _, p := range points {
		g := p.At.Sub(from) / r.Grain
		if g != at && grain.Count > 0 {
			all = append(all, r.ofMachines(grain))
			grain = metric.Point{}
		}
		at, grain = g, grain.With(p)
	}
	return append(all, r.ofMachines(grain))
}

func (r Rule) ofMachines(p metric.Point) float64 {
	switch r.Statistic {
	case Min:
		return p.Min
	case Max:
		return p.Max
	case Sum:
		return p.Sum
	case Count:
		return float64(p.Count)
	}
	return p.Sum / float64(p.Count)
}

// overTime makes one value of those of the grains, of which there is one at least.
func (r Rule) overTime(values []float64) float64 {
	out, sum := values[0], 0.0
	for _, v := range values {
		sum += v
		switch r.Aggregation {
		case Minimum:
			out = min(out, v)
		case Maximum:
			out = max(out, v)
		case Last:
			out = v
		}
	}
	switch r.Aggregation {
	case Minimum, Maximum, Last:
		return out
	case Total:
		return sum
	case Count:
		return float64(len(values))
	}
	return sum / float64(len(values))
}

// projected estimates the value with another number of units: the same work is done by fewer. A sum stays what it is, and
// what callers ask for, unless it is divided by them.
func (r Rule) projected(value float64, units, then int) float64 {
	counts := r.Metric == metric.Requests || r.Statistic == Sum || r.Statistic == Count || r.Aggregation == Count
	if counts && !r.PerInstance || then == 0 {
		return value
	}
	return value * float64(units) / float64(then)
}
