package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
	"github.com/portico-dev/portico/internal/store/sqlite"
)

// A host is a store with services in it, and a platform that ends operations as soon as they are there.
type host struct {
	t  *testing.T
	st store.Store

	mu      sync.Mutex // guards below
	bad     map[string]bool
	units   map[string]hosting.Units
	answers []hosting.Answered
}

func serviceID(name string) string {
	return "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/" + name
}

func newHost(t *testing.T, tiers map[string]platform.Tier) *host {
	t.Helper()
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, st: st, bad: map[string]bool{}, units: map[string]hosting.Units{}}
	for name, tier := range tiers {
		status, err := json.Marshal(platform.ServiceStatus{
			ProvisioningState: "Succeeded",
			Location:          platform.Location{Name: "westeurope", Wish: platform.Wish{Platform: platform.STv2, Tier: tier, Units: 1, Gateway: "1.0"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		h.update(func(tx store.Tx) error {
			_, err := tx.Put(store.Document{ID: serviceID(name), Type: typeService, Desired: json.RawMessage(`{}`), Status: status})
			return err
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { h.work(ctx) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *host) update(f func(store.Tx) error) {
	h.t.Helper()
	if _, err := h.st.Update(h.t.Context(), f); err != nil {
		h.t.Fatal(err)
	}
}

// spoil makes upgrades of a service fail.
func (h *host) spoil(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bad[serviceID(name)] = true
}

// work ends operations, as hosting does.
func (h *host) work(ctx context.Context) {
	for seq := int64(-1); ; {
		next, err := h.st.Wait(ctx, seq)
		if err != nil {
			return
		}
		seq = next
		_, err = h.st.Update(ctx, func(tx store.Tx) error {
			running, err := lro.Running(tx)
			for _, op := range running {
				err = errors.Join(err, h.end(tx, op))
			}
			return err
		})
		if err != nil && ctx.Err() == nil {
			h.t.Error(err)
			return
		}
	}
}

func (h *host) end(tx store.Tx, op lro.Operation) error {
	d, err := tx.Get(op.Target)
	if err != nil {
		return err
	}
	st, err := statusOf(d)
	if err != nil {
		return err
	}
	h.mu.Lock()
	bad := h.bad[d.ID] && st.Wish.Gateway == "2.0"
	h.mu.Unlock()
	end, problem := lro.Succeeded, (*arm.Error)(nil)
	if st.ProvisioningState, st.TargetProvisioningState, st.Operation = "Succeeded", "", ""; bad {
		end, problem = lro.Failed, &arm.Error{Code: platform.CodeCrashed, Message: "Machine g1 ends again and again."}
		st.GoBack()
	}
	st.Settle()
	if d.Status, err = encode(st); err != nil {
		return err
	}
	if _, err := tx.Put(d); err != nil {
		return err
	}
	return lro.Finish(tx, op, end, problem, time.Now())
}

// Units implements Observer.
func (h *host) Units(_ context.Context, service string) (hosting.Units, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.units[service], nil
}

// Answers implements Observer.
func (h *host) Answers(context.Context) ([]hosting.Answered, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.answers), nil
}

// versions are those that services should run, by name.
func (h *host) versions() map[string]string {
	h.t.Helper()
	out := map[string]string{}
	if err := h.st.View(h.t.Context(), func(r store.Reader) error {
		all, err := services(r, "1.0", nil)
		for _, s := range all {
			out[s.id[strings.LastIndexByte(s.id, '/')+1:]] = s.gateway
		}
		return err
	}); err != nil {
		h.t.Fatal(err)
	}
	return out
}

// moves says how often the rollout began to move a service.
func (h *host) moves(name, to string) (n int) {
	h.t.Helper()
	var line hosting.Timeline
	if err := h.st.View(h.t.Context(), func(r store.Reader) error {
		d, err := r.Get(serviceID(name) + "/providers/Portico.Hosting/timeline")
		if err != nil {
			return err
		}
		return json.Unmarshal(d.Status, &line)
	}); err != nil {
		h.t.Fatal(err)
	}
	for _, s := range line.Value {
		if strings.Contains(s.Step, "gateway "+to+" (rollout") {
			n++
		}
	}
	return n
}

// runs runs a Runner until the rollout is as wanted, or the Runner has died.
func (h *host) runs(x *Runner, until State) (reached bool) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Error(err)
		}
	}()
	for deadline := time.Now().Add(time.Minute); ; {
		all, err := x.List(h.t.Context())
		switch d, dies := x.st.(*dying); {
		case err != nil:
			h.t.Fatal(err)
		case len(all) > 0 && all[0].State == until:
			return true
		case dies && d.dead():
			return false
		case time.Now().After(deadline):
			h.t.Fatalf("never %s: %+v", until, all)
		}
		time.Sleep(time.Millisecond) // between two looks
	}
}

// dying is a store whose user dies at the nth Update: before it, or after it was committed.
type dying struct {
	store.Store
	mu    sync.Mutex
	left  int
	after bool
}

var errDead = errors.New("killed")

func (d *dying) dead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.left <= 0
}

func (d *dying) Update(ctx context.Context, f func(store.Tx) error) (int64, error) {
	d.mu.Lock()
	d.left--
	left := d.left
	d.mu.Unlock()
	if left < 0 || left == 0 && !d.after {
		return 0, errDead
	}
	seq, err := d.Store.Update(ctx, f)
	if left == 0 {
		return 0, errDead
	}
	return seq, err
}

func runner(h *host, st store.Store) *Runner {
	return New(st, h, slog.New(slog.DiscardHandler), Options{Gateway: "1.0", Look: 5 * time.Millisecond})
}

var mixed = map[string]platform.Tier{"dev": platform.Developer, "a": platform.Basic, "b": platform.Standard, "wide": platform.Premium}

// TestRunner_DiesAtEveryCommit kills the Runner before and after each of its transactions: the next one goes on, and no
// service is moved twice.
func TestRunner_DiesAtEveryCommit(t *testing.T) {
	t.Parallel()
	for _, fails := range []bool{false, true} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("fails %v, after %v", fails, after), func(t *testing.T) {
				t.Parallel()
				for n := 1; ; n++ {
					h := newHost(t, mixed)
					end, version := Succeeded, "2.0"
					if fails {
						h.spoil("wide")
						end, version = RolledBack, "1.0"
					}
					if _, err := runner(h, h.st).Start(t.Context(), Ask{Version: "2.0", Groups: []Group{{50, 0}, {50, 0}}, AnyTime: true, Parallel: 2}); err != nil {
						t.Fatal(err)
					}
					died := !h.runs(runner(h, &dying{Store: h.st, left: n, after: after}), end)
					if died {
						h.runs(runner(h, h.st), end)
					}
					want := map[string]string{"dev": version, "a": version, "b": version, "wide": version}
					if d := cmp.Diff(want, h.versions()); d != "" {
						t.Fatalf("killed at %d (-want +got):\n%s", n, d)
					}
					for name := range mixed {
						if m := h.moves(name, "2.0"); m > 1 || m == 0 && !fails {
							t.Fatalf("killed at %d: %s was moved %d times", n, name, m)
						}
					}
					if !died {
						t.Logf("%d transactions", n-1)
						return
					}
				}
			})
		}
	}
}

func TestRunner_AnIllMachineHaltsAndIsNamed(t *testing.T) {
	t.Parallel()
	h := newHost(t, mixed)
	sick := hosting.UnitMachine{Machine: platform.Machine{ID: "g7", Gateway: "2.0", Zone: "2"}, CrashLoop: true, Error: "exit status 7"}
	down := sick
	down.Zone, down.ID = "1", "g8"
	h.units[serviceID("dev")] = hosting.Units{DownZones: []string{"1"}, Locations: []hosting.UnitLocation{{Sets: []hosting.UnitSet{{Machines: []hosting.UnitMachine{down, sick}}}}}}
	x := runner(h, h.st)
	if _, err := x.Start(t.Context(), Ask{Version: "2.0", AnyTime: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Start(t.Context(), Ask{Version: "3.0"}); err == nil {
		t.Error("a second rollout begins beside the first")
	}
	h.runs(x, RolledBack)
	all, err := x.List(t.Context())
	if err != nil || all[0].Service != serviceID("dev") || all[0].Reason != "Machine g7 of gateway 2.0 ends again and again: exit status 7." {
		t.Errorf("%v, %+v", err, all)
	}
	if d := cmp.Diff(map[string]string{"dev": "1.0", "a": "1.0", "b": "1.0", "wide": "1.0"}, h.versions()); d != "" {
		t.Errorf("versions (-want +got):\n%s", d)
	}
}

// TestRunner_ErrorsOfCallersHalt has a version up and well that fails requests: it goes back, unless somebody who has seen
// that goes on with it.
func TestRunner_ErrorsOfCallersHalt(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		h := newHost(t, mixed)
		answered := func(machine, name, version string, a platform.Answers) {
			h.answers = append(h.answers, hosting.Answered{Machine: machine, Service: store.Key(serviceID(name)), Gateway: version, Digest: "d", Answers: a})
		}
		answered("g1", "dev", "1.0", platform.Answers{All: 400, Failed: 4})
		answered("g2", "a", "1.0", platform.Answers{All: 400, Failed: 4})
		answered("g3", "dev", "2.0", platform.Answers{All: 40, Failed: 20, Own: 20})
		x := runner(h, h.st)
		if _, err := x.Start(t.Context(), Ask{Version: "2.0", Groups: []Group{{100, 0}}, AnyTime: true, Keep: keep}); err != nil {
			t.Fatal(err)
		}
		end, version := RolledBack, "1.0"
		if keep {
			h.runs(x, Halted)
			end, version = Succeeded, "2.0"
			if err := x.Do(t.Context(), VerbResume); err != nil {
				t.Fatal(err)
			}
		}
		h.runs(x, end)
		all, err := x.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := "Gateway 2.0 failed 50.00 % (20 of 40) of requests by itself; 1.0 0.00 % (0 of 400)."
		if !keep && (all[0].Reason != want || all[0].Service != serviceID("dev")) {
			t.Errorf("halted by %s: %s, want %s", all[0].Service, all[0].Reason, want)
		}
		if d := cmp.Diff(map[string]string{"dev": version, "a": version, "b": version, "wide": version}, h.versions()); d != "" {
			t.Errorf("versions (-want +got):\n%s", d)
		}
		i := slices.IndexFunc(all[0].Services, func(s Seat) bool { return s.Service == serviceID("dev") })
		if s := all[0].Services[i]; s.Before == nil || *s.Before != (platform.Answers{All: 400, Failed: 4}) || s.Now == nil {
			t.Errorf("shown as %+v", s)
		}
	}
}

func TestStart_RefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	x := New(h.st, h, slog.New(slog.DiscardHandler), Options{Has: func(v string) bool { return v == "2.0" }})
	for want, a := range map[string]Ask{
		"'version' is required":                              {},
		"The gateway '9' is not installed.":                  {Version: "9"},
		"there are 1 of at most 20, and their shares are 99": {Version: "2.0", Groups: []Group{{99, 0}}},
		"a group has a share of at least 1 percent":          {Version: "2.0", Groups: []Group{{0, 0}, {100, 0}}},
		"'parallel' is from 1 to 64.":                        {Version: "2.0", Parallel: 65},
	} {
		_, err := x.Start(t.Context(), a)
		var refused *arm.Error
		if !errors.As(err, &refused) || !strings.Contains(refused.Message, want) {
			t.Errorf("%+v: %v, want %q", a, err, want)
		}
	}
	var refused *arm.Error
	if err := x.Do(t.Context(), VerbPause); !errors.As(err, &refused) || refused.Status != 409 {
		t.Errorf("pause of nothing: %v", err)
	}
}
