package fixed

import (
	"cmp"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/lib"
)

// managed is the id of the gateway that belongs to the service itself.
const managed = "managed"

type deployment struct {
	spec         DeploymentSpec
	certificates []*lib.Certificate
}

func newDeployment(s DeploymentSpec) (*deployment, error) {
	s.GatewayID = cmp.Or(s.GatewayID, managed)
	d := &deployment{spec: s}
	for i, text := range s.Certificates {
		c, err := readCertificate(text)
		if err != nil {
			return nil, fmt.Errorf("deployment.certificates[%d]: %w", i, err)
		}
		d.certificates = append(d.certificates, c)
	}
	return d, nil
}

func (d *deployment) GatewayID() string         { return d.spec.GatewayID }
func (d *deployment) GatewayInstanceID() string { return d.spec.InstanceID }
func (d *deployment) IsManaged() bool           { return d.spec.GatewayID == managed }
func (d *deployment) Region() string            { return d.spec.Region }
func (d *deployment) ServiceID() string         { return d.spec.ServiceID }
func (d *deployment) ServiceName() string       { return d.spec.ServiceName }
func (d *deployment) Certificate(thumbprint string) *lib.Certificate {
	for _, c := range d.certificates {
		if strings.EqualFold(c.Thumbprint(), thumbprint) {
			return c
		}
	}
	return nil
}

func (d *deployment) EachCertificate(yield func(string, *lib.Certificate) bool) {
	for _, c := range d.certificates {
		if !yield(c.Thumbprint(), c) {
			return
		}
	}
}

// readCertificate reads the PEM of a certificate, and that of its private key if it is there.
func readCertificate(text string) (*lib.Certificate, error) {
	c := &lib.Certificate{}
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		var err error
		switch block.Type {
		case "CERTIFICATE":
			c.X509, err = x509.ParseCertificate(block.Bytes)
		case "PRIVATE KEY":
			var key any
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
			c.Key, _ = key.(crypto.Signer)
		default:
			err = fmt.Errorf("PEM of a %s, want CERTIFICATE or PRIVATE KEY", block.Type)
		}
		if err != nil {
			return nil, err
		}
	}
	if c.X509 == nil {
		return nil, errors.New("no PEM of a CERTIFICATE")
	}
	return c, nil
}
