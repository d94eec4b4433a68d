package gateways_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting/gateways"
)

// script writes a program that says what version it is.
func script(t *testing.T, version, rest string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	text := "#!/bin/sh\n[ \"$1\" = version ] && echo '" + version + "'\n" + rest + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func names(t *testing.T, g gateways.Gateways) []string {
	t.Helper()
	all, err := g.List()
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, v := range all {
		out = append(out, v.Name)
	}
	return out
}

func TestInstall_PutsAProgramUnderItsVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := gateways.Open(dir)
	file := script(t, "v1.2-3-gabc", "")
	for range 2 { // the second time it is there
		v, err := g.Install(t.Context(), file)
		if err != nil || v.Name != "v1.2-3-gabc" {
			t.Fatalf("installed %+v, %v", v, err)
		}
	}
	path, err := g.Program("v1.2-3-gabc")
	if want := filepath.Join(dir, "v1.2-3-gabc", "portico"); err != nil || path != want {
		t.Errorf("program at %s, %v; want %s", path, err, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := g.Install(t.Context(), script(t, "release/2", "")); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"release/2", "v1.2-3-gabc"}, names(t, g)); d != "" {
		t.Errorf("list differs (-want +got):\n%s", d)
	}
	if _, err := g.Program("v9"); !errors.Is(err, gateways.ErrNotInstalled) || err.Error() != "gateway v9 is not installed" {
		t.Errorf("a version that is not there: %v", err)
	}
}

func TestInstall_RefusesWhatIsNoGateway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := gateways.Open(dir)
	if _, err := g.Install(t.Context(), script(t, "1", "")); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	open := script(t, "4", "")
	if err := os.Chmod(open, 0o666); err != nil { //nolint:gosec // that is the point
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		open:                                    "can be changed by everybody (mode 0666)",
		script(t, "1", "# another"):             "another program is installed as version 1",
		script(t, "", ""):                       `"" cannot be a version`,
		script(t, "two words", ""):              `"two words" cannot be a version`,
		script(t, "..", ""):                     `".." cannot be a version`,
		script(t, strings.Repeat("9", 300), ""): "cannot be a version",
		script(t, "3", "exit 4"):                "asked for its version: exit status 4",
		text:                                    "exec format error",
		dir:                                     "is not a file",
		filepath.Join(dir, "none"):              "no such file",
	} {
		if _, err := g.Install(t.Context(), file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("install: %v, want %q", err, want)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestKeep_LastsWhileInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := gateways.Open(dir)
	one, two := script(t, "one", ""), script(t, "two", "")
	for version, file := range map[string]string{"one": one, "two": two, "three": one} {
		if err := g.Keep(version, file); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := g.Install(t.Context(), two); err != nil { // somebody wants it
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".new-1"), nil, 0o600); err != nil { // a copy that was cut off
		t.Fatal(err)
	}
	if err := g.Prune(func(v string) bool { return v == "three" }); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"three", "two"}, names(t, g)); d != "" {
		t.Errorf("list differs (-want +got):\n%s", d)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestKeep_ReplacesAProgramOfTheSameVersion: builds without a version of their own share one.
func TestKeep_ReplacesAProgramOfTheSameVersion(t *testing.T) {
	t.Parallel()
	g := gateways.Open(t.TempDir())
	for _, rest := range []string{"# first", "# second"} {
		if err := g.Keep("dev", script(t, "dev", rest)); err != nil {
			t.Fatal(err)
		}
		path, err := g.Program("dev")
		if err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(path); err != nil || !strings.Contains(string(data), rest) {
			t.Errorf("program %q, %v; want %q in it", data, err, rest)
		}
	}
	if err := g.Prune(func(string) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if got := names(t, g); len(got) != 0 {
		t.Errorf("still there: %v", got)
	}
}
