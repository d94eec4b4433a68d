package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// firstStart lists the points that a start on an empty folder reaches.
var firstStart = []string{
	"up.spawn.before", "up.spawn.after", "store.schema.before", "store.schema.after",
	"hosting.lease.before", "store.commit.before", "store.commit.after", "hosting.lease.after",
}

// crashedFirst starts Portico on an empty folder and has it die at a point.
func crashedFirst(t *testing.T, name string) *host {
	t.Helper()
	dir, err := os.MkdirTemp("", "pfirst-")
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, dir: dir, program: program}
	t.Cleanup(func() { h.close() })
	_ = h.tryUp([]string{"PORTICO_FAILPOINT=" + name + ":1"}) // it may get ready first
	if end := h.exited(20 * time.Second); end == nil || end.Error() != "signal: killed" {
		t.Fatalf("the control plane ended with: %v", end)
	}
	return h
}

func TestCrash_FirstStartGoesOn(t *testing.T) {
	t.Parallel()
	for _, name := range firstStart {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := crashedFirst(t, name)
			h.up(nil)
			v := h.create("first", "Developer", 1, recent)
			status(t, v.addr())
			if d := cmp.Diff([]string{"edge", "host", "machine"}, kindsOf(t, h.dir)); d != "" {
				t.Errorf("processes (-want +got):\n%s", d)
			}
		})
	}
}

func TestCrash_FirstStartIsStopped(t *testing.T) {
	t.Parallel()
	for _, name := range firstStart {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := crashedFirst(t, name)
			h.portico("down")
			if left := kindsOf(t, h.dir); len(left) > 0 {
				t.Errorf("left running: %v", left)
			}
			h.up(nil) // whatever still came to life would be in the way now
			h.portico("down")
		})
	}
}

// kindsOf lists what runs for a folder: the commands of its processes.
func kindsOf(t testing.TB, dir string) (kinds []string) {
	t.Helper()
	for _, line := range processes(t, dir) {
		kinds = append(kinds, strings.Fields(line)[2])
	}
	slices.Sort(kinds)
	return kinds
}
