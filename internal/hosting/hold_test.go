package hosting_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// advance moves the clock of a world.
func (w *world) advance(d time.Duration) {
	w.t.Helper()
	if _, err := w.opt.Clock.Advance(w.t.Context(), d); err != nil {
		w.t.Fatal(err)
	}
}

// TestHold_WorkBeginsWhenItsTimeIsOver creates, scales and deletes with a clock that stands.
func TestHold_WorkBeginsWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{Clock: pace.New(pace.Manual()), OperationDeadline: time.Minute})
	w.takes = 30 * time.Minute
	begin := w.opt.Clock.Now()
	create := w.ask("shop", "service.create", premium)
	other := w.ask("other", "service.create", platform.Wish{Platform: platform.MTv1, Tier: platform.Consumption})
	w.advance(30*time.Minute - 1)
	if err := w.stop(); err != nil { // the next controller holds it as well
		t.Fatal(err)
	}
	w.start()
	w.takes = 0
	w.ended(w.ask("third", "service.create", v2), lro.Succeeded)
	if st, _ := w.status("shop"); !st.Hosting.Empty() || w.operation(create).Status != lro.InProgress || w.operation(other).Status != lro.InProgress {
		t.Errorf("work has begun before its time: %+v", st)
	}
	w.advance(3 * time.Hour) // far beyond the deadline, which counts from the beginning of the work
	op := w.ended(create, lro.Succeeded)
	w.ended(other, lro.Succeeded)
	if d := cmp.Diff([]string{platform.StepStart, platform.StepOpen}, steps(op)); d != "" {
		t.Errorf("steps differ (-want +got):\n%s", d)
	}
	at := begin.Add(3*time.Hour + 30*time.Minute - 1)
	if !op.Started.Equal(begin) || !op.Steps[0].At.Equal(at) || !op.Ended.Equal(at) || op.Begun.IsZero() {
		t.Errorf("operation %+v; want it to begin and end at %v", op, at)
	}
}

// TestHold_LooksAfterTheServiceAsBefore loses a machine while a change is held.
func TestHold_LooksAfterTheServiceAsBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{Clock: pace.New(pace.Manual())})
	before := w.create("shop", premium)
	lost := before.Sets[0].Machines[0].ID
	stop := w.load(before.VIPs[0].Address)
	w.takes = 15 * time.Minute
	wish := premium
	wish.Units = 2
	op := w.ask("shop", "service.update", wish)
	w.spoil(badness{start: func(m fabric.MachineConfig) error {
		if m.Machine.ID == lost {
			return errors.New("exit status 7")
		}
		return nil
	}, report: func(m fabric.MachineConfig, s *platform.MachineStatus) {
		if m.Machine.ID == lost && s.Phase == platform.Exited {
			s.Since = time.Now().Add(-time.Hour) // it stays away for long
		}
	}})
	w.f.Kill(lost)
	w.until("the machine is replaced", func() bool {
		st, _ := w.status("shop")
		s := st.Hosting.Sets[0]
		return len(s.Machines) == 2 && s.Machines[0].ID != lost && s.Machines[1].ID != lost && s.Machines[0].Mode == platform.Serving && s.Machines[1].Mode == platform.Serving
	})
	if got := w.operation(op); got.Status != lro.InProgress || len(got.Steps) != 0 {
		t.Errorf("the operation %+v", got)
	}
	w.advance(15 * time.Minute)
	w.ended(op, lro.Succeeded)
	if after := w.settled("shop"); len(after.Sets[0].Machines) != 4 {
		t.Errorf("%d machines after scaling to 2 units", len(after.Sets[0].Machines))
	}
	stop() // requests on the machine that was killed failed
}

// TestCoexistence_EndsByThePlatformClock keeps the old set of a migration until the clock is advanced.
func TestCoexistence_EndsByThePlatformClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{Clock: pace.New(pace.Manual())})
	w.create("shop", v1)
	w.ended(w.ask("shop", "service.migrate", v2), lro.Succeeded)
	w.advance(15*time.Minute - 1)
	st, _ := w.status("shop")
	if c := st.Hosting.Coexistence; c == nil || c.Until.Sub(w.opt.Clock.Now()) != 1 {
		t.Fatalf("coexistence %+v at %v", c, w.opt.Clock.Now())
	}
	w.advance(1)
	if after := w.settled("shop"); len(after.Sets) != 1 {
		t.Errorf("state %+v", after)
	}
}

// TestOperation_OfOthersIsLeftAlone loses a machine while an operation that is not hosting's holds the service.
func TestOperation_OfOthersIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{})
	before := w.create("shop", premium)
	var op lro.Operation
	if _, err := w.st.Update(t.Context(), func(tx store.Tx) (err error) {
		op, err = lro.Start(tx, lro.Operation{Kind: "content.restore", Target: id("shop"), Started: time.Now().Add(-24 * time.Hour)})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	w.rewrite("shop", func(st *platform.ServiceStatus) { st.ProvisioningState, st.Operation = "Updating", op.Name })
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.rewrite("shop", func(st *platform.ServiceStatus) { st.Wish.Units = 2 }) // work that comes meanwhile
	if after := w.settled("shop"); len(after.Sets[0].Machines) <= len(before.Sets[0].Machines) {
		t.Errorf("%d machines, as many as before", len(after.Sets[0].Machines))
	}
	if st, _ := w.status("shop"); st.Operation != op.Name || w.operation(op.Name).Status != lro.InProgress {
		t.Errorf("the operation was ended by hosting: %+v, service %s %q", w.operation(op.Name), st.ProvisioningState, st.Operation)
	}
}
