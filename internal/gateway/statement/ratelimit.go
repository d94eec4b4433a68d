package statement

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/portico-dev/portico/internal/counters"
	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// longestRate is the longest renewal-period of rate-limit, in seconds.
const longestRate = 300

// rate is the compiled <rate-limit>. The first of its limits is that of the statement itself.
type rate []rateLimit

// rateLimit is one of the limits.
type rateLimit struct {
	scoped
	calls  int
	period time.Duration
	report report
}

// report is where a limit leaves its figures.
type report struct {
	retryHeader, retryVariable         string
	remainingHeader, remainingVariable string
	totalHeader                        string
}

// newRate builds <rate-limit>. Without a subscription it does nothing.
func newRate(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	if b.Scope == policy.Global {
		return nil, b.Errorf(s, "Policy is not allowed in the specified scope")
	}
	var r rate
	err := scopes(b, s, func(s *policy.Statement, at scoped) error {
		l := rateLimit{scoped: at}
		var err error
		if l.calls, err = positive(b, s, "calls"); err != nil {
			return err
		}
		period, err := positive(b, s, "renewal-period")
		if err != nil {
			return err
		}
		if period > longestRate {
			return b.Errorf(s, "The 'renewal-period' attribute is invalid - The value '%d' exceeds %d seconds.", period, longestRate)
		}
		l.period = time.Duration(period) * time.Second
		l.report, err = newReport(b, s)
		r = append(r, l)
		return err
	})
	if err != nil {
		return nil, err
	}
	if r[0].report.retryHeader == "" {
		r[0].report.retryHeader = "Retry-After"
	}
	return r.run, nil
}

func newReport(b *pipeline.Build, s *policy.Statement) (p report, err error) {
	header := func(name string) (v string) {
		if err == nil {
			v, err = b.Fixed(s, name, "")
		}
		if err == nil && v != "" && !token(v) {
			err = b.Errorf(s, "The '%s' attribute is invalid - '%s' is no header name.", name, v)
		}
		return v
	}
	variable := func(name string) (v string) {
		if err == nil {
			v, err = b.Fixed(s, name, "")
		}
		return v
	}
	p = report{
		retryHeader: header("retry-after-header-name"), retryVariable: variable("retry-after-variable-name"),
		remainingHeader: header("remaining-calls-header-name"), remainingVariable: variable("remaining-calls-variable-name"),
		totalHeader: header("total-calls-header-name"),
	}
	return p, err
}

func (r rate) run(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
	if x.Subscription == nil {
		return pipeline.Next, nil
	}
	var some [4]counters.Limit
	var places [4]int
	limits, of := some[:0], places[:0] // of says which of r a limit is
	for i := range r {
		if l := &r[i]; l.concerns(x) {
			limits = append(limits, counters.Limit{Name: l.name, Of: x.Subscription.Name, Calls: l.calls, Period: l.period})
			of = append(of, i)
		}
	}
	t, err := x.Services.Counters()
	if err != nil {
		return pipeline.Next, uncounted(x, t, err)
	}
	res, err := t.Take(limits)
	switch {
	case err != nil:
		return pipeline.Next, uncounted(x, t, err)
	case !res.Allowed:
		return pipeline.Next, r.refuse(x, &r[of[res.Limit]], res.Retry)
	}
	r.show(x, limits, of)
	return pipeline.Next, nil
}

// show leaves the figures that are written on every execution: each limit's own, and with the statement's names those of
// the limit that has the fewest calls left.
func (r rate) show(x *pipeline.Exchange, limits []counters.Limit, of []int) {
	tightest := 0
	for i := range limits {
		if limits[i].Left < limits[tightest].Left {
			tightest = i
		}
		if i > 0 {
			r[of[i]].report.show(x, limits[i].Left, limits[i].Calls)
		}
	}
	r[0].report.show(x, limits[tightest].Left, limits[tightest].Calls)
}

func (p *report) show(x *pipeline.Exchange, remaining, total int) {
	if p.remainingVariable != "" {
		x.Variables.Set(p.remainingVariable, clr.Int(remaining))
	}
	if p.remainingHeader != "" {
		x.Attach(p.remainingHeader, strconv.Itoa(remaining))
	}
	if p.totalHeader != "" {
		x.Attach(p.totalHeader, strconv.Itoa(total))
	}
}

// refuse is the failure of a call above one of the limits.
func (r rate) refuse(x *pipeline.Exchange, l *rateLimit, retry time.Duration) error {
	l.report.show(x, 0, l.calls)
	r[0].report.show(x, 0, l.calls)
	seconds := max(1, int((retry+time.Second-1)/time.Second))
	header := l.report.retryHeader
	if header == "" {
		header = r[0].report.retryHeader
	}
	for _, name := range []string{l.report.retryVariable, r[0].report.retryVariable} {
		if name != "" {
			x.Variables.Set(name, clr.Int(seconds))
		}
	}
	return &pipeline.Failure{
		Reason: pipeline.ReasonRateLimit, Message: "Rate limit is exceeded", Status: 429,
		Public: fmt.Sprintf("Rate limit is exceeded. Try again in %d seconds.", seconds),
		Header: []pipeline.Field{{Name: header, Value: strconv.Itoa(seconds)}},
	}
}
