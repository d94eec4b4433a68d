package identity

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// isOurs says whether a host name or address is one of this server's.
func (a *Authority) isOurs(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return true
	}
	return a.hosts[host]
}

// requestOrigin is the scheme, host and port that a request was sent to. The second result is false when the host is
// none of ours: then nothing may be built from it.
func (a *Authority) requestOrigin(r *http.Request) (string, bool) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if !a.isOurs(strings.Trim(host, "[]")) {
		return "", false
	}
	if r.TLS != nil {
		return "https://" + strings.ToLower(r.Host), true
	}
	return "http://" + strings.ToLower(r.Host), true
}

// origin is requestOrigin, or the configured one where the request names a foreign host.
func (a *Authority) origin(r *http.Request) string {
	if o, ok := a.requestOrigin(r); ok {
		return o
	}
	return a.opt.Origin
}
