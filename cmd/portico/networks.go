package main

import (
	"context"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/hosting/fabric"
)

// networks asks the agent what virtual networks there can be, when somebody wants to know for the first time: what a
// host can do stays so for as long as its agent runs.
func networks(f fabric.Networker) func() fabric.Networks {
	const patience = 10 * time.Second
	var (
		mu    sync.Mutex
		known *fabric.Networks
	)
	return func() fabric.Networks {
		mu.Lock()
		defer mu.Unlock()
		if known == nil {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			n, err := f.Networks(ctx)
			if err != nil {
				return fabric.Networks{Trouble: "the agent does not answer."}
			}
			known = &n
		}
		return *known
	}
}
