package lib

import (
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// oidNames are the friendly names of the object identifiers that certificates
// and keys use; others have none.
var oidNames = func() map[string]string {
	names := map[string]string{}
	for pair := range strings.FieldsSeq(oidTable) {
		oid, name, _ := strings.Cut(pair, "=")
		names[oid] = name
	}
	return names
}()

const oidTable = `1.2.840.113549.1.1.1=RSA 1.2.840.113549.1.1.4=md5RSA 1.2.840.113549.1.1.5=sha1RSA 1.2.840.113549.1.1.7=RSAES_OAEP 1.2.840.113549.1.1.8=mgf1
1.2.840.113549.1.1.10=RSASSA-PSS 1.2.840.113549.1.1.11=sha256RSA 1.2.840.113549.1.1.12=sha384RSA 1.2.840.113549.1.1.13=sha512RSA 1.2.840.10040.4.1=DSA
1.2.840.10040.4.3=sha1DSA 1.2.840.10045.2.1=ECC 1.2.840.10045.3.1.7=ECDSA_P256 1.3.132.0.34=ECDSA_P384 1.3.132.0.35=ECDSA_P521 1.2.840.10045.4.1=sha1ECDSA
1.2.840.10045.4.3.2=sha256ECDSA 1.2.840.10045.4.3.3=sha384ECDSA 1.2.840.10045.4.3.4=sha512ECDSA 1.2.840.113549.2.5=md5 1.3.14.3.2.26=sha1
2.16.840.1.101.3.4.2.1=sha256 2.16.840.1.101.3.4.2.2=sha384 2.16.840.1.101.3.4.2.3=sha512 1.2.840.113549.3.7=3des 2.16.840.1.101.3.4.1.2=aes128
2.16.840.1.101.3.4.1.22=aes192 2.16.840.1.101.3.4.1.42=aes256 2.5.4.3=CN 2.5.4.4=SN 2.5.4.5=SERIALNUMBER 2.5.4.6=C 2.5.4.7=L 2.5.4.8=S 2.5.4.9=STREET
2.5.4.10=O 2.5.4.11=OU 2.5.4.12=T 2.5.4.42=G 1.2.840.113549.1.9.1=E 0.9.2342.19200300.100.1.25=DC`

// oidDecl is Oid, which may be made of a friendly name.
func oidDecl() clr.Decl {
	return D("class "+cns+"Oid",
		R("new(string oid)", func(_ F, a []V) V {
			value := text(a[0], "oid")
			for oid, name := range oidNames {
				if strings.EqualFold(name, value) {
					value = oid
				}
			}
			return clr.Object(&label{"Oid", value})
		}),
		R("string Value", func(_ F, a []V) V { return clr.String(nameOf(a[0], "oid")) }),
		R("string FriendlyName", func(_ F, a []V) V {
			if name, ok := oidNames[nameOf(a[0], "oid")]; ok {
				return clr.String(name)
			}
			return clr.Null
		}))
}
