// Package limit counts calls in sliding windows. Counters is what rate limits need of whatever holds the counts;
// Local holds those of one machine in memory, within a bound.
package limit

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"time"
)

// ErrFull is returned for a key that is not counted yet when there is no room for one more.
var ErrFull = errors.New("no room for another rate-limit counter")

// A Limit allows Calls within every span of Period.
type Limit struct {
	Calls  int
	Period time.Duration
}

// Result says what became of a call.
type Result struct {
	Allowed   bool
	Remaining int           // calls that are left in the window, this one already counted
	Retry     time.Duration // when refused: until a call will be allowed again
}

// Counters counts calls by key.
type Counters interface {
	// Take counts a call unless the limit is reached. A refused call does not count.
	Take(ctx context.Context, key string, l Limit) (Result, error)
	// Return takes back one call that Take allowed.
	Return(ctx context.Context, key string) error
}

// slots is how many entries a window keeps at most: limits of up to that many calls are exact, larger ones are
// counted in steps of Period/slots.
const slots = 60

const shards = 16

// Local counts in memory.
type Local struct {
	seed  maphash.Seed
	parts [shards]shard
}

type shard struct {
	mu   sync.Mutex // guards below
	max  int
	keys map[string]*window
}

// NewLocal makes counters for at most keys keys (0: 65,536).
func NewLocal(keys int) *Local {
	if keys <= 0 {
		keys = 1 << 16
	}
	l := &Local{seed: maphash.MakeSeed()}
	for i := range l.parts {
		l.parts[i].max = max(1, keys/shards)
		l.parts[i].keys = make(map[string]*window)
	}
	return l
}

func (l *Local) shard(key string) *shard {
	return &l.parts[maphash.String(l.seed, key)%shards]
}

// Take implements Counters.
func (l *Local) Take(_ context.Context, key string, lim Limit) (Result, error) {
	now := time.Now()
	s := l.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.keys[key]
	if w == nil {
		if len(s.keys) >= s.max && !s.sweep(now) {
			return Result{}, ErrFull
		}
		w = &window{}
		s.keys[key] = w
	}
	return w.take(now, lim), nil
}

// Return implements Counters.
func (l *Local) Return(_ context.Context, key string) error {
	s := l.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.keys[key]; w != nil {
		w.giveBack()
	}
	return nil
}

// sweep drops windows in which nothing counts any more and reports whether that made room.
func (s *shard) sweep(now time.Time) bool {
	for k, w := range s.keys {
		if w.expired(now) {
			delete(s.keys, k)
		}
	}
	return len(s.keys) < s.max
}

// window is the calls of one key, oldest first.
type window struct {
	period time.Duration
	calls  []entry
	sum    int
}

// entry is calls that are counted at one moment.
type entry struct {
	at time.Time
	n  int
}

func (w *window) take(now time.Time, l Limit) Result {
	w.period = l.Period
	w.expire(now)
	if w.sum >= l.Calls {
		return Result{Retry: w.retry(now, l)}
	}
	w.sum++
	step := time.Duration(0)
	if l.Calls > slots {
		step = l.Period / slots
	}
	if n := len(w.calls); n > 0 && step > 0 && now.Sub(w.calls[n-1].at) < step {
		w.calls[n-1].n++
	} else {
		w.calls = append(w.calls, entry{now, 1})
	}
	return Result{Allowed: true, Remaining: l.Calls - w.sum}
}

// retry is the time until enough old calls have left the window.
func (w *window) retry(now time.Time, l Limit) time.Duration {
	left := w.sum
	for _, e := range w.calls {
		if left -= e.n; left < l.Calls {
			return e.at.Add(l.Period).Sub(now)
		}
	}
	return l.Period // a limit of no calls at all
}

func (w *window) expire(now time.Time) {
	i := 0
	for i < len(w.calls) && now.Sub(w.calls[i].at) >= w.period {
		w.sum -= w.calls[i].n
		i++
	}
	w.calls = append(w.calls[:0], w.calls[i:]...)
}

func (w *window) expired(now time.Time) bool {
	n := len(w.calls)
	return n == 0 || now.Sub(w.calls[n-1].at) >= w.period
}

func (w *window) giveBack() {
	n := len(w.calls)
	if n == 0 {
		return
	}
	w.sum--
	if w.calls[n-1].n--; w.calls[n-1].n == 0 {
		w.calls = w.calls[:n-1]
	}
}
