package csharp_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/apim"
	"github.com/portico-dev/portico/internal/csharp/lib"
)

// fullExchange is a context object with everything that exchange leaves out.
type fullExchange struct {
	*exchange
	cert *lib.Certificate
}

type product struct{}

func (product) ProductID() string              { return "starter" }
func (product) Name() string                   { return "Starter" }
func (product) ApprovalRequired() bool         { return true }
func (product) SubscriptionRequired() bool     { return false }
func (product) SubscriptionLimit() (int, bool) { return 3, true }
func (product) Published() bool                { return true }
func (product) APIs() []apim.API               { return []apim.API{api{}} }
func (product) Groups() []apim.Group           { return []apim.Group{group{}} }

type group struct{}

func (group) GroupID() string   { return "developers" }
func (group) GroupName() string { return "Developers" }

type subscription struct{}

func (subscription) SubscriptionID() string { return "sub1" }
func (subscription) Name() string           { return "First" }
func (subscription) Key() string            { return "p-key" }
func (subscription) PrimaryKey() string     { return "p-key" }
func (subscription) SecondaryKey() string   { return "s-key" }
func (subscription) CreatedDate() time.Time { return time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC) }
func (subscription) StartDate() (time.Time, bool) {
	return time.Date(2024, 2, 3, 0, 0, 0, 0, time.UTC), true
}
func (subscription) EndDate() (time.Time, bool) { return time.Time{}, false }

type user struct{}

func (user) UserID() string              { return "u1" }
func (user) Email() string               { return "ann@contoso.com" }
func (user) FirstName() string           { return "Ann" }
func (user) LastName() string            { return "Lee" }
func (user) Note() string                { return "vip" }
func (user) RegistrationDate() time.Time { return time.Date(2023, 1, 2, 0, 0, 0, 0, time.UTC) }
func (user) Groups() []apim.Group        { return []apim.Group{group{}} }
func (user) Identities() []apim.Identity { return []apim.Identity{{ID: "ann", Provider: "Basic"}} }

type lastError struct{}

func (lastError) Source() string   { return "rate-limit" }
func (lastError) Reason() string   { return "RateLimitExceeded" }
func (lastError) Message() string  { return `too "many"` }
func (lastError) Scope() string    { return "api" }
func (lastError) Section() string  { return "inbound" }
func (lastError) Path() string     { return "rate-limit[1]" }
func (lastError) PolicyID() string { return "p1" }

type deployment struct{ cert *lib.Certificate }

func (deployment) GatewayID() string         { return "managed" }
func (deployment) GatewayInstanceID() string { return "i1" }
func (deployment) IsManaged() bool           { return true }
func (deployment) Region() string            { return "West Europe" }
func (deployment) ServiceID() string         { return "svc-id" }
func (deployment) ServiceName() string       { return "contoso" }
func (d deployment) Certificate(t string) *lib.Certificate {
	if t == d.cert.Thumbprint() || t == "cert" {
		return d.cert
	}
	return nil
}

func (d deployment) EachCertificate(yield func(string, *lib.Certificate) bool) {
	yield(d.cert.Thumbprint(), d.cert)
}

func (e *fullExchange) Product() apim.Product           { return product{} }
func (e *fullExchange) Subscription() apim.Subscription { return subscription{} }
func (e *fullExchange) User() apim.User                 { return user{} }
func (e *fullExchange) LastError() apim.LastError       { return lastError{} }
func (e *fullExchange) Deployment() apim.Deployment     { return deployment{e.cert} }
func (e *fullExchange) GraphQLArguments() string        { return `{"id":5}` }
func (e *fullExchange) GraphQLParent() string           { return `{"name":"x"}` }

func newCertificate(t *testing.T) *lib.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(0x0a1b), Subject: pkix.Name{CommonName: "client.contoso.com", Organization: []string{"Contoso, Ltd"}, Country: []string{"US"}},
		NotBefore: time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC), NotAfter: time.Date(2034, 1, 2, 3, 4, 5, 0, time.UTC), DNSNames: []string{"alt.contoso.com"},
	}
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

func TestContext_WithAllParts(t *testing.T) {
	t.Parallel()
	host := &fullExchange{newExchange(), newCertificate(t)}
	const cert = `context.Deployment.Certificates["cert"]`
	for src, want := range map[string]string{
		`context.Product.Id + context.Product.Name`:                                                               "starterStarter",
		`context.Product.ApprovalRequired`:                                                                        "True",
		`context.Product.SubscriptionRequired`:                                                                    "False",
		`context.Product.SubscriptionLimit`:                                                                       "3",
		`context.Product.SubscriptionsLimit.Value`:                                                                "3",
		`context.Product.State`:                                                                                   "Published",
		`context.Product.State == ProductState.Published`:                                                         "True",
		`(int)context.Product.State`:                                                                              "1",
		`context.Product.Apis.First().Id`:                                                                         "orders",
		`context.Product.Groups.Any(g => g.Name == "Developers")`:                                                 "True",
		`string.Join(",", context.User.Groups.Select(g => g.Id))`:                                                 "developers",
		`context.User.Id + context.User.FirstName + context.User.LastName`:                                        "u1AnnLee",
		`context.User.Email + context.User.Note`:                                                                  "ann@contoso.comvip",
		`context.User.RegistrationDate.ToString("d")`:                                                             "01/02/2023",
		`context.User.Identities.Single().Provider + context.User.Identities.Single().Id`:                         "Basicann",
		`context.Subscription.Id + context.Subscription.Name`:                                                     "sub1First",
		`context.Subscription.Key == context.Subscription.PrimaryKey`:                                             "True",
		`context.Subscription.SecondaryKey`:                                                                       "s-key",
		`context.Subscription.CreatedDate.ToString("s")`:                                                          "2024-01-02T03:04:05",
		`context.Subscription.CreatedTime == context.Subscription.CreatedDate`:                                    "True",
		`context.Subscription.StartDate?.Month`:                                                                   "2",
		`context.Subscription.EndDate.HasValue`:                                                                   "False",
		`context.LastError.Source + context.LastError.Reason + context.LastError.Message`:                         `rate-limitRateLimitExceededtoo "many"`,
		`context.LastError.Scope + context.LastError.Section + context.LastError.Path`:                            "apiinboundrate-limit[1]",
		`context.LastError.PolicyId`:                                                                              "p1",
		`JObject.Parse(context.LastError.ToString())["reason"]`:                                                   "RateLimitExceeded",
		`("" + context.LastError).StartsWith("{")`:                                                                "True",
		`context.Deployment.GatewayId + context.Deployment.Region`:                                                "managedWest Europe",
		`context.Deployment.ServiceName + context.Deployment.ServiceId`:                                           "contososvc-id",
		`context.Deployment.Gateway.Id + context.Deployment.Gateway.InstanceId`:                                   "managedi1",
		`context.Deployment.Gateway.IsManaged`:                                                                    "True",
		`context.GraphQL.Arguments["id"]`:                                                                         "5",
		`context.GraphQL.Parent["name"]`:                                                                          "x",
		`context.GraphQL["arguments"]["id"]`:                                                                      "5",
		`context.Deployment.Certificates.Count`:                                                                   "1",
		`context.Deployment.Certificates.ContainsKey("nope")`:                                                     "False",
		`context.Deployment.Certificates.First().Key == context.Deployment.Certificates.First().Value.Thumbprint`: "True",
		cert + `.Thumbprint.Length`:                                                                               "40",
		cert + `.Thumbprint == ` + cert + `.GetCertHashString()`:                                                  "True",
		cert + `.GetCertHash().Length`:                                                                            "20",
		cert + `.Subject`:                                                                                         `CN=client.contoso.com, O="Contoso, Ltd", C=US`,
		cert + `.Issuer == ` + cert + `.Subject`:                                                                  "True",
		cert + `.SubjectName.Name == ` + cert + `.IssuerName.Name`:                                                "True",
		cert + `.SerialNumber`:                                                                                    "0A1B",
		cert + `.GetSerialNumberString()`:                                                                         "0A1B",
		cert + `.GetSerialNumber()[0]`:                                                                            "27",
		cert + `.Version`:                                                                                         "3",
		cert + `.NotBefore.ToString("s")`:                                                                         "2024-01-02T03:04:05",
		cert + `.NotAfter.Year`:                                                                                   "2034",
		cert + `.GetEffectiveDateString()`:                                                                        "01/02/2024 03:04:05",
		cert + `.GetExpirationDateString()`:                                                                       "01/02/2034 03:04:05",
		cert + `.HasPrivateKey`:                                                                                   "True",
		cert + `.FriendlyName == ""`:                                                                              "True",
		cert + `.GetFormat()`:                                                                                     "X509",
		cert + `.SignatureAlgorithm.FriendlyName`:                                                                 "sha256RSA",
		cert + `.GetNameInfo(X509NameType.SimpleName, false)`:                                                     "client.contoso.com",
		cert + `.GetNameInfo(X509NameType.DnsFromAlternativeName, false)`:                                         "alt.contoso.com",
		cert + `.Verify()`:                                                                                        "False",
		cert + `.VerifyNoRevocation()`:                                                                            "False",
		`new X509Certificate2(` + cert + `.RawData).Thumbprint == ` + cert + `.Thumbprint`:                        "True",
		`new X509Certificate2(` + cert + `.Export(X509ContentType.Cert)).HasPrivateKey`:                           "False",
		`new X509Certificate2(` + cert + `.GetRawCertData()).Equals(` + cert + `)`:                                "True",
		cert + `.GetRSAPrivateKey().KeySize`:                                                                      "2048",
		cert + `.PublicKey.Key.KeySize`:                                                                           "2048",
		`{ var d = Encoding.UTF8.GetBytes("x"); var s = ` + cert + `.GetRSAPrivateKey().SignData(d, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1); return ` + cert + `.GetRSAPublicKey().VerifyData(d, s, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1) + "," + s.Length; }`: "True,256",
		`{ var d = SHA512.Create().ComputeHash(new byte[1]); var s = ` + cert + `.GetRSAPrivateKey().SignHash(d, HashAlgorithmName.SHA512, RSASignaturePadding.Pss); return ` + cert + `.GetRSAPublicKey().VerifyHash(d, s, HashAlgorithmName.SHA512, RSASignaturePadding.Pss); }`:         "True",
		`{ var r = ` + cert + `.GetRSAPrivateKey(); return r.Decrypt(r.Encrypt(new byte[] { 7 }, RSAEncryptionPadding.OaepSHA256), RSAEncryptionPadding.OaepSHA256)[0]; }`:                                                                                                                 "7",
		`{ var r = ` + cert + `.GetRSAPrivateKey(); return r.Decrypt(r.Encrypt(new byte[] { 8 }, RSAEncryptionPadding.Pkcs1), RSAEncryptionPadding.Pkcs1)[0]; }`:                                                                                                                           "8",
		cert + `.GetRSAPublicKey().SignData(new byte[1], HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)`:                                                                                                                                                                             "CryptographicException: Key does not exist.",
		`context.Deployment.Certificates["nope"]`: "KeyNotFoundException: The given key was not present in the dictionary.",
	} {
		if got := evaluate(src, host); got != want {
			t.Errorf("%s\n got %q\nwant %q", src, got, want)
		}
	}
}

// evaluate gives the text of the value, the exception or the first finding.
func evaluate(src string, host any) string {
	p, errs := csharp.Compile(src, options())
	if errs != nil {
		return errs[0].Error()
	}
	f := csharp.NewFrame(context.Background(), host)
	defer f.Release()
	v, err := p.Run(f)
	var ex *csharp.Exception
	if errors.As(err, &ex) {
		return ex.Type.Name + ": " + ex.Message
	}
	if err != nil {
		return err.Error()
	}
	s, err := f.Text(p, v)
	if err != nil {
		return err.Error()
	}
	return s
}
