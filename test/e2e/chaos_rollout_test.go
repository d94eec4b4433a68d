package e2e

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/hosting/rollout"
)

// A chaosRollout brings a version of the gateway to all services, beside changes that need no upgrade to wait for them.
type chaosRollout struct {
	to     string
	before int          // number of the newest one there was
	begun  bool         // that was acknowledged
	end    rollout.View // zero when there is none
}

// roll picks the rollout of a round: one round in eight has one.
func (c *chaos) roll() *chaosRollout {
	c.t.Helper()
	if c.rnd.IntN(8) > 0 {
		return nil
	}
	r := &chaosRollout{to: nextVersion}
	if c.fleet == nextVersion {
		r.to = "e2e"
	}
	newest, err := c.lastRollout()
	if err != nil {
		c.t.Fatal(err)
	}
	r.before = newest.Number
	return r
}

// begin asks for the rollout.
func (r *chaosRollout) begin(c *chaos) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, err := c.client.Do(ctx, http.MethodPost, "/portico/rollouts", "", object{
		"version": r.to, "ignoreWindows": true, "groups": []object{{"share": 50, "bake": "PT0S"}, {"share": 50, "bake": "PT0S"}},
	})
	if refusal, refused := errors.AsType[*arm.Error](err); refused && refusal.Status < 500 {
		c.t.Errorf("the rollout of %s was refused: %v", r.to, refusal)
	}
	r.begun = err == nil
}

// follow waits for the end of the rollout, if it was begun. It returns an error when the control plane cannot be asked.
func (r *chaosRollout) follow(c *chaos) error {
	c.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) { // between two looks
		if c.dead() {
			return errDied
		}
		v, err := c.lastRollout()
		switch {
		case err != nil:
			return err
		case v.Number == r.before:
			if r.begun {
				c.t.Errorf("the rollout of %s was acknowledged and is lost", r.to)
			}
			return nil
		case v.State == rollout.Succeeded, v.State == rollout.RolledBack:
			r.end = v
			return nil
		case time.Now().After(deadline):
			c.t.Fatalf("the rollout does not end: %+v", v)
		}
	}
}

// note makes of the facts what the rollout did.
func (r *chaosRollout) note(c *chaos) {
	switch r.end.State {
	case rollout.Succeeded:
		c.fleet = r.to
		for _, s := range c.subjects {
			if s.want.There && s.want.Platform != "mtv1" {
				s.want.Gateway = r.to
			}
		}
	case rollout.RolledBack:
		c.story += "; rolled back by " + r.end.Service + ": " + r.end.Reason
	default:
		c.tally["rollouts without an answer, not begun"]++
		return
	}
	c.tally["rollouts "+string(r.end.State)]++
}
