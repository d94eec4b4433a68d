package statement

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/portico-dev/portico/internal/gateway/backend"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// forward is the compiled <forward-request>.
type forward struct {
	pool              *backend.Pool
	seconds, millis   pipeline.Value
	hasSeconds, hasMS bool
	wait              pipeline.Value
	follow            pipeline.Value
	bufferRequest     bool
	bufferResponse    bool
	failOnErrorStatus bool
	version           backend.Version
}

// forwardRequest builds <forward-request>.
func (e Env) forwardRequest(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	f := &forward{pool: e.Pool, hasSeconds: s.Has("timeout"), hasMS: s.Has("timeout-ms")}
	if f.hasSeconds && f.hasMS {
		return nil, b.Errorf(s, "Only one of the attributes 'timeout' and 'timeout-ms' can be given.")
	}
	var errs [6]error
	f.seconds, errs[0] = wholeNumber(b, s, "timeout", "0")
	f.millis, errs[1] = wholeNumber(b, s, "timeout-ms", "0")
	f.wait, errs[2] = wholeNumber(b, s, "continue-timeout", "0")
	f.bufferRequest, errs[3] = b.Bool(s, "buffer-request-body", false)
	f.bufferResponse, errs[4] = b.Bool(s, "buffer-response", true)
	f.failOnErrorStatus, errs[5] = b.Bool(s, "fail-on-error-status-code", false)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	var err error
	if f.follow, err = b.Attr(s, "follow-redirects", "false"); err != nil {
		return nil, err
	}
	if text, fixed := f.follow.Fixed(); fixed {
		if _, err := pipeline.ParseBool(text); err != nil {
			return nil, b.Errorf(s, "The 'follow-redirects' attribute is invalid - %s.", err)
		}
	}
	version, err := b.Fixed(s, "http-version", "1")
	if err != nil {
		return nil, err
	}
	switch version {
	case "1":
		f.version = backend.HTTP1
	case "2or1":
		f.version = backend.HTTP2or1
	case "2":
		f.version = backend.HTTP2
	default:
		return nil, b.Errorf(s, "The 'http-version' attribute is invalid - The value '%s' is none of 1, 2or1, 2.", version)
	}
	return f.run, nil
}

// wholeNumber compiles an attribute that holds a number of seconds or milliseconds.
func wholeNumber(b *pipeline.Build, s *policy.Statement, name, absent string) (pipeline.Value, error) {
	v, err := b.Attr(s, name, absent)
	if err != nil {
		return v, err
	}
	if text, fixed := v.Fixed(); fixed {
		if n, err := v.Int(nil); err != nil || n < 0 {
			return v, b.Errorf(s, "The '%s' attribute is invalid - The value '%s' is no whole number of zero or more.", name, text)
		}
	}
	return v, nil
}

func (f *forward) run(ctx context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
	opt, err := f.options(x)
	if err != nil {
		return pipeline.Next, err
	}
	if f.bufferRequest {
		if _, err := x.Request.Body.Buffer(x.MaxBuffer); err != nil {
			return pipeline.Next, fmt.Errorf("buffer the request body: %w", err)
		}
	}
	x.Unbuffered = !f.bufferResponse
	if err := f.pool.Forward(ctx, x, opt); err != nil {
		return pipeline.Next, err
	}
	if f.failOnErrorStatus && x.Response.Status >= 400 {
		return pipeline.Next, &pipeline.Failure{
			Reason: pipeline.ReasonErrorStatus, KeepResponse: true,
			Message: fmt.Sprintf("The backend answered with status code %d.", x.Response.Status),
		}
	}
	return pipeline.Next, nil
}

func (f *forward) options(x *pipeline.Exchange) (backend.Options, error) {
	opt := backend.Options{Version: f.version}
	var err error
	if opt.Timeout, err = f.timeout(x); err != nil {
		return opt, err
	}
	wait, err := f.wait.Int(x)
	if err != nil {
		return opt, err
	}
	opt.Continue = time.Duration(wait) * time.Second
	opt.FollowRedirects, err = f.follow.Bool(x)
	return opt, err
}

// timeout is the time for the head of the response. A time-out of 0 is allowed and runs out at once.
func (f *forward) timeout(x *pipeline.Exchange) (time.Duration, error) {
	v, unit := f.seconds, time.Second
	switch {
	case f.hasMS:
		v, unit = f.millis, time.Millisecond
	case !f.hasSeconds:
		return backend.DefaultTimeout, nil
	}
	n, err := v.Int(x)
	if err != nil || n < 0 || n > int64(24*time.Hour/unit) {
		return 0, errors.Join(fmt.Errorf("time-out of %d", n), err)
	}
	return max(time.Duration(n)*unit, time.Nanosecond), nil
}
