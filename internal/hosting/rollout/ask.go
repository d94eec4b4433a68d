package rollout

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// Start begins a rollout. It returns an *arm.Error for one that cannot be.
func (x *Runner) Start(ctx context.Context, a Ask) (int, error) {
	if err := a.check(); err != nil {
		return 0, err
	}
	if !x.opt.Has(a.Version) {
		return 0, &arm.Error{Status: 400, Code: platform.CodeValueNotSupported, Message: fmt.Sprintf("The gateway '%s' is not installed.", a.Version)}
	}
	r := Rollout{
		Number: 1, Version: a.Version, State: Running, Groups: a.Groups, Parallel: a.Parallel, AnyTime: a.AnyTime, Keep: a.Keep, IgnoreErrors: a.IgnoreErrors,
		Started: x.opt.Clock.Now(),
	}
	_, err := x.st.Update(ctx, func(tx store.Tx) error {
		last, err := newest(tx)
		if err != nil {
			return err
		}
		if last != nil && !last.State.ended() {
			return conflict("Rollout %d of gateway %s is %s: it has to end first, or to be cancelled.", last.Number, last.Version, last.State)
		}
		if last != nil {
			r.Number, r.Before = last.Number+1, last.gateways()
		} else if r.Before, err = x.before(tx, r.Version); err != nil {
			return err
		}
		if err := put(tx, rolloutID(r.Number), typeRollout, r); err != nil {
			return err
		}
		return prune(tx)
	})
	if err != nil {
		return 0, err
	}
	x.log.InfoContext(ctx, "rollout begins", slog.Int("rollout", r.Number), slog.String("version", r.Version))
	return r.Number, nil
}

// before are the versions that new services of each channel get before the first rollout: that of the control plane, or
// where that is the one that is rolled out, what most of the channel runs.
func (x *Runner) before(r store.Reader, version string) (map[platform.Channel]string, error) {
	all, err := services(r, x.opt.Gateway, nil)
	if err != nil {
		return nil, err
	}
	out := map[platform.Channel]string{}
	for _, c := range platform.Channels() {
		out[c] = x.opt.Gateway
		if x.opt.Gateway != version {
			continue
		}
		count := map[string]int{}
		for _, s := range all {
			if s.channel == c && !s.gone {
				count[s.gateway]++
			}
		}
		most := slices.SortedFunc(maps.Keys(count), func(a, b string) int {
			return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b))
		})
		if len(most) > 0 {
			out[c] = most[0]
		}
	}
	return out, nil
}

// Verbs that the newest rollout takes.
const (
	VerbPause    = "pause"
	VerbResume   = "resume"
	VerbCancel   = "cancel"
	VerbRollBack = "rollback"
)

// Do pauses, resumes, cancels or rolls back the newest rollout. It returns an *arm.Error where that cannot be.
func (x *Runner) Do(ctx context.Context, verb string) error {
	_, err := x.st.Update(ctx, func(tx store.Tx) error {
		rec, err := newest(tx)
		if err != nil {
			return err
		}
		if rec == nil {
			return conflict("There was no rollout yet.")
		}
		was := rec.State
		switch {
		case verb == VerbPause && was == Running:
			rec.State = Paused
		case verb == VerbResume && (was == Paused || was == Halted):
			rec.State, rec.Reason, rec.Service = Running, "", ""
			rec.IgnoreErrors, rec.Seen = rec.IgnoreErrors || rec.Seen, false
			err = again(tx, rec.Rollout, Failed, Planned)
		case verb == VerbCancel && (was == Running || was == Paused || was == Halted):
			rec.State, rec.Ended = Canceled, x.opt.Clock.Now()
		case verb == VerbRollBack && was != RollingBack && was != RolledBack:
			rec.State, rec.Ended = RollingBack, time.Time{}
			err = again(tx, rec.Rollout, Left, Upgraded)
		default:
			return conflict("Rollout %d of gateway %s is %s: it takes no %s.", rec.Number, rec.Version, was, verb)
		}
		if err != nil {
			return err
		}
		return put(tx, rolloutID(rec.Number), typeRollout, rec.Rollout)
	})
	if err == nil {
		x.log.InfoContext(ctx, "rollout told", slog.String("verb", verb))
	}
	return err
}

// again has a rollout try once more with the services at a place.
func again(tx store.Tx, r Rollout, at, now Place) error {
	touched, err := members(tx, r.Number)
	if err != nil {
		return err
	}
	for _, m := range touched {
		if m.Place != at {
			continue
		}
		m.Place, m.Tries = now, 0
		if err := putMember(tx, r.Number, *m); err != nil {
			return err
		}
	}
	return nil
}
