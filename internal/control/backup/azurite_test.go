package backup

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// The account that the emulator knows. Its key is in its documentation.
const (
	emulated    = "devstoreaccount1"
	emulatedKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// azuritePackage is the version of the emulator that tests run against: one for Node.js before 22.
const azuritePackage = "azurite@3.35.0"

// unreachable finds the codes by which npm says that it could not talk to the registry.
var unreachable = regexp.MustCompile(`\b(ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|E403|E50[0-9]|ERR_SOCKET_TIMEOUT)\b`)

// installAzurite puts the emulator into a folder of the user's cache and returns its program.
func installAzurite(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s is installed: the emulator of storage accounts comes from npm", program)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("no cache folder for the emulator: %v", err)
	}
	dir := filepath.Join(cache, "portico-azurite")
	main := filepath.Join(dir, "node_modules", "azurite", "dist", "src", "blob", "main.js")
	done := filepath.Join(dir, "node_modules", ".package-lock.json")
	if _, err := os.Stat(done); err == nil {
		return main
	}
	if testing.Short() {
		t.Skip("the emulator is not installed yet, which takes a minute: run without -short once")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "npm", "install", "--prefix", dir, "--no-audit", "--no-fund", "--fetch-retries=0", azuritePackage)
	if out, err := cmd.CombinedOutput(); err != nil {
		if !unreachable.Match(out) {
			t.Fatalf("npm install: %v\n%s", err, out)
		}
		t.Skipf("the emulator cannot be fetched, npm's registry is not reachable: %v\n%s", err, out)
	}
	if _, err := os.Stat(main); errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s has no %s", azuritePackage, main)
	}
	return main
}

// startAzurite runs the emulator with a container "backups" and returns its endpoint.
func startAzurite(t *testing.T) string {
	t.Helper()
	main := installAzurite(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "node", main, "--location", t.TempDir(), "--blobPort", port, "--disableTelemetry", "--silent")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("emulator: %s", said.String())
		}
	})
	endpoint := "http://127.0.0.1:" + port + "/{account}"
	b := Accounts{Endpoint: endpoint}.blob(Place{Account: emulated, Key: emulatedKey, Container: "backups"})
	for range 600 {
		if err = makeContainer(t.Context(), b); err == nil {
			return endpoint
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("the emulator does not get ready: %v", err)
	return ""
}

func makeContainer(ctx context.Context, b *blob) error {
	key, err := base64.StdEncoding.DecodeString(b.Key)
	if err != nil {
		return err
	}
	r, err := b.request(ctx, http.MethodPut, nil)
	if err != nil {
		return err
	}
	r.URL.Path, r.URL.RawQuery = "/"+emulated+"/"+b.Container, "restype=container"
	r.Header.Set("Authorization", "SharedKey "+b.Account+":"+b.sign(r, key))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		return fmt.Errorf("create container: %s", res.Status)
	}
	return nil
}

func TestBackup_ToAStorageAccount(t *testing.T) {
	t.Parallel()
	accounts := Accounts{Endpoint: startAzurite(t)}
	suite(t, accounts, Place{Account: emulated, Key: emulatedKey, Container: "backups"})
	other := Place{Account: emulated, Key: "bm90IHRoZSBrZXk=", Container: "backups", Name: "n"}
	if err := accounts.Put(t.Context(), other, []byte("x")); !errors.Is(err, ErrDenied) {
		t.Errorf("another key: %v, want ErrDenied", err)
	}
	other.Account = "nobody1"
	if err := accounts.Put(t.Context(), other, []byte("x")); !errors.Is(err, ErrNoContainer) {
		t.Errorf("another account: %v, want ErrNoContainer", err)
	}
}
