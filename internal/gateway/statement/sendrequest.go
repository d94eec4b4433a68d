package statement

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/gateway/backend"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// sentTimeout is how long send-request waits for a response's head.
const sentTimeout = 60 * time.Second

// sent is a compiled request of a policy's own.
type sent struct {
	pool        *backend.Pool
	mode, url   pipeline.Value
	hasURL      bool
	limit       timeLimit
	method      pipeline.Value
	hasMethod   bool
	edits       []edit
	variable    string
	ignoreError bool
	buffer      bool
	failOnError bool
}

// sendRequest builds <send-request>: a request of the policy's own, whose response a variable keeps.
func (e Env) sendRequest(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	r := &sent{pool: e.Pool, variable: strings.TrimSpace(s.Attr("response-variable-name"))}
	var errs [6]error
	r.mode, errs[0] = b.Attr(s, "mode", "new")
	r.limit, errs[1] = newTimeLimit(b, s, sentTimeout)
	r.ignoreError, errs[2] = b.Bool(s, "ignore-error", false)
	r.buffer, errs[3] = b.Bool(s, "buffer-response", true)
	r.failOnError, errs[4] = b.Bool(s, "fail-on-error-status-code", false)
	errs[5] = r.children(b, s)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return r.run, nil
}

func (r *sent) children(b *pipeline.Build, s *policy.Statement) (err error) {
	for _, c := range s.Children {
		var e edit
		switch c.Name {
		case "set-url":
			r.hasURL = true
			r.url, err = b.Text(c)
		case "set-method":
			r.hasMethod = true
			r.method, err = b.Text(c)
		case "set-header":
			e, err = headerEdit(b, c)
		case "set-body":
			e, err = bodyEdit(b, c)
		default:
			err = b.Errorf(c, "'%s' within '%s' is not built yet.", c.Name, s.Name)
		}
		if err != nil {
			return err
		}
		if e != nil {
			r.edits = append(r.edits, e)
		}
	}
	return nil
}

func (r *sent) run(ctx context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
	m, err := r.send(ctx, x)
	if err != nil {
		if !r.ignoreError || ctx.Err() != nil {
			return pipeline.Next, err
		}
		r.keep(x, clr.Null)
		return pipeline.Next, nil
	}
	r.keep(x, clr.Object(m.AsResponse(x)))
	return pipeline.Next, nil
}

func (r *sent) keep(x *pipeline.Exchange, v csharp.Value) {
	if r.variable != "" {
		x.Variables.Set(r.variable, v)
	}
}

// send makes the request, waits for its response, and closes that with the exchange at the latest.
func (r *sent) send(ctx context.Context, x *pipeline.Exchange) (*pipeline.Message, error) {
	own, err := r.request(x)
	if err != nil {
		return nil, err
	}
	limit, err := r.limit.of(x)
	if err != nil {
		return nil, err
	}
	x.Blocking(func() {
		if err = r.pool.Forward(ctx, own, backend.Options{Timeout: limit}); err == nil && r.buffer {
			_, err = own.Response.Body.Buffer(own.MaxBuffer)
		}
	})
	if own.Response != nil {
		x.Defer(func() { _ = own.Response.Body.Close() })
	}
	if err != nil {
		return nil, err
	}
	if r.failOnError && own.Response.Status >= 400 {
		return nil, &pipeline.Failure{
			Reason:  pipeline.ReasonErrorStatus,
			Message: fmt.Sprintf("The request of the policy was answered with status code %d.", own.Response.Status),
		}
	}
	return own.Response, nil
}

// request makes an exchange of its own for the request, new or a copy of the current one.
func (r *sent) request(x *pipeline.Exchange) (*pipeline.Exchange, error) {
	mode, _, err := r.mode.String(x)
	if err != nil {
		return nil, err
	}
	own := &pipeline.Exchange{Context: x, MaxBuffer: x.MaxBuffer, Request: &pipeline.Message{Method: "GET"}}
	var address pipeline.URL
	switch strings.TrimSpace(mode) {
	case "new":
		if !r.hasURL {
			return nil, errors.New("a new request needs set-url")
		}
	case "copy":
		if address, err = copied(x, own.Request); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("'mode' is %q, neither new nor copy", mode)
	}
	if err := r.change(x, own.Request, &address); err != nil {
		return nil, err
	}
	own.HostChosen = own.Request.Header.Has("Host")
	own.Request.URL = pipeline.URL{Path: address.Path, RawQuery: address.RawQuery}
	own.Target = &pipeline.Target{Base: pipeline.URL{Scheme: address.Scheme, Host: address.Host}}
	return own, nil
}

// copied puts the current request into m and gives its address. Its body goes along unless the response has begun.
func copied(x *pipeline.Exchange, m *pipeline.Message) (pipeline.URL, error) {
	address, ok := x.BackendURL()
	if !ok {
		return address, errors.New("the request has no backend whose address could be copied")
	}
	m.Method, m.Header = x.Request.Method, x.Request.Header.Clone()
	m.Header.Del("Host")
	if x.Section != policy.Inbound && x.Section != policy.Backend {
		return address, nil
	}
	data, err := x.Request.Body.Buffer(x.MaxBuffer)
	if err != nil {
		return address, fmt.Errorf("read the request body: %w", err)
	}
	if len(data) > 0 {
		m.Body = pipeline.Bytes(data)
	}
	return address, nil
}

// change runs the children over the request.
func (r *sent) change(x *pipeline.Exchange, m *pipeline.Message, address *pipeline.URL) error {
	if r.hasURL {
		text, _, err := r.url.String(x)
		if err != nil {
			return err
		}
		if *address, err = pipeline.ParseURL(text); err != nil {
			return err
		}
	}
	if r.hasMethod {
		text, _, err := r.method.String(x)
		if err != nil {
			return err
		}
		if m.Method = strings.ToUpper(strings.TrimSpace(text)); !token(m.Method) {
			return fmt.Errorf("%q is no request method", text)
		}
	}
	for _, e := range r.edits {
		if err := e(x, m); err != nil {
			return err
		}
	}
	return nil
}
