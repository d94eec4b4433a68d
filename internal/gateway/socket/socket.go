// Package socket looks into the receive buffers of sockets without taking anything out of them.
package socket

import (
	"net"
	"syscall"
)

// Raw gives the socket of a connection, or nil when there is none.
func Raw(c net.Conn) syscall.RawConn {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}
