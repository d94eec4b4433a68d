package resource

import (
	"context"
	"slices"

	"github.com/portico-dev/portico/internal/arm"
)

// A KeyPair is what a PFX file holds.
type KeyPair struct {
	Subject, Thumbprint, Expires string // as the management API shows them
	Certificate, Key             string // PEM: the chain with the leaf first, and the private key in PKCS #8
}

func certificates() *Row {
	return &Row{
		Namespace: APIM, Path: "service/certificates", Shape: Entity, Entity: "Certificate", Proof: "TestGolden/certificates", Versions: apimVersions,
		Verbs: Get | Head | Put | Delete | List, NameParam: "certificateId", NameMax: 80, NameLike: plainName,
		Fields: slices.Concat([]Field{
			{Path: "properties.data", Kind: String, Until: v2020pre, Flags: Required | WriteOnly},
			{Path: "properties.password", Kind: String, Until: v2020pre, Flags: Required | WriteOnly},
			{Path: "properties.subject", Kind: String, Flags: ReadOnly},
			{Path: "properties.thumbprint", Kind: String, Flags: ReadOnly},
			{Path: "properties.expirationDate", Kind: Time, Flags: ReadOnly},
			{Path: "pair.certificate", Kind: String, From: hidden, Flags: Sealed},
			{Path: "pair.key", Kind: String, From: hidden, Flags: Sealed},
		}, from(v2020pre, []Field{
			{Path: "properties.data", Kind: String, Flags: WriteOnly},
			{Path: "properties.password", Kind: String, Flags: WriteOnly},
			{Path: "properties.keyVault.secretIdentifier", Kind: String},
			{Path: "properties.keyVault.identityClientId", Kind: String},
		}...)),
		Filters: map[string]string{
			"name": "name", "subject": "properties.subject", "thumbprint": "properties.thumbprint", "expirationDate": "properties.expirationDate",
		},
		Prepare: openCertificate,
	}
}

// openCertificate takes the PFX file of a body apart.
func openCertificate(_ context.Context, c *Change) *arm.Error {
	if c.New.Get("properties.keyVault") != nil {
		return arm.Invalid(notBuilt("keyVault", "Certificates from a key vault"))
	}
	data := c.New.Text("properties.data")
	if data == "" {
		return arm.Invalid(Finding("data", "'data' must not be empty."))
	}
	pair, found := c.Env.OpenPFX(data, c.New.Text("properties.password"))
	if len(found) > 0 {
		return arm.Invalid(found...)
	}
	c.New = Object{
		"properties": map[string]any{"subject": pair.Subject, "thumbprint": pair.Thumbprint, "expirationDate": pair.Expires},
		"pair":       map[string]any{"certificate": pair.Certificate, "key": pair.Key},
	}
	return nil
}
