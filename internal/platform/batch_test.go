package platform_test

import (
	"slices"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/platform"
)

// lose lets machines of the active set exit for good.
func (s *sim) lose(n int) (ids []string) {
	for _, m := range s.state.Set(s.state.Active).Machines[:n] {
		s.machines[m.ID].phase, s.machines[m.ID].since = platform.Exited, s.now
		ids = append(ids, m.ID)
	}
	return ids
}

// faulty lists the machines that are given up.
func faulty(st platform.State) (ids []string) {
	for _, m := range st.Set(st.Active).Machines {
		if m.Faulty {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// TestRepair_WaitsForItsGrace loses three of ten machines right after they were started: two are given up when the grace
// is over, the third when that after the start of the other ones' successors is.
func TestRepair_WaitsForItsGrace(t *testing.T) {
	t.Parallel()
	s := newSim(1, false)
	calm(t, s, platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 5})
	started := s.state.Set(s.state.Active).Since
	lost := s.lose(3)
	ask := func(after time.Duration) platform.Decision {
		in := s.input()
		in.Grace, in.Now = 5*time.Minute, started.Add(after)
		return platform.Next(in)
	}
	if d := ask(5*time.Minute - 1); d.Step != "" || !d.Until.Equal(started.Add(5*time.Minute)) {
		t.Fatalf("during the grace: step %q, again at %v", d.Step, d.Until)
	}
	d := ask(5 * time.Minute)
	if d.Step != platform.StepRepair || !slices.Equal(faulty(d.State), lost[:2]) {
		t.Fatalf("after the grace: step %q gives up %v of %v", d.Step, faulty(d.State), lost)
	}
	s.state = d.State
	for _, m := range d.State.Set(d.State.Active).Machines {
		if m.Faulty && m.Mode == platform.Draining {
			t.Errorf("machine %s drains already", m.ID)
		}
	}
	if d = ask(5*time.Minute + 1); d.Step != platform.StepStart {
		t.Fatalf("then: step %q", d.Step)
	}
	s.state = d.State
	if d = ask(10 * time.Minute); slices.Contains(faulty(d.State), lost[2]) {
		t.Errorf("the third was given up %v after the others were replaced", 5*time.Minute-1)
	}
}

// TestRepair_DoesNotCountWhatIsBack has as many machines as may be given up at a time, which serve again, and one that was to
// replace them and never starts: it is given up too, for nothing else would go on.
func TestRepair_DoesNotCountWhatIsBack(t *testing.T) {
	t.Parallel()
	s := newSim(1, false)
	calm(t, s, platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 5})
	machines := s.state.Set(s.state.Active).Machines
	machines[1].Faulty, machines[2].Faulty, machines[0].Mode = true, true, platform.Parked
	lost := s.lose(1)
	in := s.input()
	in.Now = s.now.Add(time.Hour)
	if d := platform.Next(in); d.Step != platform.StepRepair || !slices.Contains(faulty(d.State), lost[0]) {
		t.Errorf("step %q, waits for %q", d.Step, d.Wait)
	}
}

// TestNext_BeginsABatchWithinItsBudgets stands half way of an upgrade of ten machines: with one of the five new ones
// unready the next batch begins, with two it does not.
func TestNext_BeginsABatchWithinItsBudgets(t *testing.T) {
	t.Parallel()
	for lost, want := range map[int][2]string{
		0: {platform.StepStart, ""}, 1: {platform.StepStart, ""}, 2: {"", "no further machines are replaced: 2 of 10 are not ready"},
	} {
		s := newSim(1, false)
		calm(t, s, platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 5})
		s.gateway = "2"
		for i := range 5 {
			s.state.Sets[0].Machines[i].Gateway = "2"
		}
		s.lose(lost)
		if d := platform.Next(s.input()); d.Step != want[0] || d.Wait != want[1] {
			t.Errorf("%d lost: step %q, wait %q, want %q", lost, d.Step, d.Wait, want)
		}
	}
}
