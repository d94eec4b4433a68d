// Package azuritetest runs Azurite, the emulator of storage accounts, for tests. It comes from npm, into a folder of the
// user's cache; where it cannot be had, a test that asks for it is skipped.
package azuritetest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
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
	"strings"
	"testing"
	"time"
)

// The account that the emulator knows, with the key of its documentation, and a container that Start makes.
const (
	Account   = "devstoreaccount1"
	Key       = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
	Container = "backups"
)

// npmPackage is the version of the emulator that tests run against: one for Node.js before 22.
const npmPackage = "azurite@3.35.0"

// unreachable finds the codes by which npm says that it could not talk to the registry.
var unreachable = regexp.MustCompile(`\b(ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|E403|E50[0-9]|ERR_SOCKET_TIMEOUT)\b`)

// install returns the program of the emulator.
func install(t testing.TB) string {
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
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // a cache, as npm makes its own
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "npm", "install", "--prefix", dir, "--no-audit", "--no-fund", "--fetch-retries=0", npmPackage)
	if out, err := cmd.CombinedOutput(); err != nil {
		if !unreachable.Match(out) {
			t.Fatalf("npm install: %v\n%s", err, out)
		}
		t.Skipf("the emulator cannot be fetched, npm's registry is not reachable: %v\n%s", err, out)
	}
	if _, err := os.Stat(main); errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s has no %s", npmPackage, main)
	}
	return main
}

// Start runs the emulator with more arguments, if any, and the container, until the test ends. It returns the address of
// accounts, with {account} where the name belongs.
func Start(t testing.TB, client *http.Client, scheme string, args ...string) string {
	t.Helper()
	main := install(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	ctx, stop := context.WithCancel(context.Background())
	args = append([]string{main, "--location", t.TempDir(), "--blobPort", port, "--disableTelemetry", "--silent"}, args...)
	cmd := exec.CommandContext(ctx, "node", args...)
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
	endpoint := scheme + "://127.0.0.1:" + port + "/{account}"
	for range 600 {
		if err = makeContainer(t.Context(), client, strings.ReplaceAll(endpoint, "{account}", Account)); err == nil {
			return endpoint
		}
		time.Sleep(100 * time.Millisecond) // until it listens
	}
	t.Fatalf("the emulator does not get ready: %v", err)
	return ""
}

func makeContainer(ctx context.Context, client *http.Client, account string) error {
	const version = "2021-08-06"
	key, err := base64.StdEncoding.DecodeString(Key)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, account+"/"+Container+"?restype=container", nil)
	if err != nil {
		return err
	}
	date := time.Now().UTC().Format(http.TimeFormat)
	r.Header.Set("X-Ms-Date", date)
	r.Header.Set("X-Ms-Version", version)
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "PUT%sx-ms-date:%s\nx-ms-version:%s\n/%s/%s/%s\nrestype:container", strings.Repeat("\n", 12), date, version, Account, Account, Container)
	r.Header.Set("Authorization", "SharedKey "+Account+":"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		return fmt.Errorf("create container: %s", res.Status)
	}
	return nil
}
