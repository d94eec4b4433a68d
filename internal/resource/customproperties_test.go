package resource

import (
	"crypto/tls"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/snapshot"
)

func TestTLSOf(t *testing.T) {
	t.Parallel()
	const prefix = "Microsoft.WindowsAzure.ApiManagement.Gateway."
	for name, c := range map[string]struct {
		tier       string
		properties map[string]any
		want       snapshot.TLS
		found      []string
	}{
		"nothing": {},
		"all off": {properties: map[string]any{
			prefix + "Protocols.Server.Http2": "False", prefix + "Security.Protocols.Tls10": "false", prefix + "Security.Protocols.Tls11": "False",
			prefix + "Security.Protocols.Ssl30": "False", prefix + "Security.Backend.Protocols.Ssl30": "False", prefix + "Security.Ciphers.TripleDes168": "False",
			prefix + "Security.Ciphers.TLS_RSA_WITH_AES_256_CBC_SHA256": "false", "Microsoft.WindowsAzure.ApiManagement.Service.Disabled": "False",
		}},
		"on": {
			properties: map[string]any{
				"microsoft.windowsazure.apimanagement.gateway.protocols.server.HTTP2": "true", prefix + "Security.Protocols.Tls10": "True", prefix + "Security.Protocols.Tls11": "True",
				prefix + "Security.Backend.Protocols.Tls11": "True", prefix + "Security.Ciphers.TripleDes168": "True", prefix + "Security.Ciphers.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "false",
				prefix + "Security.Ciphers.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "true",
			},
			want: snapshot.TLS{
				HTTP2: true, Oldest: tls.VersionTLS10, OldestBackend: tls.VersionTLS11, With: []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}, Without: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA},
			},
		},
		"wrong": {
			tier: "Consumption",
			properties: map[string]any{
				"Http2": "True", prefix + "Protocols.Server.Http2": "True", prefix + "Security.Protocols.Tls10": "maybe", prefix + "Security.Protocols.Tls12": "True",
				prefix + "Security.Protocols.Ssl30": "True", prefix + "Security.Ciphers.TLS_AES_128_GCM_SHA256": "False", prefix + "Security.Ciphers.ROT13": "False",
				prefix + "Security.Ciphers.TLS_RSA_WITH_AES_256_CBC_SHA256": "True", prefix + "Security.Backend.Protocols.Tls10": "True",
				"Microsoft.WindowsAzure.ApiManagement.Service.Disabled": "perhaps",
			},
			found: []string{
				"customProperties.Http2: 'Http2' is not a custom property.",
				"customProperties." + prefix + "Protocols.Server.Http2: A service of the tier Consumption has no HTTP/2.",
				"customProperties." + prefix + "Security.Ciphers.ROT13: 'ROT13' is not a cipher suite that can be enabled or disabled.",
				"customProperties." + prefix + "Security.Ciphers.TLS_AES_128_GCM_SHA256: The cipher suite 'TLS_AES_128_GCM_SHA256' cannot be disabled: the platform needs it.",
				"customProperties." + prefix + "Security.Ciphers.TLS_RSA_WITH_AES_256_CBC_SHA256: The cipher suite TLS_RSA_WITH_AES_256_CBC_SHA256: not built in this version of Portico.",
				"customProperties." + prefix + "Security.Protocols.Ssl30: SSL 3.0: not built in this version of Portico.",
				"customProperties." + prefix + "Security.Protocols.Tls10: 'maybe' is neither True nor False.",
				"customProperties." + prefix + "Security.Protocols.Tls12: '" + prefix + "Security.Protocols.Tls12' is not a custom property.",
				"customProperties.Microsoft.WindowsAzure.ApiManagement.Service.Disabled: 'perhaps' is neither True nor False.",
				"customProperties: TLS 1.0 cannot be enabled while TLS 1.1 is not: Microsoft.WindowsAzure.ApiManagement.gateway.security.backend.protocols.tls11 must be True.",
			},
		},
	} {
		got, details := TLSOf(c.properties, c.tier)
		var found []string
		for _, d := range details {
			found = append(found, d.Target+": "+d.Message)
		}
		if d := cmp.Diff(c.found, found); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if c.found == nil {
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("%s: %s", name, d)
			}
		}
	}
}
