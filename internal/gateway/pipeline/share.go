package pipeline

import (
	"context"
	"sync"
	"time"
)

// A Share is what the expressions of one service may take of a machine that many services use: one evaluation runs at a
// time, and after it the service rests for as long as it computed, once it is ahead by a burst. So half a processor is
// the most that a service takes for long, and its neighbours always find another one.
type Share struct {
	burst time.Duration
	turn  chan struct{}
	now   func() time.Time
	sleep func(context.Context, time.Duration) error

	mu   sync.Mutex // guards below
	paid time.Time  // until when the service would have rested by now
}

// NewShare makes a share that may run ahead by a burst.
func NewShare(burst time.Duration) *Share {
	return &Share{burst: burst, turn: make(chan struct{}, 1), now: time.Now, sleep: sleep}
}

// Take waits for the service's turn; the function that it returns gives it back. It fails when ctx ends before.
func (s *Share) Take(ctx context.Context) (give func(), err error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if err := s.rest(ctx); err != nil {
		<-s.turn
		return nil, err
	}
	began := s.now()
	return func() {
		s.pay(began, s.now())
		<-s.turn
	}, nil
}

// A service that has computed a lot lately gives way while it computes: a request of a neighbour that the kernel has put
// behind it would otherwise wait for the end of a time slice, some milliseconds. It does so every yieldEvery.
const (
	crowds     = 10 * time.Millisecond // ahead
	yieldEvery = 200 * time.Microsecond
)

// polite is the context of an evaluation that is about to begin: of a service that crowds the others, one that gives way
// when it is asked whether it has ended, which evaluations do all the time.
func (s *Share) polite(ctx context.Context) context.Context {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paid.Sub(now) < crowds {
		return ctx
	}
	return &yielding{ctx, now}
}

type yielding struct {
	context.Context
	last time.Time
}

func (y *yielding) Err() error {
	if now := time.Now(); now.Sub(y.last) >= yieldEvery {
		yield()
		y.last = now
	}
	return y.Context.Err()
}

// rest waits until the service is ahead by no more than its burst.
func (s *Share) rest(ctx context.Context) error {
	s.mu.Lock()
	ahead := s.paid.Add(-s.burst).Sub(s.now()) // very negative at first
	s.mu.Unlock()
	if ahead <= 0 {
		return nil
	}
	return s.sleep(ctx, ahead)
}

// pay notes that the service has computed: for as long again it is to rest.
func (s *Share) pay(began, ended time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paid.Before(began) {
		s.paid = began
	}
	s.paid = s.paid.Add(2 * ended.Sub(began))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
