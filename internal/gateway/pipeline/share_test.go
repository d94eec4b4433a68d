package pipeline

import (
	"context"
	"errors"
	"testing"
	"time"
)

// A service that computes all the time runs ahead by its burst, and then rests as long as it computes.
func TestShare_RestsForAsLongAsItComputes(t *testing.T) {
	t.Parallel()
	s, now := NewShare(time.Second), time.Unix(1_600_000_000, 0)
	begin := now
	s.now = func() time.Time { return now }
	s.sleep = func(_ context.Context, d time.Duration) error { now = now.Add(d); return nil }
	work := func(d time.Duration) (began time.Duration) {
		give, err := s.Take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		began = now.Sub(begin)
		now = now.Add(d)
		give()
		return began
	}
	for i, want := range []time.Duration{0, 400, 800, 1400, 2200, 3000} { // ms
		if got := work(400 * time.Millisecond); got != want*time.Millisecond {
			t.Errorf("evaluation %d begins after %v, want %v", i, got, want*time.Millisecond)
		}
	}
	now = now.Add(time.Hour) // what was not used is not saved up
	begin = now
	for i, want := range []time.Duration{0, 1, 3} { // s
		if got := work(time.Second); got != want*time.Second {
			t.Errorf("after a rest evaluation %d begins after %v, want %v", i, got, want*time.Second)
		}
	}
}

// Only a service that has run ahead gives way while it computes; its evaluations end as they would otherwise.
func TestShare_CrowdersGiveWay(t *testing.T) {
	t.Parallel()
	s, now := NewShare(time.Second), time.Unix(1_600_000_000, 0)
	s.now = func() time.Time { return now }
	ctx, cancel := context.WithCancel(t.Context())
	if got := s.polite(ctx); got != ctx {
		t.Errorf("a service that has not computed gets %T", got)
	}
	s.pay(now, now.Add(crowds))
	crowder := s.polite(ctx)
	if _, ok := crowder.(*yielding); !ok {
		t.Errorf("a service that is ahead gets %T", crowder)
	}
	if err := crowder.Err(); err != nil {
		t.Errorf("while it computes: %v", err)
	}
	cancel()
	if err := crowder.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

func TestShare_OneAtATime(t *testing.T) {
	t.Parallel()
	s := NewShare(time.Hour)
	give, err := s.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Take(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a second evaluation beside the first: %v", err)
	}
	give()
	if give, err = s.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	give()
}
