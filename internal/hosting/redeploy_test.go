package hosting_test

import (
	"testing"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
)

// TestRedeploy_CallersWait changes a Developer service on stv1, which has one machine, in every way that deploys it anew:
// nothing serves for a while, and nobody is refused.
func TestRedeploy_CallersWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{})
	before := w.create("shop", v1)
	stop := w.load(before.VIPs[0].Address)
	renamed, basic := v1, v1
	renamed.Renewal = "2"
	basic.Tier = platform.Basic
	last := before.Sets[0].Machines[0].ID
	for _, wish := range []platform.Wish{renamed, basic, v1} {
		op := w.ended(w.ask("shop", "service.update", wish), lro.Succeeded)
		after := w.settled("shop")
		if len(op.Steps) == 0 || op.Steps[0].Name != platform.StepDrain {
			t.Errorf("%+v: steps %v, want the machine to go first", wish, op.Steps)
		}
		if m := after.Sets[0].Machines; len(after.Sets) != 1 || len(m) != wish.Machines() || m[0].ID == last || after.VIPs[0].Address != before.VIPs[0].Address {
			t.Errorf("%+v: %+v", wish, after)
		}
		last = after.Sets[0].Machines[0].ID
	}
	if good, failed := stop(); len(failed) > 0 || good == 0 {
		t.Errorf("%d requests failed of %d, the first: %v", len(failed), good+len(failed), failed)
	}
}
