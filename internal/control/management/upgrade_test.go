package management_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/control/management"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// status reads the status of the service.
func (w *world) status() (st platform.ServiceStatus) {
	w.t.Helper()
	if err := w.store.View(w.t.Context(), func(r store.Reader) error {
		d, err := r.Get(servicePath)
		if err != nil {
			return err
		}
		return json.Unmarshal(d.Status, &st)
	}); err != nil {
		w.t.Fatal(err)
	}
	return st
}

func TestUpgrade_StoresTheVersionWithItsOperation(t *testing.T) {
	t.Parallel()
	const path = servicePath + "/providers/Portico.Hosting/upgrade"
	w := newWorld(t).withGroup()
	w.want(404, "POST", path, `{"gateway":"2.0"}`)
	w.want(201, "PUT", servicePath, developerBody)
	if a := w.want(409, "POST", path, `{"gateway":"2.0"}`); a.code() != "ServiceLocked" {
		t.Errorf("during the creation: %s", a.Raw)
	}
	w.settle()
	if got := w.status().Wish.Gateway; got != "1.0" {
		t.Errorf("a new service has gateway %q, want 1.0", got)
	}
	for body, want := range map[string]string{
		`{`: "InvalidRequestContent", `{}`: "InvalidParameters", `{"gateway":"3.0"}`: "ValueNotSupported", `{"gateway":3}`: "InvalidRequestContent",
	} {
		if a := w.want(400, "POST", path, body); a.code() != want {
			t.Errorf("%s: %s, want %s", body, a.Raw, want)
		}
	}
	if a := w.want(200, "POST", path, `{"gateway":"1.0"}`); a.Header.Get("Azure-AsyncOperation") != "" {
		t.Error("the version that it has starts an operation")
	}
	w.want(405, "GET", path, "")
	a := w.want(202, "POST", path, `{"gateway":"2.0"}`)
	st := w.status()
	var op lro.Operation
	if err := w.store.View(t.Context(), func(r store.Reader) (err error) { op, err = lro.Load(r, st.Operation); return err }); err != nil {
		t.Fatal(err)
	}
	got := [6]any{st.ProvisioningState, st.Wish.Gateway, st.Previous.Gateway, op.Kind, op.Target, len(st.Before)}
	if d := cmp.Diff([6]any{"Updating", "2.0", "1.0", "service.upgrade", servicePath, 0}, got); d != "" {
		t.Errorf("stored (-want +got):\n%s", d)
	}
	w.want(202, "GET", local(t, a.Header.Get("Location")), "")
	w.settle()
	w.want(200, "GET", local(t, a.Header.Get("Location")), "")
	w.want(202, "PATCH", servicePath, `{"sku":{"name":"Standard","capacity":1}}`) // keeps the version
	if st := w.status(); st.Wish.Gateway != "2.0" || len(st.Before) == 0 {
		t.Errorf("after an update: gateway %s, %d bytes of what was before", st.Wish.Gateway, len(st.Before))
	}
}

// TestUpgrade_ToOtherHardware migrates a service onto the newest hardware of the host, moves it to the first and again to
// the newest, and looks at what api-versions say of it.
func TestUpgrade_ToOtherHardware(t *testing.T) {
	t.Parallel()
	const path = servicePath + "/providers/Portico.Hosting/upgrade"
	newestHardware := platform.Hardware{Cores: 2, Memory: 2 << 30}
	w := newWorld(t, func(o *management.Options) { o.Newest = newestHardware }).withGroup()
	w.want(201, "PUT", servicePath+"?api-version=2020-12-01", developerBody)
	w.settle()
	shows := func(onNewer bool) {
		t.Helper()
		for version, newer := range map[string]string{"2021-08-01": "stv2", "2022-08-01": "stv2", "2022-09-01-preview": "stv2.1", "2024-05-01": "stv2.1"} {
			want := "stv2"
			if onNewer {
				want = newer
			}
			if got := w.want(200, "GET", servicePath+"?api-version="+version, "").Body.Text("properties.platformVersion"); got != want {
				t.Errorf("%s shows %s, want %s", version, got, want)
			}
		}
	}
	if a := w.want(400, "POST", path, `{"hardware":"stv2.1"}`); a.code() != "InvalidParameters" || !strings.Contains(a.Raw, "is on platform version stv1. Only stv2 has newer hardware.") {
		t.Errorf("on stv1: %s", a.Raw)
	}
	w.want(202, "POST", servicePath+"/migrateToStv2", "")
	if got := w.status().Wish.Hardware; got != newestHardware {
		t.Errorf("the migration leads to %+v", got)
	}
	w.settle()
	shows(true)
	w.want(400, "POST", servicePath+"/migrateToStv2", "")
	w.want(200, "POST", path, `{"hardware":"stv2.1"}`)
	w.want(202, "POST", path, `{"hardware":"stv2"}`)
	if st := w.status(); st.Wish.Hardware != (platform.Hardware{}) || st.Previous.Hardware != newestHardware || st.Wish.Gateway != "1.0" {
		t.Errorf("to the first: %+v", st.Location)
	}
	w.settle()
	shows(false)
	w.want(202, "PATCH", servicePath, `{"sku":{"name":"Standard","capacity":1}}`) // keeps the hardware
	if got := w.status().Wish.Hardware; got != (platform.Hardware{}) {
		t.Errorf("an update leads to %+v", got)
	}
	w.settle()
	w.want(202, "POST", path, `{"gateway":"2.0","hardware":"stv2.1"}`)
	if got := w.status().Wish; got.Hardware != newestHardware || got.Gateway != "2.0" {
		t.Errorf("to both: %+v", got)
	}
	if a := w.want(400, "POST", path, `{"hardware":"stv3"}`); a.code() != "ValueNotSupported" {
		t.Errorf("unknown hardware: %s", a.Raw)
	}
	if a := newWorld(t).withService().want(400, "POST", path, `{"hardware":"stv2.1"}`); a.code() != "ValueNotSupported" || !strings.Contains(a.Raw, "This host has no newer hardware.") {
		t.Errorf("on a host without newer hardware: %s", a.Raw)
	}
}

func TestHost_AnswersWhatIsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if a := w.want(200, "GET", "/portico/gateways", ""); a.Raw != `["1.0","2.0"]` {
		t.Errorf("list: %s", a.Raw)
	}
	if a := w.want(200, "POST", "/Portico/Gateways", `{"file":"x"}`); a.Body.Text("got") != `{"file":"x"}` {
		t.Errorf("post: %s", a.Raw)
	}
	w.want(405, "DELETE", "/portico/gateways", "")
	w.want(404, "GET", "/portico/nothing", "")
}

func TestUpgrade_CanBeCanceledWhileItIsUnderWay(t *testing.T) {
	t.Parallel()
	const upgrade, cancel = servicePath + "/providers/Portico.Hosting/upgrade", servicePath + "/providers/Portico.Hosting/cancelUpgrade"
	w := newWorld(t).withGroup()
	w.want(404, "POST", cancel, "")
	w.want(201, "PUT", servicePath, developerBody)
	for range 2 { // while it is created, and when nothing is under way
		if a := w.want(409, "POST", cancel, ""); a.code() != "NothingToCancel" {
			t.Errorf("nothing to cancel: %s", a.Raw)
		}
		w.settle()
	}
	a := w.want(202, "POST", upgrade, `{"gateway":"2.0"}`)
	for range 2 { // twice does what once does
		b := w.want(202, "POST", cancel, "")
		if got, want := b.Header.Get("Azure-AsyncOperation"), a.Header.Get("Azure-AsyncOperation"); got != want {
			t.Errorf("monitor %s, want that of the upgrade, %s", got, want)
		}
	}
	if st := w.status(); !st.Cancel || st.Operation == "" {
		t.Errorf("status %+v", st)
	}
	w.want(405, "GET", cancel, "")
}
