package pace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/store"
)

const (
	typeClock = "portico/clocks"
	clockID   = "/portico/clocks/platform"
)

// shortestSleep is how long Sleep takes at least, by the time of day: who looks around every minute need not do so a
// thousand times a second because the clock is fast.
const shortestSleep = 50 * time.Millisecond

// ErrGoes is what Advance returns for a clock that goes by itself.
var ErrGoes = errors.New("the clock goes by itself")

// A Clock tells platform time. It is safe for concurrent use.
type Clock struct {
	pace Pace
	st   store.Store // nil: the clock is not kept

	mu    sync.Mutex // guards below
	set   setting
	waits map[*wait]struct{} // for a clock that stands
}

// A setting is where a clock was at a time of day.
type setting struct {
	At   time.Time `json:"at"`   // platform time
	From time.Time `json:"from"` // time of day
	Rate int64     `json:"rate"`
}

// now is the platform time at a time of day. Settings from the future, because the time of day was set back, have not
// begun to go.
func (s setting) now(real time.Time) time.Time {
	d := max(real.Sub(s.From), 0)
	whole := d.Truncate(time.Second) // a long time at a high rate is more than a Duration holds
	return time.Unix(s.At.Unix()+int64(whole/time.Second)*s.Rate, int64(s.At.Nanosecond())).Add((d - whole) * time.Duration(s.Rate)).UTC()
}

// A wait is something to do once the clock shows a time.
type wait struct {
	at time.Time
	f  func()
}

// New returns a clock that shows the time of day now and is not kept.
func New(p Pace) *Clock {
	now := timeOfDay()
	return &Clock{pace: p, set: setting{now, now, p.rate}, waits: map[*wait]struct{}{}}
}

// Open returns the clock of a store: where it was left, and as far on as its pace took it since, from now on at another
// pace if need be. A clock that shows the time of day leaves no trace in the store.
func Open(ctx context.Context, st store.Store, p Pace) (*Clock, error) {
	c := New(p)
	c.st = st
	var kept *setting
	err := st.View(ctx, func(r store.Reader) (err error) {
		kept, err = load(r)
		return err
	})
	if err != nil || kept == nil && p.rate == 1 {
		return c, err
	}
	if kept != nil && kept.Rate == p.rate {
		c.set = *kept
		return c, nil
	}
	_, err = st.Update(ctx, func(tx store.Tx) error {
		now := timeOfDay()
		c.set = setting{now, now, p.rate}
		if kept != nil {
			c.set.At = kept.now(now)
		}
		return c.set.save(tx)
	})
	if err != nil {
		return nil, fmt.Errorf("set the clock: %w", err)
	}
	return c, nil
}

// timeOfDay is the real time, as it may be set: the clock follows it over restarts, so it must within one process too.
func timeOfDay() time.Time { return failpoint.Now().Round(0).UTC() }

// load reads the setting that is kept; nil when there is none.
func load(r store.Reader) (*setting, error) {
	d, err := r.Get(clockID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the clock: %w", err)
	}
	var s setting
	if err := json.Unmarshal(d.Status, &s); err != nil {
		return nil, fmt.Errorf("decode the clock: %w", err)
	}
	return &s, nil
}

func (s setting) save(tx store.Tx) error {
	status, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = tx.Put(store.Document{ID: clockID, Type: typeClock, Status: status})
	return err
}

// Pace is the pace of the clock.
func (c *Clock) Pace() Pace { return c.pace }

// Timed says whether operations take the time that Azure documents for them.
func (c *Clock) Timed() bool { return !c.pace.instant }

// Now is the platform time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.set.now(timeOfDay())
}

// Advance moves a clock that stands, and returns what it shows then. It returns ErrGoes for another one.
func (c *Clock) Advance(ctx context.Context, d time.Duration) (time.Time, error) {
	if c.pace.rate != 0 {
		return time.Time{}, ErrGoes
	}
	c.mu.Lock()
	next := c.set
	c.mu.Unlock()
	next.At = next.At.Add(d)
	if c.st != nil {
		_, err := c.st.Update(ctx, func(tx store.Tx) error {
			kept, err := load(tx) // others may have moved it meanwhile
			if err != nil {
				return err
			}
			next = *kept
			next.At = next.At.Add(d)
			return next.save(tx)
		})
		if err != nil {
			return time.Time{}, fmt.Errorf("advance the clock: %w", err)
		}
	}
	c.move(next)
	return next.At, nil
}

// move sets the clock and does what is due.
func (c *Clock) move(next setting) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if next.At.Before(c.set.At) {
		return // a later one has come first
	}
	c.set = next
	for w := range c.waits {
		if !w.at.After(next.At) {
			delete(c.waits, w)
			go w.f()
		}
	}
}

// AfterFunc calls f in a goroutine of its own once the clock shows t, unless stop is called before.
func (c *Clock) AfterFunc(t time.Time, f func()) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := t.Sub(c.set.now(timeOfDay()))
	if c.pace.rate > 0 || left <= 0 {
		timer := time.AfterFunc(c.real(left), f)
		return func() { timer.Stop() }
	}
	w := &wait{t, f}
	c.waits[w] = struct{}{}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waits, w)
	}
}

// Real is how long a platform time takes by the time of day; ok is false for a clock that stands.
func (c *Clock) Real(d time.Duration) (real time.Duration, ok bool) {
	if c.pace.rate == 0 {
		return 0, d == 0
	}
	return c.real(d), true
}

// real is how long a platform time takes of a clock that goes, rounded up.
func (c *Clock) real(d time.Duration) time.Duration {
	rate := time.Duration(max(c.pace.rate, 1))
	if d%rate > 0 {
		return d/rate + 1
	}
	return d / rate
}

// Sleep waits until a platform time has gone by, and a moment by the time of day at least. It returns ctx's error when
// that ends first.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	until := c.Now().Add(d)
	least := time.NewTimer(shortestSleep)
	defer least.Stop()
	select {
	case <-least.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return c.Wait(ctx, until)
}

// Wait waits until the clock shows t. It returns ctx's error when that ends first.
func (c *Clock) Wait(ctx context.Context, t time.Time) error {
	over := make(chan struct{})
	defer c.AfterFunc(t, func() { close(over) })()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
