package backend

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
)

// PoolOptions bound a pool. Zero values mean the defaults.
type PoolOptions struct {
	// RootCAs verify backends; nil means the system's.
	RootCAs *x509.CertPool
	// IdleTime is how long an unused connection is kept: shorter than what backends and load balancers on the way
	// usually wait (60 s), so that requests seldom meet a connection that the other side just closed. Default 50 s.
	IdleTime time.Duration
	// IdlePerHost and ConnsPerHost bound connections to one backend. Defaults 256 and 8192.
	IdlePerHost  int
	ConnsPerHost int
	DialTimeout  time.Duration // default 20 s
	BodyTimeout  time.Duration // for the next bytes of a response body that is being read; default 4 min
	// Transports bounds how many distinct TLS and proxy settings keep connections. Default 64.
	Transports int
}

// A Pool keeps connections to backends.
type Pool struct {
	opt PoolOptions
	mu  sync.RWMutex // guards below
	by  map[setting]*http.Transport
}

// setting is what makes connections incompatible with each other.
type setting struct {
	skipChain, skipName bool
	proxy               string
	version             Version
	wait                time.Duration
	trust               string
	oldest              uint16 // version of TLS; 0 for TLS 1.2
	host                string // whose name is checked, where crypto/tls does not do it
}

func settingOf(x *pipeline.Exchange, opt Options, host string) setting {
	t, trust := x.Target, x.Trust()
	s := setting{skipChain: t.SkipChain, skipName: t.SkipName, version: opt.Version, wait: opt.Continue, oldest: x.OldestTLS()}
	if t.Proxy != nil {
		s.proxy = t.Proxy.String()
	}
	if trust != nil && !s.skipChain {
		s.trust = trust.Key
	}
	if !s.skipName && (s.skipChain || s.trust != "" && len(trust.Between) > 0) {
		s.host = host
	}
	return s
}

// NewPool makes an empty pool.
func NewPool(opt PoolOptions) *Pool {
	def := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	def(&opt.IdlePerHost, 256)
	def(&opt.ConnsPerHost, 8192)
	def(&opt.Transports, 64)
	if opt.IdleTime == 0 {
		opt.IdleTime = 50 * time.Second
	}
	if opt.DialTimeout == 0 {
		opt.DialTimeout = 20 * time.Second
	}
	if opt.BodyTimeout == 0 {
		opt.BodyTimeout = 4 * time.Minute
	}
	return &Pool{opt: opt, by: make(map[setting]*http.Transport)}
}

// Close closes idle connections; those in use go on.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.by {
		t.CloseIdleConnections()
	}
}

func (p *Pool) transport(s setting, proxy *url.URL, trust *pipeline.Trust) *http.Transport {
	p.mu.RLock()
	t := p.by[s]
	p.mu.RUnlock()
	if t != nil {
		return t
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.by[s]; t != nil {
		return t
	}
	if len(p.by) >= p.opt.Transports {
		for k, old := range p.by { // any one: its connections in use go on, new ones are made when needed
			delete(p.by, k)
			old.CloseIdleConnections()
			break
		}
	}
	t = p.newTransport(s, proxy, trust)
	p.by[s] = t
	return t
}

func (p *Pool) newTransport(s setting, proxy *url.URL, trust *pipeline.Trust) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(s.version != HTTP2)
	protocols.SetHTTP2(s.version != HTTP1)
	protocols.SetUnencryptedHTTP2(s.version == HTTP2)
	if s.wait == 0 {
		s.wait = time.Second
	}
	dialer := &net.Dialer{Timeout: p.opt.DialTimeout, KeepAlive: 15 * time.Second}
	t := &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        p.tls(s, trust),
		TLSHandshakeTimeout:    p.opt.DialTimeout,
		DisableCompression:     true,
		MaxIdleConns:           16 * p.opt.IdlePerHost,
		MaxIdleConnsPerHost:    p.opt.IdlePerHost,
		MaxConnsPerHost:        p.opt.ConnsPerHost,
		IdleConnTimeout:        p.opt.IdleTime,
		ExpectContinueTimeout:  s.wait,
		MaxResponseHeaderBytes: 256 << 10,
		Protocols:              &protocols,
	}
	if proxy != nil {
		t.Proxy = http.ProxyURL(proxy)
	}
	return t
}

// tls makes the client side of TLS: with the chain or the name unchecked where the backend entity says so, the other
// of the two is still checked. So is it with certificates of the service that may stand in a chain, of which
// crypto/tls takes none.
func (p *Pool) tls(s setting, trust *pipeline.Trust) *tls.Config {
	c := &tls.Config{MinVersion: cmp.Or(s.oldest, tls.VersionTLS12), RootCAs: p.opt.RootCAs} //nolint:gosec // an older one where the service says so
	if trust != nil {
		c.RootCAs = trust.Roots
	}
	if !s.skipChain && !s.skipName && s.host == "" {
		return c
	}
	c.InsecureSkipVerify = true //nolint:gosec // replaced by VerifyConnection
	c.VerifyConnection = func(cs tls.ConnectionState) error {
		leaf := cs.PeerCertificates[0]
		if !s.skipName {
			if err := leaf.VerifyHostname(s.host); err != nil {
				return err
			}
		}
		if s.skipChain {
			return nil
		}
		_, err := leaf.Verify(x509.VerifyOptions{Roots: c.RootCAs, Intermediates: trust.Intermediates(cs.PeerCertificates)})
		return err
	}
	return c
}
