package guest

import (
	"context"
	"math/rand/v2"
	"net"
	"sync/atomic"
)

// names is whom a machine asks for the addresses of names: the DNS servers of its virtual network, or those of the host.
type names struct{ servers atomic.Pointer[[]string] }

// ask changes the servers; with none they are those of the host.
func (n *names) ask(servers []string) { n.servers.Store(&servers) }

// use makes the resolver of the process ask them.
func (n *names) use() { net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: n.dial} }

// dial connects to one of the servers, another one at random when the resolver tries again.
func (n *names) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if list := n.servers.Load(); list != nil && len(*list) > 0 {
		address = net.JoinHostPort((*list)[rand.IntN(len(*list))], "53") //nolint:gosec // which of them is no secret
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}
