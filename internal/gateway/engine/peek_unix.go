//go:build unix

package engine

import "syscall"

// pending reports whether bytes, or the end of the stream, wait in a socket's receive buffer.
func pending(raw syscall.RawConn) bool {
	waiting := false
	var b [1]byte
	err := raw.Control(func(fd uintptr) {
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		waiting = err == nil
	})
	return err == nil && waiting
}
