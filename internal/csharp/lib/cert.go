package lib

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // thumbprints are SHA-1
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

const xns = "System.Security.Cryptography.X509Certificates."

// Certificate is an X509Certificate2. Key may be nil.
type Certificate struct {
	X509          *x509.Certificate
	Key           crypto.Signer
	Roots         *x509.CertPool // trusted by Verify; nil for those of the system
	Intermediates *x509.CertPool // may stand between; nil for none
}

// RuntimeType is X509Certificate2.
func (*Certificate) RuntimeType() *clr.Type { return named(xns + "X509Certificate2") }

// Text is the form that X509Certificate.ToString has.
func (c *Certificate) Text(F) string {
	var parts []string
	for _, p := range [][2]string{
		{"Subject", dnText(c.X509.Subject)},
		{"Issuer", dnText(c.X509.Issuer)},
		{"Serial Number", c.serial()},
		{"Not Before", localText(c.X509.NotBefore)},
		{"Not After", localText(c.X509.NotAfter)},
		{"Thumbprint", c.Thumbprint()},
	} {
		parts = append(parts, "["+p[0]+"]\r\n  "+p[1]+"\r\n")
	}
	return strings.Join(parts, "\r\n")
}

func localText(t time.Time) string { return formatDate(fromTime(t, 2), "G") }

// Thumbprint is the SHA-1 of the certificate in upper-case hex.
func (c *Certificate) Thumbprint() string {
	sum := sha1.Sum(c.X509.Raw) //nolint:gosec // thumbprints are SHA-1
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// Subject is the name of the certificate's owner as .NET writes it, the most specific part first.
func (c *Certificate) Subject() string { return dnText(c.X509.Subject) }

func (c *Certificate) serial() string {
	s := strings.ToUpper(c.X509.SerialNumber.Text(16))
	if len(s)%2 == 1 {
		s = "0" + s
	}
	return s
}

// Equal compares issuer and serial number.
func (c *Certificate) Equal(_ F, v V) bool {
	o, ok := v.Ref().(*Certificate)
	return ok && slices.Equal(c.X509.RawIssuer, o.X509.RawIssuer) && c.X509.SerialNumber.Cmp(o.X509.SerialNumber) == 0
}

var dnKeys = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "S", "2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.5": "SERIALNUMBER",
	"1.2.840.113549.1.9.1": "E", "0.9.2342.19200300.100.1.25": "DC", "2.5.4.4": "SN", "2.5.4.42": "G", "2.5.4.12": "T",
}

// dnText writes a name as .NET does: the last part first, quoted where needed.
func dnText(n pkix.Name) string {
	parts := dnParts(n)
	slices.Reverse(parts)
	return strings.Join(parts, ", ")
}

// legacyText writes a name in its own order, as GetName and GetIssuerName do.
func legacyText(n pkix.Name) string { return strings.Join(dnParts(n), ", ") }

func dnParts(n pkix.Name) []string {
	var parts []string
	for _, a := range n.Names {
		k := dnKeys[a.Type.String()]
		if k == "" {
			k = "OID." + a.Type.String()
		}
		s, _ := a.Value.(string)
		if strings.ContainsAny(s, `,+"\<>;=#`) || strings.HasPrefix(s, " ") || strings.HasSuffix(s, " ") || s == "" {
			s = `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
		parts = append(parts, k+"="+s)
	}
	return parts
}

// nameInfo is GetNameInfo: what an alternative name says about the subject comes
// before the parts of the name.
func (c *Certificate) nameInfo(kind int64, issuer bool) string {
	const simple, email, dns, dnsOnly, url = 0, 1, 3, 4, 5
	name, emails, hosts, urls := c.X509.Subject, c.X509.EmailAddresses, c.X509.DNSNames, c.X509.URIs
	if issuer {
		name, emails, hosts, urls = c.X509.Issuer, nil, nil, nil
	}
	switch {
	case kind == simple:
		return dnValue(name, "CN", "OU", "O", "E")
	case kind == email && len(emails) > 0:
		return emails[0]
	case kind == email:
		return dnValue(name, "E")
	case (kind == dns || kind == dnsOnly) && len(hosts) > 0:
		return hosts[0]
	case kind == dns:
		return dnValue(name, "CN")
	case kind == url && len(urls) > 0:
		return urls[0].String()
	}
	return ""
}

// dnValue is the value of the first of the keys that a name has.
func dnValue(n pkix.Name, keys ...string) string {
	for _, k := range keys {
		for _, a := range n.Names {
			if s, ok := a.Value.(string); ok && dnKeys[a.Type.String()] == k {
				return s
			}
		}
	}
	return ""
}

// publicKeyBits are the bytes of the key itself, without its algorithm.
func (c *Certificate) publicKeyBits() []byte {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	_, _ = asn1.Unmarshal(c.X509.RawSubjectPublicKeyInfo, &info) // it was parsed before
	return info.Key.Bytes
}

// signatureOID names the algorithm that the certificate was signed with.
func (c *Certificate) signatureOID() string {
	var parts struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	_, _ = asn1.Unmarshal(c.X509.Raw, &parts) // likewise
	return parts.Algorithm.Algorithm.String()
}

// parseCertificate reads DER, PEM or base64; nil when it is none of them.
func parseCertificate(b []byte) *Certificate {
	if p, _ := pem.Decode(b); p != nil {
		b = p.Bytes
	} else if d, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(b))); err == nil {
		b = d
	}
	c, err := x509.ParseCertificate(b)
	if err != nil {
		return nil
	}
	return &Certificate{X509: c}
}

// verify builds a chain to a trusted root. Certificates carry no other
// certificates, so only chains over those that are known here are found.
func (c *Certificate) verify() V {
	opt := x509.VerifyOptions{Roots: c.Roots, Intermediates: c.Intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	_, err := c.X509.Verify(opt)
	return clr.Bool(err == nil)
}

func certDecls() []clr.Decl {
	c := func(v V) *Certificate { return v.Ref().(*Certificate) }
	str := func(fn func(c *Certificate) string) func(F, []V) V {
		return func(_ F, a []V) V { return clr.String(fn(c(a[0]))) }
	}
	subject, issuer := str((*Certificate).Subject), str(func(c *Certificate) string { return dnText(c.X509.Issuer) })
	local := func(t time.Time) V { return fromTime(t, 2).value() }
	key := func(c *Certificate) V {
		pub, ok := c.X509.PublicKey.(*rsa.PublicKey)
		if !ok {
			return clr.Null
		}
		return clr.Object(&rsaKey{pub: pub})
	}
	private := func(_ F, a []V) V {
		x := c(notNull(a[0], "certificate"))
		k, ok := x.Key.(*rsa.PrivateKey)
		if !ok {
			return clr.Null
		}
		return clr.Object(&rsaKey{pub: &k.PublicKey, priv: k})
	}
	name := func(v V, issuer bool) *label {
		n := c(v).X509.Subject
		if issuer {
			n = c(v).X509.Issuer
		}
		return &label{"X509Certificates.X500DistinguishedName", dnText(n)}
	}
	load := func(f F, a []V) V { return loadCertificate(f, bytesOf(a[0], "rawData"), optional(a, 1).Str()) }
	return []clr.Decl{
		D("enum " + xns + "X509ContentType { Unknown = 0, Cert = 1, SerializedCert = 2, Pfx = 3, SerializedStore = 4, Pkcs7 = 5, Authenticode = 6 }"),
		D("enum " + xns + "X509NameType { SimpleName, EmailName, UpnName, DnsName, DnsFromAlternativeName, UrlName }"),
		{Sig: "class " + xns + "X500DistinguishedName", Access: clr.AccessListed, Refused: "Decode Format Oid RawData", Rows: []clr.Row{R("string Name", func(_ F, a []V) V { return clr.String(a[0].Ref().(*label).name) })}},
		D("class "+xns+"PublicKey", R("AsymmetricAlgorithm Key", func(_ F, a []V) V { return key(c(a[0])) }), R("RSA GetRSAPublicKey()", func(_ F, a []V) V { return key(c(a[0])) })),
		D("class "+xns+"X509Certificate : IDisposable",
			R("string Subject", subject), R("string Issuer", issuer), R("string GetName()", str(func(c *Certificate) string { return legacyText(c.X509.Subject) })), R("string GetIssuerName()", str(func(c *Certificate) string { return legacyText(c.X509.Issuer) })),
			R("string GetSerialNumberString()", str((*Certificate).serial)), R("string GetCertHashString()", str((*Certificate).Thumbprint)),
			R("byte[] GetCertHash()", func(_ F, a []V) V { b, _ := hex.DecodeString(c(a[0]).Thumbprint()); return clr.Bytes(b) }),
			R("byte[] GetSerialNumber()", func(_ F, a []V) V { b, _ := hex.DecodeString(c(a[0]).serial()); slices.Reverse(b); return clr.Bytes(b) }),
			R("byte[] GetRawCertData()", func(_ F, a []V) V { return clr.Bytes(slices.Clone(c(a[0]).X509.Raw)) }),
			R("string GetRawCertDataString()", str(func(c *Certificate) string { return strings.ToUpper(hex.EncodeToString(c.X509.Raw)) })),
			R("byte[] GetPublicKey()", func(_ F, a []V) V { return clr.Bytes(c(a[0]).publicKeyBits()) }),
			R("string GetEffectiveDateString()", str(func(c *Certificate) string { return localText(c.X509.NotBefore) })), R("string GetExpirationDateString()", str(func(c *Certificate) string { return localText(c.X509.NotAfter) })),
			R("string GetFormat()", str(func(*Certificate) string { return "X509" })), R("string ToString()", toStringRow),
			R("bool Equals(X509Certificate other)", equalsRow), R("void Dispose()", func(F, []V) V { return clr.Null }),
			R("byte[] Export(X509ContentType contentType)", func(_ F, a []V) V {
				if a[1].Int() != 1 {
					cryptoError("Only the content type Cert can be exported within expressions.")
				}
				return clr.Bytes(slices.Clone(c(a[0]).X509.Raw))
			}),
		),
		D("class "+xns+"X509Certificate2 : X509Certificate",
			R("new(byte[] rawData)", load), R("new(byte[] rawData, string password)", load),
			R("string Thumbprint", str((*Certificate).Thumbprint)), R("string SerialNumber", str((*Certificate).serial)), R("int Version", func(_ F, a []V) V { return clr.Int(c(a[0]).X509.Version) }),
			R("string FriendlyName", str(func(*Certificate) string { return "" })),
			R("DateTime NotBefore", func(_ F, a []V) V { return local(c(a[0]).X509.NotBefore) }), R("DateTime NotAfter", func(_ F, a []V) V { return local(c(a[0]).X509.NotAfter) }),
			R("bool HasPrivateKey", func(_ F, a []V) V { return clr.Bool(c(a[0]).Key != nil) }), R("byte[] RawData", func(_ F, a []V) V { return clr.Bytes(slices.Clone(c(a[0]).X509.Raw)) }),
			R("X500DistinguishedName SubjectName", func(_ F, a []V) V { return clr.Object(name(a[0], false)) }), R("X500DistinguishedName IssuerName", func(_ F, a []V) V { return clr.Object(name(a[0], true)) }),
			R("PublicKey PublicKey", func(_ F, a []V) V { return a[0] }),
			R("AsymmetricAlgorithm PrivateKey", private),
			R("Oid SignatureAlgorithm", func(_ F, a []V) V {
				return clr.Object(&label{"Oid", c(a[0]).signatureOID()})
			}),
			R("string GetNameInfo(X509NameType nameType, bool forIssuer)", func(_ F, a []V) V { return clr.String(c(a[0]).nameInfo(a[1].Int(), a[2].Bool())) }),
			R("bool Verify()", func(_ F, a []V) V { return c(a[0]).verify() }),
		),
		D("static class "+xns+"RSACertificateExtensions",
			R("static RSA GetRSAPublicKey(this X509Certificate2 certificate)", func(_ F, a []V) V { return key(c(notNull(a[0], "certificate"))) }),
			R("static RSA GetRSAPrivateKey(this X509Certificate2 certificate)", private)),
		D("static class Gateway.CertificateExtensions",
			R("static bool VerifyNoRevocation(this X509Certificate2 certificate)", func(_ F, a []V) V { return c(notNull(a[0], "certificate")).verify() })),
	}
}
