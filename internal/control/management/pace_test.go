package management_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/control/management"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/store"
)

// at makes the world's clock one that stands.
func (w *world) at(p pace.Pace) *pace.Clock {
	clock := pace.New(p)
	opt := options(w.store)
	opt.Clock = clock
	w.handler, w.url = management.New(opt), ""
	return clock
}

// TestPace_OperationsTakeTheirTime asks for operations of every kind, and reads how far they are as the time goes by.
func TestPace_OperationsTakeTheirTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGroup()
	clock := w.at(pace.Manual())
	notBefore := func() time.Duration {
		var op lro.Operation
		if err := w.store.View(t.Context(), func(r store.Reader) error {
			running, err := lro.Running(r)
			if len(running) == 1 {
				op = running[0]
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if op.NotBefore.IsZero() {
			return 0
		}
		return op.NotBefore.Sub(clock.Now())
	}
	check := func(what string, want time.Duration) {
		t.Helper()
		if got := notBefore(); got != want {
			t.Errorf("%s takes %v, want %v", what, got, want)
		}
		w.settle()
	}
	old := servicePath + "?api-version=2020-12-01"
	a := w.want(http.StatusCreated, "PUT", old, developerBody)
	monitor := local(t, a.Header.Get("Azure-AsyncOperation"))
	if _, err := clock.Advance(t.Context(), 10*time.Minute); err != nil {
		t.Fatal(err)
	}
	if n, _ := w.want(http.StatusOK, "GET", monitor, "").Body.Number("percentComplete"); n != 31 {
		t.Errorf("a third of its time on, %d %% are done, want 31", n)
	}
	check("the rest of a creation", 20*time.Minute)
	w.want(http.StatusAccepted, "PATCH", old, `{"sku":{"name":"Standard","capacity":1}}`)
	check("another tier", 15*time.Minute)
	w.want(http.StatusAccepted, "POST", servicePath+"/migrateToStv2", "")
	check("a migration", 45*time.Minute)
	w.want(http.StatusAccepted, "POST", servicePath+"/providers/Portico.Hosting/upgrade", `{"gateway":"2.0"}`)
	check("an upgrade", 15*time.Minute)
	w.want(http.StatusAccepted, "DELETE", servicePath, "")
	check("a deletion", 0)
	w.want(http.StatusCreated, "PUT", strings.Replace(servicePath, "apimService1", "thin", 1), `{"location":"westeurope","sku":{"name":"Consumption","capacity":0},"properties":{"publisherEmail":"a@b.c","publisherName":"Contoso"}}`)
	check("a Consumption service", 2*time.Minute)
	w.at(pace.Instant())
	w.want(http.StatusCreated, "PUT", strings.Replace(old, "apimService1", "quick", 1), developerBody)
	check("a creation at once", 0)
}

// TestPace_SoftDeleteEndsByThePlatformClock purges when the clock has come 48 hours further, not before.
func TestPace_SoftDeleteEndsByThePlatformClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	clock := w.at(pace.Manual())
	w.want(http.StatusAccepted, "DELETE", servicePath, "")
	w.settle()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.handler.Run(ctx) }()
	defer func() { cancel(); <-done }()
	deleted := "/subscriptions/" + subscriptionID + "/providers/Microsoft.ApiManagement/locations/westeurope/deletedservices/apimService1"
	if _, err := clock.Advance(t.Context(), 48*time.Hour-time.Microsecond); err != nil {
		t.Fatal(err)
	}
	w.want(http.StatusOK, "GET", deleted, "")
	eventually(t, func() bool { // the purge looks around once a minute of the clock
		if _, err := clock.Advance(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		return w.do("GET", deleted, "").Status == http.StatusNotFound
	})
}
