// Package fetch follows links that clients name: it reads API descriptions and policies, and posts notifications. The link
// is the client's, the network is the operator's, so a link may not lead to addresses that hand out credentials to whoever asks from
// this host. Every address is looked at when it is connected to, after its name was resolved: neither a redirect nor a
// name that changes its address gets around that.
package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Options of a Fetcher.
type Options struct {
	// Timeout bounds one document with all its redirects; 0 means 30 seconds.
	Timeout time.Duration
	// Refuse says which addresses are not connected to; nil means Refused.
	Refuse func(netip.Addr) bool
}

// maxRedirects is how many redirects are followed.
const maxRedirects = 5

// A Fetcher is safe for concurrent use.
type Fetcher struct {
	client  http.Client
	timeout time.Duration
}

// An Error says why a document could not be read, in words for the client.
type Error struct {
	Reason    string
	Temporary bool  // it may be another time
	Err       error // what caused it; not for the client
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Reason
	}
	return e.Reason + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

var errAddress = errors.New("address is not allowed")

// New returns a Fetcher. It uses no proxy: what a proxy connects to cannot be looked at.
func New(opt Options) *Fetcher {
	if opt.Timeout == 0 {
		opt.Timeout = 30 * time.Second
	}
	if opt.Refuse == nil {
		opt.Refuse = Refused
	}
	dialer := &net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || opt.Refuse(at.Addr()) {
			return errAddress
		}
		return nil
	}}
	return &Fetcher{timeout: opt.Timeout, client: http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, DisableKeepAlives: true, ForceAttemptHTTP2: true,
			MaxResponseHeaderBytes: 64 << 10, TLSHandshakeTimeout: opt.Timeout,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return &Error{Reason: fmt.Sprintf("it redirects more than %d times", maxRedirects)}
			}
			return check(r.URL)
		},
	}}
}

func check(u *url.URL) error {
	if !strings.EqualFold(u.Scheme, "http") && !strings.EqualFold(u.Scheme, "https") || u.Host == "" {
		return &Error{Reason: "only absolute http and https links are followed"}
	}
	return nil
}

// Get reads the document at a link, which may have at most limit bytes. Its error is an *Error.
func (f *Fetcher) Get(ctx context.Context, link string, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	resp, err := f.do(ctx, &f.client, http.MethodGet, link, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // there is nothing to do about it
	if resp.StatusCode != http.StatusOK {
		return nil, badStatus(resp.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		return nil, reason(err)
	case int64(len(data)) > limit:
		return nil, &Error{Reason: fmt.Sprintf("it has more than %d bytes", limit)}
	}
	return data, nil
}

// Post sends JSON to a link, which has to answer with a status of success itself: redirects are not followed. Its error is
// an *Error.
func (f *Fetcher) Post(ctx context.Context, link string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	client := http.Client{Transport: f.client.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := f.do(ctx, &client, http.MethodPost, link, body)
	if err != nil {
		return err
	}
	_ = resp.Body.Close() // nobody reads it
	if resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusMultipleChoices {
		return badStatus(resp.StatusCode)
	}
	return nil
}

// do sends a request to a link.
func (f *Fetcher) do(ctx context.Context, client *http.Client, method, link string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSpace(link), bytes.NewReader(body))
	if err != nil {
		return nil, &Error{Reason: "the link is malformed", Err: err}
	}
	if err := check(req.URL); err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "portico")
	if body != nil {
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, reason(err)
	}
	return resp, nil
}

func badStatus(status int) error {
	later := status >= http.StatusInternalServerError || status == http.StatusRequestTimeout || status == http.StatusTooManyRequests
	return &Error{Reason: fmt.Sprintf("the answer has status %d", status), Temporary: later}
}

// reason words an error without telling what is reachable from here and what is not.
func reason(err error) error {
	var own *Error
	switch {
	case errors.As(err, &own):
		return &Error{own.Reason, own.Temporary, err}
	case errors.Is(err, errAddress):
		return &Error{"its address is link-local, of a metadata service, or otherwise not allowed", false, err}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{"it takes too long", true, err}
	}
	return &Error{"it cannot be reached", true, err}
}
