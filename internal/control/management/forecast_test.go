package management_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/control/management"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/resource"
)

const forecastPath = servicePath + "/providers/Portico.Hosting/forecast"

// withForecast gives the world a planner and a pace.
func (w *world) withForecast(p pace.Pace) *pace.Clock {
	clock := pace.New(p)
	opt := options(w.store)
	opt.Clock, opt.GapTime = clock, time.Minute
	opt.Forecast = func(service string, next platform.ServiceStatus) (out []platform.Outlook) {
		for _, l := range next.Locations() {
			out = append(out, platform.Foresee(platform.Input{
				Wish: l.Wish, State: l.Hosting, Service: service, Location: l.Name, Now: time.Now(), Clock: clock.Now(), Coexistence: 15 * time.Minute, Gateway: "1.0",
			}, l.Previous))
		}
		return out
	}
	w.handler, w.url = management.New(opt), ""
	return clock
}

// foresee asks what a request would bring.
func (w *world) foresee(method, path, apiVersion, body string) resource.Object {
	w.t.Helper()
	in, err := json.Marshal(map[string]any{"method": method, "path": path, "apiVersion": apiVersion, "body": json.RawMessage(orNull(body))})
	if err != nil {
		w.t.Fatal(err)
	}
	before := w.seq()
	a := w.want(http.StatusOK, "POST", forecastPath, string(in))
	if after := w.seq(); after != before {
		w.t.Errorf("the forecast of %s %s took transactions %d to %d", method, path, before, after)
	}
	return a.Body
}

func orNull(body string) string {
	if body == "" {
		return "null"
	}
	return body
}

// TestForecast_AnswersAsTheRequestWould foresees requests that would be done and refused, and then makes them.
func TestForecast_AnswersAsTheRequestWould(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGroup()
	w.withForecast(pace.Azure())
	for _, r := range []struct {
		method, path, version, body string
		settle                      bool
	}{
		{"PATCH", "", newest, `{"tags":{}}`, false}, // there is none
		{"PUT", "", "2020-12-01", `{"location":"nowhere","sku":{"name":"Developer","capacity":1}}`, false},
		{"PUT", "", "2020-12-01", `{"location":"westeurope","sku":{"name":"Basic","capacity":7},"zones":["1"],"properties":{"publisherEmail":"a@b.c","publisherName":"C"}}`, false},
		{"PUT", "", "2020-12-01", developerBody, false},
		{"PATCH", "", newest, `{"tags":{}}`, true}, // locked
		{"POST", "migrateToStv2", newest, `{"mode":"sideways"}`, false},
		{"POST", "migrateToStv2?migrateWithDowntime=maybe", "2024-06-01-preview", "", false},
		{"PATCH", "", "2020-12-01", `{"properties":{"publisherName":"D"}}`, false},
		{"POST", "providers/Portico.Hosting/rollback", newest, "", false},
		{"POST", "providers/Portico.Hosting/upgrade", newest, `{"gateway":"9.9"}`, false},
		{"POST", "providers/Portico.Hosting/upgrade", newest, `{"gateway":"2.0"}`, true},
		{"POST", "migrateToStv2", newest, `{"mode":"newip"}`, true},
		{"POST", "migrateToStv2", newest, "", false},
		{"PATCH", "", newest, `{"sku":{"name":"Premium","capacity":3},"zones":["1","2"]}`, false},
		{"PATCH", "", newest, `{"sku":{"name":"Premium","capacity":3},"zones":["1","2","3"]}`, true},
		{"DELETE", "", newest, "", false},
	} {
		f := w.foresee(r.method, r.path, r.version, r.body)
		path := servicePath
		if r.path != "" {
			path += "/" + r.path
		}
		sep := "?"
		if strings.Contains(r.path, "?") {
			sep = "&"
		}
		a := w.do(r.method, path+sep+"api-version="+r.version, r.body)
		status, _ := f.Number("status")
		got := []any{int(status), f.Text("error.code"), f.Text("error.message"), len(f.List("error.details"))}
		want := []any{a.Status, a.code(), a.text("error.message"), len(a.Body.List("error.details"))}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s %s %s: the forecast differs (-answered +foreseen):\n%s", r.method, r.path, r.body, d)
		}
		if started := a.Header.Get("Retry-After") != ""; started != (f.Text("operation") != "") {
			t.Errorf("%s %s %s: operation %q is foreseen, started: %v", r.method, r.path, r.body, f.Text("operation"), started)
		}
		if r.settle {
			w.settle()
		}
	}
}

// TestForecast_OfAMigration reads all of a forecast, at a pace that is sixty times as fast.
func TestForecast_OfAMigration(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGroup()
	w.want(http.StatusCreated, "PUT", servicePath+oldVersion, developerBody)
	w.settle()
	w.statusOf(servicePath, func(st *platform.ServiceStatus) {
		st.Hosting.Active = "s"
		st.Hosting.Sets[0].Machines = []platform.Machine{{ID: "m", Mode: platform.Serving, Gateway: "1.0"}}
	})
	p, err := pace.Parse("x60")
	if err != nil {
		t.Fatal(err)
	}
	w.withForecast(p)
	f := w.foresee("POST", "migrateToStv2", newest, `{"mode":"NewIP"}`)
	got := map[string]any{}
	for _, name := range []string{"operation", "pace", "takes", "expected"} {
		got[name] = f.Text(name)
	}
	location := resource.Object(f.List("locations")[0].(map[string]any))
	for _, name := range []string{"location", "platformBefore", "platformAfter", "scenarioName", "downtime", "addressKept"} {
		got[name] = location.Text(name)
	}
	for _, name := range []string{"addressesBefore", "addressesAfter"} {
		got[name] = location.Texts(name)
	}
	got["dns"] = location.Get("dns")
	var steps []string
	for _, s := range location.List("steps") {
		steps = append(steps, resource.Object(s.(map[string]any)).Text("step"))
	}
	got["steps"] = steps
	want := map[string]any{
		"operation": "service.migrate", "pace": "x60", "takes": "PT30M", "expected": "PT30S",
		"location": "westeurope", "platformBefore": "stv1", "platformAfter": "stv2", "scenarioName": "no network, a new address", "downtime": "none",
		"addressKept": "127.0.0.9", "addressesBefore": []string{"127.0.0.9"}, "addressesAfter": []string{""},
		"dns": []any{map[string]any{"name": "apimService1.apim.localhost", "type": "A", "from": "127.0.0.9", "to": "", "by": "platform"}},
		"steps": []string{
			platform.StepStart, platform.StepOpen, platform.StepRoute, platform.StepRelease, platform.StepUnroute, platform.StepForget, platform.StepDrain, platform.StepForget,
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("forecast differs (-want +got):\n%s", d)
	}
	for version, want := range map[string][]string{"2020-12-01": {"waits", "PT1M"}, newest: {"none", ""}} { // the change leaves stv1, or not
		f := w.foresee("PATCH", "", version, `{"sku":{"name":"Basic","capacity":1}}`)
		location := resource.Object(f.List("locations")[0].(map[string]any))
		if d := cmp.Diff(want, []string{location.Text("downtime"), location.Text("waitsAtMost")}); d != "" {
			t.Errorf("another tier at %s (-want +got):\n%s", version, d)
		}
	}
}

func TestForecast_RefusesWhatChangesNoCompute(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	w.want(http.StatusNotFound, "POST", forecastPath, `{"method":"PUT"}`) // without a planner
	w.withForecast(pace.Manual())
	for _, body := range []string{
		`{`, `{"method":"GET"}`, `{"method":"PUT","path":"apis/echo"}`, `{"method":"PUT","path":"migrateToStv2"}`, `{"method":"POST"}`,
		`{"method":"POST","path":"providers/Portico.Hosting/forecast"}`, `{"method":"PUT","path":"//elsewhere/"}`, `{"method":"PUT","path":"../other"}`,
	} {
		w.want(http.StatusBadRequest, "POST", forecastPath, body)
	}
	w.want(http.StatusMethodNotAllowed, "GET", forecastPath, "")
	if f := w.foresee("PATCH", "", newest, `{"sku":{"name":"Basic","capacity":1}}`); f.Text("takes") != "PT15M" || f.Text("expected") != "" {
		t.Errorf("with a clock that stands: takes %q, expected %q", f.Text("takes"), f.Text("expected"))
	}
	if f := w.foresee("PATCH", "", newest, `{"tags":{"a":"b"}}`); f.Text("operation") != "" || f.Get("locations") != nil {
		t.Errorf("tags: %v", f)
	}
}
