package hosting

import (
	"context"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// heldPercent is how far an operation is whose time is over and whose work begins.
const heldPercent = 95

// hold keeps the work of an operation from beginning while its pace gives it time to take. The service is looked after
// as before meanwhile; what the operation asks for is built, takes over and may fail when the time is over, and callers
// never meet a half of it.
func (c *Controller) hold(rec *record) {
	op := rec.op
	if op != nil && op.Begun.IsZero() && c.opt.Clock.Timed() && c.opt.Clock.Now().Before(op.NotBefore) {
		rec.held, rec.op = op, nil
	}
}

// wish is what the service should be at the place now.
func (p *place) wish() platform.Wish {
	switch {
	case p.held == nil:
		return p.Wish
	case p.Previous != nil:
		return *p.Previous
	}
	w := p.Wish
	w.Gone = true // there was nothing
	return w
}

// beginWork notes that the work of an operation begins: its deadline counts from here.
func (c *Controller) beginWork(ctx context.Context, w *worker, rec *record) error {
	return c.commit(ctx, w, rec, func(tx store.Tx, _ *platform.ServiceStatus) (bool, error) {
		op := *rec.op
		op.Begun, op.Percent = failpoint.Now().UTC(), heldPercent
		return false, lro.Save(tx, op)
	})
}
