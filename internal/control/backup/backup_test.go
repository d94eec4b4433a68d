package backup

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/secret"
)

// suite is what every kind of place has to do. at names an account and a container that is there.
func suite(t *testing.T, a Accounts, at Place) {
	t.Helper()
	for _, name := range []string{"apim-1", "2026/nightly %41 +ä.bak"} {
		at.Name = name
		if _, err := a.Get(t.Context(), at); !errors.Is(err, ErrNoBackup) {
			t.Errorf("Get of %q before Put: %v, want ErrNoBackup", name, err)
		}
		large := make([]byte, 3<<20)
		rand.Read(large) //nolint:errcheck // never fails, says its documentation
		for _, data := range [][]byte{large, []byte("short " + name)} {
			if err := a.Put(t.Context(), at, data); err != nil {
				t.Fatalf("Put %q: %v", name, err)
			}
			got, err := a.Get(t.Context(), at)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("Get %q: %d bytes, %v; want the %d that were put", name, len(got), err, len(data))
			}
		}
	}
	at.Container, at.Name = "nowhere", "x"
	if err := a.Put(t.Context(), at, []byte("x")); !errors.Is(err, ErrNoContainer) {
		t.Errorf("Put into a container that is not there: %v, want ErrNoContainer", err)
	}
	if _, err := a.Get(t.Context(), at); !errors.Is(err, ErrNoContainer) {
		t.Errorf("Get out of a container that is not there: %v, want ErrNoContainer", err)
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "backups"), 0o700); err != nil {
		t.Fatal(err)
	}
	a := Accounts{Folders: map[string]string{"disk": dir}}
	suite(t, a, Place{Account: "disk", Container: "backups"})
	var left []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			left = append(left, strings.TrimPrefix(path, dir))
		}
		return err
	})
	if d := cmp.Diff([]string{"/backups/2026/nightly %41 +ä.bak", "/backups/apim-1"}, left); d != "" || err != nil {
		t.Errorf("files (-want +got):\n%s%v", d, err)
	}
	for _, name := range []string{"../out", "/etc/passwd", "a/../../../out"} {
		if err := a.Put(t.Context(), Place{Account: "disk", Container: "backups", Name: name}, []byte("x")); err == nil {
			t.Errorf("Put %q led out of the folder", name)
		}
	}
	if a.NeedsKey("disk") || !a.NeedsKey("cloud") {
		t.Error("a folder needs no key, an account does")
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"a": true, "a/b": true, "..": false, "a/../b": false, "": false, "a//b": false, "a\\b": false, "a\nb": false, strings.Repeat("x", 1025): false} {
		if got := ValidName(name); got != want {
			t.Errorf("ValidName(%.20q) = %v, want %v", name, got, want)
		}
	}
	for name, want := range map[string]bool{"backups": true, "a-b": true, "ab": false, "A-b": true, "a_b": false, "a--b": false, "-ab": false, strings.Repeat("x", 64): false} {
		if got := ValidContainer(name); got != want {
			t.Errorf("ValidContainer(%.20q) = %v, want %v", name, got, want)
		}
	}
	if _, err := ParsePaths("acct=/x,Bad=/y"); err == nil {
		t.Error("ParsePaths takes a name that no account has")
	}
	got, err := ParsePaths("acct=/x, other=y=z")
	if d := cmp.Diff(map[string]string{"acct": "/x", "other": "y=z"}, got); d != "" || err != nil {
		t.Errorf("ParsePaths: %v (-want +got):\n%s", err, d)
	}
}

func TestArchive(t *testing.T) {
	t.Parallel()
	sealer, err := secret.NewSealer(bytes.Repeat([]byte{7}, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	want := Archive{
		Header:    Header{Format: 1, Service: "/s/x", Tier: "Developer", Created: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Seq: 9},
		Documents: []Document{{Path: "/apis/a", Type: "t", Body: map[string]any{"secret": "hunter2", "n": json.Number("12345678901234567890")}}},
	}
	data, err := Seal(sealer, want)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte("hunter2")) {
		t.Error("the archive shows a secret")
	}
	got, err := Open(sealer, data)
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("Open: %v (-want +got):\n%s", err, d)
	}
	other, err := secret.NewSealer(bytes.Repeat([]byte{8}, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		sealer Sealer
		data   []byte
		want   error
	}{
		"another key":       {other, data, ErrSeal},
		"a changed header":  {sealer, bytes.Replace(data, []byte("Developer"), []byte("Premium"), 1), ErrSeal},
		"a cut-off archive": {sealer, data[:len(data)-40], ErrSeal},
		"a later format":    {sealer, bytes.Replace(data, []byte(`"porticoBackup":1`), []byte(`"porticoBackup":2`), 1), ErrFormat},
		"something else":    {sealer, []byte("PK\x03\x04"), ErrNoArchive},
		"nothing":           {sealer, nil, ErrNoArchive},
	} {
		if _, err := Open(x.sealer, x.data); !errors.Is(err, x.want) {
			t.Errorf("Open of %s: %v, want %v", name, err, x.want)
		}
	}
}
