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
	limit             timeLimit
	wait              pipeline.Value
	follow            pipeline.Value
	bufferRequest     bool
	bufferResponse    bool
	failOnErrorStatus bool
	version           backend.Version
}

// forwardRequest builds <forward-request>.
func (e Env) forwardRequest(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	f := &forward{pool: e.Pool}
	var errs [5]error
	f.limit, errs[0] = newTimeLimit(b, s, backend.DefaultTimeout)
	f.wait, errs[1] = wholeNumber(b, s, "continue-timeout", "0")
	f.bufferRequest, errs[2] = b.Bool(s, "buffer-request-body", false)
	f.bufferResponse, errs[3] = b.Bool(s, "buffer-response", true)
	f.failOnErrorStatus, errs[4] = b.Bool(s, "fail-on-error-status-code", false)
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
	if opt.Timeout, err = f.limit.of(x); err != nil {
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
