package failpoint_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portico-dev/portico/internal/failpoint"
)

// victim is set in the process that TestHit_KillsTheProcess expects to die.
const victim = "FAILPOINT_TEST_VICTIM"

// TestHit_KillsTheProcess builds this test with the tag and lets it run into a point.
func TestHit_KillsTheProcess(t *testing.T) {
	t.Parallel()
	if os.Getenv(victim) != "" {
		for range 3 {
			failpoint.Hit("test.point")
		}
		return
	}
	dir := t.TempDir()
	bin, log := filepath.Join(dir, "victim"), filepath.Join(dir, "log")
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-tags=failpoint", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for spec, want := range map[string]struct {
		ended string
		hits  int
	}{
		"test.point:2": {"signal: killed", 2},
		"test.point:9": {"", 3},
		"other:1":      {"", 3},
	} {
		if err := os.Remove(log); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), bin, "-test.run=^TestHit_KillsTheProcess$") //nolint:gosec // built above
		cmd.Env = append(os.Environ(), victim+"=1", "PORTICO_FAILPOINT="+spec, "PORTICO_FAILPOINT_LOG="+log)
		out, err := cmd.CombinedOutput()
		ended := ""
		if err != nil {
			ended = err.Error()
		}
		lines, readErr := os.ReadFile(log)
		if hits := strings.Count(string(lines), "test.point\n"); ended != want.ended || hits != want.hits || readErr != nil {
			t.Errorf("%s: ended %q after %d hits (%v), want %q after %d\n%s", spec, ended, hits, readErr, want.ended, want.hits, out)
		}
	}
}
