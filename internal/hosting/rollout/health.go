package rollout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// look looks at what a rollout has upgraded, and says what is wrong with the first service that is ill. Services that
// share their machines are looked at once.
func (x *Runner) look(ctx context.Context, r Rollout, all []service) *Illness {
	looked := map[string]bool{}
	for _, s := range all {
		upgraded := s.place() == Upgraded || s.place() == Upgrading && s.operation != s.member.Operation
		if !upgraded || s.gateway != r.Version || looked[s.division()] {
			continue
		}
		looked[s.division()] = true
		units, err := x.obs.Units(ctx, s.id)
		switch {
		case errors.Is(err, store.ErrNotFound): // deleted meanwhile
			continue
		case err != nil:
			x.log.WarnContext(ctx, "health cannot be looked at", slog.String("service", s.id), slog.Any("error", err))
			return nil
		}
		if reason := illness(units, r.Version, failpoint.Now(), x.opt.NotReady); reason != "" {
			return &Illness{Service: s.id, Reason: reason}
		}
	}
	return nil
}

// illness says what is wrong with the machines of a version; empty for nothing.
func illness(u hosting.Units, version string, now time.Time, notReady time.Duration) string {
	for _, l := range u.Locations {
		for _, s := range l.Sets {
			for _, m := range s.Machines {
				if m.Gateway != version || m.Mode == platform.Draining || slices.Contains(u.DownZones, m.Zone) {
					continue
				}
				if what := wrong(m, now, notReady); what != "" {
					return fmt.Sprintf("Machine %s of gateway %s %s", m.ID, version, what)
				}
			}
		}
	}
	return ""
}

func wrong(m hosting.UnitMachine, now time.Time, notReady time.Duration) string {
	switch {
	case m.CrashLoop && m.Error == "":
		return "ends again and again."
	case m.CrashLoop:
		return fmt.Sprintf("ends again and again: %s.", m.Error)
	case m.Runs != "" && m.Runs != m.Gateway:
		return fmt.Sprintf("runs gateway %s.", m.Runs)
	case m.Refused != "":
		return fmt.Sprintf("cannot serve the configuration of the service: %s.", m.Refused)
	case m.Phase != platform.Ready && !m.Since.IsZero() && now.Sub(m.Since) > notReady:
		return fmt.Sprintf("is not ready for %s.", notReady)
	}
	return ""
}
