// Package pace holds the clock of the platform. Windows – the coexistence of a migration, soft delete – and the times that
// operations take are told by it; what processes really do – requests, tokens, restarts, deadlines of work – is not.
//
// The clock goes with the time of day, N times as fast, or stands and is moved by hand. It is kept in the store, so that it
// never goes back: not by a restart, and not by another pace. Start reading at Clock (clock.go).
package pace

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// MaxRate is the fastest clock: an hour in a second.
const MaxRate = 3600

// A Pace says how fast the clock of the platform goes, and whether operations take the time that Azure documents for
// them. The zero value is the clock that stands.
type Pace struct {
	rate    int64 // platform seconds in a second; 0 stands
	instant bool  // operations take as long as their work
}

// Instant is the pace at which work takes as long as it takes.
func Instant() Pace { return Pace{rate: 1, instant: true} }

// Azure is the pace of the cloud service.
func Azure() Pace { return Pace{rate: 1} }

// Manual is the pace of a clock that stands until it is advanced.
func Manual() Pace { return Pace{} }

// Parse reads a pace: instant, azure, xN or manual.
func Parse(s string) (Pace, error) {
	switch s {
	case "instant":
		return Instant(), nil
	case "azure":
		return Azure(), nil
	case "manual":
		return Manual(), nil
	}
	if digits, ok := strings.CutPrefix(s, "x"); ok {
		if n, err := strconv.ParseInt(digits, 10, 16); err == nil && n >= 1 && n <= MaxRate {
			return Pace{rate: n}, nil
		}
	}
	return Pace{}, fmt.Errorf("%q is none of instant, azure, x1 to x%d, manual", s, MaxRate)
}

// Takes is how long a span of platform time takes by the time of day, a millisecond at least; 0 where the clock stands, or
// for no span.
func (p Pace) Takes(span time.Duration) time.Duration {
	if p.rate == 0 || span == 0 {
		return 0
	}
	return max(span/time.Duration(p.rate), time.Millisecond)
}

func (p Pace) String() string {
	switch p {
	case Instant():
		return "instant"
	case Azure():
		return "azure"
	case Manual():
		return "manual"
	}
	return "x" + strconv.FormatInt(p.rate, 10)
}
