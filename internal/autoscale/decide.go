package autoscale

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/platform"
)

// A Situation is how a service is when it is decided about.
type Situation struct {
	Now   time.Time
	Units int
	Tier  platform.Tier
	Zones int       // how many the service lists
	Last  time.Time // when the setting last acted; zero for never
}

// A Decision is what becomes of the units, and why.
type Decision struct {
	Units   int         // as they are where nothing is to be done
	Profile *Profile    // that holds; nil for none
	Why     string      // one sentence
	Rules   []Judgement // of the rules of the profile, in their order
}

// A Judgement is how a rule stands.
type Judgement struct {
	Rule
	Value    float64
	Known    Knowledge
	Holds    bool          // the metric compares as the rule asks for
	Cooldown time.Duration // left before it may act
}

func (j Judgement) acts() bool { return j.Holds && j.Cooldown == 0 }

// Decide says how many units the service should have.
func (s Setting) Decide(at Situation, read Readings) Decision {
	d := Decision{Units: at.Units, Profile: s.Profile(at.Now)}
	if d.Profile == nil {
		d.Why = "No profile holds at this time."
		return d
	}
	for _, r := range d.Profile.Rules {
		d.Rules = append(d.Rules, r.judge(at, read))
	}
	least, most, ok := at.bounds(d.Profile)
	switch {
	case !ok:
		d.Why = fmt.Sprintf("A service of tier %s cannot have from %d to %d units.", at.Tier, d.Profile.Minimum, d.Profile.Maximum)
	case at.Units < least:
		d.Units, d.Why = least, fmt.Sprintf("The profile asks for %d units at least.", least)
	case at.Units > most:
		d.Units, d.Why = most, fmt.Sprintf("The profile allows for %d units at most.", most)
	case d.scaleOut(at, most), d.fallBack(at, least, most), d.scaleIn(at, least):
	default:
		d.Why = d.idle()
	}
	return d
}

// bounds are the least and the most units that the profile allows for and the service can have; ok is false when there
// are none.
func (at Situation) bounds(p *Profile) (least, most int, ok bool) {
	f := at.Tier.Facts()
	if f.Scale == platform.ScaleNone {
		return 0, 0, false
	}
	least = at.up(max(p.Minimum, f.MinUnits))
	most = min(p.Maximum, f.MaxUnits)
	if at.Zones > 1 {
		most -= most % at.Zones
	}
	return least, most, least <= most
}

// up is the next number of units that the service can have: a multiple of its zones.
func (at Situation) up(units int) int {
	if at.Zones > 1 && units%at.Zones > 0 {
		return units + at.Zones - units%at.Zones
	}
	return units
}

func (r Rule) judge(at Situation, read Readings) Judgement {
	j := Judgement{Rule: r}
	j.Value, j.Known = r.value(at.Now, at.Units, read)
	j.Holds = j.Known == Known && r.Operator.Holds(j.Value, r.Threshold)
	if !at.Last.IsZero() {
		j.Cooldown = max(at.Last.Add(r.Action.Cooldown).Sub(at.Now), 0)
	}
	return j
}

// scaleOut scales out when any rule asks for it, as far as the one that asks for most.
func (d *Decision) scaleOut(at Situation, most int) bool {
	for _, j := range d.Rules {
		if !j.Action.Increase || !j.acts() {
			continue
		}
		if to := min(at.up(j.Action.from(at)), most); to > d.Units {
			d.Units, d.Why = to, j.say()
		}
	}
	return d.Units > at.Units
}

// fallBack goes up to the default when nobody knows how busy the service is.
func (d *Decision) fallBack(at Situation, least, most int) bool {
	to := min(max(at.up(d.Profile.Default), least), most)
	missing := slices.ContainsFunc(d.Rules, func(j Judgement) bool { return j.Known == Missing })
	if !missing || to <= at.Units {
		return false
	}
	d.Units, d.Why = to, fmt.Sprintf("The metric is missing: the default of the profile is %d units.", d.Profile.Default)
	return true
}

// scaleIn scales in when all rules for it ask for it, as far as the one that asks for least, and no further than no rule
// would scale out again at once.
func (d *Decision) scaleIn(at Situation, least int) bool {
	to := -1
	for _, j := range d.Rules {
		if j.Action.Increase {
			continue
		}
		if !j.acts() {
			return false
		}
		if n := max(at.up(j.Action.from(at)), least); n > to {
			to, d.Why = n, j.say()
		}
	}
	if to < 0 || to >= at.Units {
		d.Why = ""
		return false
	}
	for to < at.Units && d.wouldFlap(at, to) {
		to = at.up(to + 1)
	}
	if to >= at.Units {
		d.Why = "With fewer units a rule would scale out again at once."
		return true
	}
	d.Units = to
	return true
}

// wouldFlap says whether any rule would scale out with so many units, or might for all that is known.
func (d *Decision) wouldFlap(at Situation, units int) bool {
	return slices.ContainsFunc(d.Rules, func(j Judgement) bool {
		return j.Action.Increase && (j.Known != Known || j.Operator.Holds(j.projected(j.Value, at.Units, units), j.Threshold))
	})
}

// from is how many units the action makes of those that there are. Parts of a unit are decided for more of them.
func (a Action) from(at Situation) int {
	by := 0
	switch a.Kind {
	case ExactCount:
		if a.Increase == (a.Value > at.Units) {
			return a.Value
		}
		return at.Units
	case NextAllowed:
		by = max(at.Zones, 1)
	case ChangeCount:
		by = a.Value
	case PercentChangeCount:
		const percent = 100
		if by = at.Units * a.Value / percent; a.Increase {
			by = (at.Units*a.Value + percent - 1) / percent
		}
	}
	if a.Increase {
		return at.Units + by
	}
	return max(at.Units-by, 0)
}

// say tells why the rule acts.
func (j Judgement) say() string { return j.Condition() + ": it is " + number(j.Value) + "." }

// Condition is what the rule asks for, in words.
func (r Rule) Condition() string {
	signs := map[Operator]string{
		"Equals": "=", "NotEquals": "≠", "GreaterThan": ">", "GreaterThanOrEqual": "≥", "LessThan": "<", "LessThanOrEqual": "≤",
	}
	return fmt.Sprintf("%s (%s) of %s %s %s", r.Metric, r.Aggregation, pace.FormatDuration(r.Window), signs[r.Operator], number(r.Threshold))
}

// Effect is what follows from the rule, in words.
func (a Action) Effect() string {
	sign := "-"
	if a.Increase {
		sign = "+"
	}
	switch a.Kind {
	case ExactCount:
		return "to " + strconv.Itoa(a.Value)
	case PercentChangeCount:
		return sign + strconv.Itoa(a.Value) + " %"
	case NextAllowed:
		return sign + "1 step"
	}
	return sign + strconv.Itoa(a.Value)
}

func number(f float64) string {
	const places = 2
	return strconv.FormatFloat(roundTo(f, places), 'f', -1, 64)
}

func roundTo(f float64, places int) float64 {
	s := strconv.FormatFloat(f, 'f', places, 64)
	r, _ := strconv.ParseFloat(s, 64) // it was just written
	return r
}

// idle says why nothing is done.
func (d *Decision) idle() string {
	for _, j := range d.Rules {
		switch {
		case j.Known == Early:
			return "Nobody has looked at the service for the whole of a window yet."
		case j.Known == Missing:
			return "The metric is missing."
		case j.Holds && j.Cooldown > 0:
			return "A rule waits for its cool-down, which ends in " + pace.FormatDuration(j.Cooldown.Round(time.Second)) + "."
		}
	}
	return "No rule asks for a change."
}
