package load

import (
	"testing"
	"time"
)

func TestWaits_Buckets(t *testing.T) {
	t.Parallel()
	for us := range time.Duration(100_000) {
		d := us * time.Microsecond
		i := bucket(d)
		if end := upTo(i); end <= d || end > d+d/8+time.Microsecond {
			t.Fatalf("%v is counted as up to %v", d, end)
		}
		if i > 0 && upTo(i-1) > d {
			t.Fatalf("%v is also in the bucket up to %v", d, upTo(i-1))
		}
	}
}

func TestWaits_Quantile(t *testing.T) {
	t.Parallel()
	var w waits
	for ms := range 1000 {
		w.add(time.Duration(ms+1) * time.Millisecond)
	}
	first := w.take()
	w.add(5 * time.Second)
	second := w.take()
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond, 1: time.Second} {
		if got := first.Quantile(q); got < want || got > want+want/8 {
			t.Errorf("quantile %v is %v, want about %v", q, got, want)
		}
	}
	first.Add(second)
	if got := first.Quantile(1); got != 5*time.Second || first.Longest != got {
		t.Errorf("the longest is %v, or %v; want 5s", got, first.Longest)
	}
	if got := new(Waits).Quantile(0.5); got != 0 {
		t.Errorf("of nothing it is %v", got)
	}
}
