package management_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/control/management"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

const (
	windowPath  = servicePath + "/providers/Portico.Hosting/maintenanceWindow"
	withChannel = "?api-version=2024-06-01-preview"
)

func sized(tier string, capacity string) string {
	return strings.Replace(developerBody, `"Developer","capacity":1`, `"`+tier+`","capacity":`+capacity, 1)
}

func TestReleaseChannel_IsKnownFromItsVersionOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGroup()
	w.want(201, "PUT", servicePath+withChannel, sized("Basic", "1"))
	w.settle()
	if got := w.want(200, "GET", servicePath+withChannel, "").Body.Text("properties.releaseChannel"); got != "Default" {
		t.Errorf("a new service is in channel %q", got)
	}
	w.want(200, "PATCH", servicePath+withChannel, `{"properties":{"releaseChannel":"stable"}}`)
	if got := w.want(200, "GET", servicePath+withChannel, "").Body.Text("properties.releaseChannel"); got != "Stable" {
		t.Errorf("it is in channel %q, want Stable", got)
	}
	if got := w.want(200, "GET", servicePath+"?api-version=2024-05-01", "").Body.Get("properties.releaseChannel"); got != nil {
		t.Errorf("an older api-version shows %v", got)
	}
	w.want(200, "PATCH", servicePath+"?api-version=2024-05-01", `{"tags":{"a":"b"}}`)
	if a := w.want(200, "GET", windowPath, ""); a.Body.Text("releaseChannel") != "Stable" {
		t.Errorf("after an update by an older api-version: %s", a.Raw)
	}
	w.want(400, "PATCH", servicePath+withChannel, `{"properties":{"releaseChannel":"Nightly"}}`)
}

func TestReleaseChannel_DecidesAboutTheGatewayOfANewService(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		sized("Basic", "1"): "1.0", // that of its channel is not installed
		strings.Replace(sized("Basic", "1"), `"publisherEmail"`, `"releaseChannel":"Preview","publisherEmail"`, 1):       "2.0",
		strings.Replace(sized("Basic", "1"), `"publisherEmail"`, `"releaseChannel":"Stable","publisherEmail"`, 1):        "1.0",
		strings.Replace(developerBody, `"publisherEmail"`, `"releaseChannel":"Stable","publisherEmail"`, 1):              "2.0",
		strings.Replace(sized("Consumption", "0"), `"publisherEmail"`, `"releaseChannel":"Preview","publisherEmail"`, 1): "1.0",
	} {
		w := newWorld(t, func(o *management.Options) {
			o.GatewayOf = func(_ store.Reader, c platform.Channel) (string, error) {
				return map[platform.Channel]string{platform.PreviewChannel: "2.0", platform.DefaultChannel: "3.0"}[c], nil
			}
		}).withGroup()
		w.want(201, "PUT", servicePath+withChannel, body)
		if got := w.status().Wish.Gateway; got != want {
			t.Errorf("%s has gateway %s, want %s", body, got, want)
		}
	}
}

func TestMaintenanceWindow_IsShownSetAndTakenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *management.Options) {
		o.Clock = pace.New(pace.Manual())
		o.Upcoming = func(context.Context, string) any { return map[string]string{"gateway": "2.0"} }
	}).withGroup()
	w.want(404, "GET", windowPath, "")
	w.want(404, "PUT", windowPath, `{"start":"01:00"}`)
	w.want(201, "PUT", servicePath+withChannel, sized("Basic", "1"))
	var shown struct {
		Start, TimeZone, ReleaseChannel string
		Days                            map[string]string
		Hours                           int
		Next                            struct{ From, To time.Time }
		Upcoming                        map[string]string
	}
	show := func(raw string) {
		t.Helper()
		shown.Days = nil
		if err := json.Unmarshal([]byte(raw), &shown); err != nil {
			t.Fatal(err)
		}
	}
	show(w.want(200, "GET", windowPath, "").Raw)
	got := [5]any{shown.Start, shown.TimeZone, shown.Hours, shown.Next.To.Sub(shown.Next.From), shown.Upcoming["gateway"]}
	if d := cmp.Diff([5]any{"22:00", "Europe/Amsterdam", 8, 8 * time.Hour, "2.0"}, got); d != "" {
		t.Errorf("default (-want +got):\n%s", d)
	}
	show(w.want(200, "PUT", windowPath, `{"start":"1:30","days":{"SATURDAY":"10:00"}}`).Raw)
	if shown.Start != "01:30" || !cmp.Equal(shown.Days, map[string]string{"Saturday": "10:00"}) {
		t.Errorf("set: %+v", shown)
	}
	for _, body := range []string{`{`, `{"start":"noon"}`, `{"days":{"someday":"10:00"}}`} {
		w.want(400, "PUT", windowPath, body)
	}
	show(w.want(200, "GET", windowPath, "").Raw)
	if shown.Start != "01:30" {
		t.Errorf("what is refused changes: %+v", shown)
	}
	w.want(405, "POST", windowPath, `{}`)
	w.want(204, "DELETE", windowPath, "")
	show(w.want(200, "GET", windowPath, "").Raw)
	if shown.Start != "22:00" || len(shown.Days) > 0 {
		t.Errorf("taken back: %+v", shown)
	}

	c := newWorld(t).withGroup()
	c.want(201, "PUT", servicePath+withChannel, sized("Consumption", "0"))
	c.want(400, "PUT", windowPath, `{"start":"01:00"}`)
}

func TestMaintenance_ThatIsPlannedIsInTheActivityLogOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withActivity(t)).withGroup()
	w.want(201, "PUT", servicePath+withChannel, sized("Basic", "1"))
	plan := func(place string) {
		status := `{"service":"` + servicePath + `","place":"` + place + `","at":"2026-11-27T21:00:00Z","until":"2026-11-28T05:00:00Z","to":"2.0"}`
		if _, err := w.store.Update(t.Context(), func(tx store.Tx) error {
			_, err := tx.Put(store.Document{ID: "/portico/rollouts/000001" + servicePath, Type: "portico/rolloutservices", Status: json.RawMessage(status)})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	planned := func() (n int) {
		for _, e := range w.events(since2020 + " and status eq 'Planned' and resourceUri eq '" + servicePath + "'") {
			if n++; e.Text("operationName.localizedValue") != "Scheduled maintenance" || e.Text("description") != "Gateway 2.0, between 2026-11-27T21:00:00Z and 2026-11-28T05:00:00Z." {
				t.Errorf("event %v", e)
			}
		}
		return n
	}
	plan("Planned")
	for range 2 { // a restart tells it once
		stop := w.follow()
		for planned() == 0 {
			if t.Context().Err() != nil {
				t.Fatal("no event")
			}
		}
		stop()
	}
	plan("Upgrading")
	stop := w.follow()
	stop()
	if n := planned(); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}
