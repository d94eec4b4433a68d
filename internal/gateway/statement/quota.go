package statement

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/portico-dev/portico/internal/counters"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// quota is the compiled <quota>.
type quota []quotaLimit

// quotaLimit is the quota of the statement itself, of an API or of an API operation.
type quotaLimit struct {
	scoped
	calls, bytes int64 // 0: no limit
	period       time.Duration
}

// newQuota builds <quota>. Without a subscription it does nothing.
func newQuota(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	if b.Scope != policy.Product {
		return nil, b.Errorf(s, "Policy is not allowed in the specified scope")
	}
	var q quota
	err := scopes(b, s, func(s *policy.Statement, at scoped) error {
		l := quotaLimit{scoped: at}
		calls, err := optional(b, s, "calls")
		if err != nil {
			return err
		}
		kilobytes, err := optional(b, s, "bandwidth")
		if err != nil {
			return err
		}
		if l.calls, l.bytes = int64(calls), int64(kilobytes)<<10; calls == 0 && kilobytes == 0 {
			return b.Errorf(s, "One of the attributes 'calls' and 'bandwidth' is required.")
		}
		if len(q) > 0 && !s.Has("renewal-period") {
			l.period = q[0].period // real documents leave it out below the top
		} else {
			seconds, err := number(b, s, "renewal-period", 0)
			if err != nil {
				return err
			}
			l.period = time.Duration(seconds) * time.Second
		}
		q = append(q, l)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return q.run, nil
}

// optional reads a positive number; 0 when it is absent.
func optional(b *pipeline.Build, s *policy.Statement, name string) (int, error) {
	if !s.Has(name) {
		return 0, nil
	}
	return positive(b, s, name)
}

func (q quota) run(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
	if x.Subscription == nil {
		return pipeline.Next, nil
	}
	quotas := make([]counters.Quota, 0, len(q))
	bytes := false
	for i := range q {
		if l := &q[i]; l.concerns(x) {
			quotas = append(quotas, counters.Quota{
				Name: l.name, Of: x.Subscription.Name, Calls: l.calls, Bytes: l.bytes, Period: l.period, Start: begin(x),
			})
			bytes = bytes || l.bytes > 0
		}
	}
	t, err := x.Services.Counters()
	if err != nil {
		return pipeline.Next, uncounted(x, t, err)
	}
	v, err := t.Spend(quotas)
	switch {
	case err != nil:
		return pipeline.Next, uncounted(x, t, err)
	case !v.Allowed:
		return pipeline.Next, usedUp(v)
	case bytes:
		head := x.Request.HeadSize()
		x.Defer(func() { spendBytes(x, t, quotas, head) })
	}
	return pipeline.Next, nil
}

// begin is when the first period of a subscription's quotas begins.
func begin(x *pipeline.Exchange) time.Time {
	if x.Subscription.Starts != nil {
		return *x.Subscription.Starts
	}
	return x.Subscription.Created
}

// spendBytes counts what a call has cost: both messages, with their heads.
func spendBytes(x *pipeline.Exchange, t *counters.Table, quotas []counters.Quota, head int64) {
	n := head + x.Received + x.Sent
	if x.Response != nil {
		n += x.Response.HeadSize()
	}
	if err := t.SpendBytes(quotas, n); err != nil && x.Log != nil {
		x.Log.WarnContext(x, "bytes of a call not counted", slog.String("service", x.Service.Name), slog.Any("error", err))
	}
}

// usedUp is the failure of a call above a quota. What the service says of a quota that never renews is not known; here it
// says nothing of a renewal.
func usedUp(v counters.Verdict) error {
	what := "call volume"
	if v.Bytes {
		what = "bandwidth"
	}
	f := &pipeline.Failure{Reason: pipeline.ReasonQuota, Status: 403, Message: "Out of " + what + " quota."}
	if v.Renews > 0 {
		f.Message += " Quota will be replenished in " + timeSpan(v.Renews) + "."
		f.Header = []pipeline.Field{{Name: "Retry-After", Value: strconv.FormatInt(int64(v.Renews/time.Second), 10)}}
	}
	f.Public = f.Message
	return f
}

// timeSpan writes whole seconds as .NET does: hh:mm:ss, with days d.hh:mm:ss.
func timeSpan(d time.Duration) string {
	s := int64(d / time.Second)
	text := fmt.Sprintf("%02d:%02d:%02d", s/3600%24, s/60%60, s%60)
	if days := s / 86400; days > 0 {
		text = strconv.FormatInt(days, 10) + "." + text
	}
	return text
}
