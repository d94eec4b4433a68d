package management_test

import (
	"encoding/json"
	"fmt"
	"net/http"
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
	oldVersion   = "?api-version=2020-12-01"
	rollbackPath = servicePath + "/providers/Portico.Hosting/rollback"
)

// status reads the status of a service, and changes it when there is a function for that.
func (w *world) statusOf(id string, change func(*platform.ServiceStatus)) (st platform.ServiceStatus) {
	w.t.Helper()
	_, err := w.store.Update(w.t.Context(), func(tx store.Tx) error {
		d, err := tx.Get(id)
		if err == nil {
			err = json.Unmarshal(d.Status, &st)
		}
		if err != nil || change == nil {
			return err
		}
		change(&st)
		if d.Status, err = json.Marshal(st); err != nil {
			return err
		}
		_, err = tx.Put(d)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

// kept gives a service old compute that is kept for an hour.
func (w *world) kept(old platform.Set, now time.Time) {
	w.t.Helper()
	w.statusOf(servicePath, func(st *platform.ServiceStatus) {
		st.Hosting.Active = st.Hosting.Sets[0].ID
		st.Hosting.Sets = append(st.Hosting.Sets, old)
		st.Hosting.Coexistence = &platform.Coexistence{Set: old.ID, Until: now.Add(time.Hour)}
	})
}

func TestMigrate_LocksInfrastructureAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGroup()
	w.want(http.StatusCreated, "PUT", servicePath+oldVersion, developerBody)
	w.settle()
	w.want(http.StatusAccepted, "POST", servicePath+"/migrateToStv2", "")
	for _, r := range [][3]string{
		{"PATCH", servicePath, `{"sku":{"name":"Premium","capacity":1}}`},
		{"PATCH", servicePath, `{"properties":{"publisherName":"Else"}}`},
		{"PUT", servicePath, developerBody},
		{"DELETE", servicePath, ""},
		{"POST", servicePath + "/migrateToStv2", ""},
		{"POST", rollbackPath, ""},
		{"POST", servicePath + "/providers/Portico.Hosting/upgrade", `{"gateway":"2.0"}`},
	} {
		if got := w.want(http.StatusConflict, r[0], r[1], r[2]).code(); got != "ServiceLocked" {
			t.Errorf("%s %s: code %q", r[0], r[1], got)
		}
	}
	w.want(http.StatusCreated, "PUT", servicePath+"/apis/echo", `{"properties":{"displayName":"Echo","path":"echo"}}`)
	w.want(http.StatusCreated, "PUT", servicePath+"/products/p", `{"properties":{"displayName":"P"}}`)
	w.want(http.StatusCreated, "PUT", servicePath+"/apis/echo/policies/policy", `{"properties":{"value":"<policies><inbound><base /></inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error></policies>"}}`)
}

func TestMigrate_WithDowntimeKeepsTheAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGroup()
	w.want(http.StatusCreated, "PUT", servicePath+oldVersion, developerBody)
	w.settle()
	const preview = servicePath + "/migrateToStv2?api-version=2024-06-01-preview&migrateWithDowntime="
	if got := w.want(http.StatusBadRequest, "POST", preview+"true", `{"mode":"NewIP"}`).text("error.target"); got != "mode" {
		t.Errorf("with a new address: target %q", got)
	}
	w.want(http.StatusBadRequest, "POST", preview+"perhaps", "")
	if w.statusOf(servicePath, nil).Operation != "" {
		t.Error("a refused migration has begun")
	}
	w.want(http.StatusAccepted, "POST", preview+"true", "")
	if got := w.statusOf(servicePath, nil).Wish; got.Platform != platform.STv2 || got.Address != platform.PreserveIP {
		t.Errorf("wish %+v", got)
	}
	w.settle()
	w.want(http.StatusBadRequest, "POST", servicePath+"/migrateToStv2", "")
}

// In 2022 the action had no body: what an old client sends beyond what its api-version knows counts for nothing.
func TestMigrate_ModeByVersion(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]platform.AddressMode{
		"2022-04-01-preview": platform.PreserveIP, "2022-09-01-preview": platform.PreserveIP, "2023-03-01-preview": platform.NewIP, newest: platform.NewIP,
	} {
		w := newWorld(t).withGroup()
		w.want(http.StatusCreated, "PUT", servicePath+oldVersion, developerBody)
		w.settle()
		w.want(http.StatusAccepted, "POST", servicePath+"/migrateToStv2?api-version="+version, `{"mode":"NewIP"}`)
		if got := w.statusOf(servicePath, nil).Wish.Address; got != want {
			t.Errorf("%s: %s, want %s", version, got, want)
		}
	}
}

// A location that is about to go has no compute to migrate, and keeps no other from it.
func TestMigrate_WhileALocationGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGroup()
	w.want(http.StatusCreated, "PUT", servicePath+oldVersion, developerBody)
	w.settle()
	w.statusOf(servicePath, func(st *platform.ServiceStatus) {
		st.Others = []platform.Location{{Name: "eastus", Wish: platform.Wish{Platform: platform.STv1, Tier: platform.Developer, Units: 1, Gone: true}}}
	})
	w.want(http.StatusAccepted, "POST", servicePath+"/migrateToStv2", "")
	if st := w.statusOf(servicePath, nil); st.Wish.Platform != platform.STv2 || len(st.Others) != 1 || !st.Others[0].Wish.Gone {
		t.Errorf("status %+v", st)
	}
}

func TestRollBack_WhileTheOldComputeIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGroup()
	clock := w.at(pace.Manual())
	w.want(http.StatusCreated, "PUT", servicePath, `{"location":"westeurope","sku":{"name":"Premium","capacity":3},"zones":["1","2","3"],"properties":{"publisherEmail":"a@b.c","publisherName":"Contoso"}}`)
	w.settle()
	if got := w.want(http.StatusConflict, "POST", rollbackPath, "").code(); got != "NothingToRollBack" {
		t.Errorf("without old compute: %s", got)
	}
	w.kept(platform.Set{ID: "old", Platform: platform.STv1}, clock.Now())
	before := w.statusOf(servicePath, nil).Wish
	a := w.want(http.StatusAccepted, "POST", rollbackPath, "")
	if a.Header.Get("Azure-AsyncOperation") == "" || a.Header.Get("Location") == "" {
		t.Errorf("headers %v", a.Header)
	}
	st := w.statusOf(servicePath, nil)
	want := platform.Wish{Platform: platform.STv1, Tier: platform.Premium, Units: 3, Address: platform.PreserveIP, Gateway: "1.0"}
	if d := cmp.Diff(want, st.Wish); d != "" || st.Previous == nil || !cmp.Equal(*st.Previous, before) || !strings.Contains(string(st.Before), `"zones"`) {
		t.Errorf("status %+v, wish differs (-want +got):\n%s", st, d)
	}
	if got := w.want(http.StatusOK, "GET", servicePath, "").Body; got.Get("zones") != nil || got.Text("properties.provisioningState") != "Updating" {
		t.Errorf("the service shows %v", got)
	}
	w.settle()
	w.kept(platform.Set{ID: "new", Platform: platform.STv2, Zones: []string{"1", "2"}}, clock.Now())
	if got := w.want(http.StatusBadRequest, "POST", rollbackPath, "").text("error.target"); got != "sku.capacity" {
		t.Errorf("3 units in 2 zones: target %q", got)
	}
	if _, err := clock.Advance(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	w.want(http.StatusConflict, "POST", rollbackPath, "")
}

// TestRetire_MigratesWhatIsLeft: before the day stv1 is offered, from then on it is not, and what is on it goes.
func TestRetire_MigratesWhatIsLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGroup()
	clock := pace.New(pace.Manual())
	day := clock.Now().Add(time.Hour)
	opt := options(w.store)
	opt.Clock, opt.RetireSTv1 = clock, day
	w.handler, w.url = management.New(opt), ""
	const n = 10
	path := func(i int) string { return strings.Replace(servicePath, "apimService1", fmt.Sprintf("s%d", i), 1) }
	for i := range n {
		w.want(http.StatusCreated, "PUT", path(i)+oldVersion, developerBody)
	}
	w.settle()
	moving := func() (moving int) {
		t.Helper()
		if err := w.handler.Retire(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if st := w.statusOf(path(i), nil); st.Operation != "" && st.Wish.Platform == platform.STv2 && st.Wish.Address == platform.PreserveIP && st.ModifiedBy == "Portico.Hosting" {
				moving++
			}
		}
		return moving
	}
	if got := moving(); got != 0 {
		t.Errorf("%d services move before the day", got)
	}
	if _, err := clock.Advance(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if a, b := moving(), moving(); a != 8 || b != 8 {
		t.Errorf("%d services move, then %d; want 8 at a time", a, b)
	}
	w.settle()
	if got := moving(); got != 2 {
		t.Errorf("%d services move, want the last 2", got)
	}
	w.settle()
	w.statusOf(path(n-1), func(st *platform.ServiceStatus) { st.Wish.Platform, st.ProvisioningState = platform.STv1, "Failed" })
	if got := moving(); got != 0 {
		t.Errorf("%d services move; the one that failed waits for a day", got)
	}
	if _, err := clock.Advance(t.Context(), 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := moving(); got != 1 {
		t.Errorf("%d services move; want the one that failed", got)
	}
	w.want(http.StatusCreated, "PUT", path(n)+oldVersion, developerBody)
	if got := w.statusOf(path(n), nil).Wish.Platform; got != platform.STv2 {
		t.Errorf("a service created after the day is on %s", got)
	}
}
