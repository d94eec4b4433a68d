package agent_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting/agent"
	"github.com/portico-dev/portico/internal/hosting/agent/agenttest"
	"github.com/portico-dev/portico/internal/platform"
)

// TestHardware_BoundsProcesses starts machines of two generations, and asks each what it may use.
func TestHardware_BoundsProcesses(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, func(o *agent.Options) { o.Hardware = platform.Hardware{Cores: 0.5, Memory: 1 << 30} })
	type bounds struct {
		Processors int
		Cores      float64
		Memory     int64
	}
	for id, c := range map[string]struct {
		on   platform.Hardware
		want bounds
	}{
		"first": {platform.Hardware{}, bounds{1, 0.5, 1 << 30}},
		"newer": {platform.Hardware{Cores: 2.5, Memory: 2 << 30}, bounds{3, 2.5, 2 << 30}},
	} {
		s := setOf(id, platform.Serving, 1)
		s.Machines[0].Hardware = c.on
		apply(t, h, s)
		v := reserve(t, h, "vip-"+id)
		waitPhase(t, h, s, platform.Ready)
		route(t, h, v, id)
		a := ask(t, plainAddr(h, v), "shop.example")
		if d := cmp.Diff(c.want, bounds{a.Processors, a.Cores, a.Memory}); d != "" {
			t.Errorf("%s hardware (-want +got):\n%s", id, d)
		}
	}
}
