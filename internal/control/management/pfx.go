package management

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"slices"
	"strings"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/csharp/lib"
	"github.com/portico-dev/portico/internal/resource"
)

// maxPFX bounds a PFX file, in bytes.
const maxPFX = 256 << 10

// maxIterations bounds what the keys of a PFX file cost to derive. Files in use have some thousands of iterations.
const maxIterations = 1 << 20

// OpenPFX takes a PFX (PKCS #12) file, in base64, apart.
func OpenPFX(data, password string) (*resource.KeyPair, []arm.ErrorDetail) {
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data), ""))
	if err != nil || len(raw) > maxPFX || costly(raw, 0) {
		return nil, badPFX()
	}
	key, leaf, chain, err := pkcs12.DecodeChain(raw, password)
	if errors.Is(err, pkcs12.ErrIncorrectPassword) {
		return nil, []arm.ErrorDetail{resource.Finding("password", "The password does not open the certificate.")}
	}
	if err != nil {
		return nil, badPFX()
	}
	return keyPair(key, append([]*x509.Certificate{leaf}, chain...))
}

// keyPair puts a private key and certificates together.
func keyPair(key any, all []*x509.Certificate) (*resource.KeyPair, []arm.ErrorDetail) {
	// A file may list its certificates in any order: the leaf is the one that the key belongs to.
	i := slices.IndexFunc(all, func(c *x509.Certificate) bool { return belongs(key, c) })
	if i < 0 {
		return nil, badPFX()
	}
	all[0], all[i] = all[i], all[0]
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, badPFX()
	}
	pair := shown(all)
	pair.Key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return pair, nil
}

// shown is a chain with what anybody may know of its first certificate.
func shown(all []*x509.Certificate) *resource.KeyPair {
	first := &lib.Certificate{X509: all[0]}
	pair := &resource.KeyPair{
		Subject: first.Subject(), Thumbprint: first.Thumbprint(),
		Expires: all[0].NotAfter.UTC().Format("2006-01-02T15:04:05+00:00"),
	}
	for _, c := range all {
		pair.Certificate += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return pair
}

func badPFX() []arm.ErrorDetail {
	return []arm.ErrorDetail{resource.Finding("data", "'data' must be a PFX (PKCS #12) file with a certificate and its private key, in base64.")}
}

// belongs says whether a private key is that of a certificate.
func belongs(key any, c *x509.Certificate) bool {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return false
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(c.PublicKey)
}

// holdsSequence tells an octet string that holds a part of a file from one that is random: salts, and what is encrypted.
func holdsSequence(content []byte) bool {
	var v asn1.RawValue
	rest, err := asn1.Unmarshal(content, &v)
	return err == nil && len(rest) == 0 && v.Class == asn1.ClassUniversal && v.Tag == asn1.TagSequence
}

// costly says whether keys of a file would take too long to derive. A salt is an octet string, and the number of
// iterations the integer that follows it.
func costly(der []byte, depth int) bool {
	const deepest = 24 // the iterations of PBES2 stand 13 deep
	after := -1        // tag of the element before
	for len(der) > 0 && depth < deepest {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(der, &v)
		if err != nil {
			return false // no ASN.1
		}
		switch {
		case after == asn1.TagOctetString && v.Class == asn1.ClassUniversal && v.Tag == asn1.TagInteger:
			var n int
			if _, err := asn1.Unmarshal(v.FullBytes, &n); err != nil || n > maxIterations {
				return true
			}
		case v.IsCompound || v.Tag == asn1.TagOctetString && holdsSequence(v.Bytes):
			if costly(v.Bytes, depth+1) {
				return true
			}
		}
		after = -1
		if v.Class == asn1.ClassUniversal {
			after = v.Tag
		}
		der = rest
	}
	return false
}
