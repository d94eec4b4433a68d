package meter

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func open(t *testing.T, dir, worker string, now time.Time) *Meter {
	t.Helper()
	m, err := Open(dir, worker)
	if err != nil {
		t.Fatal(err)
	}
	m.now = func() time.Time { return now }
	return m
}

// Two workers count over the end of a month, one of them is started again, and the sum is right for each service.
func TestMonths_AreTheSumOfAllWorkers(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "metering")
	last := time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC)
	a, b := open(t, dir, "a", last), open(t, dir, "b", last)
	for range 3 {
		a.Count("/s/shop")
	}
	b.Count("/s/shop")
	b.Count("/s/other")
	for _, m := range []*Meter{a, b} {
		if err := m.Keep(); err != nil {
			t.Fatal(err)
		}
	}
	a.Count("/s/shop") // was not written when the worker is killed
	a = open(t, dir, "a", last.Add(time.Second))
	a.Count("/s/shop")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Run(ctx); err != nil { // writes once more
		t.Fatal(err)
	}
	for service, want := range map[string][]Month{
		"/S/Shop":  {{"2026-12", 1}, {"2026-11", 4}},
		"/s/other": {{"2026-11", 1}},
		"/s/none":  {},
	} {
		got, err := Months(dir, service)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", service, d)
		}
	}
}

func TestOpen_RefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, "a"); err == nil {
		t.Error("counts that cannot be read are begun anew")
	}
	if _, err := Months(dir, "/s/shop"); err == nil {
		t.Error("counts that cannot be read are left out")
	}
}
