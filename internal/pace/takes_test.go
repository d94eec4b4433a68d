package pace_test

import (
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/pace"
)

func TestPace_Takes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"instant": 20 * time.Minute, "azure": 20 * time.Minute, "x60": 20 * time.Second, "manual": 0,
	} {
		p, err := pace.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Takes(20 * time.Minute); got != want {
			t.Errorf("%s: 20 minutes take %v, want %v", text, got, want)
		}
		if got := p.Takes(0); got != 0 {
			t.Errorf("%s: no time takes %v", text, got)
		}
	}
	if got := pace.Azure().Takes(time.Nanosecond); got != time.Millisecond {
		t.Errorf("a nanosecond takes %v, want the least, a millisecond", got)
	}
}
