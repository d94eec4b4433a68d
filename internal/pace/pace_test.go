package pace_test

import (
	"strings"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/pace"
)

func TestParse_ReadsWhatItWrites(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"instant", "azure", "manual", "x60", "x3600"} {
		if p, err := pace.Parse(s); err != nil || p.String() != s {
			t.Errorf("%s: %v, %v", s, p, err)
		}
	}
	for _, s := range []string{"", "Instant", "60", "x", "x0", "x-1", "x3601", "x1.5", "x99999999999"} {
		if p, err := pace.Parse(s); err == nil || !strings.Contains(err.Error(), "is none of instant, azure, x1 to x3600, manual") {
			t.Errorf("%q: %v, %v; want an error", s, p, err)
		}
	}
}

func TestDuration_ReadsWhatItWrites(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]time.Duration{
		"PT15M": 15 * time.Minute, "P1DT2H": 26 * time.Hour, "PT0S": 0, "PT0.5S": 500 * time.Millisecond, "P2D": 48 * time.Hour,
		"PT1H30M5.25S": 90*time.Minute + 5250*time.Millisecond,
	} {
		got, err := pace.ParseDuration(s)
		if err != nil || got != want || pace.FormatDuration(got) != s {
			t.Errorf("%s: %v, written %s, %v; want %v", s, got, pace.FormatDuration(got), err, want)
		}
	}
	if got, err := pace.ParseDuration("PT90M"); err != nil || got != 90*time.Minute {
		t.Errorf("PT90M: %v, %v", got, err)
	}
	for _, s := range []string{"", "P", "PT", "P1DT", "15m", "PT15", "-PT1S", "P1Y", "PT1.S", "pt1s", "PT1S2M"} {
		if got, err := pace.ParseDuration(s); err == nil {
			t.Errorf("%q: %v, want an error", s, got)
		}
	}
}
