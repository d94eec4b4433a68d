//go:build failpoint

package failpoint

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHit_LogsAndDiesAtTheNth(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	p, err := parse("store.commit:2", log)
	if err != nil {
		t.Fatal(err)
	}
	var deaths []int
	hits := 0
	p.kill = func() { deaths = append(deaths, hits) }
	for _, name := range []string{"store.commit", "store", "store.commit.after", "store.commit", "store.commit"} {
		hits++
		p.hit(name)
	}
	if d := cmp.Diff([]int{4}, deaths); d != "" {
		t.Errorf("deaths (-want +got):\n%s", d)
	}
	got, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff("store.commit\nstore\nstore.commit.after\nstore.commit\nstore.commit\n", string(got)); d != "" {
		t.Errorf("log (-want +got):\n%s", d)
	}
}

func TestHit_ObeysItsFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "where")
	p, err := parse("@"+file, "")
	if err != nil {
		t.Fatal(err)
	}
	deaths := 0
	p.kill = func() { deaths++ }
	for i, step := range []struct {
		text string // of the file; empty: there is none
		hits int
		want int // deaths so far
	}{
		{"", 3, 0},
		{"a:2\n1", 1, 0},
		{"a:2\n2", 1, 0}, // counts anew
		{"a:2\n2", 1, 1},
		{"b:1", 2, 1},
		{"", 2, 1},
		{"a:1", 1, 2},
	} {
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
		if step.text != "" {
			if err := os.WriteFile(file, []byte(step.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for range step.hits {
			p.hit("a")
		}
		if deaths != step.want {
			t.Errorf("step %d: %d deaths, want %d", i, deaths, step.want)
		}
	}
}

// Of several processes that obey one file, one dies.
func TestHit_OneOfSeveralDies(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "where")
	if err := os.WriteFile(file, []byte("a:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var processes []*points
	deaths := 0
	for range 3 {
		p, err := parse("@"+file, "")
		if err != nil {
			t.Fatal(err)
		}
		p.kill = func() { deaths++ }
		if err := p.look(); err != nil {
			t.Fatal(err)
		}
		processes = append(processes, p)
	}
	for _, p := range processes {
		p.count("a")
	}
	if _, err := os.Stat(file + ".hit"); deaths != 1 || err != nil {
		t.Errorf("%d deaths (%v), want 1", deaths, err)
	}
}

func TestParse_RefusesWhatIsNotAPoint(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{"a", ":1", "a:", "a:0", "a:-1", "a:x"} {
		if p, err := parse(spec, ""); err == nil {
			t.Errorf("parse(%q) = %+v, want an error", spec, p)
		}
	}
	if p, err := parse("", ""); err != nil || p.name != "" {
		t.Errorf("parse of nothing: %+v, %v", p, err)
	}
}

func TestWorld_IsAsTheFilesSay(t *testing.T) {
	dir := t.TempDir()
	clock, full := filepath.Join(dir, "clock"), filepath.Join(dir, "full")
	t.Setenv("PORTICO_FAILPOINT_CLOCK", clock)
	t.Setenv("PORTICO_FAILPOINT_FULL", full)
	if d := time.Since(Now()); d < 0 || d > time.Minute {
		t.Errorf("the clock differs by %v, want not at all", d)
	}
	if err := Full(); err != nil {
		t.Errorf("a disk with room: %v", err)
	}
	for path, text := range map[string]string{clock: "-24h\n", full: ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if d := time.Since(Now()); d < 24*time.Hour || d > 24*time.Hour+time.Minute {
		t.Errorf("the clock differs by %v, want a day", d)
	}
	if err := Full(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk: %v, want ENOSPC", err)
	}
}
