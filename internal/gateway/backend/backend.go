// Package backend sends requests to backends: pooled connections with one transport per distinct TLS setting, the
// rules for hop-by-hop headers, time-outs, redirects, and the failures that policies see.
//
// Start reading at Pool.Forward.
package backend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
)

// Version is the HTTP version that forward-request asks for.
type Version uint8

// The versions: HTTP/1.1 alone, HTTP/2 where the backend offers it, HTTP/2 alone.
const (
	HTTP1 Version = iota
	HTTP2or1
	HTTP2
)

// Options of one forward.
type Options struct {
	Timeout         time.Duration // until the response's head; 0 means DefaultTimeout
	Continue        time.Duration // longest wait for a 100 Continue that the client asked for; 0 means one second
	FollowRedirects bool
	Version         Version
}

// DefaultTimeout is how long forward-request waits for a response's head.
const DefaultTimeout = 300 * time.Second

// maxRedirects bounds FollowRedirects.
const maxRedirects = 10

var errTimeout = errors.New("the backend did not answer in time")

// Forward sends the exchange's request to its target and sets the exchange's response. The response's body is still
// to come when it returns.
func (p *Pool) Forward(ctx context.Context, x *pipeline.Exchange, opt Options) error {
	address, ok := x.BackendURL()
	if !ok {
		return &pipeline.Failure{Reason: pipeline.ReasonBackend, Message: "The API has no service URL and no statement chose a backend."}
	}
	if opt.Timeout == 0 {
		opt.Timeout = DefaultTimeout
	}
	limited, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(opt.Timeout, func() { cancel(errTimeout) })
	res, err := p.roundTrip(limited, x, address, opt)
	if !timer.Stop() && err == nil { // the time ran out as the answer came
		err = errors.Join(errTimeout, res.Body.Close())
	}
	if err == nil && res.StatusCode < http.StatusOK {
		err = errors.Join(fmt.Errorf("the backend answered with status code %d, which ends no request", res.StatusCode), res.Body.Close())
	}
	if err != nil {
		if cause := context.Cause(limited); cause != nil {
			err = fmt.Errorf("%w (%w)", cause, err)
		}
		cancel(nil)
		return failure(ctx, err)
	}
	m := message(res, &body{ReadCloser: res.Body, timer: timer, timeout: p.opt.BodyTimeout, release: func() { cancel(nil) }})
	return x.SetResponse(m)
}

// roundTrip sends the request and follows redirects when asked to.
func (p *Pool) roundTrip(ctx context.Context, x *pipeline.Exchange, address pipeline.URL, opt Options) (*http.Response, error) {
	if opt.FollowRedirects {
		if _, err := x.Request.Body.Buffer(x.MaxBuffer); err != nil {
			return nil, err
		}
	}
	req := request(ctx, x, address)
	for hop := 0; ; hop++ {
		tr := p.transport(settingOf(x, opt, req.URL.Hostname()), x.Target.Proxy, x.Trust())
		res, err := roundTrip(tr, req, x.Early)
		if err != nil || !opt.FollowRedirects || hop == maxRedirects {
			return res, err
		}
		next, err := redirected(req, res, x.Target)
		if err != nil || next == nil {
			return res, err
		}
		if err := res.Body.Close(); err != nil {
			return nil, err
		}
		req = next
	}
}

// redirected makes the request that a redirection asks for; nil when res is none, or leads from https to http.
// Credentials, those of the backend entity too, stay with the host they were meant for.
func redirected(req *http.Request, res *http.Response, t *pipeline.Target) (*http.Request, error) {
	method, keep := req.Method, true
	switch res.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound:
		keep = method != http.MethodPost
	case http.StatusSeeOther:
		keep = method == http.MethodGet || method == http.MethodHead
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	from := *req.URL
	from.Opaque = ""
	location := res.Header.Get("Location")
	if location == "" {
		return nil, nil
	}
	to, err := from.Parse(location)
	if err != nil || to.Scheme != "https" && (to.Scheme != "http" || from.Scheme != "http") {
		return nil, nil //nolint:nilerr // the answer goes on to the client as it is
	}
	next := req.Clone(req.Context())
	next.URL, next.Host = to, to.Host
	if !strings.EqualFold(to.Host, from.Host) || to.Scheme != from.Scheme {
		next.Header.Del("Authorization")
		next.Header.Del("Cookie")
		for _, f := range t.Header {
			next.Header.Del(f.Name)
		}
	}
	if !keep {
		next.Method, next.Body, next.GetBody, next.ContentLength = http.MethodGet, nil, nil, 0
		next.Header.Del("Content-Type")
	} else if req.GetBody != nil {
		if next.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
	}
	return next, nil
}

// failure turns an error of the transport into what policies see.
func failure(ctx context.Context, err error) error {
	f := &pipeline.Failure{Reason: pipeline.ReasonBackend, Message: err.Error(), Err: err}
	switch {
	case ctx.Err() != nil:
		f.Reason, f.Message = pipeline.ReasonClient, "The operation was canceled."
	case errors.Is(err, errTimeout):
		f.Reason, f.Message = pipeline.ReasonTimeout, "The operation timed out."
	}
	return f
}
