package lro

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/store"
)

// steps is a Handler made of a function.
type steps func(ctx context.Context, op Operation) (Outcome, error)

func (f steps) Step(ctx context.Context, op Operation) (Outcome, error) { return f(ctx, op) }

// An orderly Handler has an End too.
type orderly struct {
	steps
	end func(store.Tx, Operation, *arm.Error) error
}

func (o orderly) End(tx store.Tx, op Operation, e *arm.Error) error { return o.end(tx, op, e) }

// A lockedBuffer takes the log.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// run starts an engine and returns a function that stops it; the log is kept.
func run(t *testing.T, st store.Store, handlers map[string]Handler) (stop func(), log *lockedBuffer) {
	t.Helper()
	log = &lockedBuffer{}
	e := NewEngine(st, slog.New(slog.NewTextHandler(log, nil)), handlers, pace.New(pace.Instant()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}), log
}

// ended waits until an operation has ended.
func ended(t *testing.T, st store.Store, name string) Operation {
	t.Helper()
	for seq := int64(0); ; {
		if op := load(t, st, name); op.Status != InProgress {
			return op
		}
		var err error
		if seq, err = st.Wait(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
}

// bubble runs f with a clock of its own and a store.
func bubble(t *testing.T, f func(t *testing.T, st store.Store)) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { f(t, openStore(t, dir)) })
}

// count is the State of the handlers here.
func count(op Operation) int {
	n, err := strconv.Atoi(string(op.State))
	if err != nil {
		return 0
	}
	return n
}

func state(n int) json.RawMessage { return json.RawMessage(strconv.Itoa(n)) }

func TestEngine_SavesWhatStepsSay(t *testing.T) {
	bubble(t, func(t *testing.T, st store.Store) {
		began := time.Now().UTC()
		stop, _ := run(t, st, map[string]Handler{"k": steps(func(_ context.Context, op Operation) (Outcome, error) {
			n := count(op) + 1
			out := Outcome{State: state(n), Steps: []string{fmt.Sprint("step ", n)}, Percent: n * 10, After: time.Duration(n) * time.Minute}
			out.Writes = func(tx store.Tx) error {
				_, err := tx.Put(*doc(fmt.Sprint("/written/", n)))
				return err
			}
			if n == 3 {
				out.Status, out.Percent = Succeeded, 0
			}
			return out, nil
		})})
		defer stop()
		start(t, st, Operation{Name: "a", Kind: "k", Started: began, OnSuccess: []Write{{Put: doc("/success")}}})
		want := Operation{
			Name: "a", Kind: "k", Status: Succeeded, Percent: 100, Started: began, Ended: began.Add(3 * time.Minute), State: state(3),
			Steps: []Step{{"step 1", began}, {"step 2", began.Add(time.Minute)}, {"step 3", began.Add(3 * time.Minute)}},
		}
		if d := cmp.Diff(want, ended(t, st, "a")); d != "" {
			t.Errorf("record (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]string{"/success", "/written/1", "/written/2", "/written/3"}, ids(t, st)); d != "" {
			t.Errorf("documents (-want +got):\n%s", d)
		}
	})
}

func TestEngine_ResumesWithTheStateThatWasSaved(t *testing.T) {
	bubble(t, func(t *testing.T, st store.Store) {
		var seen []int
		handlers := map[string]Handler{"k": steps(func(ctx context.Context, op Operation) (Outcome, error) {
			n := count(op)
			seen = append(seen, n)
			if n == 2 && len(seen) == 3 {
				<-ctx.Done() // the engine stops in the middle of this step
				return Outcome{State: state(99)}, nil
			}
			if n == 4 {
				return Outcome{Status: Succeeded}, nil
			}
			return Outcome{State: state(n + 1)}, nil
		})}
		start(t, st, Operation{Name: "a", Kind: "k", Started: noon}) // before there is an engine
		stop, _ := run(t, st, handlers)
		synctest.Wait()
		stop()
		if got := load(t, st, "a"); got.Status != InProgress || count(got) != 2 {
			t.Errorf("after the stop: %s with state %d, want InProgress with 2", got.Status, count(got))
		}
		stop, _ = run(t, st, handlers)
		defer stop()
		ended(t, st, "a")
		if d := cmp.Diff([]int{0, 1, 2, 2, 3, 4}, seen); d != "" {
			t.Errorf("states that steps saw (-want +got):\n%s", d)
		}
	})
}

func TestEngine_RetriesWithBackoff(t *testing.T) {
	bubble(t, func(t *testing.T, st store.Store) {
		began := time.Now()
		var at []time.Duration
		stop, _ := run(t, st, map[string]Handler{"k": steps(func(_ context.Context, op Operation) (Outcome, error) {
			at = append(at, time.Since(began))
			switch len(at) {
			case 5:
				return Outcome{State: state(1)}, nil // a success in between starts the back-off anew
			case 7:
				return Outcome{Status: Succeeded}, nil
			}
			return Outcome{}, errors.New("not yet")
		})})
		defer stop()
		start(t, st, Operation{Name: "a", Kind: "k", Started: began})
		ended(t, st, "a")
		const ms = time.Millisecond
		if d := cmp.Diff([]time.Duration{0, 100 * ms, 300 * ms, 700 * ms, 1500 * ms, 1500 * ms, 1600 * ms}, at); d != "" {
			t.Errorf("times of steps (-want +got):\n%s", d)
		}
	})
}

func TestEngine_GivesUpAfterAQuarterOfAnHour(t *testing.T) {
	bubble(t, func(t *testing.T, st store.Store) {
		began := time.Now()
		stop, log := run(t, st, map[string]Handler{"k": steps(func(context.Context, Operation) (Outcome, error) {
			return Outcome{}, errors.New("disk on fire")
		})})
		defer stop()
		start(t, st, Operation{Name: "a", Kind: "k", Started: began, OnSuccess: writes})
		op := ended(t, st, "a")
		want := &arm.Error{Code: "InternalServerError", Message: "The operation failed because of an internal error."}
		if d := cmp.Diff(want, op.Error); op.Status != Failed || d != "" {
			t.Errorf("status %s, error (-want +got):\n%s", op.Status, d)
		}
		if took := op.Ended.Sub(began); took < retryFor || took > retryFor+maxBackoff {
			t.Errorf("gave up after %v, want %v or one pause later", took, retryFor)
		}
		if len(ids(t, st)) != 0 {
			t.Errorf("a failed operation wrote %v", ids(t, st))
		}
		if !strings.Contains(log.String(), "disk on fire") {
			t.Errorf("the log does not tell the cause:\n%s", log)
		}
	})
}

func TestEngine_RefusalEndsTheOperation(t *testing.T) {
	bubble(t, func(t *testing.T, st store.Store) {
		refusal := &arm.Error{Code: "SkuNotAvailable", Message: "No.", Target: "sku"}
		attempts := 0
		var endings []string
		stop, _ := run(t, st, map[string]Handler{"k": orderly{
			func(context.Context, Operation) (Outcome, error) {
				return Outcome{}, fmt.Errorf("plan: %w", refusal)
			},
			func(tx store.Tx, op Operation, e *arm.Error) error {
				endings = append(endings, op.Name+" "+e.Code)
				if attempts++; attempts < 3 { // while End fails the operation does not end
					return errors.New("not yet")
				}
				_, err := tx.Put(*doc("/in-order"))
				return err
			},
		}})
		defer stop()
		start(t, st, Operation{Name: "a", Kind: "k", Started: noon})
		op := ended(t, st, "a")
		if d := cmp.Diff(refusal, op.Error); op.Status != Failed || d != "" {
			t.Errorf("status %s, error (-want +got):\n%s", op.Status, d)
		}
		if d := cmp.Diff([]string{"a SkuNotAvailable", "a SkuNotAvailable", "a SkuNotAvailable"}, endings); d != "" {
			t.Errorf("endings (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]string{"/in-order"}, ids(t, st)); d != "" {
			t.Errorf("documents (-want +got):\n%s", d)
		}
	})
}

func TestEngine_PanicEndsOneOperationOnly(t *testing.T) {
	bubble(t, func(t *testing.T, st store.Store) {
		stop, log := run(t, st, map[string]Handler{
			"step": steps(func(context.Context, Operation) (Outcome, error) { panic("boom in step") }),
			"writes": steps(func(context.Context, Operation) (Outcome, error) {
				return Outcome{Writes: func(tx store.Tx) error {
					_, _ = tx.Put(*doc("/half"))
					panic("boom in writes")
				}}, nil
			}),
			"good": steps(func(context.Context, Operation) (Outcome, error) { return Outcome{Status: Succeeded}, nil }),
		})
		defer stop()
		for _, kind := range []string{"step", "writes", "good"} {
			start(t, st, Operation{Name: kind, Kind: kind, Started: noon})
		}
		for name, want := range map[string]Status{"step": Failed, "writes": Failed, "good": Succeeded} {
			op := ended(t, st, name)
			if op.Status != want || want == Failed && (op.Error == nil || op.Error.Code != "InternalServerError") {
				t.Errorf("%s: %s, %v; want %s", name, op.Status, op.Error, want)
			}
		}
		stop()
		if len(ids(t, st)) != 0 {
			t.Errorf("documents %v, want none", ids(t, st))
		}
		for _, want := range []string{"boom in step", "boom in writes", "stack=", "engine_test.go"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %q:\n%s", want, log)
			}
		}
	})
}

func TestEngine_EndedElsewhereStopsTheStep(t *testing.T) {
	bubble(t, func(t *testing.T, st store.Store) {
		var stopped atomic.Int32
		stop, _ := run(t, st, map[string]Handler{"k": steps(func(ctx context.Context, op Operation) (Outcome, error) {
			<-ctx.Done()
			stopped.Add(1)
			return Outcome{Status: Succeeded}, nil
		})})
		defer stop()
		op := start(t, st, Operation{Name: "a", Kind: "k", Started: noon, OnSuccess: writes})
		start(t, st, Operation{Name: "b", Kind: "k", Started: noon})
		synctest.Wait()
		update(t, st, func(tx store.Tx) error { return Finish(tx, op, Canceled, nil, noon) })
		update(t, st, func(tx store.Tx) error { return tx.Delete(IDPrefix + "b") })
		synctest.Wait()
		if got := load(t, st, "a"); got.Status != Canceled || stopped.Load() != 2 || len(ids(t, st)) != 0 {
			t.Errorf("status %s, %d steps stopped, documents %v", got.Status, stopped.Load(), ids(t, st))
		}
	})
}

func TestEngine_DrivesMoreThanItHasRoomFor(t *testing.T) {
	bubble(t, func(t *testing.T, st store.Store) {
		const n = maxRunning + 40
		var now, most atomic.Int32
		stop, _ := run(t, st, map[string]Handler{"k": steps(func(context.Context, Operation) (Outcome, error) {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			time.Sleep(time.Second) // of the bubble's clock
			return Outcome{Status: Succeeded}, nil
		})})
		defer stop()
		update(t, st, func(tx store.Tx) error {
			for i := range n {
				if _, err := Start(tx, Operation{Name: fmt.Sprint(i), Kind: "k", Started: noon}); err != nil {
					return err
				}
			}
			return nil
		})
		for i := range n {
			ended(t, st, fmt.Sprint(i))
		}
		if most.Load() != maxRunning {
			t.Errorf("%d operations at once, want %d", most.Load(), maxRunning)
		}
	})
}

func TestEngine_LeavesOtherRecordsAlone(t *testing.T) {
	bubble(t, func(t *testing.T, st store.Store) {
		update(t, st, func(tx store.Tx) error {
			_, err := tx.Put(store.Document{ID: IDPrefix + "broken", Type: Type, Status: json.RawMessage(`7`)})
			return err
		})
		start(t, st, Operation{Name: "other", Kind: "other", Started: noon})
		stop, log := run(t, st, map[string]Handler{"k": steps(func(context.Context, Operation) (Outcome, error) {
			return Outcome{Status: Succeeded}, nil
		})})
		defer stop()
		start(t, st, Operation{Name: "good", Kind: "k", Started: noon})
		ended(t, st, "good")
		if got := load(t, st, "other").Status; got != InProgress {
			t.Errorf("an operation without a handler is %s, want InProgress", got)
		}
		if !strings.Contains(log.String(), "operation record is broken") {
			t.Errorf("the log does not name the broken record:\n%s", log)
		}
	})
}

func TestEngine_PrunesAfterADay(t *testing.T) {
	bubble(t, func(t *testing.T, st store.Store) {
		stop, _ := run(t, st, map[string]Handler{"k": steps(func(context.Context, Operation) (Outcome, error) {
			return Outcome{Status: Succeeded}, nil
		})})
		defer stop()
		start(t, st, Operation{Name: "a", Kind: "k", Started: time.Now()})
		ended(t, st, "a")
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		load(t, st, "a") // fails the test when it is gone
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		err := st.View(t.Context(), func(r store.Reader) error {
			_, err := Load(r, "a")
			return err
		})
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Load 27 hours later: %v, want ErrNotFound", err)
		}
	})
}

// A failing store refuses Updates as long as it is told to.
type failing struct {
	store.Store
	broken atomic.Bool
}

func (f *failing) Update(ctx context.Context, g func(store.Tx) error) (int64, error) {
	if f.broken.Load() {
		return 0, errors.New("disk full")
	}
	return f.Store.Update(ctx, g)
}

func TestEngine_OutlivesAStoreThatFails(t *testing.T) {
	bubble(t, func(t *testing.T, inner store.Store) {
		st, ran := &failing{Store: inner}, 0
		stop, _ := run(t, st, map[string]Handler{"k": steps(func(_ context.Context, op Operation) (Outcome, error) {
			if ran++; ran == 1 {
				st.broken.Store(true)
			}
			return Outcome{Status: Succeeded}, nil
		})})
		defer stop()
		start(t, st, Operation{Name: "a", Kind: "k", Started: noon})
		time.Sleep(5 * retryFor)
		if got := load(t, st, "a").Status; got != InProgress {
			t.Errorf("while the store fails: %s, want InProgress", got)
		}
		st.broken.Store(false)
		if got := ended(t, st, "a").Status; got != Succeeded {
			t.Errorf("once the store works: %s, want Succeeded", got)
		}
	})
}

func TestEngine_StopsWithItsStore(t *testing.T) {
	t.Parallel()
	st := openStore(t, t.TempDir())
	done := make(chan error, 1)
	go func() {
		done <- NewEngine(st, slog.New(slog.DiscardHandler), nil, pace.New(pace.Instant())).Run(t.Context())
	}()
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, store.ErrClosed) {
		t.Errorf("Run: %v, want ErrClosed", err)
	}
}
