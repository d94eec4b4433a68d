package counters

import (
	"sync/atomic"
	"time"
)

// A Limit allows Calls within every span of Period.
type Limit struct {
	Name   Name
	Of     string // whose calls are counted
	Calls  int
	Period time.Duration
	// Left is set by Take when it allows a call: how many more there could be now.
	Left int
}

// A Result says what became of a call.
type Result struct {
	Allowed bool
	Limit   int           // when refused: which of the limits did
	Retry   time.Duration // when refused: until a call will be allowed again
}

// A limit has places, at most maxPlaces, and a call occupies one for the period. A limit of more calls than that has
// places for several: a place takes calls one after the other until it is full, and is empty again a period after the
// last. No place can take more than its share within any period, so all together cannot take more than the limit; and
// since each call is one compare-and-swap of one word, that holds over any number of processes. Up to maxPlaces calls
// a limit is exact. Above it, the calls of the place that empties next may be counted for longer than their period:
// one call in maxPlaces at most.
const maxPlaces = 64

// The word of a place: when its last call was, in milliseconds of the host's clock, and how many it holds. The time
// wraps around after 8 years.
const (
	countBits = 26
	countMask = 1<<countBits - 1
)

func packPlace(last, count int64) uint64 {
	return uint64(last)<<countBits | uint64(count)&countMask //nolint:gosec // bits
}

// age is how long the last call of a place was before now; negative, when it was after: of somebody who has read the
// clock later.
func age(word uint64, now int64) int64 {
	d := uint64(now)<<countBits - word&^countMask //nolint:gosec // bits
	return int64(d) >> countBits                  //nolint:gosec // bits
}

// places is a limit's words. Lines that it does not have yet are nil.
type places struct {
	lines [maxPlaces / 8][]atomic.Uint64
	n     int
	calls int
}

func newPlaces(l Limit) places { return places{n: min(l.Calls, maxPlaces), calls: l.Calls} }

func (p *places) count() int { return (p.n + 7) / 8 } // of lines

// share is how many calls the i-th place takes.
func (p *places) share(i int) int64 {
	share := p.calls / p.n
	if i < p.calls%p.n {
		share++
	}
	return int64(share)
}

// sight is what one look at all places tells.
type sight struct {
	late  bool           // the look was too late for its moment and tells nothing
	at    *atomic.Uint64 // a place for one more call; nil when there is none
	was   uint64         // its word
	open  bool           // it holds calls that count
	used  int64          // calls that count, in all places
	empty int64          // milliseconds until the first of the full places is empty
}

// look reads all places. When several can take a call, the one that holds some is preferred: the others stay empty.
func (p *places) look(c *clock, now, period int64) sight {
	s := sight{empty: period}
	for i := range p.n {
		line := p.lines[i/8]
		if line == nil {
			continue
		}
		w := line[i%8].Load()
		count, a := int64(w&countMask), age(w, now)
		if count > 0 && a < -period && age(w, c.now().mono) >= -period {
			return sight{late: true}
		}
		switch {
		case count == 0 || a > period || a < -period: // empty; what lies far ahead was counted before the host's last start
			if s.at == nil {
				s.at, s.was = &line[i%8], w
			}
			continue
		case count < p.share(i):
			s.at, s.was, s.open = &line[i%8], w, true
		default:
			s.empty = min(s.empty, period-a)
		}
		s.used += count
	}
	return s
}

// took is where a call was counted, so that it can be given back.
type took struct {
	at   *atomic.Uint64
	ends int64 // when it counts no more
}

// Take counts a call against all of the limits, or against none if one of them has been reached.
func (t *Table) Take(limits []Limit) (Result, error) {
	defer t.alive()
	if len(limits) > 1 {
		// A call that is refused must not count, so it is best not to count it to begin with.
		for i := range limits {
			if r := t.glance(&limits[i]); !r.Allowed {
				r.Limit = i
				return r, nil
			}
		}
	}
	var buf [8]took
	all := buf[:0]
	for i := range limits {
		r, place, err := t.take(&limits[i])
		if err != nil || !r.Allowed {
			for _, p := range all {
				t.giveBack(p)
			}
			r.Limit = i
			return r, err
		}
		all = append(all, place)
	}
	return Result{Allowed: true}, nil
}

// glance looks whether a limit would allow a call, and counts nothing.
func (t *Table) glance(l *Limit) Result {
	k, period := t.key(l.Name, l.Of), l.Period.Milliseconds()
	for {
		now := t.clock.now()
		p := newPlaces(*l)
		for i := range p.count() {
			if p.lines[i] = t.rates.peek(t.rates.place(k, i)); p.lines[i] == nil {
				return Result{Allowed: true}
			}
		}
		s := p.look(&t.clock, now.mono, period)
		switch {
		case s.late:
		case s.at != nil:
			return Result{Allowed: true}
		case t.clock.now().mono <= now.mono+s.empty:
			return Result{Retry: retry(s)}
		}
	}
}

// take counts a call against one limit.
func (t *Table) take(l *Limit) (Result, took, error) {
	k, period := t.key(l.Name, l.Of), l.Period.Milliseconds()
	for {
		now := t.clock.now()
		p := newPlaces(*l)
		for i := range p.count() {
			line, err := t.rates.lease(t.rates.place(k, i), now.wall, now.wall+period/1000+1)
			if err != nil {
				return Result{}, took{}, err
			}
			p.lines[i] = line
		}
		s := p.look(&t.clock, now.mono, period)
		if s.late {
			continue
		}
		if s.at == nil {
			// Full places stay full until they empty, so at this second moment all of them are. If one has emptied
			// while the others were read, the call is to have it.
			if t.clock.now().mono <= now.mono+s.empty {
				return Result{Retry: retry(s)}, took{}, nil
			}
			continue
		}
		last, count := now.mono, int64(1)
		if s.open {
			last, count = now.mono-min(0, age(s.was, now.mono)), int64(s.was&countMask)+1
		}
		if s.at.CompareAndSwap(s.was, packPlace(last, count)) {
			l.Left = max(0, l.Calls-int(s.used)-1)
			return Result{Allowed: true}, took{s.at, last + period}, nil
		}
	}
}

// retry is the time until a place is empty. The millisecond that makes sure of it is left out: nobody waits so exactly.
func retry(s sight) time.Duration { return time.Duration(max(1, s.empty)) * time.Millisecond }

// giveBack takes back a call, unless it does not count any more: its place may be other calls' by now.
func (t *Table) giveBack(p took) {
	for {
		w := p.at.Load()
		if w&countMask == 0 || t.clock.now().mono > p.ends || p.at.CompareAndSwap(w, w-1) {
			return
		}
	}
}
