package lib

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math"
	"slices"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

const (
	maxPFX       = 256 << 10 // bytes
	perIteration = 4         // steps that one round of deriving a key costs
)

// openPFX reads a PFX (PKCS #12) file; nil when it is none. The certificate is
// the one that the private key belongs to.
func openPFX(f F, b []byte, password string) *Certificate {
	if len(b) > maxPFX {
		return nil
	}
	f.Step(perIteration * min(iterations(b, 0), math.MaxInt32))
	key, leaf, chain, err := pkcs12.DecodeChain(b, password)
	if errors.Is(err, pkcs12.ErrIncorrectPassword) {
		cryptoError("The specified network password is not correct.")
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	all := append([]*x509.Certificate{leaf}, chain...)
	i := slices.IndexFunc(all, func(c *x509.Certificate) bool { return ok && public.Equal(c.PublicKey) })
	if i < 0 {
		return nil
	}
	return &Certificate{X509: all[i], Key: signer}
}

// iterations are the rounds in which the keys of a file are derived, all
// together: the integers that follow a salt, which is an octet string.
func iterations(der []byte, depth int) int {
	const deepest = 24
	total, salt := 0, false
	for len(der) > 0 && depth < deepest {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(der, &v)
		if err != nil {
			break // no ASN.1: the content of some octet string
		}
		var n int
		switch {
		case salt && v.Class == asn1.ClassUniversal && v.Tag == asn1.TagInteger:
			if _, err := asn1.Unmarshal(v.FullBytes, &n); err != nil || n < 0 {
				n = math.MaxInt32
			}
		case v.IsCompound || v.Tag == asn1.TagOctetString:
			n = iterations(v.Bytes, depth+1)
		}
		total = min(total+min(n, math.MaxInt32), math.MaxInt32)
		salt = v.Class == asn1.ClassUniversal && v.Tag == asn1.TagOctetString
		der = rest
	}
	return total
}

// loadCertificate makes a certificate of its own encodings, or of a PFX file.
func loadCertificate(f F, b []byte, password string) V {
	if c := parseCertificate(b); c != nil {
		return clr.Object(c)
	}
	if c := openPFX(f, b, password); c != nil {
		return clr.Object(c)
	}
	cryptoError("Cannot find the requested object.")
	return clr.Null
}
