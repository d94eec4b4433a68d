package rollout

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/platform"
)

// What callers see. Machines count their answers; a service whose new machines fail more often than those before them has
// got worse. Whether the version is to blame is another question: a backend may be down, an owner may have changed a
// policy. So one service alone halts a rollout only where hardly anything else can have done it, and none does while
// services on other versions get worse as well.

// A service has got worse when at least so many requests failed, a share of all that is twice what it was and a hundredth
// more, and further from it than chance explains.
const (
	leastFailed = 10
	leastBefore = 20 // requests, or there is nothing to compare with
	timesWorse  = 2
	pointsMore  = 0.01
	deviations  = 5 // one time in three million, and it is asked often
)

// Other bounds of the judgement.
const (
	newFor    = 15 * time.Minute // an upgrade is the likely reason of what began so soon after it
	several   = 3                // services that got worse later, and more than a tenth of all
	markEvery = 5 * time.Minute
	marks     = 3 // what is recent lasts as long as two of them are apart
)

// worse compares failures of a number of requests with those before.
func worse(failed, of, failedBefore, ofBefore int64) bool {
	if failed < leastFailed || ofBefore < leastBefore {
		return false
	}
	n, n0 := float64(max(of, failed)), float64(max(ofBefore, failedBefore))
	now, before := float64(failed)/n, float64(failedBefore)/n0
	if now < timesWorse*before || now < before+pointsMore {
		return false
	}
	all := float64(failed+failedBefore) / (n + n0)
	return now-before >= deviations*math.Sqrt(all*(1-all)*(1/n+1/n0))
}

// A kind is a kind of failures.
type kind struct {
	of   func(platform.Answers) int64
	text string // of a reason: the version, its share, the version before, its share
	// own is what nothing outside of the gateway and its configuration has a part in.
	own bool
}

var kinds = [...]kind{
	{func(a platform.Answers) int64 { return a.Own }, "Gateway %s failed %s of requests by itself; %s %s.", true},
	{func(a platform.Answers) int64 { return a.Failed }, "Gateway %s answered %s of requests with 5xx; %s %s.", false},
}

// A sight is what callers of a service, or of a pool, see.
type sight struct {
	service      string // ID; of a pool: of a service in it
	from, to     string // versions; to is empty for one that is not upgraded
	recent, ever platform.Answers
	before       platform.Answers
	fresh        bool // the upgrade is not long ago
	same         bool // the configuration is the one before the upgrade
}

// worse says whether a service fails more often now, and shows of what.
func (s sight) worse(k kind) (now platform.Answers, yes bool) {
	for _, now := range [...]platform.Answers{s.recent, s.ever} {
		if worse(k.of(now), now.All, k.of(s.before), s.before.All) {
			return now, true
		}
	}
	return now, false
}

// judge says what callers see that a version is to blame for; nil for nothing.
func judge(all []sight) *Illness {
	for _, k := range kinds {
		var bad []sight
		upgraded, others, othersBad := 0, 0, 0
		for _, s := range all {
			if s.before.All < leastBefore || s.ever.All == 0 {
				continue
			}
			_, yes := s.worse(k)
			switch {
			case s.to == "" && s.recent.All < leastFailed:
			case s.to == "":
				others++
				if yes {
					othersBad++
				}
			default:
				upgraded++
				if yes {
					bad = append(bad, s)
				}
			}
		}
		if 2*othersBad >= max(1, others) { // as ill as everybody
			continue
		}
		for _, s := range bad {
			if s.fresh || k.own && s.same || len(bad) >= several && 10*len(bad) > upgraded {
				return &Illness{s.service, s.reason(k), true}
			}
		}
	}
	return nil
}

// reason names both versions and how often each fails.
func (s sight) reason(k kind) string {
	now, _ := s.worse(k)
	return fmt.Sprintf(k.text, s.to, share(k.of(now), now.All), s.from, share(k.of(s.before), s.before.All))
}

// share is a part of a whole in words.
func share(part, of int64) string {
	if of == 0 {
		return "none"
	}
	return fmt.Sprintf("%.2f %% (%d of %d)", 100*float64(part)/float64(of), part, of)
}

// A division and a version of it: the services of a pool count together.
type crew struct{ division, version string }

// callers remembers what machines had answered. It is filled by Runner.turn and forgets with the process: then what is
// recent is what was counted ever.
type callers struct {
	marks []map[string]hosting.Answered // by machine, the oldest first
	at    time.Time                     // of the newest
	now   []hosting.Answered
}

// note takes in what all machines have answered up to a time.
func (c *callers) note(now time.Time, all []hosting.Answered) {
	c.now = all
	if len(c.marks) > 0 && now.Sub(c.at).Abs() < markEvery {
		return
	}
	mark := make(map[string]hosting.Answered, len(all))
	for _, a := range all {
		mark[a.Machine] = a
	}
	if c.marks, c.at = append(c.marks, mark), now; len(c.marks) > marks {
		c.marks = c.marks[1:]
	}
}

// A tally is what the machines of a crew have answered, and what they serve.
type tally struct {
	ever, recent platform.Answers
	digest       string
}

// tallies adds up machines.
func (c *callers) tallies() map[crew]tally {
	out := map[crew]tally{}
	for _, a := range c.now {
		k := crew{cmp.Or(a.Service, poolOf(a.Location)), a.Gateway}
		t := out[k]
		t.ever, t.digest = t.ever.Plus(a.Answers), a.Digest
		recent := a.Answers
		if len(c.marks) > 1 {
			if was, ok := c.marks[0][a.Machine]; ok && was.Gateway == a.Gateway {
				recent = a.Answers.Since(was.Answers)
			}
		}
		t.recent = t.recent.Plus(recent)
		out[k] = t
	}
	return out
}

// usual is what a tally was before something changes it: what is recent, or all of it where that is too little.
func (t tally) usual() platform.Answers {
	if t.recent.All < leastBefore {
		return t.ever
	}
	return t.recent
}

// saw notes what callers have seen before the upgrade of a service that begins.
func (m *Member) saw(counted map[crew]tally, s service, now time.Time) {
	t := counted[crew{s.division(), m.From}]
	m.Before, m.Digest, m.Begun = t.usual(), t.digest, now
}

// sights are what callers of all services see. Services that share their machines are looked at once.
func (r Rollout) sights(all []service, counted map[crew]tally, now time.Time) []sight {
	var out []sight
	looked := map[string]bool{}
	for _, s := range all {
		p := s.place()
		upgraded := (p == Upgrading || p == Upgraded) && s.gateway == r.Version && s.member.Before.All > 0
		if d := s.division(); upgraded && !looked[d] {
			looked[d] = true
			t := counted[crew{d, r.Version}]
			out = append(out, sight{
				service: s.id, from: s.member.From, to: r.Version, recent: t.recent, ever: t.ever, before: s.member.Before,
				fresh: p == Upgrading || now.Sub(s.member.Begun) < newFor, same: t.digest == s.member.Digest,
			})
		}
	}
	for _, s := range all {
		if d := s.division(); s.gateway != r.Version && !looked[d] {
			looked[d] = true
			t := counted[crew{d, s.gateway}]
			out = append(out, sight{service: s.id, from: s.gateway, recent: t.recent, ever: t.recent, before: t.ever.Since(t.recent)})
		}
	}
	return out
}

func poolOf(location string) string { return "pool of " + location }
