// Package rollout brings a version of the gateway to all services: channel after channel, in each of them group after
// group, each service within its maintenance window. After each group it waits and looks at the health of what it has
// upgraded; what got worse halts it, and brings all of it back.
//
// How one service moves to another version is the business of package hosting: a rollout starts the operations that a
// client could start, and reads how they ended. All of its state is in the store, one document for the rollout and one for
// each service that it has touched, so that it goes on after a crash where it was. What there is to do is decided by pure
// functions; start reading at decide (decide.go), then Runner.turn (runner.go).
package rollout

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/platform"
)

// A State is how a rollout is.
type State string

// States of a rollout. The first four are of one that goes on.
const (
	Running     State = "Running"
	Paused      State = "Paused"
	Halted      State = "Halted"      // by what it has seen; it waits for somebody to decide
	RollingBack State = "RollingBack" // what it has upgraded goes back
	Succeeded   State = "Succeeded"
	Canceled    State = "Canceled" // what it has upgraded stays
	RolledBack  State = "RolledBack"
)

// ended says that nothing of a rollout goes on.
func (s State) ended() bool { return s == Succeeded || s == Canceled || s == RolledBack }

// A Group is a part of the services of each channel.
type Group struct {
	Share int           `json:"share"` // in percent
	Bake  time.Duration `json:"bake"`  // how long it is watched before the next one begins, by platform time
}

// DefaultGroups are a tenth, then four tenths, then the rest, with a day after each.
func DefaultGroups() []Group {
	const day = 24 * time.Hour
	return []Group{{10, day}, {40, day}, {50, day}}
}

// Bounds of what may be asked for.
const (
	maxGroups       = 20
	maxParallel     = 64
	defaultParallel = 4
)

// An Ask is what a rollout is to be.
type Ask struct {
	Version  string
	Groups   []Group // DefaultGroups when there are none
	Parallel int     // services that are upgraded at a time; 4 by default
	// AnyTime upgrades services outside of their windows too.
	AnyTime bool
	// Keep leaves what is upgraded as it is when the rollout halts, for somebody to decide.
	Keep bool
	// IgnoreErrors goes on whatever callers see.
	IgnoreErrors bool
}

// A Rollout is the durable record.
type Rollout struct {
	Number   int     `json:"number"`
	Version  string  `json:"version"`
	State    State   `json:"state"`
	Reason   string  `json:"reason,omitempty"`  // of a halt
	Service  string  `json:"service,omitempty"` // that halted it
	Groups   []Group `json:"groups"`
	Parallel int     `json:"parallel"`
	AnyTime  bool    `json:"anyTime,omitempty"`
	Keep     bool    `json:"keep,omitempty"`
	// IgnoreErrors is also set when somebody goes on after a halt because of what callers see, which Seen says it was.
	IgnoreErrors bool `json:"ignoreErrors,omitempty"`
	Seen         bool `json:"seen,omitempty"`
	// Stage is the newest group that is being upgraded: the first of the first channel is 0.
	Stage int `json:"stage"`
	// BakeUntil is when the group of Stage has been watched for long enough; zero while it is being upgraded.
	BakeUntil time.Time `json:"bakeUntil,omitzero"`
	// Before are the versions that new services of each channel got before.
	Before  map[platform.Channel]string `json:"before"`
	Started time.Time                   `json:"started"` // platform time, as all times here
	Ended   time.Time                   `json:"ended,omitzero"`
}

// stages is how many groups there are in all channels together.
func (r Rollout) stages() int { return len(platform.Channels()) * len(r.Groups) }

// channel is the one that a stage belongs to, and group its group.
func (r Rollout) channel(stage int) (c platform.Channel, group int) {
	all := platform.Channels()
	return all[min(stage/len(r.Groups), len(all)-1)], stage % len(r.Groups)
}

// stage is when the turn of a service comes. Services stay in their group from one rollout to the next.
func (r Rollout) stage(s service) int {
	return slices.Index(platform.Channels(), s.channel)*len(r.Groups) + groupOf(r.Groups, s.division())
}

// groupOf divides names into groups by their shares: always the same way, and as evenly as a hash does.
func groupOf(groups []Group, name string) int {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	const parts = 100
	at, sum := int(mix(h.Sum64())%parts), 0
	for i, g := range groups {
		if sum += g.Share; at < sum {
			return i
		}
	}
	return len(groups) - 1
}

// mix spreads what differs in a few bits over all of them.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// check fills in what is left out and says what is wrong.
func (a *Ask) check() *arm.Error {
	if len(a.Groups) == 0 {
		a.Groups = DefaultGroups()
	}
	if a.Parallel == 0 {
		a.Parallel = defaultParallel
	}
	sum := 0
	for _, g := range a.Groups {
		if sum += g.Share; g.Share < 1 || g.Bake < 0 {
			return invalid("groups: a group has a share of at least 1 percent and bakes for some time or none.")
		}
	}
	switch {
	case a.Version == "":
		return invalid("'version' is required: the version of the gateway that services are to run.")
	case sum != 100 || len(a.Groups) > maxGroups:
		return invalid("groups: there are %d of at most %d, and their shares are %d percent together instead of 100.", len(a.Groups), maxGroups, sum)
	case a.Parallel < 1 || a.Parallel > maxParallel:
		return invalid("'parallel' is from 1 to %d.", maxParallel)
	}
	return nil
}

func invalid(format string, args ...any) *arm.Error {
	return &arm.Error{Status: http.StatusBadRequest, Code: platform.CodeInvalidParameters, Message: fmt.Sprintf(format, args...)}
}

func conflict(format string, args ...any) *arm.Error {
	return &arm.Error{Status: http.StatusConflict, Code: "RolloutConflict", Message: fmt.Sprintf(format, args...)}
}

// A Place is how far a service is in a rollout.
type Place string

// Places of a service, spelt as commands show them.
const (
	Planned   Place = "Planned" // waits for its window
	Upgrading Place = "Upgrading"
	Upgraded  Place = "Upgraded"
	Failed    Place = "Failed" // to be upgraded: it runs on as before
	GoingBack Place = "GoingBack"
	Back      Place = "Back"
	Left      Place = "Left" // could not go back
)

// A Member is the durable record of a service that a rollout has touched.
type Member struct {
	Service   string    `json:"service"` // ID
	Place     Place     `json:"place"`
	At        time.Time `json:"at"`                  // when it came there; of a planned one: when its window opens
	Until     time.Time `json:"until,omitzero"`      // of a planned one: when its window closes
	From      string    `json:"from,omitempty"`      // version that it ran before
	To        string    `json:"to,omitempty"`        // version of the rollout
	Operation string    `json:"operation,omitempty"` // the newest one that the rollout has started
	Tries     int       `json:"tries,omitempty"`     // to bring it back
	// What callers saw before the upgrade, the configuration at that time, and the time of day.
	Before platform.Answers `json:"before,omitzero"`
	Digest string           `json:"digest,omitempty"`
	Begun  time.Time        `json:"begun,omitzero"`
}

// A service is what decisions are made from.
type service struct {
	id        string
	location  string
	tier      platform.Tier
	channel   platform.Channel
	gateway   string // that it should run
	operation string // customer operation under way
	gone      bool   // has no compute
	created   time.Time
	window    platform.Maintenance
	member    *Member
	at        int // its stage; set by Rollout.arrange
}

// division is what a service is divided by. Those that share machines stay together.
func (s service) division() string {
	if s.tier == platform.Consumption {
		return poolOf(s.location)
	}
	return strings.ToLower(s.id)
}

// place is where the service is in the rollout; empty for one that it has not touched.
func (s service) place() Place {
	if s.member == nil {
		return ""
	}
	return s.member.Place
}

// gateways are the versions that new services of each channel get.
func (r Rollout) gateways() map[platform.Channel]string {
	out := map[platform.Channel]string{}
	for i, c := range platform.Channels() {
		out[c] = r.Before[c]
		if through := (i + 1) * len(r.Groups); r.Stage >= through && r.State != RollingBack && r.State != RolledBack {
			out[c] = r.Version
		}
	}
	return out
}
