// Package clients runs the published Azure clients, unmodified, against the real program. This test fetches them and
// runs what is in the folders beside it; it needs the standard library alone, so that it can say why it is skipped
// when there is nothing to fetch them from. With the modules at hand, `go test ./...` runs the Go clients directly.
package clients

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/portico-dev/portico/test/clients/host"
)

// run runs a command in a folder and returns what it printed, which is short enough to keep.
func run(t *testing.T, dir string, env []string, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, append(os.Environ(), env...), 10*time.Second
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// TestGo runs the Azure SDK for Go in three versions, each against a Portico of its own.
func TestGo(t *testing.T) {
	if out, err := run(t, ".", nil, "go", "mod", "download"); err != nil {
		if strings.Contains(out, "checksum mismatch") {
			t.Fatal(out)
		}
		t.Skipf("the modules of the Azure SDK for Go cannot be fetched, no module proxy is reachable: %v\n%s", err, out)
	}
	if out, err := run(t, ".", nil, "go", "run", "./gen", "-check"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, version := range []string{"v1", "v2", "v3"} {
		t.Run(version, func(t *testing.T) {
			out, err := run(t, ".", nil, "go", "test", "-count=1", "-v", "./"+version)
			t.Log("\n" + out)
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestJavaScript runs the npm clients over TLS with the local authority.
func TestJavaScript(t *testing.T) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s is installed", program)
		}
	}
	dir := install(t)
	h := host.Start(t)
	out, err := run(t, dir, []string{"PORTICO_DATA=" + h.Dir, "NODE_EXTRA_CA_CERTS=" + h.Endpoints.CAFile}, "node", "--test", "--test-reporter=spec", "client.test.mjs")
	t.Log("\n" + out)
	if err != nil {
		t.Error(err)
	}
}

// unreachable finds the codes by which npm says that it could not talk to the registry.
var unreachable = regexp.MustCompile(`\b(ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|E403|E50[0-9]|ERR_SOCKET_TIMEOUT)\b`)

// install puts the test and its packages into a folder of the user's cache and returns it. What is there already and
// still right is used again.
func install(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("no cache folder for the packages: %v", err)
	}
	dir := filepath.Join(cache, "portico-clients-js")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	fresh := true
	for _, name := range []string{"package.json", "package-lock.json", "client.test.mjs"} {
		changed := place(t, filepath.Join("js", name), filepath.Join(dir, name))
		fresh = fresh && (!changed || strings.HasSuffix(name, ".mjs"))
	}
	done := filepath.Join(dir, "node_modules", ".package-lock.json")
	if _, err := os.Stat(done); err == nil && fresh {
		return dir
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if out, err := run(t, dir, nil, "npm", "ci", "--no-audit", "--no-fund", "--fetch-retries=0"); err != nil {
		_ = os.RemoveAll(filepath.Join(dir, "node_modules")) // the next run begins anew
		if !unreachable.MatchString(out) {
			t.Fatalf("npm ci: %v\n%s", err, out)
		}
		t.Skipf("the packages cannot be fetched, npm's registry is not reachable: %v\n%s", err, out)
	}
	return dir
}

// place copies a file unless the target holds the same already, and says whether it did.
func place(t *testing.T, from, to string) bool {
	t.Helper()
	want, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if have, err := os.ReadFile(to); err == nil && string(have) == string(want) {
		return false
	}
	if err := os.WriteFile(to, want, 0o644); err != nil {
		t.Fatal(err)
	}
	return true
}
