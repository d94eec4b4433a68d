// Package certtest makes certificates for tests: authorities, those that they sign, and the files that clients upload.
package certtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

// A Pair is a certificate with its key, and the certificates above it up to the root, which is left out.
type Pair struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
	Chain       []*x509.Certificate
}

// Authority makes a root.
func Authority(t testing.TB, name string) Pair {
	t.Helper()
	return sign(t, template(name), ecdsaKey(t), nil)
}

// Under makes an authority that p signs.
func (p Pair) Under(t testing.TB, name string) Pair {
	t.Helper()
	return sign(t, template(name), ecdsaKey(t), &p)
}

// Issue makes an ECDSA certificate for names or addresses, for servers and for clients.
func (p Pair) Issue(t testing.TB, names ...string) Pair {
	t.Helper()
	return sign(t, leaf(names), ecdsaKey(t), &p)
}

// IssueRSA is Issue with an RSA key.
func (p Pair) IssueRSA(t testing.TB, names ...string) Pair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return sign(t, leaf(names), key, &p)
}

// PEM is the chain with the leaf first, and the key.
func (p Pair) PEM(t testing.TB) (certificate, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(p.Key)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range append([]*x509.Certificate{p.Certificate}, p.Chain...) {
		certificate += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return certificate, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// PFX is a PFX file of all of it, in base64.
func (p Pair) PFX(t testing.TB, password string) string {
	t.Helper()
	data, err := pkcs12.Modern2023.Encode(p.Key, p.Certificate, p.Chain, password)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(data)
}

// TLS is what a server or a client shows.
func (p Pair) TLS() tls.Certificate {
	c := tls.Certificate{PrivateKey: p.Key, Leaf: p.Certificate, Certificate: [][]byte{p.Certificate.Raw}}
	for _, above := range p.Chain {
		c.Certificate = append(c.Certificate, above.Raw)
	}
	return c
}

// Pool trusts the certificate.
func (p Pair) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.Certificate)
	return pool
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetUint64(uint64(time.Now().UnixNano())), Subject: pkix.Name{CommonName: name}, //nolint:gosec // after 1970
		NotBefore: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2064, 2, 3, 4, 5, 6, 0, time.UTC),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
	}
}

func leaf(names []string) *x509.Certificate {
	c := template(names[0])
	c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, n)
		}
	}
	return c
}

func ecdsaKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign makes a certificate; without an authority it signs itself.
func sign(t testing.TB, c *x509.Certificate, key crypto.Signer, by *Pair) Pair {
	t.Helper()
	parent, signer := c, key
	var chain []*x509.Certificate
	if by != nil {
		parent, signer = by.Certificate, by.Key
		if by.Chain != nil || by.Certificate.CheckSignatureFrom(by.Certificate) != nil {
			chain = append([]*x509.Certificate{by.Certificate}, by.Chain...)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return Pair{Certificate: made, Key: key, Chain: chain}
}
