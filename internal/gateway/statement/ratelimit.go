package statement

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/gateway/limit"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// maxPeriod is the longest renewal-period of rate-limit.
const maxPeriod = 300

// rate is the compiled <rate-limit>: the limit of the whole and those of single APIs and API operations. Each has a
// counter of its own per subscription, and all must let a call pass.
type rate struct {
	counters limit.Counters
	limits   []rateLimit
	report   report
}

// rateLimit is one of the limits.
type rateLimit struct {
	limit.Limit
	key            string // names the counter; the subscription is added
	api, operation *selector
}

// selector picks an API or an API operation by ID or display name; nil picks all.
type selector struct{ id, name string }

func (s *selector) picks(name, displayName string) bool {
	if s == nil {
		return true
	}
	if s.id != "" {
		return strings.EqualFold(s.id, name)
	}
	return strings.EqualFold(s.name, displayName)
}

// report is where a limit leaves its figures.
type report struct {
	retryHeader, retryVariable         string
	remainingHeader, remainingVariable string
	totalHeader                        string
}

// rateLimit builds <rate-limit>. Without a subscription it does nothing.
func (e Env) rateLimit(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	if b.Scope == policy.Global {
		return nil, b.Errorf(s, "Policy is not allowed in the specified scope")
	}
	r := &rate{counters: e.Counters}
	for name, to := range map[string]*string{
		"retry-after-header-name": &r.report.retryHeader, "retry-after-variable-name": &r.report.retryVariable,
		"remaining-calls-header-name": &r.report.remainingHeader, "remaining-calls-variable-name": &r.report.remainingVariable,
		"total-calls-header-name": &r.report.totalHeader,
	} {
		v, err := b.Fixed(s, name, "")
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(name, "header-name") && v != "" && !token(v) {
			return nil, b.Errorf(s, "The '%s' attribute is invalid - '%s' is no header name.", name, v)
		}
		*to = v
	}
	if r.report.retryHeader == "" {
		r.report.retryHeader = "Retry-After"
	}
	if err := r.add(b, s, "rate-limit|"+strings.ToLower(b.ID), nil, nil); err != nil {
		return nil, err
	}
	return r.run, nil
}

// add reads the limit of an element and of those below it.
func (r *rate) add(b *pipeline.Build, s *policy.Statement, key string, api, operation *selector) error {
	calls, err := positive(b, s, "calls")
	if err != nil {
		return err
	}
	period, err := positive(b, s, "renewal-period")
	if err != nil {
		return err
	}
	if period > maxPeriod {
		return b.Errorf(s, "The 'renewal-period' attribute is invalid - The value '%d' exceeds %d seconds.", period, maxPeriod)
	}
	r.limits = append(r.limits, rateLimit{
		Limit: limit.Limit{Calls: calls, Period: time.Duration(period) * time.Second}, key: key, api: api, operation: operation,
	})
	for _, c := range s.Children {
		sel := &selector{id: c.Attr("id"), name: c.Attr("name")}
		if sel.id == "" && sel.name == "" {
			return b.Errorf(c, "One of the attributes 'id' and 'name' is required.")
		}
		below := key + "|" + c.Name + "|" + strings.ToLower(sel.id) + "|" + strings.ToLower(sel.name)
		switch {
		case c.Name == "api" && s.Name == "rate-limit":
			err = r.add(b, c, below, sel, nil)
		case c.Name == "operation" && s.Name != "operation":
			err = r.add(b, c, below, api, sel)
		default:
			err = b.Errorf(s, "The element '%s' has invalid child element '%s'.", s.Name, c.Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func positive(b *pipeline.Build, s *policy.Statement, name string) (int, error) {
	if !s.Has(name) {
		return 0, b.Errorf(s, "The required attribute '%s' is missing.", name)
	}
	text, err := b.Fixed(s, name, "")
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, b.Errorf(s, "The '%s' attribute is invalid - The value '%s' is no whole number of one or more.", name, text)
	}
	return n, nil
}

func (r *rate) run(ctx context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
	if x.Subscription == nil {
		return pipeline.Next, nil
	}
	var taken []string
	tightest := limit.Result{Remaining: -1}
	total := 0
	for _, l := range r.limits {
		if !l.concerns(x) {
			continue
		}
		key := l.key + "|" + x.Subscription.ID
		res, err := r.counters.Take(ctx, key, l.Limit)
		if err != nil || !res.Allowed {
			for _, k := range taken { // a refused call does not count anywhere
				if err := r.counters.Return(ctx, k); err != nil {
					return pipeline.Next, fmt.Errorf("return a call: %w", err)
				}
			}
			if err != nil {
				return pipeline.Next, fmt.Errorf("count a call: %w", err)
			}
			r.report.show(x, 0, l.Calls)
			return pipeline.Next, r.report.refuse(x, res.Retry)
		}
		taken = append(taken, key)
		if tightest.Remaining < 0 || res.Remaining < tightest.Remaining {
			tightest, total = res, l.Calls
		}
	}
	if len(taken) > 0 {
		r.report.show(x, tightest.Remaining, total)
	}
	return pipeline.Next, nil
}

func (l *rateLimit) concerns(x *pipeline.Exchange) bool {
	if l.api != nil && (x.API == nil || !l.api.picks(x.API.Name, x.API.DisplayName)) {
		return false
	}
	return l.operation == nil || x.Operation != nil && l.operation.picks(x.Operation.Name, x.Operation.DisplayName)
}

// show leaves the figures that are written on every execution.
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

// refuse is the failure of a call above the limit.
func (p *report) refuse(x *pipeline.Exchange, retry time.Duration) error {
	seconds := max(1, int((retry+time.Second-1)/time.Second))
	if p.retryVariable != "" {
		x.Variables.Set(p.retryVariable, clr.Int(seconds))
	}
	return &pipeline.Failure{
		Reason: pipeline.ReasonRateLimit, Message: "Rate limit is exceeded", Status: 429,
		Public: fmt.Sprintf("Rate limit is exceeded. Try again in %d seconds.", seconds),
		Header: []pipeline.Field{{Name: p.retryHeader, Value: strconv.Itoa(seconds)}},
	}
}
