package main

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portico-dev/portico/internal/config"
)

// lockedFolder is a folder whose lock somebody has: the test, until it closes the file.
func lockedFolder(t *testing.T) (config.Layout, *os.File) {
	t.Helper()
	layout, err := config.OpenLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(lockPath(layout), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return layout, f
}

// A process that a control plane had begun when it died has its lock until it is another program.
func TestTakeTenure_WaitsForTheLockOfADeadOne(t *testing.T) {
	t.Parallel()
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	for name, left := range map[string]string{"never ready": "", "was ready": fmt.Sprintf(`{"pid":%d}`, gone.Process.Pid)} {
		layout, lock := lockedFolder(t)
		if left != "" {
			if err := os.WriteFile(tenantPath(layout), []byte(left), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Test(t, func(t *testing.T) {
			go func() {
				time.Sleep(lockPatience / 2)
				_ = lock.Close()
			}()
			tenure, err := takeTenure(layout, nil, false)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			tenure.end()
		})
	}
}

func TestTakeTenure_RefusesWhereOneRuns(t *testing.T) {
	t.Parallel()
	layout, lock := lockedFolder(t)
	defer lock.Close() //nolint:errcheck // only a test's lock
	if err := os.WriteFile(tenantPath(layout), fmt.Appendf(nil, `{"pid":%d}`, os.Getpid()), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if _, err := takeTenure(layout, nil, false); err == nil || time.Since(began) != 0 {
			t.Errorf("%v after %v, want a refusal at once", err, time.Since(began))
		}
	})
}
