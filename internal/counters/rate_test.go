package counters

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func limitOf(name string, calls int, period time.Duration) Limit {
	return Limit{Name: NameOf(name), Of: "s", Calls: calls, Period: period}
}

func TestTake_SlidesOverExactCalls(t *testing.T) {
	t.Parallel()
	type outcome struct {
		Result
		Left int
	}
	synctest.Test(t, func(t *testing.T) {
		table := New(Options{Keys: 64})
		take := func() outcome {
			t.Helper()
			limits := []Limit{limitOf("k", 3, time.Minute)}
			r, err := table.Take(limits)
			if err != nil {
				t.Fatal(err)
			}
			return outcome{r, limits[0].Left}
		}
		var got []outcome
		for range 3 {
			got = append(got, take())
			time.Sleep(10 * time.Second)
		}
		got = append(got, take(), take()) // 30 s after the first; a refused call does not count
		time.Sleep(30*time.Second + time.Millisecond)
		got = append(got, take(), take()) // the first has left, the second leaves in 10 s
		want := []outcome{
			{Result{Allowed: true}, 2},
			{Result{Allowed: true}, 1},
			{Result{Allowed: true}, 0},
			{Result{Retry: 30 * time.Second}, 0},
			{Result{Retry: 30 * time.Second}, 0},
			{Result{Allowed: true}, 0},
			{Result{Retry: 10*time.Second - time.Millisecond}, 0},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTake_AllOrNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := New(Options{Keys: 64})
		wide, narrow := limitOf("wide", 100, time.Minute), limitOf("narrow", 1, time.Minute)
		both := []Limit{wide, narrow}
		var got []Result
		for _, limits := range [][]Limit{both, both, both, {wide}, {narrow}} {
			r, err := table.Take(limits)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, r)
		}
		want := []Result{
			{Allowed: true},
			{Limit: 1, Retry: time.Minute},
			{Limit: 1, Retry: time.Minute},
			{Allowed: true},
			{Retry: time.Minute},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		limits := []Limit{wide}
		if _, err := table.Take(limits); err != nil || limits[0].Left != 97 {
			t.Errorf("%d calls left, %v; want 97: a refused call counts nowhere", limits[0].Left, err)
		}
	})
}

func TestTake_GivesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, calls := range []int{2, 200} { // places for one call, and for several
			table := New(Options{Keys: 64})
			l := limitOf("k", calls, time.Minute)
			var last took
			for range calls {
				r, p, err := table.take(&l)
				if err != nil || !r.Allowed {
					t.Fatal(r, err)
				}
				last = p
			}
			table.giveBack(last)
			var got []bool
			for range 2 {
				r, _, err := table.take(&l)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, r.Allowed)
			}
			if diff := cmp.Diff([]bool{true, false}, got); diff != "" {
				t.Errorf("limit of %d: %s", calls, diff)
			}
			time.Sleep(time.Minute + time.Millisecond)
			if r, _, err := table.take(&l); err != nil || !r.Allowed || l.Left != calls-1 {
				t.Error(r, l.Left, err)
			}
			table.giveBack(last) // of a period that is over
			if r, _, err := table.take(&l); err != nil || l.Left != calls-2 {
				t.Errorf("limit of %d: %+v, %d left, %v: what does not count any more was given back", calls, r, l.Left, err)
			}
		}
	})
}

// TestTake_NeverMoreWithinAPeriod compares with a list of all calls: what is allowed never exceeds the limit within any
// period, and what is refused would have exceeded it – exactly up to maxPlaces calls, above that to one place's share.
func TestTake_NeverMoreWithinAPeriod(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		calls := rapid.OneOf(rapid.IntRange(1, 9), rapid.IntRange(60, 70), rapid.IntRange(100, 2000)).Draw(rt, "calls")
		period := time.Duration(rapid.IntRange(1, 300).Draw(rt, "seconds")) * time.Second
		share := (calls + maxPlaces - 1) / maxPlaces
		synctest.Test(t, func(*testing.T) {
			table := New(Options{Keys: 64})
			limits := []Limit{limitOf("k", calls, period)}
			var all []time.Time
			pause := rapid.Int64Range(0, int64(3*period)/int64(calls))
			for range 3 * calls {
				time.Sleep(time.Duration(pause.Draw(rt, "pause")).Truncate(time.Millisecond))
				r, err := table.Take(limits)
				if err != nil {
					rt.Fatal(err)
				}
				now, within := time.Now(), 0
				for i := len(all) - 1; i >= 0 && now.Sub(all[i]) <= period; i-- {
					within++
				}
				switch {
				case r.Allowed && within >= calls:
					rt.Fatalf("%d calls within %v", within+1, period)
				case !r.Allowed && within <= calls-share:
					rt.Fatalf("refused with %d of %d calls within %v", within, calls, period)
				case r.Allowed:
					all = append(all, now)
				}
			}
		})
	})
}

func TestTake_IsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := New(Options{Keys: 1}) // two buckets
		limits := func(i int) []Limit { return []Limit{limitOf(fmt.Sprint(i), 1, time.Minute)} }
		refused := 0
		for i := range 100 {
			if _, err := table.Take(limits(i)); errors.Is(err, ErrFull) {
				refused++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if refused != 100-2*ways {
			t.Errorf("refused %d of 100, want all but %d", refused, 2*ways)
		}
		if r, err := table.Take(limits(0)); err != nil || r.Allowed {
			t.Errorf("a counter was given up for another: %+v, %v", r, err)
		}
		if !table.Complain() || table.Complain() {
			t.Error("want one complaint a minute")
		}
		time.Sleep(4 * time.Minute) // leases are rounded up
		for i := range 2 * ways {
			if r, err := table.Take(limits(1000 + i)); err != nil || !r.Allowed {
				t.Fatalf("expired counters keep their place: %+v, %v", r, err)
			}
		}
	})
}

// TestLease_UnfinishedInsertions: whoever comes by finishes what a process began that was killed.
func TestLease_UnfinishedInsertions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour)
		table := New(Options{Keys: 1})
		r := &table.rates
		unit := unitOf(table.clock.now().wall)
		dead := place{home: 1, fp: 77}
		r.insertion(1).Store(makeInsertion(0, unit, 0, dead.fp)) // its tag is not written
		if err := r.insert(place{home: 1, fp: 78}, unit); err != nil {
			t.Fatal(err)
		}
		if i, _ := r.find(dead); i != 0 || r.insertion(1).Load()&candidateMask != 0 {
			t.Fatalf("found at %d, insertion %x", i, r.insertion(1).Load())
		}
		// Who looked for a place before cannot choose one any more: the key may have been among what was finished.
		if r.insertion(1).CompareAndSwap(0, makeInsertion(0, unit, 5, dead.fp)) {
			t.Error("a key could get two lines")
		}
		// The line was chosen, but its owner has come back.
		r.tag(1, 1).Store(makeTag(79, unit+5))
		r.insertion(1).Store(makeInsertion(0, unit, 1, 80))
		if err := r.insert(place{home: 1, fp: 80}, unit); err != nil {
			t.Fatal(err)
		}
		if i, _ := r.find(place{home: 1, fp: 80}); i != -1 {
			t.Error("a line was taken from its owner")
		}
		line, err := r.lease(place{home: 1, fp: 80}, table.clock.now().wall, table.clock.now().wall+10)
		if err != nil || &line[0] != &r.line(1, 2)[0] {
			t.Error("want the next line", err)
		}
	})
}

// TestLease_OneLineForAKey has more keys than lines and a calendar that goes on while lines change hands. All ask for the
// same key at the same time, some of them in the next unit already.
func TestLease_OneLineForAKey(t *testing.T) {
	t.Parallel()
	const keys, workers, rounds = 90, 3, 20_000
	r := &New(Options{Keys: 1}).rates
	var now, arrived atomic.Int64
	now.Store(leaseEpoch + 1000*leaseUnit)
	type grant struct {
		line  *atomic.Uint64
		until int64
	}
	var mu sync.Mutex
	granted, full := map[int]grant{}, 0
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 3))
			for round := range rounds {
				for arrived.Add(0) < int64(round*workers) {
					runtime.Gosched()
				}
				key := round % keys
				at := now.Add(int64(rnd.IntN(2)))
				until := at + int64(rnd.IntN(leaseUnit))
				line, err := r.lease(r.place(key2(key), 0), at, until)
				mu.Lock()
				g := granted[key]
				switch {
				case errors.Is(err, ErrFull):
					full++
				case g.line != nil && g.line != &line[0] && min(g.until, until) >= now.Load():
					t.Errorf("key %d has two lines", key)
				case g.until < until || g.line != &line[0]:
					granted[key] = grant{&line[0], until}
				}
				mu.Unlock()
				arrived.Add(1)
			}
		})
	}
	wg.Wait()
	if full == 0 || full > workers*rounds/2 {
		t.Errorf("%d of %d found no line: not much was tried", full, workers*rounds)
	}
}

func key2(i int) key { return key{mix(uint64(i)), mix(uint64(i) + 1<<32)} }

// TestLook_OtherTimes: a call that lies a little ahead was counted by somebody who read the clock later; one that lies
// far ahead, before the host was started.
func TestLook_OtherTimes(t *testing.T) {
	t.Parallel()
	table := New(Options{Keys: 64})
	l := limitOf("k", 1, time.Minute)
	at := table.clock.now()
	const ahead = 3600_000 // of the clock as it is
	for _, c := range []struct {
		mono int64
		live bool
	}{{0, true}, {60_000, true}, {60_001, false}, {-60_000, true}, {-60_001, false}} {
		p := newPlaces(l)
		line, err := table.rates.lease(place{0, 1}, at.wall, at.wall+60)
		if err != nil {
			t.Fatal(err)
		}
		p.lines[0] = line
		line[0].Store(packPlace(at.mono+ahead, 1))
		if got := p.look(&table.clock, at.mono+ahead+c.mono, 60_000).at == nil; got != c.live {
			t.Errorf("after %d ms: counts %v, want %v", c.mono, got, c.live)
		}
	}
}

func BenchmarkTake(b *testing.B) {
	for _, calls := range []int{8, 1 << 30} {
		b.Run(fmt.Sprint(calls), func(b *testing.B) {
			t := New(Options{})
			limits := []Limit{limitOf("k", calls, time.Minute)}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := t.Take(limits); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
