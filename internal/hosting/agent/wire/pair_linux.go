package wire

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Pair makes the two ends of a channel. They are not inherited by processes that are started, unless listed. An end
// blocks until it is opened by NewConn or PacketConn; a process that only keeps it spends nothing on polling it.
func Pair() (a, b *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make channel: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "channel"), os.NewFile(uintptr(fds[1]), "channel"), nil
}
