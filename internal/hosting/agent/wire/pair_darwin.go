package wire

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Pair makes the two ends of a channel. They are not inherited by processes that are started, unless listed. Darwin
// has no SEQPACKET; its datagram pairs keep order and lose nothing, but an end learns late that the other is gone.
func Pair() (a, b *Handle, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make channel: %w", err)
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
		// The default of 2 KiB is less than one message.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 4*MaxMessage)
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4*MaxMessage)
	}
	return NewHandle(fds[0]), NewHandle(fds[1]), nil
}
