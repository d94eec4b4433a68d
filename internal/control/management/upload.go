package management

import (
	"bytes"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/resource"
)

// minRSA is the shortest RSA key that TLS works with, in bits.
const minRSA = 1024

// OpenServer takes the file of a server's certificate, PFX or PEM in base64, apart.
func OpenServer(data, password string) (*resource.KeyPair, []arm.ErrorDetail) {
	const form = "'encodedCertificate' must be a PFX (PKCS #12) or PEM file with a certificate and its private key, in base64."
	_, blocks := fileOf(data)
	var pair *resource.KeyPair
	var found []arm.ErrorDetail
	if blocks == nil {
		pair, found = OpenPFX(data, password)
	} else {
		pair, found = openPEM(blocks, password)
	}
	if len(found) > 0 {
		return nil, uploaded(found, form)
	}
	whole, err := tls.X509KeyPair([]byte(pair.Certificate), []byte(pair.Key))
	switch short, isRSA := whole.PrivateKey.(*rsa.PrivateKey); {
	case err != nil:
		return nil, uploaded(badPFX(), form)
	case isRSA && short.N.BitLen() < minRSA:
		return nil, []arm.ErrorDetail{resource.Finding("encodedCertificate", "The key of the certificate has %d bits; at least %d are needed.", short.N.BitLen(), minRSA)}
	case time.Now().After(whole.Leaf.NotAfter):
		return nil, []arm.ErrorDetail{resource.Finding("encodedCertificate", "The certificate has expired: it ended at %s.", pair.Expires)}
	}
	return pair, nil
}

// OpenAuthority takes the certificate of an authority out of a file: DER, PEM or PFX in base64.
func OpenAuthority(data, password string) (*resource.KeyPair, []arm.ErrorDetail) {
	raw, blocks := fileOf(data)
	if certs := certificatesOf(blocks); len(certs) > 0 {
		return shown(certs[:1]), nil
	}
	if cert, err := x509.ParseCertificate(raw); err == nil {
		return shown([]*x509.Certificate{cert}), nil
	}
	pair, found := OpenPFX(data, password)
	if len(found) > 0 {
		return nil, uploaded(found, "'encodedCertificate' must be a certificate in base64: DER, PEM or PFX.")
	}
	block, _ := pem.Decode([]byte(pair.Certificate))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, badPFX()
	}
	return shown([]*x509.Certificate{cert}), nil
}

// fileOf decodes a file, and its PEM blocks if it has any.
func fileOf(data string) (raw []byte, blocks []*pem.Block) {
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data), ""))
	if err != nil || len(raw) > maxPFX || !bytes.Contains(raw, []byte("-----BEGIN ")) {
		return raw, nil
	}
	blocks = []*pem.Block{}
	for rest := raw; ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			return raw, blocks
		}
		blocks = append(blocks, b)
	}
}

func certificatesOf(blocks []*pem.Block) (certs []*x509.Certificate) {
	for _, b := range blocks {
		if b.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil
		}
		certs = append(certs, cert)
	}
	return certs
}

// openPEM puts the key and the certificates of PEM blocks together. A key may be encrypted in PKCS #8; the older form, of
// a cipher named in the head of the block, is refused.
func openPEM(blocks []*pem.Block, password string) (*resource.KeyPair, []arm.ErrorDetail) {
	certs := certificatesOf(blocks)
	for _, b := range blocks {
		var key any
		var err error
		switch b.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(b.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			key, err = openPKCS8(b.Bytes, password)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(b.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(b.Bytes)
		default:
			continue
		}
		if errors.Is(err, errPassword) {
			return nil, []arm.ErrorDetail{resource.Finding("password", "The password does not open the certificate.")}
		}
		if err != nil || len(certs) == 0 {
			break
		}
		return keyPair(key, certs)
	}
	return nil, badPFX()
}

// uploaded words findings about a PFX file for the fields of a service.
func uploaded(found []arm.ErrorDetail, form string) []arm.ErrorDetail {
	if found[0].Target == "password" {
		return []arm.ErrorDetail{resource.Finding("certificatePassword", "The password does not open the certificate.")}
	}
	return []arm.ErrorDetail{resource.Finding("encodedCertificate", "%s", form)}
}
