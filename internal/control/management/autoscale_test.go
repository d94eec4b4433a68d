package management_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/control/activity"
	"github.com/portico-dev/portico/internal/control/management"
	"github.com/portico-dev/portico/internal/metric"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

const (
	settingPath = groupPath + "/providers/Microsoft.Insights/autoscaleSettings/auto"
	settingV    = "?api-version=2022-10-01"
)

// settingBody is a setting of a profile from least to most units, which scales out above 80 % and in below 35 %.
func settingBody(least, most int, more string) string {
	trigger := func(op string, threshold int) string {
		return fmt.Sprintf(`"metricTrigger":{"metricName":"Capacity","metricResourceUri":"%s","timeGrain":"PT1M","statistic":"Average","timeWindow":"PT10M",`+
			`"timeAggregation":"Average","operator":"%s","threshold":%d}`, servicePath, op, threshold)
	}
	return fmt.Sprintf(`{"location":"West Europe","tags":{"a":"b"},"properties":{"enabled":true,"targetResourceUri":"%s",%s"profiles":[{"name":"default",`+
		`"capacity":{"minimum":"%d","maximum":"%d","default":"%d"},"rules":[`+
		`{%s,"scaleAction":{"direction":"Increase","type":"ChangeCount","value":"1","cooldown":"PT20M"}},`+
		`{%s,"scaleAction":{"direction":"decrease","type":"ChangeCount","value":"1","cooldown":"PT30M"}}]}]}}`,
		servicePath, more, least, most, least, trigger("greaterthan", 80), trigger("LessThan", 35))
}

func skuBody(tier string, units int) string {
	return fmt.Sprintf(`{"location":"West Europe","sku":{"name":"%s","capacity":%d},"properties":{"publisherEmail":"a@b.c","publisherName":"Contoso"}}`, tier, units)
}

// An elastic world has a service and a clock that stands; busy says how busy its gateways have been for so long.
type elastic struct {
	*world
	clock   *pace.Clock
	metrics *metric.History
	log     *activity.Log
}

func newElastic(t *testing.T, body string, query ...string) *elastic {
	t.Helper()
	log, err := activity.Open(t.TempDir(), activity.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	e := &elastic{clock: pace.New(pace.Manual()), metrics: metric.NewHistory(), log: log}
	e.world = newWorld(t, e.options).withGroup()
	e.want(201, "PUT", servicePath+strings.Join(query, ""), body)
	e.settle()
	return e
}

func (e *elastic) options(o *management.Options) {
	o.Clock, o.Metrics, o.Activity = e.clock, e.metrics, e.log
}

// busy lets minutes go by in which the gateways are so busy, and decides after each.
func (e *elastic) busy(percent int, minutes int) {
	e.t.Helper()
	for range minutes {
		if _, err := e.clock.Advance(e.t.Context(), time.Minute); err != nil {
			e.t.Fatal(err)
		}
		e.metrics.Look(e.clock.Now(), map[metric.Place][]platform.Load{{Service: store.Key(servicePath), Location: "westeurope"}: {{CPU: percent, Memory: 1}}})
		if err := e.handler.ScaleAll(e.t.Context()); err != nil {
			e.t.Fatal(err)
		}
	}
}

// units are those that the service has, or is about to have.
func (e *elastic) units() int {
	e.t.Helper()
	n, _ := e.want(200, "GET", servicePath, "").Body.Number("sku.capacity")
	return int(n)
}

func (e *elastic) wantUnits(what string, want int) {
	e.t.Helper()
	if got := e.units(); got != want {
		e.t.Errorf("%s: %d units, want %d\n%s", what, got, want, e.want(200, "GET", servicePath+"/providers/Portico.Hosting/autoscale", "").Raw)
	}
}

// did lists what the setting has asked for.
func (e *elastic) did() (all []string) {
	e.t.Helper()
	found, err := e.log.Find(func(ev activity.Event) bool { return ev.Caller == settingPath })
	if err != nil {
		e.t.Fatal(err)
	}
	for _, ev := range found {
		all = append(all, fmt.Sprint(ev.Action, " ", ev.Status, " ", ev.Code, " ", ev.ErrorCode))
	}
	return all
}

func TestAutoscale_Setting(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGroup()
	w.want(201, "PUT", servicePath, skuBody("Premium", 1))
	w.settle()
	a := w.want(201, "PUT", settingPath+settingV, settingBody(1, 4, ""))
	want := `{"id":"` + settingPath + `","location":"westeurope","name":"auto","properties":{"enabled":true,"name":"auto","notifications":[],"profiles":[{` +
		`"capacity":{"default":"1","maximum":"4","minimum":"1"},"name":"default","rules":[` +
		`{"metricTrigger":{"dividePerInstance":false,"metricName":"Capacity","metricResourceUri":"` + servicePath + `","operator":"GreaterThan","statistic":"Average","threshold":80,"timeAggregation":"Average","timeGrain":"PT1M","timeWindow":"PT10M"},"scaleAction":{"cooldown":"PT20M","direction":"Increase","type":"ChangeCount","value":"1"}},` +
		`{"metricTrigger":{"dividePerInstance":false,"metricName":"Capacity","metricResourceUri":"` + servicePath + `","operator":"LessThan","statistic":"Average","threshold":35,"timeAggregation":"Average","timeGrain":"PT1M","timeWindow":"PT10M"},"scaleAction":{"cooldown":"PT30M","direction":"Decrease","type":"ChangeCount","value":"1"}}]}],` +
		`"targetResourceUri":"` + servicePath + `"},"tags":{"a":"b"},"type":"Microsoft.Insights/autoscaleSettings"}`
	if d := cmp.Diff(want, strings.TrimSpace(a.Raw)); d != "" {
		t.Error(d)
	}
	for _, v := range []string{"2014-04-01", "2015-04-01", "2021-05-01-preview"} {
		if got := w.want(200, "GET", strings.ToLower(settingPath)+"?api-version="+v, ""); strings.TrimSpace(got.Raw) != want {
			t.Errorf("%s: %s", v, got.Raw)
		}
	}
	for _, list := range []string{groupPath, "/subscriptions/" + subscriptionID} {
		if got := w.want(200, "GET", list+"/providers/microsoft.insights/autoscalesettings"+settingV, ""); strings.TrimSpace(got.Raw) != `{"value":[`+want+`]}` {
			t.Errorf("%s: %s", list, got.Raw)
		}
	}
	if a = w.want(200, "PATCH", settingPath+settingV, `{"tags":{"c":"d"},"properties":{"enabled":false}}`); a.Body.Flag("properties.enabled") || a.text("tags.c") != "d" || a.text("tags.a") != "" || len(a.Body.List("properties.profiles")) != 1 {
		t.Error(a.Raw)
	}
	body := strings.Replace(settingBody(1, 2, ""), `"enabled":true,`, "", 1)
	if a = w.want(200, "PUT", settingPath+settingV, body); a.Body.Flag("properties.enabled") {
		t.Error("a setting that does not say so is enabled")
	}
	if a = w.want(200, "PUT", settingPath+"?api-version=2015-04-01", body); !a.Body.Flag("properties.enabled") {
		t.Error("a setting that does not say so was enabled in 2015")
	}
	if a = w.want(400, "PUT", settingPath+"?api-version=2030-01-01", body); a.code() != "NoRegisteredProviderFound" {
		t.Error(a.Raw)
	}
	w.want(200, "DELETE", settingPath+settingV, "")
	w.want(204, "DELETE", settingPath+settingV, "")
	w.want(404, "GET", settingPath+settingV, "")
}

func TestAutoscale_RefusesBadSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGroup()
	w.want(201, "PUT", servicePath, strings.Replace(skuBody("Premium", 3), `"properties"`, `"zones":["1","2","3"],"properties"`, 1))
	w.settle()
	good := strings.ReplaceAll(settingBody(3, 9, ""), `"value":"1"`, `"value":"3"`)
	w.want(201, "PUT", settingPath+settingV, good)
	for _, c := range []struct{ from, to, want string }{
		{`"minimum":"3"`, `"minimum":"2"`, "profiles[0].capacity.minimum: 2 is not a multiple of the number of zones of the service, which is 3."},
		{`"maximum":"9"`, `"maximum":"33"`, "profiles[0].capacity.maximum: A service of tier Premium has 31 units at most."},
		{`"value":"3"`, `"value":"1"`, "profiles[0].rules[0].scaleAction.value: 1 is not a multiple of the number of zones of the service, which is 3."},
		{`"decrease"`, `"sideways"`, "profiles[0].rules[1].scaleAction.direction: 'sideways' is not a valid value of 'direction'. Possible values: Increase, Decrease."},
		{`"PT10M"`, `"PT1M"`, "profiles[0].rules[0].metricTrigger.timeWindow: 'PT1M' is not a duration from PT5M to PT12H."},
		{`"metricName":"Capacity"`, `"metricName":"CpuPercent_Gateway"`, "profiles[0].rules[0].metricTrigger.metricName: Services of tier Premium have no metric 'CpuPercent_Gateway'."},
		{`"profiles":`, `"notifications":[{"operation":"Scale"},{"operation":"Scale","email":{"customEmails":["a@b.c"]}}],"profiles":`, "notifications[1].email: Notifications of autoscale settings by email: not built in this version of Portico."},
		{`"profiles":`, `"notifications":[{"operation":"Scale","email":{"sendToSubscriptionAdministrator":true}}],"profiles":`, "notifications[0].email: Notifications of autoscale settings by email: not built in this version of Portico."},
		{`"profiles":`, `"notifications":[{"operation":"Scale","webhooks":[{"serviceUri":"ftp://x/"}]}],"profiles":`, "notifications[0].webhooks[0].serviceUri: 'serviceUri' must be an absolute http or https URI."},
		{`"profiles":`, `"notifications":[{"operation":"Stop"}],"profiles":`, "notifications[0].operation: 'Stop' is not a valid value of 'operation'. Possible values: Scale."},
		{`"profiles":`, `"predictiveAutoscalePolicy":{"scaleMode":"Enabled"},"profiles":`, "predictiveAutoscalePolicy.scaleMode: Predictive autoscale: not built in this version of Portico."},
		{`"operator":`, `"dimensions":[{"DimensionName":"Location","Operator":"Equals","Values":["x"]}],"operator":`, "dimensions: Dimensions of the metrics of rules: not built in this version of Portico."},
		{`"targetResourceUri":"` + servicePath + `"`, `"targetResourceUri":"/subscriptions/x"`, "targetResourceUri: '/subscriptions/x' is not the ID of a service: other resources are not scaled."},
	} {
		if !strings.Contains(good, c.from) {
			t.Errorf("there is no %s", c.from)
		}
		a := w.want(400, "PUT", settingPath+settingV, strings.Replace(good, c.from, c.to, 1))
		found := false
		for _, d := range a.Body.List("error.details") {
			m := d.(map[string]any)
			found = found || fmt.Sprint(m["target"], ": ", m["message"]) == c.want
		}
		if !found {
			t.Errorf("%s\ngot  %s\nwant %s", c.to, a.Raw, c.want)
		}
	}
	a := w.want(400, "PUT", settingPath+"2"+settingV, good)
	if !strings.Contains(a.Raw, "The service is scaled by another setting already: "+settingPath+".") {
		t.Error(a.Raw)
	}
	a = w.want(400, "PUT", settingPath+settingV, strings.ReplaceAll(good, "apimService1", "apimService2"))
	if !strings.Contains(a.Raw, "There is no service '"+strings.Replace(servicePath, "apimService1", "apimService2", 1)+"'.") {
		t.Error(a.Raw)
	}
	other := newWorld(t).withService()
	if a = other.want(400, "PUT", settingPath+settingV, settingBody(1, 1, "")); !strings.Contains(a.Raw, "A service of tier Developer has a fixed number of units and cannot be scaled by rules.") {
		t.Error(a.Raw)
	}
}

func TestAutoscale_GoesOutAndBackIn(t *testing.T) {
	t.Parallel()
	e := newElastic(t, skuBody("Premium", 1))
	e.want(201, "PUT", settingPath+settingV, settingBody(1, 3, ""))
	e.busy(95, 9)
	e.wantUnits("nine minutes of a window of ten", 1)
	e.busy(95, 1)
	e.wantUnits("a whole window", 2)
	if a := e.want(200, "GET", servicePath, ""); a.text("properties.provisioningState") != "Updating" || a.text("systemData.lastModifiedBy") != settingPath {
		t.Error(a.Raw)
	}
	e.busy(95, 30)
	e.wantUnits("while the service is busy", 2)
	e.settle()
	e.busy(95, 1)
	e.wantUnits("when it is no longer busy, and the cool-down is over", 3)
	e.settle()
	e.busy(95, 40)
	e.wantUnits("at the maximum", 3)
	e.busy(10, 7)
	e.wantUnits("idle for most of a window, on average not", 3)
	e.busy(10, 1)
	e.wantUnits("idle", 2)
	e.settle()
	e.busy(10, 29)
	e.wantUnits("before the cool-down of scaling in is over", 2)
	e.busy(10, 1)
	e.wantUnits("after it", 1)
	e.settle()
	e.busy(10, 60)
	e.wantUnits("at the minimum", 1)
	const one = "Microsoft.ApiManagement/service/write Accepted 202 "
	if d := cmp.Diff([]string{one, one, one, one}, e.did()); d != "" {
		t.Error(d)
	}
}

// What callers ask for is a metric too, and does not become more when there are fewer machines for it.
func TestAutoscale_ByRequests(t *testing.T) {
	t.Parallel()
	e := newElastic(t, skuBody("Premium", 1))
	body := strings.ReplaceAll(settingBody(1, 3, ""), `"metricName":"Capacity"`, `"metricName":"requests"`)
	body = strings.ReplaceAll(body, `"statistic":"Average"`, `"statistic":"Sum"`)
	e.want(201, "PUT", settingPath+settingV, strings.ReplaceAll(body, `"timeAggregation":"Average"`, `"timeAggregation":"Total"`))
	asked := func(each int64, minutes int) {
		for range minutes {
			e.busy(1, 1)
			e.metrics.Count(e.clock.Now(), map[metric.Place]int64{{Service: store.Key(servicePath), Location: "westeurope"}: each})
		}
	}
	asked(8, 12)
	e.wantUnits("80 in ten minutes", 1)
	asked(9, 10)
	e.wantUnits("more than 80 in ten minutes", 2)
	e.settle()
	asked(3, 40)
	e.wantUnits("less than 35 in ten minutes", 1)
}

// A control plane that comes after another knows when the setting last acted, and that nobody has looked for long.
func TestAutoscale_OutlastsTheControlPlane(t *testing.T) {
	t.Parallel()
	e := newElastic(t, skuBody("Premium", 1))
	e.want(201, "PUT", settingPath+settingV, settingBody(1, 9, ""))
	e.busy(95, 10)
	e.settle()
	e.wantUnits("before", 2)
	e.metrics = metric.NewHistory()
	opt := options(e.store)
	e.options(&opt)
	e.handler, e.url = management.New(opt), ""
	e.busy(95, 19)
	e.wantUnits("within the cool-down that began before", 2)
	e.busy(95, 1)
	e.wantUnits("after it", 3)
	var v struct{ From, To int64 }
	a := e.want(200, "GET", servicePath+"/providers/Portico.Hosting/autoscale", "")
	v.From, _ = a.Body.Number("last.from")
	v.To, _ = a.Body.Number("last.to")
	if v.From != 2 || v.To != 3 || a.text("last.why") != "Capacity (Average) of PT10M > 80: it is 95." {
		t.Error(a.Raw)
	}
}

// Several control planes that decide at the same time ask once.
func TestAutoscale_AsksOnce(t *testing.T) {
	t.Parallel()
	e := newElastic(t, skuBody("Premium", 1))
	e.want(201, "PUT", settingPath+settingV, settingBody(1, 9, ""))
	e.busy(95, 9)
	if _, err := e.clock.Advance(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	e.metrics.Look(e.clock.Now(), map[metric.Place][]platform.Load{{Service: store.Key(servicePath), Location: "westeurope"}: {{CPU: 95, Memory: 1}}})
	var all sync.WaitGroup
	for range 8 {
		opt := options(e.store)
		e.options(&opt)
		h := management.New(opt)
		all.Go(func() {
			if err := h.ScaleAll(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	e.wantUnits("asked by eight", 2)
	accepted := 0
	for _, s := range e.did() {
		if strings.Contains(s, " Accepted ") {
			accepted++
		}
	}
	if accepted != 1 {
		t.Errorf("%q, want one that was accepted", e.did())
	}
}

func TestAutoscale_IsTriedAgainAfterALock(t *testing.T) {
	t.Parallel()
	e := newElastic(t, skuBody("Basic", 1))
	e.want(201, "PUT", settingPath+settingV, settingBody(1, 2, ""))
	lock := servicePath + "/providers/Microsoft.Authorization/locks/l?api-version=2020-05-01"
	e.want(201, "PUT", lock, `{"properties":{"level":"ReadOnly"}}`)
	e.busy(95, 20)
	e.wantUnits("locked", 1)
	e.want(200, "DELETE", lock, "")
	e.busy(95, 1)
	e.wantUnits("no longer locked", 2)
	want := []string{"Microsoft.ApiManagement/service/write Accepted 202 ", "Microsoft.ApiManagement/service/write Failed 409 ScopeLocked"}
	if got := e.did(); len(got) < 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%q, want %q first", got, want)
	}
}

func TestAutoscale_LeavesThePlatformAlone(t *testing.T) {
	t.Parallel()
	e := newElastic(t, skuBody("Standard", 1), "?api-version=2020-12-01")
	e.want(201, "PUT", settingPath+settingV, settingBody(1, 4, ""))
	e.busy(95, 10)
	e.settle()
	if a := e.want(200, "GET", servicePath, ""); a.text("properties.platformVersion") != "stv1" || e.units() != 2 {
		t.Error(a.Raw)
	}
}

func TestAutoscale_DoesNothingUnlessItIsEnabled(t *testing.T) {
	t.Parallel()
	e := newElastic(t, skuBody("Premium", 1))
	e.want(201, "PUT", settingPath+settingV, strings.Replace(settingBody(1, 4, ""), `"enabled":true`, `"enabled":false`, 1))
	e.busy(95, 12)
	e.wantUnits("not enabled", 1)
	e.want(200, "PATCH", settingPath+settingV, `{"properties":{"enabled":true}}`)
	e.want(200, "PATCH", servicePath, `{"properties":{"publisherName":"Fabrikam"}}`)
	e.busy(95, 1)
	e.wantUnits("enabled", 2)
	// Without a group there is no setting, and nothing is said of a service that nobody scales.
	e.settle()
	e.want(200, "DELETE", settingPath+settingV, "")
	e.busy(95, 30)
	if n := e.units(); n != 2 {
		t.Errorf("%d units without a setting", n)
	}
	if a := e.do("GET", servicePath+"/providers/Portico.Hosting/autoscale", ""); a.Status != http.StatusNotFound || a.code() != "ResourceNotFound" {
		t.Error(a.Raw)
	}
}

func TestAutoscale_SaysWhy(t *testing.T) {
	t.Parallel()
	e := newElastic(t, skuBody("Premium", 2))
	e.want(201, "PUT", settingPath+settingV, settingBody(1, 4, ""))
	e.busy(50, 10)
	want := `{"setting":"` + settingPath + `","enabled":true,"units":2,"wanted":2,"why":"No rule asks for a change.","profile":"default","minimum":1,"maximum":4,"default":1,"rules":[` +
		`{"condition":"Capacity (Average) of PT10M \u003e 80","effect":"+1","value":50,"known":"known","holds":false},` +
		`{"condition":"Capacity (Average) of PT10M \u003c 35","effect":"-1","value":50,"known":"known","holds":false}],"location":"westeurope"}`
	if d := cmp.Diff(want, strings.TrimSpace(e.want(200, "GET", servicePath+"/providers/Portico.Hosting/autoscale", "").Raw)); d != "" {
		t.Error(d)
	}
}

// Webhooks are told what a setting has asked for, in the form of Azure Monitor; one that does not answer holds nothing up.
func TestAutoscale_TellsWebhooks(t *testing.T) {
	t.Parallel()
	told := make(chan string, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/never" {
			<-r.Context().Done()
			return
		}
		told <- r.Method + " " + r.URL.String() + " " + string(body)
	}))
	t.Cleanup(srv.Close)
	e := newElastic(t, skuBody("Premium", 1))
	e.want(201, "PUT", settingPath+settingV, settingBody(1, 3, `"notifications":[{"operation":"scale",`+
		`"email":{"sendToSubscriptionAdministrator":false,"sendToSubscriptionCoAdministrators":false,"customEmails":[]},`+
		`"webhooks":[{"serviceUri":"`+srv.URL+`/never"},{"serviceUri":"`+srv.URL+`/hook?token=1","properties":{"team":"shop"}}]}],`))
	stop := e.follow()
	defer stop()
	e.busy(95, 10)
	e.settle()
	e.wantUnits("busy", 2)
	out := e.clock.Now()
	e.busy(10, 31)
	e.wantUnits("idle", 1)
	const form = `POST /hook?token=1 {"version":"1.0","status":"Activated","operation":"Scale %s","context":{"timestamp":"%s","id":"%s","name":"auto",` +
		`"details":"Autoscale successfully started scale operation for resource 'apimService1' from capacity '%d' to capacity '%d'",` +
		`"subscriptionId":"%s","resourceGroupName":"rg1","resourceName":"apimService1","resourceType":"microsoft.apimanagement/service","resourceId":"%s",` +
		`"portalLink":"","resourceRegion":"West Europe","oldCapacity":"%d","newCapacity":"%d"},"properties":{"team":"shop"}}`
	for _, want := range []string{
		fmt.Sprintf(form, "Out", out.Format("2006-01-02T15:04:05.0000000Z"), settingPath, 1, 2, subscriptionID, servicePath, 1, 2),
		fmt.Sprintf(form, "In", out.Add(30*time.Minute).Format("2006-01-02T15:04:05.0000000Z"), settingPath, 2, 1, subscriptionID, servicePath, 2, 1),
	} {
		if d := cmp.Diff(want, <-told); d != "" {
			t.Error(d)
		}
	}
}
