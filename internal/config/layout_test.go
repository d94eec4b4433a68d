package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestOpenLayout_FoldersAreClosedToOthers(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // what the test is about
		t.Fatal(err)
	}
	l, err := OpenLayout(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{l.Dir, l.Run(), l.Logs(), l.CA(), l.Caches()} {
		if got := mode(t, d); got != 0o700 {
			t.Errorf("mode of %s: %v, want 0700", d, got)
		}
	}
	if _, err := OpenLayout(dir); err != nil {
		t.Errorf("open again: %v", err)
	}
}

func TestOpenLayout_RefusesAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLayout(file); err == nil {
		t.Error("a file was taken for a data folder")
	}
}

func TestSocket_LongFolderGetsAShortPrivatePath(t *testing.T) {
	t.Parallel()
	short := Layout{Dir: shortDir(t)}
	got, err := short.Socket("agent.sock")
	if want := short.Dir + "/run/agent.sock"; err != nil || got != want {
		t.Errorf("socket of a short folder: %s, %v, want %s", got, err, want)
	}
	base := filepath.Join(t.TempDir(), strings.Repeat("d", 100))
	long, err := OpenLayout(base)
	if err != nil {
		t.Fatal(err)
	}
	first, err := long.Socket("agent.sock")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(first)
	defer os.Remove(dir) //nolint:errcheck // an empty folder
	again, err := long.Socket("agent.sock")
	if err != nil || again != first {
		t.Errorf("second call: %s, %v, want %s", again, err, first)
	}
	if len(first) > maxSocketPath || strings.HasPrefix(first, base) || mode(t, dir) != 0o700 {
		t.Errorf("socket %s (%d bytes, folder %v) is not short and private", first, len(first), mode(t, dir))
	}
	other, err := Layout{Dir: base + "x"}.Socket("agent.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(filepath.Dir(other)) //nolint:errcheck // an empty folder
	if other == first {
		t.Errorf("two folders share %s", first)
	}
}

// shortDir is a temporary folder with a path that is not made long by the name of the test.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "p")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestSocket_RefusesAForeignFolder(t *testing.T) {
	t.Parallel()
	l := Layout{Dir: filepath.Join(t.TempDir(), strings.Repeat("e", 100))}
	dir, err := l.SocketDir()
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(dir) //nolint:errcheck // a link or an empty folder
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), dir); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Socket("agent.sock"); err == nil {
		t.Error("a symbolic link in the shared temporary folder was trusted")
	}
}

func TestFileName(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"set-0", "A/b", "..", "", ".hidden", "m" + strings.Repeat("x", 200)} {
		got := fileName(id)
		if strings.ContainsAny(got, "/\\") || strings.HasPrefix(got, ".") || got == "" || len(got) > 120 {
			t.Errorf("file name of %q: %q", id, got)
		}
	}
	if got := fileName("set-0"); got != "set-0" {
		t.Errorf("file name of a safe ID: %q, want the ID", got)
	}
	if fileName("A") == fileName("B") || fileName("a/b") == fileName("a_b") {
		t.Error("two IDs have one file name")
	}
}

func TestOpenLayout_RefusesAFolderOfOtherThings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // what is tested
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "letter.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLayout(dir); err == nil || !strings.Contains(err.Error(), "holds other things") {
		t.Errorf("got %v, want a refusal", err)
	}
	if got := mode(t, dir).Perm(); got != 0o755 {
		t.Errorf("the folder's mode is %04o now", got)
	}
	if there, err := os.ReadDir(dir); err != nil || len(there) != 1 {
		t.Errorf("the folder holds %v now, %v", there, err)
	}
}
