package statement

import (
	"context"
	"sync"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// Concurrency counts, by service and key, the requests inside of limit-concurrency on this machine.
type Concurrency struct {
	mu     sync.Mutex // guards below
	inside map[string]int
}

// enter takes a place; it is false when none is free.
func (c *Concurrency) enter(key string, most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inside[key] >= most {
		return false
	}
	if c.inside == nil {
		c.inside = make(map[string]int)
	}
	c.inside[key]++
	return true
}

// leave gives the place back; keys that nobody is inside of are forgotten.
func (c *Concurrency) leave(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inside[key]--; c.inside[key] == 0 {
		delete(c.inside, key)
	}
}

// limitConcurrency builds <limit-concurrency>: a request that finds max-count others inside of blocks with its key
// fails at once.
func (e Env) limitConcurrency(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	key, err := b.Required(s, "key")
	if err != nil {
		return nil, err
	}
	most, err := positive(b, s, "max-count")
	if err != nil {
		return nil, err
	}
	block, err := b.Block(s)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
		text, _, err := key.String(x)
		if err != nil {
			return pipeline.Next, err
		}
		full := x.Service.ID + "\x00" + text
		if !e.Concurrency.enter(full, most) {
			return pipeline.Next, &pipeline.Failure{
				Reason: pipeline.ReasonConcurrency, Message: "Concurrency limit is exceeded", Status: 429,
				Public: "Concurrency limit is exceeded. Try again later.",
			}
		}
		defer e.Concurrency.leave(full)
		return block.Run(ctx, x)
	}, nil
}
