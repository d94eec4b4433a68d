package engine

import (
	"context"
	"sync"
	"time"
)

// A deadline is context.WithDeadlineCause without its price: a timer, and a place among what its parent ends, are made
// only when somebody waits for the end or it has come. Most requests are over before.
type deadline struct {
	context.Context // the parent
	at              time.Time
	cause           error

	mu     sync.Mutex      // guards below
	real   context.Context // nil until it is needed
	cancel context.CancelFunc
	over   bool // cancelled
}

func withDeadline(parent context.Context, at time.Time, cause error) (ctx context.Context, cancel context.CancelFunc) {
	d := &deadline{Context: parent, at: at, cause: cause}
	return d, d.end
}

func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	if d.cancel != nil {
		d.cancel()
	}
}

// made is the real context, which is made if need be.
func (d *deadline) made() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.real == nil {
		d.real, d.cancel = context.WithDeadlineCause(d.Context, d.at, d.cause)
		if d.over {
			d.cancel()
		}
	}
	return d.real
}

// have is the real context, if there is one.
func (d *deadline) have() (real context.Context, over bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.real, d.over
}

func (d *deadline) Deadline() (time.Time, bool) {
	if at, ok := d.Context.Deadline(); ok && at.Before(d.at) {
		return at, true
	}
	return d.at, true
}

func (d *deadline) Done() <-chan struct{} { return d.made().Done() }

func (d *deadline) Err() error {
	real, over := d.have()
	if real == nil && !over && d.Context.Err() == nil && time.Now().Before(d.at) {
		return nil
	}
	return d.made().Err()
}

// Value makes what is derived from d, and context.Cause, find the real context.
func (d *deadline) Value(key any) any {
	if real, _ := d.have(); real != nil {
		return real.Value(key)
	}
	return d.Context.Value(key)
}
