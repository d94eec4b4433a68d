package autoscale_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/autoscale"
	"github.com/portico-dev/portico/internal/metric"
	"github.com/portico-dev/portico/internal/platform"
)

const good = `{"enabled":true,"targetResourceUri":"/s","profiles":[
	{"name":"day","capacity":{"minimum":"1","maximum":"4","default":"2"},
	 "rules":[{"metricTrigger":{"metricName":"Capacity","metricResourceUri":"/S/","timeGrain":"PT1M","statistic":"Average","timeWindow":"PT30M",
	  "timeAggregation":"Maximum","operator":"GreaterThan","threshold":80.5,"dividePerInstance":true},
	  "scaleAction":{"direction":"Increase","type":"ChangeCount","value":"1","cooldown":"PT1H"}}],
	 "recurrence":{"frequency":"Week","schedule":{"timeZone":"W. Europe Standard Time","days":["Monday"],"hours":[8],"minutes":[0]}}},
	{"name":"fair","capacity":{"minimum":"4","maximum":"4","default":"4"},"rules":[],
	 "fixedDate":{"timeZone":"W. Europe Standard Time","start":"2026-07-01T08:00:00","end":"2026-07-02T08:00:00Z"}},
	{"name":"rest","capacity":{"minimum":"1","maximum":"1","default":"1"},"rules":[]}]}`

func TestRead(t *testing.T) {
	t.Parallel()
	s, found, err := autoscale.Read(json.RawMessage(good))
	if err != nil || len(found) > 0 {
		t.Fatal(err, found)
	}
	day, fair := s.Profiles[0], s.Profiles[1]
	want := autoscale.Rule{
		Metric: metric.Capacity, Statistic: autoscale.Average, Aggregation: autoscale.Maximum, Grain: time.Minute, Window: 30 * time.Minute,
		Operator: "GreaterThan", Threshold: 80.5, PerInstance: true,
		Action: autoscale.Action{Increase: true, Kind: autoscale.ChangeCount, Value: 1, Cooldown: time.Hour},
	}
	if d := cmp.Diff([]autoscale.Rule{want}, day.Rules); d != "" || !s.Enabled || s.Target != "/s" {
		t.Error(s, d)
	}
	if r := day.Recurrence; r.Zone.String() != "Europe/Berlin" || day.Minimum != 1 || day.Maximum != 4 || day.Default != 2 {
		t.Errorf("%+v", day)
	}
	if f := fair.FixedDate; f.Start.UTC().Hour() != 6 || f.End.UTC().Hour() != 8 {
		t.Errorf("%+v", fair.FixedDate)
	}
	if got := day.Rules[0].Condition() + ": " + day.Rules[0].Action.Effect(); got != "Capacity (Maximum) of PT30M > 80.5: +1" {
		t.Error(got)
	}
}

func TestRead_NamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ from, to, want string }{
		{`"minimum":"1","maximum":"4"`, `"minimum":"x","maximum":"4"`, "profiles[0].capacity.minimum: 'x' is not a number of units."},
		{`"minimum":"1","maximum":"4"`, `"minimum":"5","maximum":"4"`, "profiles[0].capacity.minimum: 'minimum' is 5 and must not be greater than 'maximum', which is 4."},
		{`"default":"2"`, `"default":"9"`, "profiles[0].capacity.default: 'default' is 9 and must be between 'minimum' and 'maximum', which are 1 and 4."},
		{`"metricName":"Capacity"`, `"metricName":"Duration"`, "profiles[0].rules[0].metricTrigger.metricName: 'Duration' is not a metric of a service. Those that are: [Capacity CpuPercent_Gateway MemoryPercent_Gateway Requests]."},
		{`"/S/"`, `"/other"`, "profiles[0].rules[0].metricTrigger.metricResourceUri: Metrics of other resources than the one that is scaled: not built in this version of Portico."},
		{`"PT1M"`, `"1 minute"`, "profiles[0].rules[0].metricTrigger.timeGrain: '1 minute' is not a duration from PT1M to PT12H."},
		{`"PT1M"`, `"PT90S"`, "profiles[0].rules[0].metricTrigger.timeGrain: 'timeGrain' must be whole minutes."},
		{`"PT1M"`, `"PT31M"`, "profiles[0].rules[0].metricTrigger.timeGrain: 'timeGrain' must not be longer than 'timeWindow'."},
		{`"PT30M"`, `"PT4M"`, "profiles[0].rules[0].metricTrigger.timeWindow: 'PT4M' is not a duration from PT5M to PT12H."},
		{`"PT30M"`, `"PT13H"`, "profiles[0].rules[0].metricTrigger.timeWindow: 'PT13H' is not a duration from PT5M to PT12H."},
		{`"PT1H"`, `"P8D"`, "profiles[0].rules[0].scaleAction.cooldown: 'P8D' is not a duration from PT1M to P7D."},
		{`"value":"1"`, `"value":"0"`, "profiles[0].rules[0].scaleAction.value: '0' is not a number from 1 to 1000."},
		{`"Week"`, `"Day"`, "profiles[0].recurrence.frequency: The value of 'frequency' must be Week."},
		{`"W. Europe Standard Time","days"`, `"Nowhere","days"`, "profiles[0].recurrence.schedule.timeZone: 'Nowhere' is not a time zone."},
		{`["Monday"]`, `["Mo"]`, "profiles[0].recurrence.schedule.days: 'days' must list days of the week, Sunday to Saturday."},
		{`"hours":[8]`, `"hours":[24]`, "profiles[0].recurrence.schedule.hours: 'hours' must list numbers from 0 to 23."},
		{`"minutes":[0]`, `"minutes":[]`, "profiles[0].recurrence.schedule.minutes: 'minutes' must list numbers from 0 to 59."},
		{`2026-07-02T08:00:00Z`, `2026-07-01T06:00:00Z`, "profiles[1].fixedDate.end: 'end' must be after 'start'."},
		{`2026-07-01T08:00:00`, `soon`, "profiles[1].fixedDate.start: 'soon' is not a date and time."},
		{`"rest"`, `"Fair"`, "profiles[2].name: Another profile has the name 'Fair'."},
		{`,
	 "fixedDate":{"timeZone":"W. Europe Standard Time","start":"2026-07-01T08:00:00","end":"2026-07-02T08:00:00Z"}`, "", "profiles[2].recurrence: One profile may have neither 'fixedDate' nor 'recurrence': it holds when no other does."},
	} {
		if !strings.Contains(good, c.from) {
			t.Errorf("there is no %s", c.from)
		}
		_, found, err := autoscale.Read(json.RawMessage(strings.Replace(good, c.from, c.to, 1)))
		if err != nil || len(found) != 1 || found[0].Target+": "+found[0].Message != c.want {
			t.Errorf("%s\ngot  %v %v\nwant %s", c.to, found, err, c.want)
		}
	}
	if _, found, _ := autoscale.Read(json.RawMessage(`{"profiles":[]}`)); len(found) != 1 || found[0].Target != "profiles" {
		t.Error(found)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	s, _, err := autoscale.Read(json.RawMessage(good))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		tier  platform.Tier
		zones int
		want  []string
	}{
		{platform.Premium, 0, nil},
		{platform.Standard, 0, nil},
		{platform.Developer, 0, []string{"targetResourceUri: A service of tier Developer has a fixed number of units and cannot be scaled by rules."}},
		{platform.Consumption, 0, []string{"targetResourceUri: A service of tier Consumption has a fixed number of units and cannot be scaled by rules."}},
		{platform.Basic, 0, []string{
			"profiles[0].capacity.maximum: A service of tier Basic has 2 units at most.", "profiles[1].capacity.maximum: A service of tier Basic has 2 units at most.",
		}},
		{platform.StandardV2, 0, []string{"profiles[0].rules[0].metricTrigger.metricName: Services of tier StandardV2 have no metric 'Capacity'."}},
		{platform.Premium, 2, []string{
			"profiles[0].capacity.minimum: 1 is not a multiple of the number of zones of the service, which is 2.",
			"profiles[0].rules[0].scaleAction.value: 1 is not a multiple of the number of zones of the service, which is 2.",
			"profiles[2].capacity.minimum: 1 is not a multiple of the number of zones of the service, which is 2.",
			"profiles[2].capacity.maximum: 1 is not a multiple of the number of zones of the service, which is 2.",
			"profiles[2].capacity.default: 1 is not a multiple of the number of zones of the service, which is 2.",
		}},
	} {
		var got []string
		for _, f := range s.Check(c.tier, c.zones) {
			got = append(got, f.Target+": "+f.Message)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s in %d zones: %s", c.tier, c.zones, d)
		}
	}
}
