package management_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

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
