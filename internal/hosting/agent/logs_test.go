package agent

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTrim_KeepsTheEndOfALongLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "m.log")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only a test's file
	write := func(b []byte) {
		if _, err := f.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	write(bytes.Repeat([]byte("a"), 100))
	if err := trim(path, 100); err != nil {
		t.Fatal(err)
	}
	write(bytes.Repeat([]byte("b"), 50))
	if err := trim(path, 100); err != nil {
		t.Fatal(err)
	}
	write([]byte("c")) // the process never noticed
	got := map[string]string{}
	for _, p := range []string{path, path + ".1"} {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		got[filepath.Base(p)] = string(data)
	}
	want := map[string]string{
		"m.log":   "c",
		"m.log.1": string(bytes.Repeat([]byte("a"), 50)) + string(bytes.Repeat([]byte("b"), 50)),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("logs (-want +got):\n%s", diff)
	}
	if err := trim(filepath.Join(t.TempDir(), "none"), 1); err != nil {
		t.Errorf("no log: %v", err)
	}
}

func TestBackoff_FirstRestartIsImmediate(t *testing.T) {
	t.Parallel()
	var got []time.Duration
	for _, failures := range []int{0, 1, 2, 3, 7, 8, 1000} {
		got = append(got, backoff(failures))
	}
	const ms = time.Millisecond
	want := []time.Duration{0, 100 * ms, 200 * ms, 400 * ms, 6400 * ms, 10 * time.Second, 10 * time.Second}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
}

func TestPoolOf_LiesInTheLoopbackRange(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, dir := range []string{"/a", "/b", "/home/u/portico-data", ""} {
		pool := poolOf(dir)
		if !loopbackRange.Contains(pool.Addr()) || pool != pool.Masked() || pool != poolOf(dir) {
			t.Errorf("pool of %q: %s", dir, pool)
		}
		seen[pool.String()] = true
	}
	if len(seen) != 4 {
		t.Errorf("pools %v are not four", seen)
	}
}

func TestStartTime_TellsRunningFromNot(t *testing.T) {
	t.Parallel()
	if own := startTime(os.Getpid()); own == "" || own != startTime(os.Getpid()) {
		t.Errorf("start time of this process: %q", own)
	}
	if got := startTime(1 << 30); got != "" {
		t.Errorf("start time of no process: %q", got)
	}
}
