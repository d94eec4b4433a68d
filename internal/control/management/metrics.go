package management

import (
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/metric"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

var metricVersions = []arm.Version{
	"2024-02-01", "2023-10-01", "2021-05-01", "2019-07-01", "2018-01-01", "2017-05-01-preview", "2016-09-01",
}

// metricGrains are the intervals by which metrics can be asked for.
var metricGrains = []string{"PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT6H", "PT12H"}

// metricTexts say what a metric is; the last word is how it is aggregated unless a client asks for something else.
var metricTexts = map[metric.Name]struct{ display, description, category, unit, aggregation string }{
	metric.Capacity: {"Capacity", "Load of the gateways: of processor, memory and queues what there is least of. For the tiers Developer, Basic, Standard, Premium and Isolated.", "Capacity", "Percent", "Average"},
	metric.CPU:      {"CPU Percentage of Gateway", "Processor time that the gateways use. For the v2 tiers.", "Capacity", "Percent", "Average"},
	metric.Memory:   {"Memory Percentage of Gateway", "Memory that the gateways use. For the v2 tiers.", "Capacity", "Percent", "Average"},
	metric.Requests: {"Requests", "Requests that the gateways answer.", "Gateway Requests", "Count", "Total"},
}

// An aggregation is what can be asked of the readings of an interval, with its name in an answer.
type aggregation struct {
	name, field string
	of          func(metric.Point) float64
}

var aggregations = []aggregation{
	{"Average", "average", func(p metric.Point) float64 { return rounded(p.Sum / float64(p.Count)) }},
	{"Minimum", "minimum", func(p metric.Point) float64 { return p.Min }},
	{"Maximum", "maximum", func(p metric.Point) float64 { return p.Max }},
	{"Total", "total", func(p metric.Point) float64 { return rounded(p.Sum) }},
	{"Count", "count", func(p metric.Point) float64 { return float64(p.Count) }},
}

func rounded(x float64) float64 {
	const places = 100
	return math.Round(x*places) / places
}

// isMetrics says whether a path is that of the metrics of a service, or of what they are.
func (q *request) isMetrics() bool {
	return q.id.Scope != nil && strings.EqualFold(q.id.Provider, Insights) && len(q.id.Types) == 1 && q.id.IsCollection() &&
		slices.Contains([]string{"metrics", "metricdefinitions"}, strings.ToLower(q.id.Types[0])) &&
		strings.EqualFold(q.id.Scope.Type(), resource.APIM+"/service") && !q.id.Scope.IsCollection()
}

// metrics answers what was measured of a service.
func (q *request) metrics() (*reply, *arm.Error) {
	if !slices.Contains(metricVersions, q.version) {
		return nil, q.invalidVersion(string(q.version), metricVersions)
	}
	if q.r.Method != http.MethodGet {
		return nil, q.noSuchMethod()
	}
	definitions := strings.EqualFold(q.id.Types[0], "metricdefinitions")
	q.id = *q.id.Scope
	q.row, _ = q.engine.Row(q.id.Type())
	q.canonicalTypes()
	var service resource.Object
	id := ""
	err := q.view(func(t store.Reader) error {
		p, err := q.locate(t)
		if err != nil {
			return err
		}
		if p.doc == nil {
			return q.notFound(q.row, p.id)
		}
		id = p.id
		service, err = q.engine.Open(*p.doc)
		return err
	})
	if err != nil {
		return nil, err
	}
	if definitions {
		return &reply{status: http.StatusOK, body: map[string]any{"value": metricDefinitions(id)}}, nil
	}
	m, err := q.readMetricQuery()
	if err != nil {
		return nil, err
	}
	tier := platform.Tier(service.Text("sku.name"))
	var values []any
	for _, n := range m.names {
		values = append(values, q.showMetric(m, n, id, tier))
	}
	return &reply{status: http.StatusOK, body: map[string]any{
		"cost": 0, "timespan": m.from.Format(time.RFC3339) + "/" + m.to.Format(time.RFC3339), "interval": pace.FormatDuration(m.grain),
		"namespace": resource.APIM + "/service", "resourceregion": resource.NormalLocation(service.Text("location")), "value": values,
	}}, nil
}

func metricDefinitions(service string) (all []any) {
	var grains []any
	for _, g := range metricGrains {
		grains = append(grains, map[string]any{"timeGrain": g, "retention": pace.FormatDuration(metric.Kept)})
	}
	var can []string
	for _, a := range aggregations {
		can = append(can, a.name)
	}
	for _, n := range metric.Names() {
		text := metricTexts[n]
		all = append(all, map[string]any{
			"id": service + "/providers/" + Insights + "/metricDefinitions/" + string(n), "resourceId": service, "namespace": resource.APIM + "/service",
			"category": text.category, "name": localized(string(n), text.display), "displayDescription": text.description, "isDimensionRequired": false,
			"unit": text.unit, "primaryAggregationType": text.aggregation, "supportedAggregationTypes": can, "metricAvailabilities": grains,
			"dimensions": []any{localized("Location")},
		})
	}
	return all
}

// A metricQuery is what a client asks for.
type metricQuery struct {
	names        []metric.Name
	from, to     time.Time
	grain        time.Duration
	aggregations []aggregation // none: that of each metric
	location     string        // normalised; empty: all together, "*": each by itself
}

func badMetrics(format string, args ...any) *arm.Error {
	return problem(http.StatusBadRequest, "BadRequest", format, args...)
}

var locationTerm = regexp.MustCompile(`(?i)^\s*location\s+eq\s+'([^']*)'\s*$`)

func (q *request) readMetricQuery() (m metricQuery, err *arm.Error) {
	if m.names, err = metricNames(q.query("metricnames")); err != nil {
		return m, err
	}
	if ns := q.query("metricnamespace"); ns != "" && !strings.EqualFold(ns, resource.APIM+"/service") {
		return m, badMetrics("There are no metrics in the namespace '%s'. Metrics of a service are in '%s/service'.", ns, resource.APIM)
	}
	if m.from, m.to, err = timespan(q.query("timespan"), q.opt.Clock.Now()); err != nil {
		return m, err
	}
	grain := q.query("interval")
	if grain == "" {
		grain = metricGrains[0]
	}
	var perr error
	if m.grain, perr = pace.ParseDuration(strings.ToUpper(grain)); perr != nil || !slices.Contains(metricGrains, pace.FormatDuration(m.grain)) {
		return m, badMetrics("Detected invalid time grain input: %s, supported ones: %s.", grain, strings.Join(metricGrains, ","))
	}
	if m.aggregations, err = chosenAggregations(q.query("aggregation")); err != nil {
		return m, err
	}
	if filter := q.query("$filter"); filter != "" {
		match := locationTerm.FindStringSubmatch(filter)
		if match == nil {
			return m, badMetrics("$filter: '%s' is not understood. What metrics can be split by: Location eq '*', or that of a location.", filter)
		}
		m.location = resource.NormalLocation(match[1])
	}
	return m, nil
}

// metricNames reads a list of names; empty means all.
func metricNames(list string) (names []metric.Name, err *arm.Error) {
	if list == "" {
		return metric.Names(), nil
	}
	for s := range strings.SplitSeq(list, ",") {
		n, ok := metric.Parse(strings.TrimSpace(s))
		if !ok {
			return nil, badMetrics("Failed to find metric configuration for provider: %s, resource Type: service, metric: %s, Valid metrics: %s", resource.APIM, s, joinNames(metric.Names()))
		}
		names = append(names, n)
	}
	return names, nil
}

func joinNames(names []metric.Name) string {
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = string(n)
	}
	return strings.Join(texts, ",")
}

// timespan reads two times with a slash between them; empty means the last hour.
func timespan(s string, now time.Time) (from, to time.Time, err *arm.Error) {
	if s == "" {
		return now.Add(-time.Hour).Truncate(time.Second), now.Truncate(time.Second), nil
	}
	a, b, _ := strings.Cut(s, "/")
	from, begins := readTime(a)
	to, ends := readTime(b)
	if !begins || !ends || !from.Before(to) {
		return from, to, badMetrics("Detected invalid time interval input, timespan: %s", s)
	}
	return from, to, nil
}

func readTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

func chosenAggregations(list string) (chosen []aggregation, err *arm.Error) {
	if list == "" {
		return nil, nil
	}
	for s := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(aggregations, func(a aggregation) bool { return strings.EqualFold(a.name, strings.TrimSpace(s)) })
		if i < 0 {
			return nil, badMetrics("The aggregation '%s' is not one of Average, Minimum, Maximum, Total, Count.", s)
		}
		chosen = append(chosen, aggregations[i])
	}
	return chosen, nil
}

// showMetric is a metric with its values, for all locations together or for each.
func (q *request) showMetric(m metricQuery, n metric.Name, service string, tier platform.Tier) any {
	series := []any{}
	locations := q.opt.Metrics.Locations(store.Key(service))
	if m.location == "" {
		if data := q.metricData(m, n, service, locations, tier); len(data) > 0 {
			series = append(series, map[string]any{"metadatavalues": []any{}, "data": data})
		}
	}
	for _, l := range locations {
		if m.location != "*" && m.location != l {
			continue
		}
		series = append(series, map[string]any{
			"metadatavalues": []any{map[string]any{"name": localized("location"), "value": l}},
			"data":           q.metricData(m, n, service, []string{l}, tier),
		})
	}
	return map[string]any{
		"id": service + "/providers/" + Insights + "/metrics/" + string(n), "type": Insights + "/metrics", "name": localized(string(n), metricTexts[n].display),
		"displayDescription": metricTexts[n].description, "unit": metricTexts[n].unit, "timeseries": series, "errorCode": "Success",
	}
}

// metricData are the values interval by interval, also where there are none, as far back as they are kept.
func (q *request) metricData(m metricQuery, n metric.Name, service string, locations []string, tier platform.Tier) (data []any) {
	now := q.opt.Clock.Now()
	from := latest(m.from, now.Add(-metric.Kept)).Truncate(m.grain)
	to := m.to
	if to.After(now) {
		to = now
	}
	chosen := m.aggregations
	if len(chosen) == 0 {
		chosen, _ = chosenAggregations(metricTexts[n].aggregation) // it is one of them
	}
	in := map[time.Time]metric.Point{}
	for _, l := range locations {
		points, _, _ := q.opt.Metrics.Points(metric.Place{Service: store.Key(service), Location: l}, n, from, to)
		for _, p := range points {
			if !n.Of(tier) {
				p.Sum, p.Min, p.Max = 0, 0, 0
			}
			at := p.At.Truncate(m.grain)
			in[at] = in[at].With(p)
		}
	}
	if len(in) == 0 {
		return nil
	}
	for at := from; at.Before(to); at = at.Add(m.grain) {
		o := map[string]any{"timeStamp": at.Format(time.RFC3339)}
		if p, ok := in[at]; ok {
			for _, a := range chosen {
				o[a.field] = a.of(p)
			}
		}
		data = append(data, o)
	}
	return data
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
