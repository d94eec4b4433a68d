package management_test

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/control/management"
)

// encryptedFile is a certificate and its key in the forms in which OpenSSL encrypts it, with the password "secret".
func encryptedFile(t testing.TB) (certificate string, keys []string) {
	t.Helper()
	data, err := os.ReadFile("testdata/encrypted.pem")
	if err != nil {
		t.Fatal(err)
	}
	for b, rest := pem.Decode(data); b != nil; b, rest = pem.Decode(rest) {
		if text := string(pem.EncodeToMemory(b)); b.Type == "CERTIFICATE" {
			certificate = text
		} else {
			keys = append(keys, text)
		}
	}
	return certificate, keys
}

// Keys of PEM files open with their password when they are encrypted as PKCS #8 has it today; what is older is refused.
func TestOpenServer_EncryptedKeys(t *testing.T) {
	t.Parallel()
	certificate, keys := encryptedFile(t)
	const noFile = "encodedCertificate: 'encodedCertificate' must be a PFX (PKCS #12) or PEM file with a certificate and its private key, in base64."
	open := func(key, password string) string {
		pair, found := management.OpenServer(base64.StdEncoding.EncodeToString([]byte(certificate+key)), password)
		if len(found) > 0 {
			return found[0].Target + ": " + found[0].Message
		}
		return pair.Subject
	}
	var got []string
	for _, key := range keys {
		got = append(got, open(key, "secret"), open(key, "guess"))
	}
	const wrong = "certificatePassword: The password does not open the certificate."
	want := []string{
		"CN=api.contoso.example", wrong, // AES-256, HMAC with SHA-256
		"CN=api.contoso.example", wrong, // AES-128, HMAC with SHA-1
		"CN=api.contoso.example", wrong, // Triple DES, HMAC with SHA-512
		noFile, noFile, // encrypted as in PKCS #5 version 1
		noFile, noFile, // encrypted by the head of the block
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// FuzzOpenServer: whatever the file, it opens or is refused, and what opens is a pair that works.
func FuzzOpenServer(f *testing.F) {
	certificate, keys := encryptedFile(f)
	for _, key := range keys {
		f.Add([]byte(certificate+key), "secret")
	}
	f.Add([]byte("\x30\x03\x02\x01\x03"), "")
	f.Fuzz(func(t *testing.T, data []byte, password string) {
		pair, found := management.OpenServer(base64.StdEncoding.EncodeToString(data), password)
		if (pair == nil) != (len(found) > 0) {
			t.Fatalf("a pair: %v; refused: %v", pair != nil, found)
		}
		if pair == nil {
			return
		}
		if _, err := tls.X509KeyPair([]byte(pair.Certificate), []byte(pair.Key)); err != nil {
			t.Fatal(err)
		}
	})
}
