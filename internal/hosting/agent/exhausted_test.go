package agent

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// What the host lacks for a moment does not make a crash loop; what the machine lacks does.
func TestFailed_ExcusesAnExhaustedHost(t *testing.T) {
	t.Parallel()
	full := fmt.Errorf("write agent.json: %w", &os.PathError{Op: "write", Path: "agent.json", Err: unix.ENOSPC})
	for _, c := range []struct {
		err  error
		want int // failures after eight starts
	}{{full, 0}, {unix.EMFILE, 0}, {os.ErrNotExist, 8}, {errors.New("bad program"), 8}} {
		m := &machine{a: &agent{changed: make(chan struct{})}}
		for range 8 {
			m.excused = exhausted(c.err)
			if pause := m.failed(false); m.excused && pause < backoffMin {
				t.Errorf("%v: another start after %v, want a pause", c.err, pause)
			}
		}
		if m.status.Failures != c.want {
			t.Errorf("%v: %d failures, want %d", c.err, m.status.Failures, c.want)
		}
	}
	if exhausted(nil) {
		t.Error("no error is taken for an exhausted host")
	}
}
