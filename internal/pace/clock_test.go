package pace_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/store"
	"github.com/portico-dev/portico/internal/store/sqlite"
)

func parse(t *testing.T, s string) pace.Pace {
	t.Helper()
	p, err := pace.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestClock_GoesAtItsPace(t *testing.T) {
	t.Parallel()
	const days = 40 * 24 * 60 * 60
	for s, want := range map[string]int64{"instant": days, "azure": days, "x60": 60 * days, "x3600": 3600 * days, "manual": 0} {
		synctest.Test(t, func(t *testing.T) {
			c := pace.New(parse(t, s))
			begin := c.Now()
			time.Sleep(40*24*time.Hour - 250*time.Millisecond)
			time.Sleep(250 * time.Millisecond)
			if got := c.Now(); !got.Equal(time.Unix(begin.Unix()+want, int64(begin.Nanosecond()))) {
				t.Errorf("%s: after 40 days it shows %v, begun at %v", s, got, begin)
			}
			if timed := s != "instant"; c.Timed() != timed {
				t.Errorf("%s: timed is %v", s, !timed)
			}
		})
	}
}

func TestClock_DoesWhatIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := pace.New(parse(t, "x60"))
		begin, done := time.Now(), make(chan struct{})
		c.AfterFunc(c.Now().Add(time.Hour), func() { close(done) })
		stop := c.AfterFunc(c.Now().Add(time.Minute), func() { t.Error("stopped, and done all the same") })
		stop()
		<-done
		if got := time.Since(begin); got != time.Minute {
			t.Errorf("an hour took %v, want a minute", got)
		}
		if err := c.Sleep(t.Context(), time.Second); err != nil {
			t.Error(err)
		}
		if got := time.Since(begin) - time.Minute; got != 50*time.Millisecond {
			t.Errorf("a platform second took %v, want 50 ms at least", got)
		}
	})
}

func TestClock_StandsUntilItIsAdvanced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := pace.New(pace.Manual())
		begin, done := c.Now(), make(chan time.Duration, 8)
		for _, d := range []time.Duration{0, 15 * time.Minute, 20 * time.Minute} {
			c.AfterFunc(begin.Add(d), func() { done <- d })
		}
		c.AfterFunc(begin.Add(time.Minute), func() { t.Error("stopped, and done all the same") })()
		if got := <-done; got != 0 {
			t.Errorf("%v is due at once", got)
		}
		time.Sleep(24 * time.Hour)
		if got := c.Now(); !got.Equal(begin) {
			t.Errorf("the clock went by itself, from %v to %v", begin, got)
		}
		if now, err := c.Advance(t.Context(), 15*time.Minute); err != nil || !now.Equal(begin.Add(15*time.Minute)) || !c.Now().Equal(now) {
			t.Errorf("advanced to %v, %v", now, err)
		}
		if got := <-done; got != 15*time.Minute {
			t.Errorf("%v is due after 15 minutes", got)
		}
		synctest.Wait()
		if len(done) != 0 {
			t.Errorf("%v is done before its time", <-done)
		}
		if _, err := c.Advance(t.Context(), 5*time.Minute); err != nil {
			t.Error(err)
		}
		<-done
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled sleep: %v", err)
		}
	})
	if _, err := pace.New(pace.Instant()).Advance(t.Context(), time.Hour); !errors.Is(err, pace.ErrGoes) {
		t.Errorf("advancing a clock that goes: %v", err)
	}
}

// A clock goes on where it was left, whatever the pace before.
func TestOpen_NeverGoesBack(t *testing.T) {
	t.Parallel()
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	open := func(s string) *pace.Clock {
		c, err := pace.Open(t.Context(), st, parse(t, s))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	documents := func() (n int) {
		_ = st.View(t.Context(), func(r store.Reader) error { n, err = r.Count(store.Query{}); return err })
		return n
	}
	open("instant")
	if n := documents(); n != 0 {
		t.Errorf("the time of day is kept in %d documents", n)
	}
	c := open("manual")
	begin := c.Now()
	if _, err := c.Advance(t.Context(), 100*time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"manual", "x60", "manual", "x3600", "instant", "azure"} {
		was := c.Now()
		c = open(s)
		if now := c.Now(); now.Before(was) || now.Sub(begin) > 200*time.Hour {
			t.Errorf("%s: the clock shows %v after %v", s, now, was)
		}
	}
	// Two processes: the one that stands sees what another advanced before it adds its own.
	a, b := open("manual"), open("manual")
	at := a.Now()
	for _, c := range []*pace.Clock{a, b} {
		if _, err := c.Advance(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.Now(); !got.Equal(at.Add(2 * time.Hour)) {
		t.Errorf("two hours on it shows %v, was %v", got, at)
	}
}
