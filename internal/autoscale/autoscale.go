// Package autoscale holds the rules of autoscale settings (Microsoft.Insights/autoscaleSettings): what a setting may
// say, which profile holds at a time, and how many units a service should have by it. It is pure: it performs nothing
// and reads no clock.
//
// What Azure Monitor documents is done as documented; what it leaves open is decided in decision 24. Start reading at
// Setting.Decide (decide.go); Read (read.go) makes a Setting of what a client sent.
package autoscale

import (
	"time"

	"github.com/portico-dev/portico/internal/metric"
)

// A Setting is an autoscale setting.
type Setting struct {
	Enabled  bool
	Target   string // resource ID of the service
	Profiles []Profile
	Webhooks []Webhook
}

// A Webhook is an address that is told when the setting acts, with properties that come along.
type Webhook struct {
	URI        string
	Properties map[string]string
}

// A Profile holds at some time: at a fixed date, again and again, or when no other does.
type Profile struct {
	Name                      string
	Minimum, Maximum, Default int // units
	Rules                     []Rule
	FixedDate                 *FixedDate
	Recurrence                *Recurrence
}

// A FixedDate is a span of time, its end left out.
type FixedDate struct{ Start, End time.Time }

// A Recurrence says at which times of a week a profile begins to hold; it does until another one begins.
type Recurrence struct {
	Zone           *time.Location
	Days           []time.Weekday
	Hours, Minutes []int
}

// A Rule compares a metric and says what follows.
type Rule struct {
	Metric      metric.Name
	Statistic   Aggregation // of the machines, for each grain
	Aggregation Aggregation // of the grains
	Grain       time.Duration
	Window      time.Duration
	Operator    Operator
	Threshold   float64
	PerInstance bool // the value is divided by the number of units
	Action      Action
}

// An Action is how units change.
type Action struct {
	Increase bool // otherwise they decrease
	Kind     Kind
	Value    int
	Cooldown time.Duration // since the last action of the setting
}

// Aggregation is how values become one, spelt as the wire spells it.
type Aggregation string

// The aggregations. Statistics are Average, Min, Max, Sum, Count; the others are of time.
const (
	Average Aggregation = "Average"
	Min     Aggregation = "Min"
	Max     Aggregation = "Max"
	Sum     Aggregation = "Sum"
	Count   Aggregation = "Count"
	Minimum Aggregation = "Minimum"
	Maximum Aggregation = "Maximum"
	Total   Aggregation = "Total"
	Last    Aggregation = "Last"
)

// Statistics and TimeAggregations list what there is.
func Statistics() []string { return []string{"Average", "Min", "Max", "Sum", "Count"} }

// TimeAggregations are those of the grains of a window.
func TimeAggregations() []string {
	return []string{"Average", "Minimum", "Maximum", "Total", "Count", "Last"}
}

// Operator compares a value with a threshold, spelt as the wire spells it.
type Operator string

// Operators lists what there is.
func Operators() []string {
	return []string{"Equals", "NotEquals", "GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual"}
}

// Holds says whether a value compares so with a threshold.
func (o Operator) Holds(value, threshold float64) bool {
	switch o {
	case "Equals":
		return value == threshold
	case "NotEquals":
		return value != threshold
	case "GreaterThan":
		return value > threshold
	case "GreaterThanOrEqual":
		return value >= threshold
	case "LessThan":
		return value < threshold
	case "LessThanOrEqual":
		return value <= threshold
	}
	return false
}

// Kind is a type of action, spelt as the wire spells it.
type Kind string

// The kinds of actions.
const (
	ChangeCount        Kind = "ChangeCount"
	PercentChangeCount Kind = "PercentChangeCount"
	ExactCount         Kind = "ExactCount"
	NextAllowed        Kind = "ServiceAllowedNextValue"
)

// Kinds lists what there is.
func Kinds() []string {
	return []string{string(ChangeCount), string(PercentChangeCount), string(ExactCount), string(NextAllowed)}
}
