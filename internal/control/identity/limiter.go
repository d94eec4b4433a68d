package identity

import (
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"
)

// maxSources bounds the sources that are told apart; more share one budget.
const maxSources = 4096

// A limiter slows down sources of failed logins: each may fail burst times at once and then once a second. Logins that
// succeed cost nothing.
type limiter struct {
	burst   int
	mu      sync.Mutex               // guards below
	sources map[netip.Prefix]attempt // those with failures that are not forgiven yet
}

type attempt struct {
	failures float64
	at       time.Time
}

func newLimiter(burst int) *limiter {
	return &limiter{burst: burst, sources: map[netip.Prefix]attempt{}}
}

// allow says whether a source may try now.
func (l *limiter) allow(remote string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sources[l.key(remote)].left(time.Now()) <= float64(l.burst-1)
}

func (l *limiter) failed(remote string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	key := l.key(remote)
	l.sources[key] = attempt{failures: l.sources[key].left(now) + 1, at: now}
}

// left is how many failures are not forgiven at a time.
func (a attempt) left(now time.Time) float64 {
	return max(0, a.failures-now.Sub(a.at).Seconds())
}

// key is the source of a request: an address, or the network that one IPv6 customer has. The caller holds mu.
func (l *limiter) key(remote string) netip.Prefix {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	ip = ip.Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits)
	if _, known := l.sources[p]; known || len(l.sources) < maxSources {
		return p
	}
	now := time.Now()
	maps.DeleteFunc(l.sources, func(_ netip.Prefix, a attempt) bool { return a.left(now) == 0 })
	if len(l.sources) < maxSources {
		return p
	}
	return netip.Prefix{}
}
