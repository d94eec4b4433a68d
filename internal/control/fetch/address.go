package fetch

import "net/netip"

// metadata are addresses outside the link-local ranges at which clouds tell machines about themselves.
var metadata = []netip.Prefix{
	netip.MustParsePrefix("168.63.129.16/32"),   // Azure
	netip.MustParsePrefix("100.100.100.200/32"), // Alibaba Cloud
	netip.MustParsePrefix("192.0.0.0/24"),       // Oracle Cloud; reserved by IETF
	netip.MustParsePrefix("fd00:ec2::/32"),      // AWS
	netip.MustParsePrefix("fd20:ce::/32"),       // Google Cloud
	netip.MustParsePrefix("0.0.0.0/8"),          // "this host", whatever that is
	netip.MustParsePrefix("240.0.0.0/4"),        // reserved, broadcast included
}

// embedded are ranges of IPv6 that stand for addresses of IPv4, and where in them those begin.
var embedded = []struct {
	in netip.Prefix
	at int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},   // NAT64
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12}, // NAT64 of a network's own
	{netip.MustParsePrefix("2002::/16"), 2},       // 6to4
	{netip.MustParsePrefix("::/96"), 12},          // IPv4-compatible
}

// Refused says whether an address is link-local, multicast, unspecified, or that of a metadata service. Loopback and
// private networks are where an operator's own APIs are, so they are allowed.
func Refused(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() || !a.IsValid() {
		return true
	}
	for _, p := range metadata {
		if p.Contains(a) {
			return true
		}
	}
	if !a.Is6() || a.IsLoopback() {
		return false
	}
	for _, e := range embedded {
		if e.in.Contains(a) {
			b := a.As16()
			return Refused(netip.AddrFrom4([4]byte(b[e.at : e.at+4])))
		}
	}
	return false
}
