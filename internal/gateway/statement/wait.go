package statement

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// wait builds <wait>: its statements run beside each other while they wait for something outside, until all have ended
// or, when any will do, the first; the others are then cancelled. Whatever they set stays.
func wait(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	until, err := b.Attr(s, "for", "all")
	if err != nil {
		return nil, err
	}
	all, err := b.Block(s)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
		first, err := untilAny(x, until)
		if err != nil {
			return pipeline.Next, err
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		w := waiting{first: first, cancel: cancel}
		branches := make([]func(), len(all))
		for i := range all {
			branches[i] = func() {
				if !w.over {
					w.ended(all[i:i+1].Run(ctx, x))
				}
			}
		}
		x.Parallel(branches)
		return w.flow, w.err
	}, nil
}

func untilAny(x *pipeline.Exchange, v pipeline.Value) (bool, error) {
	text, _, err := v.String(x)
	if err != nil {
		return false, err
	}
	switch strings.TrimSpace(text) {
	case "any":
		return true, nil
	case "all":
		return false, nil
	}
	return false, fmt.Errorf("'for' is %q, neither all nor any", text)
}

// waiting gathers how the branches end. Branches call it one at a time.
type waiting struct {
	first, over bool
	cancel      context.CancelFunc
	flow        pipeline.Flow
	err         error
}

func (w *waiting) ended(flow pipeline.Flow, err error) {
	if w.over {
		return // cancelled: what it says is no news
	}
	w.err = errors.Join(w.err, err)
	if flow == pipeline.End {
		w.flow = flow
	}
	if w.first || err != nil || flow == pipeline.End {
		w.over = true
		w.cancel()
	}
}
