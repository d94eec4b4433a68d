package activity

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, dir string, opt Options) *Log {
	t.Helper()
	l, err := Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func write(t *testing.T, l *Log, n int) {
	t.Helper()
	e := Event{ID: fmt.Sprintf("e%03d", n), Time: noon.Add(time.Duration(n) * time.Second), Resource: "/r", Action: "a/write", Status: "Succeeded"}
	if err := l.Append(e); err != nil {
		t.Fatal(err)
	}
}

// ids lists the events there are, newest first.
func ids(t *testing.T, l *Log) (all []string) {
	t.Helper()
	found, err := l.Find(func(Event) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range found {
		all = append(all, e.ID)
	}
	return all
}

func TestLog_OutlivesItsProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, Options{})
	write(t, l, 1)
	write(t, l, 2)
	write(t, l, 1) // told twice
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "00000000.jsonl")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(data, `{"id":"cut o`...), 0o600); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, Options{})
	defer l.Close()
	write(t, l, 3)
	if d := cmp.Diff([]string{"e003", "e002", "e001"}, ids(t, l)); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
}

func TestLog_IsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const bytes = 8 << 10
	l := open(t, dir, Options{Bytes: bytes})
	defer l.Close()
	for n := range 500 {
		write(t, l, n)
	}
	all := ids(t, l)
	if all[0] != "e499" || len(all) < 40 || len(all) > 100 || all[len(all)-1] != fmt.Sprintf("e%03d", 500-len(all)) {
		t.Errorf("%d events, from %s to %s: want the newest without a gap", len(all), all[0], all[len(all)-1])
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var size int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if len(entries) != files || size > bytes {
		t.Errorf("%d files of %d bytes, want %d of at most %d", len(entries), size, files, bytes)
	}
}
