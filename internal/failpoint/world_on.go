//go:build failpoint

package failpoint

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"time"
)

// Now is the time of day, as far away from the real one as the file says.
func Now() time.Time {
	path := os.Getenv("PORTICO_FAILPOINT_CLOCK")
	if path == "" {
		return time.Now()
	}
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return time.Now()
	}
	if err != nil {
		panic(err) // a crash test that is set up wrongly must not pass
	}
	offset, err := time.ParseDuration(strings.TrimSpace(string(data)))
	if err != nil {
		panic(err)
	}
	return time.Now().Round(0).Add(offset)
}

// Request stands where a gateway takes a request: while the file is there, it fails.
func Request() error {
	path := os.Getenv("PORTICO_FAILPOINT_REQUEST")
	if path == "" {
		return nil
	}
	if _, err := os.Stat(path); err != nil {
		return nil //nolint:nilerr // it is not there
	}
	return errors.New("failpoint: the gateway fails requests")
}

// Full stands before a write that a full disk refuses: while the file is there, that is this one.
func Full() error {
	path := os.Getenv("PORTICO_FAILPOINT_FULL")
	if path == "" {
		return nil
	}
	if _, err := os.Stat(path); err != nil {
		return nil //nolint:nilerr // it is not there
	}
	return syscall.ENOSPC
}
