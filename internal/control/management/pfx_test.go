package management_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/portico-dev/portico/internal/certtest"
	"github.com/portico-dev/portico/internal/control/management"
)

// issue makes a certificate for a key, signed by another or by itself.
func issue(t *testing.T, name string, key crypto.Signer, parent *x509.Certificate, parentKey crypto.Signer) *x509.Certificate {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name, Organization: []string{"Contoso"}}, IsCA: parent == nil,
		BasicConstraintsValid: true, NotBefore: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2064, 2, 3, 4, 5, 6, 0, time.UTC),
	}
	if parent == nil {
		parent, parentKey = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return c
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Files of all generations of ciphers open, whatever the order of their certificates, and give a usable pair.
func TestOpenPFX(t *testing.T) {
	t.Parallel()
	caKey := newKey(t)
	ca := issue(t, "CA", caKey, nil, nil)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, enc := range map[string]*pkcs12.Encoder{
		"RC2": pkcs12.LegacyRC2, "3DES": pkcs12.LegacyDES, "AES": pkcs12.Modern2023, "PBMAC1": pkcs12.Modern2026, "no password": pkcs12.Passwordless,
	} {
		for _, key := range []crypto.Signer{newKey(t), rsaKey} {
			password := "pass word"
			if enc == pkcs12.Passwordless {
				password = ""
			}
			leaf := issue(t, "leaf", key, ca, caKey)
			pfx, err := enc.Encode(key, ca, []*x509.Certificate{leaf}, password) // the leaf comes last
			if err != nil {
				t.Fatal(err)
			}
			pair, found := management.OpenPFX(base64.StdEncoding.EncodeToString(pfx), password)
			if len(found) > 0 {
				t.Errorf("%s: %v", name, found)
				continue
			}
			got, err := tls.X509KeyPair([]byte(pair.Certificate), []byte(pair.Key))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Certificate[0], leaf.Raw) || len(got.Certificate) != 2 {
				t.Errorf("%s: %d certificates, %s first", name, len(got.Certificate), got.Leaf.Subject)
			}
			if pair.Subject != "CN=leaf, O=Contoso" || pair.Expires != "2064-02-03T04:05:06+00:00" || len(pair.Thumbprint) != 40 {
				t.Errorf("%s: %+v", name, *pair)
			}
		}
	}
}

// A file that asks for more work than any in use does is refused at once.
func TestOpenPFX_Costly(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	pfx, err := pkcs12.Modern.Encode(key, issue(t, "leaf", key, nil, nil), nil, "p")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Version  int
		AuthSafe asn1.RawValue
		MAC      struct {
			Digest     asn1.RawValue
			Salt       []byte
			Iterations int
		}
	}
	if _, err := asn1.Unmarshal(pfx, &file); err != nil {
		t.Fatal(err)
	}
	file.MAC.Iterations = 1 << 30
	if pfx, err = asn1.Marshal(file); err != nil {
		t.Fatal(err)
	}
	_, found := management.OpenPFX(base64.StdEncoding.EncodeToString(pfx), "p")
	if len(found) != 1 || found[0].Target != "data" {
		t.Errorf("found %v", found)
	}
}

func FuzzOpenPFX(f *testing.F) {
	f.Add([]byte{0x30, 0x03, 0x02, 0x01, 0x03}, "p")
	f.Fuzz(func(t *testing.T, data []byte, password string) {
		pair, found := management.OpenPFX(base64.StdEncoding.EncodeToString(data), password)
		if (pair == nil) != (len(found) > 0) {
			t.Fatalf("%v and %v", pair, found)
		}
	})
}

// patterned repeats 04 01 00 02 03 7f ff ff: an octet string, and an integer that would be too many iterations.
type patterned int

func (p *patterned) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = "\x04\x01\x00\x02\x03\x7f\xff\xff"[*p%8]
		*p++
	}
	return len(b), nil
}

// What is random in a file, as salts and what is encrypted, may look like the parameters of a key.
func TestOpenPFX_RandomBytesAreNoParameters(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	cert := issue(t, "leaf", key, nil, nil)
	for name, enc := range map[string]*pkcs12.Encoder{"3DES": pkcs12.LegacyDES, "AES": pkcs12.Modern2023} {
		pfx, err := enc.WithRand(new(patterned)).Encode(key, cert, nil, "pass word")
		if err != nil {
			t.Fatal(err)
		}
		if _, found := management.OpenPFX(base64.StdEncoding.EncodeToString(pfx), "pass word"); len(found) > 0 {
			t.Errorf("%s: %v", name, found)
		}
	}
}

// A server's file may be PEM with keys of any form; one that no client would accept is refused.
func TestOpenServer(t *testing.T) {
	t.Parallel()
	ecKey, ca := newKey(t), certtest.Authority(t, "CA")
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	leaf := func(key crypto.Signer) string { return block("CERTIFICATE", issue(t, "leaf", key, nil, nil).Raw, nil) }
	sec1, err := x509.MarshalECPrivateKey(ecKey.(*ecdsa.PrivateKey))
	ec := block("EC PRIVATE KEY", sec1, err)
	pkcs1 := block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), nil)
	above := block("CERTIFICATE", ca.Certificate.Raw, nil)
	expired := issueUntil(t, ecKey, time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC))
	for name, c := range map[string]struct{ file, target, message string }{
		"EC": {file: ec + leaf(ecKey)}, "RSA": {file: leaf(rsaKey) + above + pkcs1}, "the leaf last": {file: above + ec + leaf(ecKey)},
		"without a key":      {leaf(ecKey), "encodedCertificate", "'encodedCertificate' must be a PFX (PKCS #12) or PEM file with a certificate and its private key, in base64."},
		"another's key":      {leaf(rsaKey) + ec, "encodedCertificate", "'encodedCertificate' must be a PFX (PKCS #12) or PEM file with a certificate and its private key, in base64."},
		"without its leaf":   {ec, "encodedCertificate", "'encodedCertificate' must be a PFX (PKCS #12) or PEM file with a certificate and its private key, in base64."},
		"encrypted key":      {leaf(ecKey) + block("ENCRYPTED PRIVATE KEY", []byte{1}, nil), "encodedCertificate", "'encodedCertificate' must be a PFX (PKCS #12) or PEM file with a certificate and its private key, in base64."},
		"over":               {ec + block("CERTIFICATE", expired.Raw, nil), "encodedCertificate", "The certificate has expired: it ended at 2024-05-06T07:08:09+00:00."},
		"broken certificate": {ec + leaf(ecKey) + block("CERTIFICATE", []byte{1}, nil), "encodedCertificate", "'encodedCertificate' must be a PFX (PKCS #12) or PEM file with a certificate and its private key, in base64."},
	} {
		pair, found := management.OpenServer(base64.StdEncoding.EncodeToString([]byte(c.file)), "")
		switch {
		case c.message == "" && (len(found) > 0 || pair.Subject != "CN=leaf, O=Contoso"):
			t.Errorf("%s: %v, %v", name, pair, found)
		case c.message == "":
			if _, err := tls.X509KeyPair([]byte(pair.Certificate), []byte(pair.Key)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case len(found) != 1 || found[0].Target != c.target || found[0].Message != c.message:
			t.Errorf("%s: %v", name, found)
		}
	}
}

// issueUntil makes a certificate that ends.
func issueUntil(t *testing.T, key crypto.Signer, end time.Time) *x509.Certificate {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(8), Subject: pkix.Name{CommonName: "over"}, NotBefore: end.Add(-time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return c
}
