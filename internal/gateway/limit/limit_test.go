package limit_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/gateway/limit"
)

func TestLocal_SlidesOverExactCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limit.NewLocal(0)
		lim := limit.Limit{Calls: 3, Period: time.Minute}
		take := func() limit.Result {
			t.Helper()
			r, err := l.Take(t.Context(), "k", lim)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		var got []limit.Result
		for range 3 {
			got = append(got, take())
			time.Sleep(10 * time.Second)
		}
		got = append(got, take(), take()) // 30 s after the first; a refused call does not count
		time.Sleep(30 * time.Second)
		got = append(got, take(), take()) // the first has left, the second leaves in 10 s
		want := []limit.Result{
			{Allowed: true, Remaining: 2},
			{Allowed: true, Remaining: 1},
			{Allowed: true},
			{Retry: 30 * time.Second},
			{Retry: 30 * time.Second},
			{Allowed: true},
			{Retry: 10 * time.Second},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if err := l.Return(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(limit.Result{Allowed: true}, take()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestLocal_LargeLimits: never more than the limit within a period, and memory for a few steps only.
func TestLocal_LargeLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limit.NewLocal(0)
		lim := limit.Limit{Calls: 1000, Period: time.Minute}
		var times []time.Time
		for range 10000 {
			r, err := l.Take(t.Context(), "k", lim)
			if err != nil {
				t.Fatal(err)
			}
			if r.Allowed {
				times = append(times, time.Now())
			}
			time.Sleep(30 * time.Millisecond)
		}
		for i := 1000; i < len(times); i++ {
			// Calls of one step count from its first, hence the tolerance of a step.
			if d := times[i].Sub(times[i-1000]); d < time.Minute-time.Second {
				t.Fatalf("1001 calls within %v", d)
			}
		}
		if len(times) < 4900 {
			t.Fatalf("only %d calls in five minutes", len(times))
		}
	})
}

func TestLocal_IsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limit.NewLocal(16)
		lim := limit.Limit{Calls: 1, Period: time.Minute}
		refused := 0
		for i := range 100 {
			if _, err := l.Take(t.Context(), fmt.Sprint(i), lim); errors.Is(err, limit.ErrFull) {
				refused++
			}
		}
		if refused < 84 {
			t.Fatalf("refused %d, want at least 84", refused)
		}
		time.Sleep(time.Minute)
		if _, err := l.Take(t.Context(), "new", lim); err != nil {
			t.Fatalf("expired counters keep their place: %v", err)
		}
	})
}

func BenchmarkTake(b *testing.B) {
	l := limit.NewLocal(0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Take(b.Context(), "k", limit.Limit{Calls: 1 << 30, Period: time.Minute}); err != nil {
			b.Fatal(err)
		}
	}
}
