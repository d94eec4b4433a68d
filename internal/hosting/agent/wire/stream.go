package wire

import (
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// Stream makes a connection of its own to whoever is given the other end.
func Stream() (ours net.Conn, theirs *Handle, err error) {
	// Not every system can make sockets that are closed on exec from the start.
	syscall.ForkLock.RLock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("make connection: %w", err)
	}
	theirs = NewHandle(fds[1])
	if ours, err = NewHandle(fds[0]).Conn(); err != nil {
		_ = theirs.Close()
		return nil, nil, fmt.Errorf("make connection: %w", err)
	}
	return ours, theirs, nil
}
