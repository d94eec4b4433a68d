package hosting_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/hosting/fabric/inproc"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
	"github.com/portico-dev/portico/internal/store/sqlite"
)

const (
	serviceType = "microsoft.apimanagement/service"
	patience    = 30 * time.Second
)

// world is a store, a fabric and the controller between them.
type world struct {
	t    *testing.T
	st   store.Store
	f    *inproc.Fabric
	opt  hosting.Options
	ctl  *hosting.Controller
	stop func() error // stops the controller and returns what Run returned
	// takes is how long operations take at the pace of the clock in opt.
	takes time.Duration
	// close ends everything; the test's cleanup calls it too.
	close func()

	mu     sync.Mutex
	faults map[string]error // by method of the fabric
	calls  map[string]int
	crash  int                      // calls until the controller dies; 0 for never
	dead   bool                     // it has died, and the next one is not there yet
	hold   map[string]chan struct{} // services whose machines do not start before the channel is closed
	bad    badness

	revived chan struct{} // closed when another controller has taken the place of a dead one
}

func newWorld(t *testing.T, opt hosting.Options) *world {
	t.Helper()
	if opt.Grace == 0 {
		opt.Grace = time.Millisecond
	}
	w := &world{t: t, opt: opt, faults: map[string]error{}, calls: map[string]int{}, hold: map[string]chan struct{}{}}
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.st = st
	w.f = inproc.New(inproc.Options{
		Seq: func(fabric.MachineConfig) int64 { return w.seq() },
		Call: func(method, _ string) error {
			w.mu.Lock()
			w.calls[method]++
			err := w.faults[method]
			if w.crash > 0 {
				if w.crash--; w.crash == 0 {
					w.dead = true
					go w.revive()
				}
			}
			dead := w.dead
			w.mu.Unlock()
			if dead {
				return errDead
			}
			if err != nil {
				w.f.Changed() // for those who wait for the call
			}
			return err
		},
		Start: w.startMachine,
		Report: func(m fabric.MachineConfig, s *platform.MachineStatus) {
			if report := w.badly().report; report != nil {
				report(m, s)
			}
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { // machines learn of every transaction
		for seq := int64(-1); ; {
			next, err := w.st.Wait(ctx, seq)
			if err != nil {
				return
			}
			seq = next
			w.f.Changed()
		}
	})
	w.close = sync.OnceFunc(func() {
		if w.stop != nil {
			_ = w.stop()
		}
		cancel()
		wg.Wait()
		w.f.Close()
		if err := w.st.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	t.Cleanup(w.close)
	w.start()
	return w
}

func (w *world) startMachine(ctx context.Context, m fabric.MachineConfig) error {
	if start := w.badly().start; start != nil {
		if err := start(m); err != nil {
			return err
		}
	}
	w.mu.Lock()
	hold := w.hold[name(m.Service)+"/"+string(m.Platform)]
	w.mu.Unlock()
	if hold == nil {
		return nil
	}
	select {
	case <-hold:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// badness is how machines go wrong; nil functions are good ones.
type badness struct {
	start  func(fabric.MachineConfig) error
	report func(fabric.MachineConfig, *platform.MachineStatus)
}

// spoil lets machines go wrong from now on.
func (w *world) spoil(b badness) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bad = b
}

func (w *world) badly() badness {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bad
}

func name(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// holdMachines keeps machines of a service on a platform from getting ready until release is called.
func (w *world) holdMachines(service string, v platform.Version) (release func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan struct{})
	w.hold[service+"/"+string(v)] = c
	return func() { close(c) }
}

// fault lets a method of the fabric fail; nil lets it work again.
func (w *world) fault(method string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[method] = err
}

func (w *world) callCount(method string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[method]
}

// start runs a controller; an earlier one must have been stopped.
func (w *world) start() {
	w.ctl = hosting.New(w.st, w.f, slog.New(slog.NewTextHandler(testWriter{w.t}, &slog.HandlerOptions{Level: slog.LevelInfo})), w.opt)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	ctl := w.ctl
	go func() { done <- ctl.Run(ctx) }()
	w.stop = func() error {
		cancel()
		err := <-done
		w.stop = nil
		return err
	}
}

var errDead = errors.New("the controller is dead")

// crashAt lets the controller die at its n-th call to the fabric, counted from now, and another one start. crashed says
// whether that has happened, once the other one is there.
func (w *world) crashAt(n int) (crashed func() bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.crash, w.revived = n, make(chan struct{})
	return func() bool {
		w.mu.Lock()
		hit := w.crash == 0
		w.mu.Unlock()
		if hit {
			<-w.revived
		}
		return hit
	}
}

// revive ends the dead controller and starts another.
func (w *world) revive() {
	if err := w.stop(); err != nil {
		w.t.Errorf("a dying controller ended with %v", err)
	}
	w.mu.Lock()
	w.dead = false
	w.mu.Unlock()
	w.start()
	close(w.revived)
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func (w *world) seq() (seq int64) {
	_ = w.st.View(context.Background(), func(r store.Reader) error { seq = r.Seq(); return nil })
	return seq
}

func id(service string) string {
	return "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/" + service
}

// ask starts an operation as the control plane does, and returns its name. Others are the wishes of additional locations.
func (w *world) ask(service, kind string, wish platform.Wish, others ...platform.LocationWish) string {
	w.t.Helper()
	var op lro.Operation
	_, err := w.st.Update(w.t.Context(), func(tx store.Tx) error {
		d, err := tx.Get(id(service))
		st := platform.ServiceStatus{ProvisioningState: "Created", TargetProvisioningState: "Activating", CreatedAt: time.Now()}
		st.Name = "westeurope"
		switch {
		case errors.Is(err, store.ErrNotFound):
			d = store.Document{ID: id(service), Type: serviceType, Desired: json.RawMessage(`{"location":"West Europe"}`)}
		case err != nil:
			return err
		default:
			if err := json.Unmarshal(d.Status, &st); err != nil {
				return err
			}
			st.Before, d.Desired = d.Desired, json.RawMessage(fmt.Sprintf(`{"location":"West Europe","asked":%q}`, kind))
			st.ProvisioningState, st.TargetProvisioningState = "Updating", "Updating"
		}
		op = lro.Operation{Kind: kind, Target: d.ID, Started: time.Now()}
		if w.takes > 0 {
			op.Started = w.opt.Clock.Now()
			op.NotBefore = op.Started.Add(w.takes)
		}
		if wish.Gone {
			st.ProvisioningState, st.TargetProvisioningState = "Terminating", "Deleting"
			op.OnSuccess = []lro.Write{{DeleteTree: d.ID}}
		}
		if op, err = lro.Start(tx, op); err != nil {
			return err
		}
		st.Want(wish, others)
		st.Operation = op.Name
		if d.Status, err = json.Marshal(st); err != nil {
			return err
		}
		_, err = tx.Put(d)
		return err
	})
	if err != nil {
		w.t.Fatalf("ask for %s of %s: %v", kind, service, err)
	}
	return op.Name
}

// status reads a service; ok is false when there is none.
func (w *world) status(service string) (st platform.ServiceStatus, ok bool) {
	w.t.Helper()
	err := w.st.View(w.t.Context(), func(r store.Reader) error {
		d, err := r.Get(id(service))
		if err != nil {
			return err
		}
		ok = true
		return json.Unmarshal(d.Status, &st)
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		w.t.Fatal(err)
	}
	return st, ok
}

func (w *world) operation(name string) (op lro.Operation) {
	w.t.Helper()
	if err := w.st.View(w.t.Context(), func(r store.Reader) (err error) {
		op, err = lro.Load(r, name)
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	return op
}

// until waits until something holds, looking after every transaction and every change of the fabric.
func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	for after := int64(0); !holds(); {
		n, err := w.f.Wait(ctx, after)
		if err != nil {
			inv, _ := w.f.Inventory(context.Background())
			obs, _ := w.f.Observe(context.Background())
			w.t.Fatalf("waiting until %s: %v\ninventory %+v\nobserved %+v\n%s", what, err, inv, obs, w.dump())
		}
		after = n
	}
}

func (w *world) dump() (out string) {
	_ = w.st.View(context.Background(), func(r store.Reader) error {
		docs, err := r.List(store.Query{})
		for _, d := range docs {
			out += fmt.Sprintf("%s %s\n", d.ID, d.Status)
		}
		return err
	})
	return out
}

// ended waits for the end of an operation.
func (w *world) ended(op string, want lro.Status) lro.Operation {
	w.t.Helper()
	w.until("the operation ends", func() bool { return w.operation(op).Status != lro.InProgress })
	got := w.operation(op)
	if got.Status != want {
		w.t.Fatalf("operation ended %s (%v), want %s", got.Status, got.Error, want)
	}
	return got
}

// settled waits until a service has no old compute left anywhere.
func (w *world) settled(service string) platform.State {
	w.t.Helper()
	w.until(service+" is settled", func() bool {
		st, _ := w.status(service)
		obs, _ := w.f.Observe(w.t.Context())
		return !slices.ContainsFunc(st.Locations(), func(l *platform.Location) bool { return !settledAt(*l, obs) })
	})
	st, _ := w.status(service)
	return st.Hosting
}

func settledAt(l platform.Location, obs platform.Observation) bool {
	n := 0
	for _, s := range l.Hosting.Sets {
		for _, m := range s.Machines {
			if m.Mode != platform.Serving || obs.Machines[m.ID].Phase != platform.Ready {
				return false
			}
			n++
		}
	}
	return n == l.Wish.Machines() && len(l.Hosting.Sets) == 1 && len(l.Hosting.VIPs) == 1 && l.Hosting.Coexistence == nil
}

// create makes a service and waits for it.
func (w *world) create(service string, wish platform.Wish) platform.State {
	w.t.Helper()
	w.ended(w.ask(service, "service.create", wish), lro.Succeeded)
	st, _ := w.status(service)
	return st.Hosting
}

// get asks an address and returns the ID of the machine that answered.
func (w *world) get(address string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DialContext: w.f.DialContext, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// load keeps asking an address until stop is called, which says how many requests succeeded and how the others failed.
func (w *world) load(address string) (stop func() (good int, failed []error)) {
	done := make(chan struct{})
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		good   int
		failed []error
	)
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				_, err := w.get(address)
				mu.Lock()
				if err != nil {
					failed = append(failed, err)
				} else {
					good++
				}
				mu.Unlock()
			}
		})
	}
	return func() (int, []error) {
		close(done)
		wg.Wait()
		return good, failed
	}
}

// clean checks that the fabric holds nothing.
func (w *world) clean() {
	w.t.Helper()
	w.until("the fabric is empty", func() bool {
		inv, err := w.f.Inventory(w.t.Context())
		obs, _ := w.f.Observe(w.t.Context())
		return err == nil && len(inv.Sets)+len(inv.VIPs)+len(inv.Hosts)+len(obs.Machines) == 0
	})
}

// rewrite changes the status of a service behind the controller's back.
func (w *world) rewrite(service string, change func(*platform.ServiceStatus)) {
	w.t.Helper()
	_, err := w.st.Update(w.t.Context(), func(tx store.Tx) error {
		d, err := tx.Get(id(service))
		if err != nil {
			return err
		}
		var st platform.ServiceStatus
		if err := json.Unmarshal(d.Status, &st); err != nil {
			return err
		}
		change(&st)
		if d.Status, err = json.Marshal(st); err != nil {
			return err
		}
		_, err = tx.Put(d)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}
