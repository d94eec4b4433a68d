package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/store"
	"github.com/portico-dev/portico/internal/store/sqlite"
)

func openCA(t *testing.T, dir string, hosts ...string) *CA {
	t.Helper()
	c, err := OpenCA(dir, hosts, quiet())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// serial is the number of the certificate that a CA presents.
func serial(t *testing.T, c *CA) string {
	t.Helper()
	cert, err := c.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return cert.Leaf.SerialNumber.String()
}

func TestOpenCA_KeepsWhatFits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := openCA(t, dir)
	for file, mode := range map[string]os.FileMode{"ca.pem": 0o644, "ca-key.pem": 0o600, "server.pem": 0o644, "server-key.pem": 0o600} {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want %v", file, info, err, mode)
		}
	}
	first := serial(t, c)
	if again := openCA(t, dir); again.PEM() != c.PEM() || serial(t, again) != first {
		t.Error("the second start has other certificates")
	}
	wider := openCA(t, dir, "Portal.Example", "[2001:db8::1]")
	if wider.PEM() != c.PEM() || serial(t, wider) == first {
		t.Error("a new host must make another server certificate of the same authority")
	}
	pair, _ := wider.GetCertificate(nil)
	for _, h := range []string{"localhost", "127.0.0.1", "::1", "portal.example", "2001:db8::1"} {
		if err := pair.Leaf.VerifyHostname(h); err != nil {
			t.Error(err)
		}
	}
	// A crash between the two files of the server's certificate leaves a pair that does not fit.
	if err := os.WriteFile(filepath.Join(dir, "server.pem"), []byte(c.PEM()), 0o600); err != nil {
		t.Fatal(err)
	}
	openCA(t, dir)
	if err := os.Remove(filepath.Join(dir, "ca.pem")); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(openCA(t, dir).File()); err != nil || string(data) != c.PEM() {
		t.Errorf("ca.pem was not written again: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca-key.pem"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCA(dir, nil, quiet()); err == nil {
		t.Error("a broken authority was replaced silently")
	}
}

func TestGetCertificate_RenewsWithoutARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		c := openCA(t, dir)
		first := serial(t, c)
		time.Sleep(leafLifetime - renewBefore - time.Hour)
		if serial(t, c) != first {
			t.Error("renewed too early")
		}
		time.Sleep(2 * time.Hour)
		second := serial(t, c)
		if second == first || serial(t, openCA(t, dir)) != second {
			t.Error("not renewed, or not kept")
		}
		authority := c.PEM()
		time.Sleep(caLifetime - leafLifetime)
		if openCA(t, dir).PEM() == authority {
			t.Error("an authority that nears its end was not replaced")
		}
	})
}

func TestIssue(t *testing.T) {
	t.Parallel()
	c := openCA(t, t.TempDir())
	if _, _, err := c.Issue(); err == nil {
		t.Error("a certificate for nothing")
	}
	long := strings.Repeat("a", 50) + ".apim.localhost.and.more"
	certPEM, keyPEM, err := c.Issue("Shop.apim.localhost", "127.9.0.1", long)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair([]byte(certPEM), []byte(keyPEM))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(c.PEM()))
	for _, h := range []string{"shop.apim.localhost", "127.9.0.1", long} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: h, Roots: roots}); err != nil {
			t.Error(err)
		}
	}
	if !c.Issued(certPEM) || openCA(t, t.TempDir()).Issued(certPEM) || c.Issued("x") {
		t.Error("Issued does not tell authorities apart")
	}
}

// mask is a sealer for tests: it hides nothing but checks the context.
type mask struct{ broken bool }

func (mask) Seal(plain []byte, context string) (string, error) {
	return context + "|" + string(plain), nil
}

func (m mask) Open(sealed, context string) ([]byte, error) {
	plain, ok := strings.CutPrefix(sealed, context+"|")
	if !ok || m.broken {
		return nil, errors.New("wrong key or place")
	}
	return []byte(plain), nil
}

func TestHostCertificates_AreTheSameForEverybody(t *testing.T) {
	t.Parallel()
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "p.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	ca := openCA(t, t.TempDir())
	get := func(ca *CA, s Sealer, host string) ([2]string, error) {
		cert, key, err := NewHostCertificates(st, ca, s, quiet()).Certificate(t.Context(), host)
		return [2]string{cert, key}, err
	}
	answers := make(chan [2]string)
	for range 4 {
		go func() {
			got, err := get(ca, mask{}, "Shop.apim.localhost")
			if err != nil {
				t.Error(err)
			}
			answers <- got
		}()
	}
	first := <-answers
	for range 3 {
		if d := cmp.Diff(first, <-answers); d != "" {
			t.Errorf("two got different certificates:\n%s", d)
		}
	}
	if _, err := tls.X509KeyPair([]byte(first[0]), []byte(first[1])); err != nil {
		t.Fatal(err)
	}
	err = st.View(t.Context(), func(r store.Reader) error {
		d, err := r.Get(CertificatePrefix + "shop.apim.localhost")
		if err == nil && (d.Type != CertificateType || !strings.Contains(string(d.Desired), `"$sealed":"/portico/certificates/shop.apim.localhost|`)) {
			t.Errorf("document %s %s", d.Type, d.Desired)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := get(ca, mask{broken: true}, "shop.apim.localhost"); err == nil {
		t.Error("a key that cannot be unsealed was replaced silently")
	}
	if other, err := get(openCA(t, t.TempDir()), mask{}, "shop.apim.localhost"); err != nil || other == first {
		t.Errorf("a certificate of another authority was kept (%v)", err)
	}
}

func TestHostCertificates_RunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := NewHostCertificates(nil, openCA(t, t.TempDir()), mask{}, quiet()).Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
}
