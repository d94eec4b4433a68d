package agent

import (
	"fmt"
	"net"
	"syscall"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// peerUID says which user is at the other end of a unix socket.
func peerUID(c net.Conn) (int, error) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return -1, fmt.Errorf("peer of a %T: not a socket", c)
	}
	_, uid, err := wire.Peer(sc)
	return uid, err
}
