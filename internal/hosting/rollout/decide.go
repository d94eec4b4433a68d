package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/platform"
)

// triesBack is how often a service is asked to go back.
const triesBack = 3

// A decision is what to do next.
type decision struct {
	next    Rollout
	members []Member // that are elsewhere now
	// start are the services to move to another version, each with its member as it is when that is started.
	start []start
	// until is when there is more to do if nothing else happens; zero for never.
	until time.Time
}

type start struct {
	member  Member
	to      string
	service service
}

// A world is what a decision is made from. Services are in any order.
type world struct {
	rollout  Rollout
	services []service
	now      time.Time // platform time
	// reason says why an operation failed.
	reason func(operation string) string
	// ill is what is wrong with the health of an upgraded service; nil while none is known to be ill.
	ill *Illness
}

// An Illness is why a rollout halts.
type Illness struct {
	Service string // ID
	Reason  string
	Seen    bool // by callers
}

// decide says what is next for a rollout. It is asked again after each change and at the time that it names.
func decide(w world) decision {
	d := decision{next: w.rollout}
	w.services = w.rollout.arrange(w.services)
	d.settle(&w)
	if w.ill != nil && (d.next.State == Running || d.next.State == Paused) {
		d.halt(w.ill.Service, w.ill.Reason)
		d.next.Seen = w.ill.Seen
	}
	switch d.next.State {
	case Running:
		d.goOn(w)
	case RollingBack:
		d.goBack(w)
	}
	return d
}

// arrange puts services in the order in which they come: by stage, in a stage Premium last, as in the cloud service.
func (r Rollout) arrange(all []service) []service {
	all = slices.Clone(all)
	for i := range all {
		all[i].at = r.stage(all[i])
	}
	rank := func(s service) int {
		if s.tier == platform.Premium {
			return 1
		}
		return 0
	}
	slices.SortFunc(all, func(a, b service) int {
		if a.at != b.at {
			return a.at - b.at
		}
		return cmp.Or(rank(a)-rank(b), strings.Compare(a.id, b.id))
	})
	return all
}

// settle notes how operations ended that the rollout had started.
func (d *decision) settle(w *world) {
	for i := range w.services {
		s := &w.services[i]
		p := s.place()
		if p != Upgrading && p != GoingBack || s.operation != "" && s.operation == s.member.Operation {
			continue
		}
		m := *s.member
		m.At = w.now
		switch {
		case p == Upgrading && s.gateway == d.next.Version:
			m.Place = Upgraded
		case p == Upgrading:
			m.Place = Failed
			d.halt(s.id, "The upgrade failed: "+w.reason(m.Operation))
		case s.gateway == m.From:
			m.Place = Back
		case m.Tries >= triesBack:
			m.Place = Left
		default:
			m.Place = Upgraded // once more
		}
		s.member = &m
		d.members = append(d.members, m)
	}
}

// halt ends the way forward.
func (d *decision) halt(service, reason string) {
	if d.next.State != Running && d.next.State != Paused {
		return
	}
	d.next.State, d.next.Service, d.next.Reason = Halted, service, reason
	d.next.BakeUntil = time.Time{}
	if !d.next.Keep {
		d.next.State = RollingBack
	}
}

// goOn upgrades what is due, up to as many as may be at a time, and goes to the next group when the one before is
// upgraded and watched.
func (d *decision) goOn(w world) {
	for d.stage(w) {
		d.next.Stage++
		d.next.BakeUntil = time.Time{}
		if d.next.Stage == d.next.stages() {
			d.next.State, d.next.Ended, d.until = Succeeded, w.now, time.Time{}
			return
		}
	}
}

// stage does what there is to do in the stages so far. It says that the newest is over.
func (d *decision) stage(w world) (over bool) {
	r, open, touched, slots := &d.next, false, false, newSlots(w.services, d.next.Parallel, Upgrading, Upgraded)
	d.until = time.Time{}
	for _, s := range w.services {
		if s.at > r.Stage {
			break
		}
		touched = touched || s.at == r.Stage && s.place() == Upgraded
		if !d.wants(s) {
			continue
		}
		open = true
		from, to := s.window.Window(platform.Zone(s.location), w.now)
		switch {
		case s.place() == Upgrading || s.operation != "": // looked at again when that ends
		case !r.AnyTime && from.After(w.now):
			d.plan(s, from, to)
		case slots.take(s):
			d.start = append(d.start, start{Member{Service: s.id, Place: Upgrading, At: w.now, From: s.gateway, To: r.Version}, r.Version, s})
		}
	}
	switch {
	case open:
		return false
	case touched && r.BakeUntil.IsZero():
		_, group := r.channel(r.Stage)
		r.BakeUntil = w.now.Add(r.Groups[group].Bake)
	}
	if r.BakeUntil.After(w.now) {
		d.until = sooner(d.until, r.BakeUntil)
		return false
	}
	return true
}

// wants says whether a service is still to be upgraded.
func (d *decision) wants(s service) bool {
	switch s.place() {
	case Upgraded, Back, Failed, Left:
		return false // where it runs something else now, somebody wanted that
	}
	return !s.gone && (s.gateway != d.next.Version || s.place() == Upgrading)
}

// plan notes that a service waits for its window.
func (d *decision) plan(s service, from, to time.Time) {
	d.until = sooner(d.until, from)
	if s.place() == Planned && s.member.At.Equal(from) {
		return
	}
	if !slices.ContainsFunc(d.members, func(m Member) bool { return m.Service == s.id }) {
		d.members = append(d.members, Member{Service: s.id, Place: Planned, At: from, Until: to, From: s.gateway, To: d.next.Version})
	}
}

// goBack brings everything back that the rollout has upgraded, and services that were made with its version meanwhile. No
// window is waited for: what is worse than before is not left alone until the night.
func (d *decision) goBack(w world) {
	slots, open, left := newSlots(w.services, d.next.Parallel, GoingBack, Back), false, 0
	for _, s := range slices.Backward(w.services) {
		to, wanted := d.returns(s)
		switch {
		case s.place() == Left:
			left++
		case !wanted:
		case s.operation != "":
			open = true
		case slots.take(s):
			open = true
			m := Member{Service: s.id, From: to, To: d.next.Version}
			if s.member != nil {
				m = *s.member
			}
			m.Place, m.At = GoingBack, w.now
			m.Tries++
			d.start = append(d.start, start{m, to, s})
		default:
			open = true
		}
	}
	switch {
	case open:
	case left > 0:
		d.next.State = Halted
		d.next.Reason = strings.TrimSpace(fmt.Sprintf("%s %d of the services could not go back.", d.next.Reason, left))
	default:
		d.next.State, d.next.Ended = RolledBack, w.now
	}
}

// returns says to which version a service goes back, if it does.
func (d *decision) returns(s service) (version string, wanted bool) {
	switch {
	case s.gone:
		return "", false
	case s.place() == Upgrading, s.place() == GoingBack: // settles first
		return s.member.From, true
	case s.place() == Upgraded:
		return s.member.From, s.gateway == d.next.Version
	case s.place() == Planned, s.member == nil:
		before := d.next.Before[s.channel]
		return before, s.gateway == d.next.Version && before != "" && before != d.next.Version && !s.created.Before(d.next.Started)
	}
	return "", false
}

// sooner is the earlier of two times, of which zero is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
