package hosting

import (
	"context"
	"strings"

	"github.com/portico-dev/portico/internal/platform"
)

// An Answered is what a machine has answered to callers.
type Answered struct {
	Machine  string
	Service  string // its key; empty for a machine of a pool
	Location string
	Gateway  string // version that it runs, as it says
	Digest   string // of the configuration that it serves
	platform.Answers
}

// Answers are those of all machines, in one look at the fabric.
func (c *Controller) Answers(ctx context.Context) ([]Answered, error) {
	obs, err := c.f.Observe(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]Answered, 0, len(obs.Machines))
	for id, location := range c.sites {
		m, ok := obs.Machines[id]
		if !ok || m.Gateway == "" {
			continue
		}
		a := Answered{Machine: id, Service: c.owners[id], Location: location, Gateway: m.Gateway, Digest: m.Digest, Answers: m.Answers}
		if strings.HasPrefix(a.Service, poolPrefix) {
			a.Service = ""
		}
		all = append(all, a)
	}
	return all, nil
}
