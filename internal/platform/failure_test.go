package platform_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/portico-dev/portico/internal/platform"
)

// deadline of the wishes of these tests.
const deadline = time.Minute

// try asks for a wish that can fail.
func (s *sim) try(w platform.Wish) {
	was := s.wish
	s.previous, s.deadline = &was, deadline
	if was.Gone {
		s.previous = nil
	}
	s.want(w)
}

// giveUp restores the wish before, as the controller does.
func (s *sim) giveUp() {
	was := platform.Wish{Gone: true}
	if s.previous != nil {
		was = *s.previous
	}
	s.previous, s.deadline = nil, 0
	s.want(was)
}

// failure lets everything that is not bad work within a second until the wish has failed.
func failure(t *testing.T, s *sim) platform.Failure {
	t.Helper()
	began := s.now
	for s.now.Sub(began) < 10*deadline {
		s.now = s.now.Add(time.Second)
		for id, m := range s.machines {
			switch {
			case m.spec.Mode == platform.Draining:
				delete(s.machines, id)
			case m.dead:
			case m.trips && m.spec.Mode == platform.Serving:
				m.dead, m.phase, m.failures = true, platform.Exited, 5
			default:
				m.phase, m.mode, m.seq = platform.Ready, m.spec.Mode, s.seq
			}
		}
		d := s.control()
		if d.Failed != nil {
			return *d.Failed
		}
		if d.Reached && d.Step == "" {
			t.Fatalf("the wish was reached: %v", s.story)
		}
	}
	t.Fatalf("neither reached nor failed: %v", s.story)
	return platform.Failure{}
}

func TestNext_FailsWithTheCause(t *testing.T) {
	t.Parallel()
	v1 := platform.Wish{Platform: platform.STv1, Tier: platform.Premium, Units: 2, Gateway: "1"}
	v2 := platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 2, Gateway: "1"}
	as := func(w platform.Wish, change func(*platform.Wish)) platform.Wish { change(&w); return w }
	upgraded := func(w platform.Wish) platform.Wish {
		return as(w, func(w *platform.Wish) { w.Gateway = "2" })
	}
	crashes := func(m *simMachine) { m.dead, m.phase, m.failures = true, platform.Exited, 5 }
	hangs := func(m *simMachine) { m.dead = true }
	refuses := func(m *simMachine) { m.refused = "/apis/a: too new" }
	lies := func(m *simMachine) { m.runs = "0" }
	trips := func(m *simMachine) { m.trips = true }
	ways := []struct {
		name     string
		from, to platform.Wish
	}{
		{"PreserveIp", v1, v2},
		{"NewIP", v1, as(v2, func(w *platform.Wish) { w.Address = platform.NewIP })},
		{"scale out on stv1", v1, as(v1, func(w *platform.Wish) { w.Units = 3 })},
		{"scale out on stv2", v2, as(v2, func(w *platform.Wish) { w.Units = 3 })},
		{"upgrade on stv1", v1, upgraded(v1)},
		{"upgrade on stv2", v2, upgraded(v2)},
	}
	causes := []struct {
		name string
		do   func(*simMachine)
		code string
		text string // with # for the machine and its version
	}{
		{"crashes at start", crashes, platform.CodeCrashed, "# ends again and again."},
		{"hangs at start", hangs, platform.CodeNotReady, "# was not ready within 1m0s: it is starting."},
		{"refuses the snapshot", refuses, platform.CodeRefused, "# cannot serve the configuration of the service: /apis/a: too new."},
		{"crashes on requests", trips, platform.CodeCrashed, "# ends again and again."},
		{"runs another version", lies, platform.CodeWrongVersion, "Machine ID runs gateway 0 instead of VERSION."},
	}
	for _, way := range ways {
		for _, cause := range causes {
			if same := way.from.Platform == way.to.Platform && way.from.Gateway == way.to.Gateway; same && cause.name == "crashes on requests" {
				continue // that is for repair: the machines beside it are the same and serve
			}
			t.Run(way.name+", "+cause.name, func(t *testing.T) {
				t.Parallel()
				s := newSim(1, false)
				calm(t, s, way.from)
				before := s.state.Clone()
				id := ""
				s.bad = func(m platform.Machine, sm *simMachine) {
					if id == "" { // one of them is enough
						id = m.ID
						cause.do(sm)
					}
				}
				s.try(way.to)
				got := failure(t, s)
				text := strings.NewReplacer("#", "Machine "+id+" of gateway VERSION", "ID", id).Replace(cause.text)
				want := platform.Failure{Code: cause.code, Message: strings.ReplaceAll(text, "VERSION", way.to.Gateway)}
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("failure differs (-want +got):\n%s", d)
				}
				s.giveUp()
				calm(t, s, way.from)
				if way.from.Platform == platform.STv1 && way.to.Gateway == "2" {
					return // machines of the first update domain had to go, and are new ones now
				}
				// When machines were last added to the set is history.
				if d := cmp.Diff(before, s.state, cmpopts.IgnoreFields(platform.Set{}, "Required", "Since")); d != "" {
					t.Errorf("not as it was (-before +after):\n%s", d)
				}
			})
		}
	}
}

func TestNext_FailsWithoutAnAddress(t *testing.T) {
	t.Parallel()
	s := newSim(1, false)
	w := platform.Wish{Platform: platform.STv2, Tier: platform.Developer, Units: 1}
	s.try(w)
	in := s.input()
	d := platform.Next(in)
	in.State, in.Trouble = d.State, "all are in use"
	m := d.State.Sets[0].Machines[0]
	in.Observation.Machines[m.ID] = platform.MachineStatus{ID: m.ID, Phase: platform.Ready, Seq: 1 << 30, Since: in.Now}
	if d := platform.Next(in); d.Failed != nil || !d.Until.Equal(in.Now.Add(deadline)) {
		t.Errorf("at once: %+v, again at %v; want nothing but to wait", d.Failed, d.Until)
	}
	in.Now = in.Now.Add(deadline)
	want := &platform.Failure{Code: platform.CodeNoAddress, Message: "No address could be opened within 1m0s: all are in use."}
	if d := cmp.Diff(want, platform.Next(in).Failed); d != "" {
		t.Errorf("failure differs (-want +got):\n%s", d)
	}
	in.Since = in.Now.Add(-time.Second) // somebody who has just come waits, too
	if d := platform.Next(in); d.Failed != nil {
		t.Errorf("after a second of looking: %+v", d.Failed)
	}
}

// TestNext_LeftoversOfAFailureDoNotFailTheNextWish asks for a good version while the machine of a bad one is still there.
func TestNext_LeftoversOfAFailureDoNotFailTheNextWish(t *testing.T) {
	t.Parallel()
	s := newSim(1, false)
	w := platform.Wish{Platform: platform.STv2, Tier: platform.Basic, Units: 1, Gateway: "1"}
	calm(t, s, w)
	s.bad = func(m platform.Machine, sm *simMachine) {
		if m.Gateway == "2" {
			sm.dead, sm.phase, sm.failures = true, platform.Exited, 5
		}
	}
	w.Gateway = "2"
	s.try(w)
	failure(t, s)
	s.giveUp()
	w.Gateway = "3"
	s.try(w)
	calm(t, s, w)
}

// TestNext_RefusalOfOldMachinesIsNoFailure: what machines refused before the change is no fault of the change.
func TestNext_RefusalOfOldMachinesIsNoFailure(t *testing.T) {
	t.Parallel()
	s := newSim(1, false)
	refuses := func(_ platform.Machine, m *simMachine) { m.refused = "/apis/a: never worked" }
	s.bad = refuses
	calm(t, s, platform.Wish{Platform: platform.STv1, Tier: platform.Premium, Units: 1})
	to := platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 1}
	s.try(to)
	calm(t, s, to)
}

// TestNext_CrashLoopOfOldMachinesIsNoFailure: a machine that the service had before does not undo a change.
func TestNext_CrashLoopOfOldMachinesIsNoFailure(t *testing.T) {
	t.Parallel()
	for _, v := range []platform.Version{platform.STv1, platform.STv2} {
		s := newSim(1, false)
		calm(t, s, platform.Wish{Platform: v, Tier: platform.Premium, Units: 2})
		for _, m := range s.machines {
			m.dead, m.phase, m.failures, m.since = true, platform.Exited, 9, s.now
			break
		}
		s.try(platform.Wish{Platform: v, Tier: platform.Premium, Units: 3})
		if d := platform.Next(s.input()); d.Failed != nil {
			t.Errorf("%s: %+v", v, d.Failed)
		}
	}
}
