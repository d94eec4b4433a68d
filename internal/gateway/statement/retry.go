package statement

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// retry is the compiled <retry>.
type retry struct {
	condition, count, fast       pipeline.Value
	interval, maxInterval, delta pipeline.Value // seconds
	hasMax, hasDelta             bool
	block                        pipeline.Block
}

// newRetry builds <retry>: its statements run once, and again as long as the condition holds and tries are left. An
// error of a run that is going to be repeated counts for nothing.
func newRetry(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	r := &retry{hasMax: s.Has("max-interval"), hasDelta: s.Has("delta")}
	var errs [7]error
	r.condition, errs[0] = b.Required(s, "condition")
	r.count, errs[1] = b.Required(s, "count")
	r.interval, errs[2] = b.Required(s, "interval")
	r.maxInterval, errs[3] = b.Attr(s, "max-interval", "0")
	r.delta, errs[4] = b.Attr(s, "delta", "0")
	r.fast, errs[5] = b.Attr(s, "first-fast-retry", "false")
	r.block, errs[6] = b.Block(s)
	return r.run, errors.Join(errs[:]...)
}

func (r *retry) run(ctx context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
	pace, err := r.pace(x)
	if err != nil {
		return pipeline.Next, err
	}
	for try := 1; ; try++ {
		flow, failed := r.block.Run(ctx, x)
		if failed == nil && flow != pipeline.Next || try > pace.count || ctx.Err() != nil {
			return flow, failed
		}
		again, err := r.condition.Bool(x)
		if err != nil {
			return pipeline.Next, errors.Join(failed, err)
		}
		if !again {
			return flow, failed
		}
		if err := pause(ctx, x, pace.wait(try, rand.Float64)); err != nil {
			return pipeline.Next, err
		}
	}
}

// pace is when the next run begins.
type pace struct {
	count                  int
	interval, most, delta  time.Duration
	hasMax, hasDelta, fast bool
}

// pace evaluates what the waits depend on, once for all tries.
func (r *retry) pace(x *pipeline.Exchange) (p pace, err error) {
	var errs [5]error
	n, countErr := r.count.Int(x)
	if countErr == nil && (n < 1 || n > 50) {
		countErr = fmt.Errorf("count of %d: 1 to 50 are allowed", n)
	}
	p.count, errs[0] = int(n), countErr
	p.interval, errs[1] = seconds(x, r.interval)
	p.most, errs[2] = seconds(x, r.maxInterval)
	p.delta, errs[3] = seconds(x, r.delta)
	p.fast, errs[4] = r.fast.Bool(x)
	p.hasMax, p.hasDelta = r.hasMax, r.hasDelta
	return p, errors.Join(errs[:]...)
}

// maxPause bounds what an expression can ask for.
const maxPause = 24 * time.Hour

func seconds(x *pipeline.Exchange, v pipeline.Value) (time.Duration, error) {
	n, err := v.Int(x)
	if err != nil || n < 0 || n > int64(maxPause/time.Second) {
		return 0, errors.Join(fmt.Errorf("a time of %d seconds", n), err)
	}
	return time.Duration(n) * time.Second, nil
}

// wait is the time before a retry, counted from 1: fixed; growing by delta; or, with a bound, growing exponentially
// from the interval by delta times 0.8 to 1.2.
func (p pace) wait(try int, random func() float64) time.Duration {
	switch {
	case p.fast && try == 1:
		return 0
	case p.hasDelta && p.hasMax:
		grown := p.interval.Seconds() + (math.Pow(2, float64(try-1))-1)*p.delta.Seconds()*(0.8+0.4*random())
		return time.Duration(min(p.most.Seconds(), grown) * float64(time.Second))
	case p.hasDelta:
		return p.interval + time.Duration(try-1)*p.delta
	}
	return p.interval
}

// pause waits, or ends early with the request.
func pause(ctx context.Context, x *pipeline.Exchange, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	var err error
	x.Blocking(func() {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			err = ctx.Err()
		}
	})
	return err
}
