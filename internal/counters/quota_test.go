package counters

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSpend_Periods(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := New(Options{Keys: 64})
		day := 24 * time.Hour
		q := []Quota{{Name: NameOf("q"), Of: "s", Calls: 2, Period: 7 * day, Start: time.Now().Add(-10*day - time.Hour)}}
		var got []Verdict
		spend := func() {
			t.Helper()
			v, err := table.Spend(q)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, v)
		}
		spend()
		spend()
		spend()
		time.Sleep(4*day - 2*time.Hour)
		spend()
		time.Sleep(time.Hour - time.Second)
		spend()
		time.Sleep(time.Second)
		spend()
		want := []Verdict{
			{Allowed: true},
			{Allowed: true},
			{Renews: 4*day - time.Hour},
			{Renews: time.Hour},
			{Renews: time.Second},
			{Allowed: true},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSpend_Never(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := New(Options{Keys: 64})
		q := []Quota{{Name: NameOf("q"), Of: "s", Calls: 1}}
		var got []Verdict
		for range 3 {
			v, err := table.Spend(q)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, v)
			time.Sleep(5 * 365 * 24 * time.Hour)
		}
		if diff := cmp.Diff([]Verdict{{Allowed: true}, {}, {}}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSpend_Bytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, limit := range []int64{1000, 1 << 41} {
			table := New(Options{Keys: 64})
			q := []Quota{{Name: NameOf("q"), Of: "s", Calls: 10, Bytes: limit, Period: time.Hour}}
			var got []Verdict
			for range 3 {
				v, err := table.Spend(q)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, v)
				if v.Allowed {
					if err := table.SpendBytes(q, limit*3/4); err != nil {
						t.Fatal(err)
					}
				}
			}
			if diff := cmp.Diff([]Verdict{{Allowed: true}, {Allowed: true}, {Bytes: true, Renews: time.Hour}}, got); diff != "" {
				t.Error(diff)
			}
		}
	})
}

func TestSpend_AllOrNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := New(Options{Keys: 64})
		wide := Quota{Name: NameOf("wide"), Of: "s", Calls: 3, Period: time.Hour}
		narrow := Quota{Name: NameOf("narrow"), Of: "s", Calls: 1, Period: 0}
		other := wide
		other.Of = "t"
		var got []Verdict
		for _, q := range [][]Quota{{wide, narrow}, {wide, narrow}, {wide, narrow}, {wide}, {wide}, {wide}, {other}} {
			v, err := table.Spend(q)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, v)
		}
		want := []Verdict{
			{Allowed: true},
			{Quota: 1},
			{Quota: 1},
			{Allowed: true},
			{Allowed: true},
			{Renews: time.Hour},
			{Allowed: true},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		c, _ := table.calls(&other)
		c.giveBack()
		c.giveBack() // of nothing
		if ok, _, err := c.spend(3); !ok || err != nil {
			t.Error(ok, err)
		}
	})
}

// TestSpend_IsBounded: quotas that have renewed make room, quotas that never do keep it for long; a line that changes
// hands brings nothing along.
func TestSpend_IsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := New(Options{Keys: 1})
		quota := func(i int, period time.Duration) []Quota {
			return []Quota{{Name: NameOf(fmt.Sprint(i)), Of: "s", Calls: 1, Period: period, Start: time.Now()}}
		}
		fill := func(from int, period time.Duration) (taken int) {
			for i := range 2*ways + 10 {
				v, err := table.Spend(quota(from+i, period))
				switch {
				case errors.Is(err, ErrFull):
				case err != nil || !v.Allowed:
					t.Fatalf("%d: %+v, %v", from+i, v, err)
				default:
					taken++
				}
			}
			return taken
		}
		got := []int{fill(0, time.Hour), fill(100, 0)}
		time.Sleep(2 * time.Hour)
		got = append(got, fill(200, 0))
		time.Sleep(30 * 24 * time.Hour)
		got = append(got, fill(300, 0))
		time.Sleep(400 * 24 * time.Hour)
		got = append(got, fill(400, time.Hour))
		if diff := cmp.Diff([]int{2 * ways, 0, 2 * ways, 0, 2 * ways}, got); diff != "" {
			t.Error(diff)
		}
	})
}

// TestSpend_LinesChangeHands has more keys than lines, whose leases end all the time, and goroutines that wake together.
// Whatever a line counted before, a key is allowed exactly what its quota says in each of its periods.
func TestSpend_LinesChangeHands(t *testing.T) {
	t.Parallel()
	const calls, keys, workers = 4, 100, 8
	synctest.Test(t, func(t *testing.T) {
		table := New(Options{Keys: 1})
		start := time.Now()
		type turn struct{ key, minute int }
		var mu sync.Mutex
		allowed, refused, full := map[turn]int{}, map[turn]int{}, 0
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(w), 7))
				for range 300 {
					for range 10 {
						key := rnd.IntN(keys)
						q := []Quota{{Name: NameOf(fmt.Sprint(key)), Of: "s", Calls: calls, Period: time.Minute, Start: start}}
						v, err := table.Spend(q)
						at := turn{key, int(time.Since(start) / time.Minute)}
						mu.Lock()
						switch {
						case errors.Is(err, ErrFull):
							full++
						case err != nil:
							t.Error(err)
						case v.Allowed:
							allowed[at]++
						default:
							refused[at]++
						}
						mu.Unlock()
					}
					time.Sleep(time.Duration(rnd.IntN(3)) * leaseUnit * time.Second)
				}
			})
		}
		wg.Wait()
		unique(t, &table.quotas)
		for at, n := range allowed {
			if n > calls {
				t.Errorf("%+v: %d calls", at, n)
			}
		}
		for at := range refused {
			if allowed[at] != calls {
				t.Errorf("%+v: refused after %d calls", at, allowed[at])
			}
		}
		t.Logf("%d turns, %d of them used up, %d times full", len(allowed), len(refused), full)
		if full == 0 || len(refused) == 0 {
			t.Error("nothing was tried")
		}
	})
}
