package csharp_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/lib"
)

// selfSigned is a certificate with its private key.
func selfSigned(t *testing.T, name string) *lib.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &lib.Certificate{X509: c, Key: key}
}

func TestCertificate_FromPFX(t *testing.T) {
	t.Parallel()
	cert, other := selfSigned(t, "leaf"), selfSigned(t, "other")
	for name, enc := range map[string]*pkcs12.Encoder{"legacy": pkcs12.LegacyDES, "modern": pkcs12.Modern2023} {
		pfx, err := enc.Encode(cert.Key, cert.X509, []*x509.Certificate{other.X509}, "secret")
		if err != nil {
			t.Fatal(err)
		}
		vars := in{"p": clr.Bytes(pfx), "c": clr.Object(cert)}
		load := `{ var c = new X509Certificate2((byte[])context.Variables["p"], "secret"); `
		for src, want := range map[string]string{
			load + `return c.Thumbprint == ((X509Certificate2)context.Variables["c"]).Thumbprint && c.HasPrivateKey; }`:                                                                                                                               "True",
			load + `var s = c.GetRSAPrivateKey().SignData(new byte[] { 1 }, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1); return c.GetRSAPublicKey().VerifyData(new byte[] { 1 }, s, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1); }`: "True",
			`new X509Certificate2((byte[])context.Variables["p"], "wrong")`:                                 "CryptographicException: The specified network password is not correct.",
			`new X509Certificate2((byte[])context.Variables["p"])`:                                          "CryptographicException: The specified network password is not correct.",
			`new X509Certificate2(((X509Certificate2)context.Variables["c"]).RawData, "any").HasPrivateKey`: "False",
			`new X509Certificate2(((byte[])context.Variables["p"]).Take(99).ToArray(), "secret")`:           "CryptographicException: Cannot find the requested object.",
		} {
			if got := run(t, src, vars); got != want {
				t.Errorf("%s: %s\n got %q\nwant %q", name, src, got, want)
			}
		}
	}
}

// Deriving the keys of a file counts: one with too many rounds ends the budget.
func TestCertificate_FromCostlyPFX(t *testing.T) {
	t.Parallel()
	cert := selfSigned(t, "leaf")
	pfx, err := pkcs12.Modern2023.WithIterations(100_000).Encode(cert.Key, cert.X509, nil, "secret")
	if err != nil {
		t.Fatal(err)
	}
	host := newExchange()
	host.vars.m["p"] = clr.Bytes(pfx)
	f := csharp.NewFrame(t.Context(), host)
	defer f.Release()
	f.Budget = csharp.Budget{Steps: 500_000}
	_, err = compile(t, `new X509Certificate2((byte[])context.Variables["p"], "secret")`).Run(f)
	if _, ok := errors.AsType[*csharp.Stop](err); !ok {
		t.Fatalf("got %v, want a stop", err)
	}
}
