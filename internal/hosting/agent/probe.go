package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portico-dev/portico/internal/platform"
)

const (
	probes    = 3
	probeTime = 3 * time.Second // of one
)

var (
	errBadStatus = errors.New("the status is not a good one")
	errLinkLocal = errors.New("link-local addresses are not probed")
)

// probe connects to something as a gateway would, a few times.
func (a *agent) probe(ctx context.Context, p platform.Probe) platform.Reach {
	var r platform.Reach
	var sum int64
	for range probes {
		r.Sent++
		began := time.Now()
		if err := a.probeOnce(ctx, p, &r); err != nil {
			r.Failed++
			r.Trouble = troubleOf(err)
			continue
		}
		took := time.Since(began).Milliseconds()
		if n := r.Sent - r.Failed; n == 1 || took < r.Min {
			r.Min = took
		}
		r.Max = max(r.Max, took)
		sum += took
	}
	if good := int64(r.Sent - r.Failed); good > 0 {
		r.Avg = sum / good
	}
	return r
}

func (a *agent) probeOnce(ctx context.Context, p platform.Probe, r *platform.Reach) error {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	dial := func(ctx context.Context, network, address string) (c net.Conn, err error) {
		connect := func() error {
			c, err = a.dialProbe(ctx, network, address)
			return err
		}
		if p.Injection == "" {
			err = connect()
		} else {
			err = a.nets.Enter(p.Injection, connect)
		}
		if err == nil {
			r.From, r.To = hostOf(c.LocalAddr()), hostOf(c.RemoteAddr())
		}
		return c, err
	}
	if !strings.HasPrefix(p.Protocol, "HTTP") {
		c, err := dial(ctx, "tcp4", net.JoinHostPort(p.Address, strconv.Itoa(p.Port)))
		if err != nil {
			return err
		}
		return c.Close()
	}
	return askProbe(ctx, p, dial)
}

// dialProbe finds the address first: a thread in a namespace must not hand the work of connecting to another.
func (a *agent) dialProbe(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
	if err != nil {
		return nil, err
	}
	addr := addrs[0].Unmap()
	if addr.IsLinkLocalUnicast() {
		return nil, errLinkLocal
	}
	return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(addr.String(), port))
}

func askProbe(ctx context.Context, p platform.Probe, dial func(context.Context, string, string) (net.Conn, error)) error {
	target := &url.URL{Scheme: strings.ToLower(p.Protocol), Host: p.Address, Path: "/"}
	if u, err := url.Parse(p.Address); err == nil && u.Host != "" {
		target.Host, target.Path, target.RawQuery = u.Hostname(), u.Path, u.RawQuery
	}
	target.Host = net.JoinHostPort(target.Host, strconv.Itoa(p.Port))
	method := p.Method
	if method == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), nil)
	if err != nil {
		return err
	}
	for name, value := range p.Headers {
		req.Header.Set(name, value)
	}
	client := &http.Client{
		Transport:     &http.Transport{DialContext: dial, DisableKeepAlives: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // only its head matters
	if len(p.Valid) == 0 && resp.StatusCode >= http.StatusBadRequest || len(p.Valid) > 0 && !slices.Contains(p.Valid, resp.StatusCode) {
		return fmt.Errorf("%w: %d", errBadStatus, resp.StatusCode)
	}
	return nil
}

// troubleOf is the kind of an issue as the wire spells it. What nobody answers may have been dropped anywhere, by a rule
// of the group too.
func troubleOf(err error) string {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return "DnsResolution"
	case errors.Is(err, unix.EADDRNOTAVAIL), errors.Is(err, unix.ENETUNREACH):
		return "SocketBind"
	}
	return "Unknown"
}

func hostOf(a net.Addr) string {
	if at, err := netip.ParseAddrPort(a.String()); err == nil {
		return at.Addr().Unmap().String()
	}
	return ""
}
