package counters

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const shop = "/subscriptions/1/resourceGroups/g/providers/Microsoft.ApiManagement/service/Shop"

func TestFolder_TablesShareAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	west := Folder{Dir: dir, Location: "West Europe", Options: Options{Keys: 100}}
	north := Folder{Dir: dir, Location: "North Europe", Options: Options{Keys: 100}}
	q := []Quota{{Name: NameOf("q"), Of: "s", Calls: 2}}
	var got []bool
	for _, f := range []Folder{west, west, north, west} { // each time as after a restart
		table, err := f.Open(shop)
		if err != nil {
			t.Fatal(err)
		}
		v, err := table.Spend(q)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, v.Allowed)
	}
	if diff := cmp.Diff([]bool{true, true, true, false}, got); diff != "" {
		t.Error(diff)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	if err := Sync(dir); err != nil {
		t.Error(err)
	}
}

func TestOpen_FileIsWrittenInFull(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	if _, err := Open(path, Options{Keys: 1000}); err != nil {
		t.Fatal(err)
	}
	table, err := Open(path, Options{Keys: 1}) // an existing file keeps its size
	if err != nil || table.rates.buckets != 33 || table.quotas.buckets != 33 {
		t.Fatal(table, err)
	}
	data, err := os.ReadFile(path)
	if err != nil || len(data) != 8*(size{33, 33}).words() {
		t.Fatal(len(data), err)
	}
}

func TestOpen_DamagedFileIsSetAside(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(data []byte) []byte{
		"empty":  func([]byte) []byte { return nil },
		"short":  func(d []byte) []byte { return d[:len(d)-8] },
		"head":   func(d []byte) []byte { d[0] = 0; return d },
		"format": func(d []byte) []byte { d[7]++; return d },
		"size":   func(d []byte) []byte { d[15] = 255; return d },
	} {
		path := filepath.Join(t.TempDir(), "f")
		if _, err := Open(path, Options{Keys: 1}); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil { // the mapping stays what it is
			t.Fatal(err)
		}
		if err := os.WriteFile(path, damage(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, Options{Keys: 1}); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, want ErrDamaged", name, err)
		}
		if _, err := os.Stat(path + badFile); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Open(path, Options{Keys: 1}); err != nil {
			t.Errorf("%s: %v, want a new file", name, err)
		}
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func(name string) *Table {
		t.Helper()
		table, err := Open(filepath.Join(dir, name+extension), Options{Keys: 1})
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	copyOf := func(name string) { // a copy is open nowhere
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, name+extension))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+"-copy"+extension), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	idle, busy := open("idle"), open("busy")
	if _, err := busy.Spend([]Quota{{Calls: 1}}); err != nil {
		t.Fatal(err)
	}
	copyOf("idle")
	copyOf("busy")
	for name, old := range map[string]bool{"x" + extension + ".1" + newFile: true, "y" + extension + ".2" + newFile: false, "other": true} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if old {
			if err := os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
	}
	Sweep(dir, slog.New(slog.DiscardHandler))
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	want := []string{"busy-copy" + extension, "busy" + extension, "idle" + extension, "other", "y" + extension + ".2" + newFile}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	idle.alive()
	busy.alive()
}
