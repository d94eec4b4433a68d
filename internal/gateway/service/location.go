package service

import (
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/snapshot"
)

// at makes the service what it is at a location.
func (i *info) at(location string) {
	i.Hosts = slices.DeleteFunc(slices.Clone(i.Hosts), func(h snapshot.Host) bool { return h.Location != "" && h.Location != location })
	for _, l := range i.Locations {
		if l.Name == location {
			i.Location, i.away = l.Display, l.Disabled && !i.Disabled
		}
	}
	i.Locations = nil // they are not needed any more
}

// refuses says whether the gateway is disabled for a request. While only this location is out of rotation, whoever still
// has a connection to it by a name of the whole service is served.
func (i *info) refuses(x *pipeline.Exchange) bool {
	if i.Disabled || !i.away {
		return i.Disabled
	}
	h := i.host(Hostname(x.OriginalURL.Host))
	return h != nil && h.local
}

// Leaves says whether clients of the service should go elsewhere with their next request: the location is out of rotation.
func (s *Service) Leaves() bool { return s.info.away }

// Hostname is the host of a Host header or an address: lower case, without port and brackets.
func Hostname(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && i > strings.LastIndexByte(host, ']') && strings.IndexByte(host, ':') == i || i > 0 && strings.HasSuffix(host[:i], "]") {
		host = host[:i]
	}
	return strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
}
