//go:build !unix

package socket

import "syscall"

// Peek cannot look here: nothing is ever waiting.
func Peek(syscall.RawConn, []byte) (n int, waiting bool) { return 0, false }
