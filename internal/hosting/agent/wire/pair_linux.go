package wire

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Pair makes the two ends of a channel. They are not inherited by processes that are started, unless listed.
func Pair() (a, b *Handle, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make channel: %w", err)
	}
	return NewHandle(fds[0]), NewHandle(fds[1]), nil
}
