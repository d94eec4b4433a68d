package management_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/control/management"
	"github.com/portico-dev/portico/internal/metric"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

const metricsPath = servicePath + "/providers/Microsoft.Insights/metrics?api-version=2018-01-01"

// measured is a world whose service was looked at for the five minutes before its clock stood still, at two locations.
func measured(t *testing.T) (w *world, at func(minutes int) string) {
	clock, h := pace.New(pace.Manual()), metric.NewHistory()
	w = newWorld(t, func(o *management.Options) { o.Clock, o.Metrics = clock, h }).withService()
	now := clock.Now().Truncate(time.Minute)
	for m := -5; m <= -1; m++ {
		if m == -3 {
			continue
		}
		look := map[metric.Place][]platform.Load{}
		for i, l := range []string{"westeurope", "eastus"} {
			look[metric.Place{Service: store.Key(servicePath), Location: l}] = []platform.Load{{CPU: 10 * -m * (i + 1), Memory: 4}, {CPU: 5, Memory: 4}}
		}
		if m == -2 {
			h.Blind(now.Add(-3 * time.Minute)) // nobody knows what the minute before was like
		}
		h.Look(now.Add(time.Duration(m)*time.Minute), look)
		h.Count(now.Add(time.Duration(m)*time.Minute), map[metric.Place]int64{{Service: store.Key(servicePath), Location: "westeurope"}: int64(-m)})
	}
	return w, func(m int) string { return now.Add(time.Duration(m) * time.Minute).Format(time.RFC3339) }
}

func span(from, to string) string { return "&timespan=" + url.QueryEscape(from+"/"+to) }

func TestMetrics_AreAggregatedByTheMinute(t *testing.T) {
	t.Parallel()
	w, at := measured(t)
	a := w.want(200, "GET", metricsPath+"&metricnames=capacity&aggregation=average,Minimum,maximum,Total,count&interval=PT1M"+span(at(-5), at(-1)), "")
	series := `{"data":[` +
		`{"average":40,"count":4,"maximum":100,"minimum":5,"timeStamp":"` + at(-5) + `","total":160},` +
		`{"average":32.5,"count":4,"maximum":80,"minimum":5,"timeStamp":"` + at(-4) + `","total":130},` +
		`{"timeStamp":"` + at(-3) + `"},` +
		`{"average":17.5,"count":4,"maximum":40,"minimum":5,"timeStamp":"` + at(-2) + `","total":70}],"metadatavalues":[]}`
	want := fmt.Sprintf(`{"cost":0,"interval":"PT1M","namespace":"Microsoft.ApiManagement/service","resourceregion":"westeurope","timespan":"%s/%s",`+
		`"value":[{"displayDescription":"Load of the gateways: of processor, memory and queues what there is least of. For the tiers Developer, Basic, Standard, Premium and Isolated.",`+
		`"errorCode":"Success","id":"%s/providers/Microsoft.Insights/metrics/Capacity","name":{"value":"Capacity","localizedValue":"Capacity"},`+
		`"timeseries":[%s],"type":"Microsoft.Insights/metrics","unit":"Percent"}]}`, at(-5), at(-1), servicePath, series)
	if d := cmp.Diff(want, strings.TrimSpace(a.Raw)); d != "" {
		t.Error(d)
	}
	// By location, and over an interval that holds all minutes: at most two of them, which begin at half hours.
	a = w.want(200, "GET", metricsPath+"&metricnames=Capacity&aggregation=Maximum&interval=PT12H&$filter="+url.QueryEscape("Location eq '*'"), "")
	var got []string
	for _, v := range a.Body.List("value") {
		for _, s := range v.(map[string]any)["timeseries"].([]any) {
			top := 0.0
			for _, d := range s.(map[string]any)["data"].([]any) {
				if n, ok := d.(map[string]any)["maximum"]; ok {
					top = max(top, number(t, n))
				}
			}
			where := s.(map[string]any)["metadatavalues"].([]any)[0].(map[string]any)["value"]
			got = append(got, fmt.Sprint(where, " ", top))
		}
	}
	if d := cmp.Diff([]string{"eastus 100", "westeurope 50"}, got); d != "" {
		t.Error(d)
	}
	// Requests are added up unless one asks for something else.
	a = w.want(200, "GET", metricsPath+"&metricnames=Requests&$filter="+url.QueryEscape("Location eq 'West Europe'")+span(at(-5), at(-1)), "")
	series = `"data":[{"timeStamp":"` + at(-5) + `","total":5},{"timeStamp":"` + at(-4) + `","total":4},{"timeStamp":"` + at(-3) + `"},{"timeStamp":"` + at(-2) + `","total":2}]`
	if !strings.Contains(a.Raw, series) || !strings.Contains(a.Raw, `"unit":"Count"`) {
		t.Error(a.Raw)
	}
	// The metrics of the v2 tiers are 0 here.
	a = w.want(200, "GET", metricsPath+"&metricnames=CpuPercent_Gateway"+span(at(-2), at(-1)), "")
	if !strings.Contains(a.Raw, `"data":[{"average":0,"timeStamp":"`+at(-2)+`"}]`) {
		t.Error(a.Raw)
	}
}

func number(t *testing.T, v any) float64 {
	t.Helper()
	var f float64
	if _, err := fmt.Sscan(fmt.Sprint(v), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestMetrics_OfNothingAreEmpty(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	a := w.want(200, "GET", metricsPath, "")
	var names []string
	for _, v := range a.Body.List("value") {
		m := v.(map[string]any)
		names = append(names, fmt.Sprint(m["name"].(map[string]any)["value"], " ", len(m["timeseries"].([]any))))
	}
	if d := cmp.Diff([]string{"Capacity 0", "CpuPercent_Gateway 0", "MemoryPercent_Gateway 0", "Requests 0"}, names); d != "" {
		t.Error(d)
	}
}

func TestMetrics_RefuseWhatTheyAreNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	for query, want := range map[string]string{
		"&metricnames=Duration": "BadRequest: Failed to find metric configuration for provider: Microsoft.ApiManagement, resource Type: service, metric: Duration, Valid metrics: Capacity,CpuPercent_Gateway,MemoryPercent_Gateway,Requests",
		"&interval=PT7M":        "BadRequest: Detected invalid time grain input: PT7M, supported ones: PT1M,PT5M,PT15M,PT30M,PT1H,PT6H,PT12H.",
		"&aggregation=Median":   "BadRequest: The aggregation 'Median' is not one of Average, Minimum, Maximum, Total, Count.",
		"&timespan=2026-03-01T12:00:00Z/2026-03-01T12:00:00Z": "BadRequest: Detected invalid time interval input, timespan: 2026-03-01T12:00:00Z/2026-03-01T12:00:00Z",
		"&timespan=yesterday":    "BadRequest: Detected invalid time interval input, timespan: yesterday",
		"&metricnamespace=Other": "BadRequest: There are no metrics in the namespace 'Other'. Metrics of a service are in 'Microsoft.ApiManagement/service'.",
		"&metricnames=Requests&$filter=GatewayResponseCodeCategory%20eq%20'*'": "BadRequest: $filter: 'GatewayResponseCodeCategory eq '*'' is not understood. What metrics can be split by: Location eq '*', or that of a location.",
		"&$filter=ApiId%20eq%20'a'": "BadRequest: $filter: 'ApiId eq 'a'' is not understood. What metrics can be split by: Location eq '*', or that of a location.",
	} {
		a := w.want(400, "GET", metricsPath+query, "")
		if got := a.code() + ": " + a.text("error.message"); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", query, got, want)
		}
	}
	if a := w.want(404, "GET", groupPath+"/providers/Microsoft.ApiManagement/service/other/providers/Microsoft.Insights/metrics?api-version=2018-01-01", ""); a.code() != "ResourceNotFound" {
		t.Error(a.Raw)
	}
	if a := w.want(400, "GET", servicePath+"/providers/Microsoft.Insights/metrics?api-version=1999-01-01", ""); a.code() != "InvalidApiVersionParameter" {
		t.Error(a.Raw)
	}
	w.want(405, "POST", metricsPath, "{}")
}

func TestMetricDefinitions(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	a := w.want(200, "GET", servicePath+"/providers/microsoft.insights/metricDefinitions?api-version=2018-01-01", "")
	var got []string
	for _, v := range a.Body.List("value") {
		d := v.(map[string]any)
		got = append(got, fmt.Sprint(d["name"].(map[string]any)["value"], " ", d["primaryAggregationType"], " ", d["supportedAggregationTypes"], " ", d["metricAvailabilities"].([]any)[0]))
	}
	const rest = " [Average Minimum Maximum Total Count] map[retention:PT12H timeGrain:PT1M]"
	if d := cmp.Diff([]string{"Capacity Average" + rest, "CpuPercent_Gateway Average" + rest, "MemoryPercent_Gateway Average" + rest, "Requests Total" + rest}, got); d != "" {
		t.Error(d)
	}
}
