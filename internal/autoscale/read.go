package autoscale

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/csharp/timezone"
	"github.com/portico-dev/portico/internal/metric"
	"github.com/portico-dev/portico/internal/pace"
)

// Bounds of a setting.
const (
	maxProfiles = 20
	maxWebhooks = 20
	maxRules    = 10
	minGrain    = time.Minute
	minWindow   = 5 * time.Minute
	minCooldown = time.Minute
	maxCooldown = 7 * 24 * time.Hour
)

// The wire form of a setting's properties.
type (
	settingJSON struct {
		Enabled  bool          `json:"enabled"`
		Target   string        `json:"targetResourceUri"`
		Profiles []profileJSON `json:"profiles"`

		Notifications []notificationJSON `json:"notifications"`
	}
	notificationJSON struct {
		Webhooks []struct {
			URI        string            `json:"serviceUri"`
			Properties map[string]string `json:"properties"`
		} `json:"webhooks"`
	}
	profileJSON struct {
		Name     string `json:"name"`
		Capacity struct {
			Minimum string `json:"minimum"`
			Maximum string `json:"maximum"`
			Default string `json:"default"`
		} `json:"capacity"`
		Rules     []ruleJSON `json:"rules"`
		FixedDate *struct {
			TimeZone string `json:"timeZone"`
			Start    string `json:"start"`
			End      string `json:"end"`
		} `json:"fixedDate"`
		Recurrence *struct {
			Frequency string `json:"frequency"`
			Schedule  struct {
				TimeZone string   `json:"timeZone"`
				Days     []string `json:"days"`
				Hours    []int    `json:"hours"`
				Minutes  []int    `json:"minutes"`
			} `json:"schedule"`
		} `json:"recurrence"`
	}
	ruleJSON struct {
		Trigger struct {
			MetricName  string      `json:"metricName"`
			ResourceURI string      `json:"metricResourceUri"`
			TimeGrain   string      `json:"timeGrain"`
			Statistic   Aggregation `json:"statistic"`
			TimeWindow  string      `json:"timeWindow"`
			Aggregation Aggregation `json:"timeAggregation"`
			Operator    Operator    `json:"operator"`
			Threshold   float64     `json:"threshold"`
			PerInstance bool        `json:"dividePerInstance"`
		} `json:"metricTrigger"`
		Action struct {
			Direction string `json:"direction"`
			Type      Kind   `json:"type"`
			Value     string `json:"value"`
			Cooldown  string `json:"cooldown"`
		} `json:"scaleAction"`
	}
)

// Read makes a Setting of the properties of an autoscale setting, whose types and words have been checked, and says
// everything else that is wrong with them.
func Read(properties json.RawMessage) (Setting, []arm.ErrorDetail, error) {
	var in settingJSON
	if err := json.Unmarshal(properties, &in); err != nil {
		return Setting{}, nil, fmt.Errorf("read autoscale setting: %w", err)
	}
	r := reader{target: in.Target}
	s := Setting{Enabled: in.Enabled, Target: in.Target}
	if n := len(in.Profiles); n == 0 || n > maxProfiles {
		r.wrong("profiles", "A setting has 1 to %d profiles.", maxProfiles)
	}
	names, rest := map[string]bool{}, 0
	for i, p := range in.Profiles {
		r.at = fmt.Sprintf("profiles[%d]", i)
		s.Profiles = append(s.Profiles, r.profile(p))
		if key := strings.ToLower(p.Name); names[key] {
			r.wrong("name", "Another profile has the name '%s'.", p.Name)
		} else {
			names[key] = true
		}
		if p.FixedDate == nil && p.Recurrence == nil {
			rest++
		}
		if rest > 1 {
			r.wrong("recurrence", "One profile may have neither 'fixedDate' nor 'recurrence': it holds when no other does.")
			rest = 1
		}
	}
	r.at = ""
	s.Webhooks = r.webhooks(in.Notifications)
	return s, r.found, nil
}

func (r *reader) webhooks(in []notificationJSON) (all []Webhook) {
	for i, n := range in {
		for j, w := range n.Webhooks {
			if u, err := url.Parse(w.URI); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
				r.wrong(fmt.Sprintf("notifications[%d].webhooks[%d].serviceUri", i, j), "'serviceUri' must be an absolute http or https URI.")
			}
			all = append(all, Webhook(w))
		}
	}
	if len(all) > maxWebhooks {
		r.wrong("notifications", "A setting has at most %d webhooks.", maxWebhooks)
	}
	return all
}

// A reader collects what is wrong, each finding with its place.
type reader struct {
	target string
	at     string // the place that is read
	found  []arm.ErrorDetail
}

func (r *reader) wrong(path, format string, args ...any) {
	if r.at != "" {
		path = r.at + "." + path
	}
	r.found = append(r.found, arm.ErrorDetail{Code: "ValidationError", Target: path, Message: fmt.Sprintf(format, args...)})
}

func (r *reader) profile(in profileJSON) Profile {
	p := Profile{Name: in.Name}
	p.Minimum = r.units("capacity.minimum", in.Capacity.Minimum)
	p.Maximum = r.units("capacity.maximum", in.Capacity.Maximum)
	p.Default = r.units("capacity.default", in.Capacity.Default)
	switch {
	case p.Minimum > p.Maximum:
		r.wrong("capacity.minimum", "'minimum' is %d and must not be greater than 'maximum', which is %d.", p.Minimum, p.Maximum)
	case p.Default < p.Minimum || p.Default > p.Maximum:
		r.wrong("capacity.default", "'default' is %d and must be between 'minimum' and 'maximum', which are %d and %d.", p.Default, p.Minimum, p.Maximum)
	}
	if in.FixedDate != nil && in.Recurrence != nil {
		r.wrong("recurrence", "A profile cannot have both 'fixedDate' and 'recurrence'.")
	}
	if f := in.FixedDate; f != nil {
		loc := r.zone("fixedDate.timeZone", f.TimeZone)
		p.FixedDate = &FixedDate{r.time("fixedDate.start", f.Start, loc), r.time("fixedDate.end", f.End, loc)}
		if !p.FixedDate.Start.Before(p.FixedDate.End) {
			r.wrong("fixedDate.end", "'end' must be after 'start'.")
		}
	}
	if in.Recurrence != nil {
		p.Recurrence = r.recurrence(in)
	}
	if n := len(in.Rules); n > maxRules {
		r.wrong("rules", "A profile has at most %d rules.", maxRules)
	}
	profile := r.at
	for i, rule := range in.Rules {
		r.at = fmt.Sprintf("%s.rules[%d]", profile, i)
		p.Rules = append(p.Rules, r.rule(rule))
	}
	r.at = profile
	return p
}

func (r *reader) recurrence(in profileJSON) *Recurrence {
	s := in.Recurrence.Schedule
	if in.Recurrence.Frequency != "Week" {
		r.wrong("recurrence.frequency", "The value of 'frequency' must be Week.")
	}
	out := &Recurrence{Zone: r.zone("recurrence.schedule.timeZone", s.TimeZone), Hours: s.Hours, Minutes: s.Minutes}
	for _, d := range s.Days {
		for day := time.Sunday; day <= time.Saturday; day++ {
			if strings.EqualFold(day.String(), d) {
				out.Days = append(out.Days, day)
			}
		}
	}
	if len(s.Days) == 0 || len(out.Days) < len(s.Days) {
		r.wrong("recurrence.schedule.days", "'days' must list days of the week, Sunday to Saturday.")
	}
	const lastHour, lastMinute = 23, 59
	r.within("recurrence.schedule.hours", s.Hours, lastHour)
	r.within("recurrence.schedule.minutes", s.Minutes, lastMinute)
	return out
}

func (r *reader) within(path string, values []int, most int) {
	if len(values) == 0 || slices.Min(values) < 0 || slices.Max(values) > most {
		r.wrong(path, "'%s' must list numbers from 0 to %d.", path[strings.LastIndexByte(path, '.')+1:], most)
	}
}

func (r *reader) rule(in ruleJSON) Rule {
	t, a := in.Trigger, in.Action
	name, ok := metric.Parse(t.MetricName)
	if !ok {
		r.wrong("metricTrigger.metricName", "'%s' is not a metric of a service. Those that are: %v.", t.MetricName, metric.Names())
	}
	if !strings.EqualFold(strings.Trim(t.ResourceURI, "/"), strings.Trim(r.target, "/")) {
		r.wrong("metricTrigger.metricResourceUri", "Metrics of other resources than the one that is scaled: not built in this version of Portico.")
	}
	out := Rule{
		Metric: name, Statistic: t.Statistic, Aggregation: t.Aggregation, Operator: t.Operator, Threshold: t.Threshold, PerInstance: t.PerInstance,
		Grain:  r.duration("metricTrigger.timeGrain", t.TimeGrain, minGrain, metric.Kept),
		Window: r.duration("metricTrigger.timeWindow", t.TimeWindow, minWindow, metric.Kept),
		Action: Action{
			Increase: a.Direction == "Increase", Kind: a.Type,
			Cooldown: r.duration("scaleAction.cooldown", a.Cooldown, minCooldown, maxCooldown),
		},
	}
	if out.Grain%time.Minute != 0 {
		r.wrong("metricTrigger.timeGrain", "'timeGrain' must be whole minutes.")
	}
	if out.Grain > out.Window {
		r.wrong("metricTrigger.timeGrain", "'timeGrain' must not be longer than 'timeWindow'.")
	}
	switch n, err := strconv.Atoi(a.Value); {
	case a.Type == NextAllowed && a.Value == "":
	case err != nil || n < 1 || n > maxValue:
		r.wrong("scaleAction.value", "'%s' is not a number from 1 to %d.", a.Value, maxValue)
	default:
		out.Action.Value = n
	}
	return out
}

// maxValue bounds the value of an action.
const maxValue = 1000

func (r *reader) units(path, s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > maxValue {
		r.wrong(path, "'%s' is not a number of units.", s)
		return 0
	}
	return n
}

func (r *reader) duration(path, s string, least, most time.Duration) time.Duration {
	d, err := pace.ParseDuration(s)
	if err != nil || d < least || d > most {
		r.wrong(path, "'%s' is not a duration from %s to %s.", s, pace.FormatDuration(least), pace.FormatDuration(most))
		return least
	}
	return d
}

// zone finds a time zone; no name means UTC.
func (r *reader) zone(path, name string) *time.Location {
	if name == "" {
		return time.UTC
	}
	loc := timezone.Find(name)
	if loc == nil {
		r.wrong(path, "'%s' is not a time zone.", name)
		return time.UTC
	}
	return loc
}

// time reads a time: in the zone, unless it says itself how far it is from UTC.
func (r *reader) time(path, s string, loc *time.Location) time.Time {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t
	}
	t, err := time.ParseInLocation("2006-01-02T15:04:05.999999999", s, loc)
	if err != nil {
		r.wrong(path, "'%s' is not a date and time.", s)
	}
	return t
}
