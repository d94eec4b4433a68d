package autoscale_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/autoscale"
	"github.com/portico-dev/portico/internal/metric"
	"github.com/portico-dev/portico/internal/platform"
)

var noon = time.Date(2026, 3, 2, 12, 0, 30, 0, time.UTC) // a Monday

// flat are readings of a metric that is the same for so long.
func flat(value float64, since time.Duration) autoscale.Readings {
	return func(_ metric.Name, from, to time.Time) (points []metric.Point, known time.Time, ok bool) {
		known = noon.Add(-since).Truncate(time.Minute)
		for at := from; at.Before(to); at = at.Add(time.Minute) {
			if !at.Before(known) {
				points = append(points, metric.Point{At: at, Count: 2, Sum: 2 * value, Min: value, Max: value})
			}
		}
		return points, known, true
	}
}

func nothing(metric.Name, time.Time, time.Time) ([]metric.Point, time.Time, bool) {
	return nil, noon.Add(-time.Hour), true
}

func strangers(metric.Name, time.Time, time.Time) ([]metric.Point, time.Time, bool) {
	return nil, time.Time{}, false
}

func rule(op autoscale.Operator, threshold float64, act autoscale.Action) autoscale.Rule {
	if act.Kind == "" {
		act.Kind = autoscale.ChangeCount
	}
	if act.Cooldown == 0 {
		act.Cooldown = 5 * time.Minute
	}
	return autoscale.Rule{
		Metric: metric.Capacity, Statistic: autoscale.Average, Aggregation: autoscale.Average, Grain: time.Minute, Window: 10 * time.Minute,
		Operator: op, Threshold: threshold, Action: act,
	}
}

func out(threshold float64, by int) autoscale.Rule {
	return rule("GreaterThan", threshold, autoscale.Action{Increase: true, Value: by})
}

func in(threshold float64, by int) autoscale.Rule {
	return rule("LessThan", threshold, autoscale.Action{Value: by})
}

func profile(least, most, otherwise int, rules ...autoscale.Rule) autoscale.Profile {
	return autoscale.Profile{Name: "p", Minimum: least, Maximum: most, Default: otherwise, Rules: rules}
}

const hours = 12 * time.Hour

func TestDecide(t *testing.T) {
	t.Parallel()
	percent := func(increase bool, by int) autoscale.Action {
		return autoscale.Action{Increase: increase, Kind: autoscale.PercentChangeCount, Value: by}
	}
	exactly := func(increase bool, n int) autoscale.Action {
		return autoscale.Action{Increase: increase, Kind: autoscale.ExactCount, Value: n}
	}
	slow := in(35, 1)
	slow.Action.Cooldown = 90 * time.Minute
	for name, c := range map[string]struct {
		profile  autoscale.Profile
		units    int
		tier     platform.Tier // Premium
		zones    int
		last     time.Duration // ago; 0 for never
		readings autoscale.Readings
		want     int
		why      string
	}{
		"busy":                           {profile: profile(1, 10, 1, out(80, 1), in(35, 1)), units: 2, readings: flat(91.239, hours), want: 3, why: "Capacity (Average) of PT10M > 80: it is 91.24."},
		"idle":                           {profile: profile(1, 10, 1, out(80, 1), in(35, 1)), units: 3, readings: flat(20, hours), want: 2, why: "Capacity (Average) of PT10M < 35: it is 20."},
		"neither":                        {profile: profile(1, 10, 1, out(80, 1), in(35, 1)), units: 3, readings: flat(50, hours), want: 3, why: "No rule asks for a change."},
		"at the threshold":               {profile: profile(1, 10, 1, out(80, 1)), units: 3, readings: flat(80, hours), want: 3, why: "No rule asks for a change."},
		"any rule scales out":            {profile: profile(1, 10, 1, out(95, 1), out(80, 2)), units: 2, readings: flat(90, hours), want: 4, why: "Capacity (Average) of PT10M > 80: it is 90."},
		"the rule that asks for most":    {profile: profile(1, 10, 1, out(80, 1), out(85, 4), out(70, 2)), units: 2, readings: flat(90, hours), want: 6, why: "Capacity (Average) of PT10M > 85: it is 90."},
		"all rules scale in":             {profile: profile(1, 10, 1, in(35, 1), in(30, 1)), units: 5, readings: flat(32, hours), want: 5, why: "No rule asks for a change."},
		"the one that asks for least":    {profile: profile(1, 10, 1, in(35, 3), in(34, 1)), units: 5, readings: flat(20, hours), want: 4, why: "Capacity (Average) of PT10M < 34: it is 20."},
		"out before in":                  {profile: profile(1, 10, 1, out(20, 1), in(50, 1)), units: 5, readings: flat(30, hours), want: 6, why: "Capacity (Average) of PT10M > 20: it is 30."},
		"not beyond the maximum":         {profile: profile(1, 4, 1, out(80, 5)), units: 3, readings: flat(90, hours), want: 4, why: "Capacity (Average) of PT10M > 80: it is 90."},
		"at the maximum":                 {profile: profile(1, 4, 1, out(80, 5)), units: 4, readings: flat(90, hours), want: 4, why: "No rule asks for a change."},
		"not below the minimum":          {profile: profile(2, 4, 2, in(35, 5)), units: 3, readings: flat(1, hours), want: 2, why: "Capacity (Average) of PT10M < 35: it is 1."},
		"below the minimum":              {profile: profile(3, 6, 4), units: 1, readings: flat(50, hours), want: 3, why: "The profile asks for 3 units at least."},
		"above the maximum":              {profile: profile(1, 2, 2, out(80, 1)), units: 5, last: time.Minute, readings: flat(99, hours), want: 2, why: "The profile allows for 2 units at most."},
		"a Standard service stops at 4":  {profile: profile(1, 9, 1, out(80, 9)), tier: platform.Standard, units: 1, readings: flat(90, hours), want: 4, why: "Capacity (Average) of PT10M > 80: it is 90."},
		"a Basic service stops at 2":     {profile: profile(1, 9, 1, out(80, 9)), tier: platform.Basic, units: 1, readings: flat(90, hours), want: 2, why: "Capacity (Average) of PT10M > 80: it is 90."},
		"a Developer service has one":    {profile: profile(1, 9, 1, out(80, 1)), tier: platform.Developer, units: 1, readings: flat(90, hours), want: 1, why: "A service of tier Developer cannot have from 1 to 9 units."},
		"more than the tier has":         {profile: profile(3, 9, 3, out(80, 1)), tier: platform.Basic, units: 1, readings: flat(90, hours), want: 1, why: "A service of tier Basic cannot have from 3 to 9 units."},
		"cooling down":                   {profile: profile(1, 9, 1, out(80, 1)), units: 1, last: 3 * time.Minute, readings: flat(90, hours), want: 1, why: "A rule waits for its cool-down, which ends in PT2M."},
		"cooled down":                    {profile: profile(1, 9, 1, out(80, 1)), units: 1, last: 5 * time.Minute, readings: flat(90, hours), want: 2, why: "Capacity (Average) of PT10M > 80: it is 90."},
		"each rule its own cool-down":    {profile: profile(1, 9, 1, slow, in(35, 1)), units: 4, last: time.Hour, readings: flat(1, hours), want: 4, why: "A rule waits for its cool-down, which ends in PT30M."},
		"it would flap":                  {profile: profile(1, 9, 1, out(80, 1), in(60, 1)), units: 2, readings: flat(50, hours), want: 2, why: "With fewer units a rule would scale out again at once."},
		"it would flap with so few":      {profile: profile(1, 9, 1, out(80, 1), in(60, 3)), units: 5, readings: flat(50, hours), want: 4, why: "Capacity (Average) of PT10M < 60: it is 50."},
		"no flapping":                    {profile: profile(1, 9, 1, out(80, 1), in(60, 1)), units: 3, readings: flat(50, hours), want: 2, why: "Capacity (Average) of PT10M < 60: it is 50."},
		"by percent, out, rounded up":    {profile: profile(1, 20, 1, rule("GreaterThan", 80, percent(true, 50))), units: 3, readings: flat(90, hours), want: 5, why: "Capacity (Average) of PT10M > 80: it is 90."},
		"by percent, in, rounded down":   {profile: profile(1, 20, 1, rule("LessThan", 35, percent(false, 50))), units: 3, readings: flat(9, hours), want: 2, why: "Capacity (Average) of PT10M < 35: it is 9."},
		"exactly":                        {profile: profile(1, 20, 1, rule("GreaterThan", 80, exactly(true, 7))), units: 3, readings: flat(90, hours), want: 7, why: "Capacity (Average) of PT10M > 80: it is 90."},
		"exactly, but out is not in":     {profile: profile(1, 20, 1, rule("GreaterThan", 80, exactly(true, 2))), units: 3, readings: flat(90, hours), want: 3, why: "No rule asks for a change."},
		"exactly, in":                    {profile: profile(1, 20, 1, rule("LessThan", 35, exactly(false, 2))), units: 6, readings: flat(9, hours), want: 2, why: "Capacity (Average) of PT10M < 35: it is 9."},
		"the next allowed":               {profile: profile(1, 20, 1, rule("GreaterThan", 80, autoscale.Action{Increase: true, Kind: autoscale.NextAllowed})), units: 3, zones: 3, readings: flat(90, hours), want: 6, why: "Capacity (Average) of PT10M > 80: it is 90."},
		"zones, out":                     {profile: profile(3, 20, 3, out(80, 1)), units: 3, zones: 3, readings: flat(90, hours), want: 6, why: "Capacity (Average) of PT10M > 80: it is 90."},
		"zones, as far as they fit":      {profile: profile(3, 8, 3, out(80, 9)), units: 3, zones: 3, readings: flat(90, hours), want: 6, why: "Capacity (Average) of PT10M > 80: it is 90."},
		"zones, in by less than a round": {profile: profile(3, 9, 3, in(35, 2)), units: 9, zones: 3, readings: flat(9, hours), want: 9, why: "No rule asks for a change."},
		"zones, in by a round":           {profile: profile(3, 9, 3, in(35, 3)), units: 9, zones: 3, readings: flat(9, hours), want: 6, why: "Capacity (Average) of PT10M < 35: it is 9."},
		"half of a window":               {profile: profile(1, 9, 5, out(80, 1), in(35, 1)), units: 2, readings: flat(99, 5*time.Minute), want: 2, why: "Nobody has looked at the service for the whole of a window yet."},
		"nobody has looked at all":       {profile: profile(1, 9, 5, out(80, 1)), units: 2, readings: strangers, want: 2, why: "Nobody has looked at the service for the whole of a window yet."},
		"missing":                        {profile: profile(1, 9, 5, out(80, 1), in(35, 1)), units: 2, readings: nothing, want: 5, why: "The metric is missing: the default of the profile is 5 units."},
		"missing, more than the default": {profile: profile(1, 9, 5, out(80, 1), in(35, 1)), units: 7, readings: nothing, want: 7, why: "The metric is missing."},
		"no rules":                       {profile: profile(1, 9, 5), units: 2, readings: nothing, want: 2, why: "No rule asks for a change."},
	} {
		at := autoscale.Situation{Now: noon, Units: c.units, Tier: platform.Premium, Zones: c.zones}
		if c.tier != "" {
			at.Tier = c.tier
		}
		if c.last > 0 {
			at.Last = noon.Add(-c.last)
		}
		d := autoscale.Setting{Profiles: []autoscale.Profile{c.profile}}.Decide(at, c.readings)
		if d.Units != c.want || d.Why != c.why {
			t.Errorf("%s: %d units, %q; want %d, %q", name, d.Units, d.Why, c.want, c.why)
		}
	}
}

// TestDecide_Values has four minutes with readings in a window of ten, in grains of five.
func TestDecide_Values(t *testing.T) {
	t.Parallel()
	from := noon.Truncate(time.Minute).Add(-9 * time.Minute)
	read := func(metric.Name, time.Time, time.Time) ([]metric.Point, time.Time, bool) {
		p := func(m int, sum, least, most float64) metric.Point {
			return metric.Point{At: from.Add(time.Duration(m) * time.Minute), Count: 2, Sum: sum, Min: least, Max: most}
		}
		return []metric.Point{p(1, 40, 10, 30), p(4, 20, 0, 20), p(5, 100, 40, 60), p(9, 160, 70, 90)}, from, true
	}
	for _, c := range []struct {
		statistic, aggregation autoscale.Aggregation
		perUnit                bool
		want                   float64
	}{
		{autoscale.Average, autoscale.Average, false, 40}, // of 15 and 65
		{autoscale.Average, autoscale.Average, true, 20},
		{autoscale.Average, autoscale.Minimum, false, 15},
		{autoscale.Average, autoscale.Maximum, false, 65},
		{autoscale.Average, autoscale.Last, false, 65},
		{autoscale.Average, autoscale.Total, false, 80},
		{autoscale.Average, autoscale.Count, false, 2},
		{autoscale.Min, autoscale.Average, false, 20}, // of 0 and 40
		{autoscale.Max, autoscale.Average, false, 60}, // of 30 and 90
		{autoscale.Sum, autoscale.Total, false, 320},
		{autoscale.Count, autoscale.Last, false, 4},
	} {
		r := out(1000, 1)
		r.Statistic, r.Aggregation, r.Grain, r.PerInstance = c.statistic, c.aggregation, 5*time.Minute, c.perUnit
		d := autoscale.Setting{Profiles: []autoscale.Profile{profile(1, 9, 1, r)}}.Decide(autoscale.Situation{Now: noon, Units: 2, Tier: platform.Premium}, read)
		if got := d.Rules[0].Value; got != c.want {
			t.Errorf("%s of %s (per unit %v) is %v, want %v", c.aggregation, c.statistic, c.perUnit, got, c.want)
		}
	}
}

func TestOperator(t *testing.T) {
	t.Parallel()
	got := map[string][3]bool{}
	for _, o := range autoscale.Operators() {
		got[o] = [3]bool{autoscale.Operator(o).Holds(1, 2), autoscale.Operator(o).Holds(2, 2), autoscale.Operator(o).Holds(3, 2)}
	}
	want := map[string][3]bool{
		"Equals": {false, true, false}, "NotEquals": {true, false, true}, "GreaterThan": {false, false, true},
		"GreaterThanOrEqual": {false, true, true}, "LessThan": {true, false, false}, "LessThanOrEqual": {true, true, false},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestProfile_IsChosenByTime(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	weekly := func(name string, days []time.Weekday, hour, minute int) autoscale.Profile {
		return autoscale.Profile{Name: name, Recurrence: &autoscale.Recurrence{Zone: berlin, Days: days, Hours: []int{hour}, Minutes: []int{minute}}}
	}
	workdays := []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	fair := autoscale.Profile{Name: "fair", FixedDate: &autoscale.FixedDate{
		Start: time.Date(2026, 3, 3, 10, 0, 0, 0, berlin), End: time.Date(2026, 3, 3, 18, 0, 0, 0, berlin),
	}}
	rest := autoscale.Profile{Name: "rest"}
	all := autoscale.Setting{Profiles: []autoscale.Profile{rest, weekly("day", workdays, 8, 0), fair, weekly("night", workdays, 20, 30)}}
	plain := autoscale.Setting{Profiles: []autoscale.Profile{fair, rest}}
	for _, c := range []struct {
		setting autoscale.Setting
		at      string // in Berlin
		want    string
	}{
		{all, "2026-03-02 07:59", "night"}, // since Friday
		{all, "2026-03-02 08:00", "day"},
		{all, "2026-03-02 20:29", "day"},
		{all, "2026-03-02 20:30", "night"},
		{all, "2026-03-03 09:59", "day"},
		{all, "2026-03-03 10:00", "fair"},
		{all, "2026-03-03 17:59", "fair"},
		{all, "2026-03-03 18:00", "day"},
		{all, "2026-03-08 12:00", "night"},
		{all, "2026-03-30 07:59", "night"}, // summer time has begun
		{all, "2026-03-30 08:00", "day"},
		{plain, "2026-03-03 12:00", "fair"},
		{plain, "2026-03-03 18:00", "rest"},
		{autoscale.Setting{Profiles: []autoscale.Profile{fair}}, "2026-03-03 18:00", "none"},
	} {
		at, err := time.ParseInLocation("2006-01-02 15:04", c.at, berlin)
		if err != nil {
			t.Fatal(err)
		}
		got := "none"
		if p := c.setting.Profile(at); p != nil {
			got = p.Name
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.at, got, c.want)
		}
	}
}

// anyRule draws a rule on the average of a window.
func anyRule(t *rapid.T) autoscale.Rule {
	r := rule(autoscale.Operator(rapid.SampledFrom(autoscale.Operators()).Draw(t, "operator")), float64(rapid.IntRange(0, 100).Draw(t, "threshold")), autoscale.Action{
		Increase: rapid.Bool().Draw(t, "increase"), Kind: autoscale.Kind(rapid.SampledFrom(autoscale.Kinds()).Draw(t, "kind")),
		Value: rapid.IntRange(1, 30).Draw(t, "value"), Cooldown: time.Duration(rapid.IntRange(1, 90).Draw(t, "cooldown")) * time.Minute,
	})
	r.Window = time.Duration(rapid.IntRange(5, 60).Draw(t, "window")) * time.Minute
	return r
}

type drawn struct {
	profile autoscale.Profile
	at      autoscale.Situation
	read    autoscale.Readings
	value   float64
}

func draw(t *rapid.T) drawn {
	var d drawn
	d.at = autoscale.Situation{
		Now: noon, Tier: rapid.SampledFrom([]platform.Tier{platform.Basic, platform.Standard, platform.Premium, platform.PremiumV2}).Draw(t, "tier"),
		Zones: rapid.IntRange(0, 3).Draw(t, "zones"),
	}
	most := d.at.Tier.Facts().MaxUnits
	if !d.at.Tier.Facts().Zones {
		d.at.Zones = 0
	}
	step := max(d.at.Zones, 1)
	d.at.Units = step * rapid.IntRange(1, most/step).Draw(t, "units")
	if rapid.Bool().Draw(t, "acted") {
		d.at.Last = noon.Add(-time.Duration(rapid.IntRange(0, 120).Draw(t, "ago")) * time.Minute)
	}
	d.profile.Minimum = rapid.IntRange(1, most).Draw(t, "minimum")
	d.profile.Maximum = rapid.IntRange(d.profile.Minimum, most).Draw(t, "maximum")
	d.profile.Default = rapid.IntRange(d.profile.Minimum, d.profile.Maximum).Draw(t, "default")
	d.profile.Rules = rapid.SliceOfN(rapid.Custom(anyRule), 0, 5).Draw(t, "rules")
	d.value = float64(rapid.IntRange(0, 100).Draw(t, "value"))
	d.read = flat(d.value, time.Duration(rapid.IntRange(0, 90).Draw(t, "known for"))*time.Minute)
	if rapid.IntRange(0, 9).Draw(t, "blind") == 0 {
		d.read = nothing
	}
	return d
}

// Whatever the setting: the units stay within what profile and tier allow for, a multiple of the zones; nothing acts
// within its cool-down or on half a window; what is scaled in is not scaled out at the same load.
func TestDecide_Properties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		s := autoscale.Setting{Enabled: true, Profiles: []autoscale.Profile{d.profile}}
		got := s.Decide(d.at, d.read)
		if again := s.Decide(d.at, d.read); again.Units != got.Units || again.Why != got.Why {
			t.Fatalf("decided twice: %+v, then %+v", got, again)
		}
		if got.Why == "" {
			t.Fatal("no reason is given")
		}
		if got.Units == d.at.Units {
			return
		}
		facts := d.at.Tier.Facts()
		within := d.at.Units >= d.profile.Minimum && d.at.Units <= d.profile.Maximum
		if got.Units < max(d.profile.Minimum, facts.MinUnits) || got.Units > min(d.profile.Maximum, facts.MaxUnits) {
			t.Fatalf("%d units are outside of %d to %d", got.Units, d.profile.Minimum, d.profile.Maximum)
		}
		if d.at.Zones > 1 && got.Units%d.at.Zones != 0 {
			t.Fatalf("%d units in %d zones", got.Units, d.at.Zones)
		}
		if !within {
			return // it comes back to where it may be, whatever the load
		}
		asked, missing := false, false
		for _, j := range got.Rules {
			missing = missing || j.Known == autoscale.Missing
			asked = asked || j.Holds && j.Cooldown == 0 && j.Action.Increase == (got.Units > d.at.Units)
		}
		if !asked && !missing {
			t.Fatalf("nobody asked for %d instead of %d units", got.Units, d.at.Units)
		}
		if got.Units > d.at.Units {
			return
		}
		for _, j := range got.Rules {
			switch then := d.value * float64(d.at.Units) / float64(got.Units); {
			case !j.Action.Increase && !j.Holds:
				t.Fatalf("scaled in although a rule does not hold: %+v", j)
			case j.Action.Increase && j.Operator.Holds(then, j.Threshold):
				t.Fatalf("scaled in to %d units, where the load of %v would scale out: %+v", got.Units, then, j)
			}
		}
	})
}

// A constant amount of work is served by a number of units that does not change any more, by rules as one would write
// them: in below out, by one unit.
func TestDecide_ComesToRest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		high := rapid.IntRange(20, 99).Draw(t, "high")
		low := rapid.IntRange(1, high-1).Draw(t, "low")
		work := float64(rapid.IntRange(0, 1000).Draw(t, "work"))
		s := autoscale.Setting{Profiles: []autoscale.Profile{profile(1, 12, 1, out(float64(high), 1), in(float64(low), 1))}}
		units := rapid.IntRange(1, 12).Draw(t, "units")
		const turns = 24
		for range turns {
			d := s.Decide(autoscale.Situation{Now: noon, Units: units, Tier: platform.Premium}, flat(min(100, work/float64(units)), hours))
			if d.Units == units {
				return
			}
			units = d.Units
		}
		t.Fatalf("%v of work between %d and %d still moves, at %d units", work, low, high, units)
	})
}
