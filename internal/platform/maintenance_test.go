package platform

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestMaintenance_WindowIsTheOpenOneOrTheNext(t *testing.T) {
	t.Parallel()
	night, early := Maintenance{}, Maintenance{Start: "01:00", Days: map[string]string{"Saturday": "10:00"}}
	late := Maintenance{Days: map[string]string{"Saturday": "02:00"}}
	for _, tt := range []struct {
		name     string
		m        Maintenance
		location string
		now      string // UTC
		from, to string
	}{
		{"at noon the night is next", night, "westeurope", "2026-11-27T12:00:00Z", "2026-11-27T21:00:00Z", "2026-11-28T05:00:00Z"},
		{"after midnight it is the one of yesterday", night, "westeurope", "2026-11-28T04:59:59Z", "2026-11-27T21:00:00Z", "2026-11-28T05:00:00Z"},
		{"its end is not in it", night, "westeurope", "2026-11-28T05:00:00Z", "2026-11-28T21:00:00Z", "2026-11-29T05:00:00Z"},
		{"its beginning is", night, "westeurope", "2026-11-27T21:00:00Z", "2026-11-27T21:00:00Z", "2026-11-28T05:00:00Z"},
		{"the clocks are those of the location", night, "japaneast", "2026-11-27T12:00:00Z", "2026-11-27T13:00:00Z", "2026-11-27T21:00:00Z"},
		{"in summer too", night, "westus", "2026-07-01T00:00:00Z", "2026-07-01T05:00:00Z", "2026-07-01T13:00:00Z"},
		{"eight hours are eight when clocks change", night, "eastus", "2026-11-01T03:00:00Z", "2026-11-01T02:00:00Z", "2026-11-01T10:00:00Z"},
		{"an unknown location has UTC", night, "moon", "2026-11-27T12:00:00Z", "2026-11-27T22:00:00Z", "2026-11-28T06:00:00Z"},
		{"a day of its own", early, "uksouth", "2026-11-28T08:59:59Z", "2026-11-28T10:00:00Z", "2026-11-28T18:00:00Z"},
		{"the day after has the usual one", early, "uksouth", "2026-11-28T18:00:00Z", "2026-11-29T01:00:00Z", "2026-11-29T09:00:00Z"},
		{"of two that are open it is the later", late, "uksouth", "2026-11-28T03:00:00Z", "2026-11-28T02:00:00Z", "2026-11-28T10:00:00Z"},
	} {
		now, _ := time.Parse(time.RFC3339, tt.now)
		from, to := tt.m.Window(Zone(tt.location), now)
		got := [2]string{from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339)}
		if d := cmp.Diff([2]string{tt.from, tt.to}, got); d != "" {
			t.Errorf("%s, at %s (-want +got):\n%s", tt.name, tt.now, d)
		}
	}
}

func TestMaintenance_NormalOrRefused(t *testing.T) {
	t.Parallel()
	got, err := Maintenance{Start: "9:05", Days: map[string]string{"SUNDAY": "0:00", "monday": "23:59"}}.Normal()
	want := Maintenance{Start: "09:05", Days: map[string]string{"Sunday": "00:00", "Monday": "23:59"}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	for want, m := range map[string]Maintenance{
		`start: "24:00" is not a time of day such as 22:00`:      {Start: "24:00"},
		`days: "someday" is not a day of the week`:               {Days: map[string]string{"someday": "01:00"}},
		`days.Monday: "noon" is not a time of day such as 22:00`: {Days: map[string]string{"Monday": "noon"}},
	} {
		if _, err := m.Normal(); err == nil || err.Error() != want {
			t.Errorf("%+v: %v, want %s", m, err, want)
		}
	}
}

// Whatever was chosen: the window is eight hours, closes after now, and is open or begins within two days; asked at its
// beginning, in its middle and while it is awaited, it is the same.
func TestMaintenance_WindowProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		clock := rapid.Custom(func(t *rapid.T) string {
			return time.Date(2026, 1, 1, rapid.IntRange(0, 23).Draw(t, "hour"), rapid.IntRange(0, 59).Draw(t, "minute"), 0, 0, time.UTC).Format("15:04")
		})
		day := rapid.Map(rapid.IntRange(0, 6), func(n int) string { return time.Weekday(n).String() })
		m := Maintenance{Start: rapid.OneOf(rapid.Just(""), clock).Draw(t, "start"), Days: rapid.MapOfN(day, clock, 0, 7).Draw(t, "days")}
		zone := Zone(rapid.SampledFrom([]string{"westeurope", "eastus", "westus2", "japaneast", "moon"}).Draw(t, "location"))
		now := time.Unix(rapid.Int64Range(1.7e9, 2e9).Draw(t, "now"), 0)
		from, to := m.Window(zone, now)
		switch {
		case to.Sub(from) != WindowTakes:
			t.Fatalf("it is %v long", to.Sub(from))
		case !to.After(now):
			t.Fatalf("at %v it is over since %v", now, to)
		case from.Sub(now) > 48*time.Hour:
			t.Fatalf("at %v it begins at %v", now, from)
		}
		if !from.After(now) {
			return
		}
		wait := from.Sub(now)
		for _, at := range []time.Time{from, now.Add(wait / 2)} {
			if f, u := m.Window(zone, at); !f.Equal(from) || !u.Equal(to) {
				t.Fatalf("at %v it is from %v, at %v from %v", now, from, at, f)
			}
		}
	})
}

func TestChannelOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		tier   Tier
		chosen string
		want   Channel
	}{
		{Basic, "", DefaultChannel},
		{Basic, "Preview", PreviewChannel},
		{Premium, "Stable", StableChannel},
		{PremiumV2, "Default", DefaultChannel},
		{Developer, "Stable", PreviewChannel},
		{Developer, "", PreviewChannel},
		{Consumption, "Preview", DefaultChannel},
		{Standard, "Nightly", DefaultChannel},
	} {
		if got := ChannelOf(tt.tier, tt.chosen); got != tt.want {
			t.Errorf("%s that chose %q is in %s, want %s", tt.tier, tt.chosen, got, tt.want)
		}
	}
}
