package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Lifetimes of certificates. Those of hosts stay below what clients accept of public authorities, and are renewed when
// a third of it is left.
const (
	caLifetime   = 10 * 365 * 24 * time.Hour
	leafLifetime = 397 * 24 * time.Hour
	renewBefore  = leafLifetime / 3
	backdating   = time.Hour // for clients whose clock is behind
)

// A CA is the local certificate authority and the management endpoint's certificate. It is safe for concurrent use.
type CA struct {
	dir   string
	hosts []string // of the management endpoint
	log   *slog.Logger
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey

	mu     sync.Mutex // guards below
	server *tls.Certificate
}

// OpenCA loads the authority in a folder that exists, or makes it: ca-key.pem (0600, key and certificate), ca.pem (the
// certificate, for clients), server.pem and server-key.pem (0600). The server's certificate is for localhost, the
// loopback addresses and the given hosts; it is made again when it does not cover these or nears its end.
func OpenCA(dir string, hosts []string, log *slog.Logger) (*CA, error) {
	c := &CA{dir: dir, log: log, hosts: []string{"localhost", "127.0.0.1", "::1"}}
	for _, h := range hosts {
		if h = normalHost(h); h != "" && !slices.Contains(c.hosts, h) {
			c.hosts = append(c.hosts, h)
		}
	}
	var err error
	if c.cert, c.key, err = loadPair(c.path("ca-key.pem")); err == nil && time.Until(c.cert.NotAfter) < leafLifetime {
		log.Warn("certificate authority nears its end and is replaced; clients have to trust the new one", slog.String("file", c.File()))
		err = fs.ErrNotExist
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = c.create()
	}
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	if have, err := os.ReadFile(c.File()); err != nil || string(have) != c.PEM() {
		if err := writeFile(c.File(), []byte(c.PEM()), 0o644); err != nil {
			return nil, err
		}
	}
	return c, c.loadServer()
}

// File is the authority's certificate, for clients to trust.
func (c *CA) File() string { return c.path("ca.pem") }

func (c *CA) path(name string) string { return filepath.Join(c.dir, name) }

// PEM is the authority's certificate.
func (c *CA) PEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw}))
}

// GetCertificate gives the management endpoint's certificate, for a tls.Config without Certificates: those would be
// presented to clients that connect to an address. It renews the certificate when that nears its end, without a
// restart.
func (c *CA) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	current := c.server
	c.mu.Unlock()
	if time.Until(current.Leaf.NotAfter) > renewBefore {
		return current, nil
	}
	// Several may do so at once; each has a good certificate, and the last one stays.
	fresh, err := c.issueServer()
	if err != nil {
		c.log.Error("server certificate cannot be renewed", slog.Any("error", err))
		return current, nil
	}
	c.mu.Lock()
	c.server = fresh
	c.mu.Unlock()
	c.log.Info("server certificate renewed", slog.Time("until", fresh.Leaf.NotAfter))
	return fresh, nil
}

// Issue makes a certificate for host names and addresses. The chain does not contain the authority, which clients have.
func (c *CA) Issue(hosts ...string) (certPEM, keyPEM string, err error) {
	if len(hosts) == 0 {
		return "", "", errors.New("issue certificate: no host")
	}
	t := template(leafLifetime)
	t.Subject.CommonName = commonName(hosts[0])
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, h := range hosts {
		if ip := net.ParseIP(normalHost(h)); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, normalHost(h))
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("issue certificate for %s: %w", hosts[0], err)
	}
	return c.sign(t, c.cert, &key.PublicKey, key)
}

// Issued says whether a certificate is from this authority and stays good for a while.
func (c *CA) Issued(certPEM string) bool {
	cert, err := parseCertificate([]byte(certPEM))
	return err == nil && cert.CheckSignatureFrom(c.cert) == nil && time.Until(cert.NotAfter) > renewBefore
}

func (c *CA) sign(t, parent *x509.Certificate, public *ecdsa.PublicKey, private *ecdsa.PrivateKey) (certPEM, keyPEM string, err error) {
	der, err := x509.CreateCertificate(rand.Reader, t, parent, public, c.key)
	if err != nil {
		return "", "", fmt.Errorf("sign certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", fmt.Errorf("encode key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})), nil
}

func (c *CA) create() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	t := template(caLifetime)
	// The serial number tells the authorities of different folders apart in a client's list.
	t.Subject = pkix.Name{CommonName: fmt.Sprintf("Portico local CA %x", t.SerialNumber.Bytes()[:4]), Organization: []string{"Portico"}}
	t.IsCA, t.MaxPathLenZero = true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	c.key = key
	certPEM, keyPEM, err := c.sign(t, t, &key.PublicKey, key)
	if err != nil {
		return err
	}
	// Both are in one file, so that no crash leaves a key with the certificate of another.
	if err := writeFile(c.path("ca-key.pem"), []byte(keyPEM+certPEM), 0o600); err != nil {
		return err
	}
	c.cert, err = parseCertificate([]byte(certPEM))
	return err
}

// loadServer takes the stored certificate when it still fits.
func (c *CA) loadServer() error {
	pair, err := tls.LoadX509KeyPair(c.path("server.pem"), c.path("server-key.pem"))
	if err == nil && c.fits(pair.Leaf) {
		c.server = &pair
		return nil
	}
	c.server, err = c.issueServer()
	return err
}

func (c *CA) fits(leaf *x509.Certificate) bool {
	if leaf.CheckSignatureFrom(c.cert) != nil || time.Until(leaf.NotAfter) <= renewBefore {
		return false
	}
	return !slices.ContainsFunc(c.hosts, func(h string) bool { return leaf.VerifyHostname(h) != nil })
}

func (c *CA) issueServer() (*tls.Certificate, error) {
	certPEM, keyPEM, err := c.Issue(c.hosts...)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair([]byte(certPEM), []byte(keyPEM))
	if err != nil {
		return nil, fmt.Errorf("server certificate: %w", err)
	}
	if err := writeFile(c.path("server-key.pem"), []byte(keyPEM), 0o600); err != nil {
		return nil, err
	}
	return &pair, writeFile(c.path("server.pem"), []byte(certPEM), 0o644)
}

func template(lifetime time.Duration) *x509.Certificate {
	serial := make([]byte, 16)
	rand.Read(serial) //nolint:errcheck // crypto/rand never fails since Go 1.24
	serial[0] = serial[0]&0x7f | 0x40
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial), NotBefore: now.Add(-backdating), NotAfter: now.Add(lifetime),
		BasicConstraintsValid: true,
	}
}

func loadPair(file string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	pair, err := tls.LoadX509KeyPair(file, file)
	if err != nil {
		return nil, nil, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil, nil, fmt.Errorf("%s is no ECDSA certificate authority", file)
	}
	return pair.Leaf, key, nil
}

func parseCertificate(data []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("no PEM certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

// commonName fits a host into the 64 characters that a common name may have; clients look at the other names.
func commonName(host string) string { return host[:min(len(host), 64)] }

func normalHost(h string) string { return strings.ToLower(strings.Trim(strings.TrimSpace(h), "[]")) }
