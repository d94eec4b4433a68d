package resource

import (
	"crypto/tls"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/snapshot"
)

// Where the custom properties of a service are, and what the names of all of them begin with.
const (
	customPath   = "properties.customProperties"
	customPrefix = "Microsoft.WindowsAzure.ApiManagement."
	cipherPrefix = "gateway.security.ciphers."
)

// blockKey is the custom property of a service that serves nobody: the platform sets it, and the owner takes it back.
const blockKey = customPrefix + "Service.Disabled"

// Blocked says whether custom properties keep a service from serving.
func Blocked(properties map[string]any) bool {
	for key, value := range properties {
		if strings.EqualFold(key, blockKey) {
			return strings.EqualFold(fmt.Sprint(value), "true")
		}
	}
	return false
}

// Block keeps a service from serving.
func Block(service Object) {
	custom, _ := service.Get(customPath).(map[string]any)
	custom = maps.Clone(custom)
	maps.DeleteFunc(custom, func(key string, _ any) bool { return strings.EqualFold(key, blockKey) })
	if custom == nil {
		custom = map[string]any{}
	}
	custom[blockKey] = "True"
	service.Set(customPath, custom)
}

// kept are cipher suites that cannot be switched off, as in the cloud service.
var kept = []string{
	"TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
	"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384",
	"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
}

// switchable are those that can. The platform has all but one of them, and offers some only when it is told to.
var switchable = []string{
	"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
	"TLS_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_AES_256_GCM_SHA384", "TLS_RSA_WITH_AES_256_CBC_SHA256", "TLS_RSA_WITH_AES_128_CBC_SHA256",
	"TLS_RSA_WITH_AES_256_CBC_SHA", "TLS_RSA_WITH_AES_128_CBC_SHA",
}

// tripleDES is the suite that has a switch of another name.
const tripleDES = "TLS_RSA_WITH_3DES_EDE_CBC_SHA"

// customReader reads custom properties into what gateways do about them.
type customReader struct {
	tls   snapshot.TLS
	on    map[string]bool // protocols, by the rest of the key in lower case
	found []arm.ErrorDetail
}

// TLSOf reads what custom properties say of TLS, and says what is wrong with them. Names and values compare without case.
func TLSOf(properties map[string]any, tier string) (snapshot.TLS, []arm.ErrorDetail) {
	r := customReader{on: map[string]bool{}}
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		r.read(key, properties[key], tier)
	}
	r.tls.Oldest = r.oldest("gateway.security.protocols.")
	r.tls.OldestBackend = r.oldest("gateway.security.backend.protocols.")
	return r.tls, r.found
}

func (r *customReader) wrong(key, format string, args ...any) {
	r.found = append(r.found, Finding("customProperties."+key, format, args...))
}

func (r *customReader) read(key string, value any, tier string) {
	text := strings.ToLower(fmt.Sprint(value))
	on := text == "true"
	if !on && text != "false" {
		r.wrong(key, "'%v' is neither True nor False.", value)
		return
	}
	rest, ok := strings.CutPrefix(strings.ToLower(key), strings.ToLower(customPrefix))
	cipher, isCipher := strings.CutPrefix(rest, cipherPrefix)
	switch {
	case isCipher:
		r.cipher(key, strings.ToUpper(cipher), on)
	case !ok:
		r.wrong(key, "'%s' is not a custom property.", key)
	case rest == "gateway.protocols.server.http2":
		if on && tier == string(platform.Consumption) {
			r.wrong(key, "A service of the tier Consumption has no HTTP/2.")
		}
		r.tls.HTTP2 = on
	case strings.HasSuffix(rest, ".protocols.ssl30") && on:
		r.found = append(r.found, notBuilt("customProperties."+key, "SSL 3.0"))
	case slices.Contains([]string{
		"gateway.security.protocols.tls10", "gateway.security.protocols.tls11", "gateway.security.protocols.ssl30",
		"gateway.security.backend.protocols.tls10", "gateway.security.backend.protocols.tls11", "gateway.security.backend.protocols.ssl30", "service.disabled",
	}, rest):
		r.on[rest] = on
	default:
		r.wrong(key, "'%s' is not a custom property.", key)
	}
}

// cipher reads a switch of a cipher suite.
func (r *customReader) cipher(key, name string, on bool) {
	if name == "TRIPLEDES168" {
		name = tripleDES
	}
	switch known := slices.Contains(switchable, name) || name == tripleDES; {
	case slices.Contains(kept, name) && !on:
		r.wrong(key, "The cipher suite '%s' cannot be disabled: the platform needs it.", name)
		return
	case slices.Contains(kept, name):
		return
	case !known:
		r.wrong(key, "'%s' is not a cipher suite that can be enabled or disabled.", name)
		return
	}
	suite, standard := suiteOf(name)
	switch {
	case suite == 0 && on:
		r.found = append(r.found, notBuilt("customProperties."+key, "The cipher suite "+name))
	case on && !standard:
		r.tls.With = append(r.tls.With, suite)
	case !on && standard:
		r.tls.Without = append(r.tls.Without, suite)
	}
}

// suiteOf is the number of a cipher suite, 0 for one that the platform does not have; standard ones are offered unless
// they are disabled.
func suiteOf(name string) (id uint16, standard bool) {
	for _, s := range tls.CipherSuites() {
		if s.Name == name {
			return s.ID, true
		}
	}
	for _, s := range tls.InsecureCipherSuites() {
		if s.Name == name {
			return s.ID, false
		}
	}
	return 0, false
}

// oldest is the oldest version of TLS that is switched on; 0 for TLS 1.2, which always is.
func (r *customReader) oldest(prefix string) uint16 {
	tls10, tls11 := r.on[prefix+"tls10"], r.on[prefix+"tls11"]
	switch {
	case tls10 && !tls11:
		r.found = append(r.found, Finding("customProperties", "TLS 1.0 cannot be enabled while TLS 1.1 is not: %s%stls11 must be True.", customPrefix, prefix))
	case tls10:
		return tls.VersionTLS10
	case tls11:
		return tls.VersionTLS11
	}
	return 0
}

// customRules are what is asked of the custom properties of a service when they, or its tier, change: before, anything was
// stored.
func customRules(c *Change) []arm.ErrorDetail {
	properties, _ := c.New.Get(customPath).(map[string]any)
	if reflect.DeepEqual(c.Old.Get(customPath), c.New.Get(customPath)) && c.Old.Text("sku.name") == c.New.Text("sku.name") {
		return nil
	}
	_, found := TLSOf(properties, c.New.Text("sku.name"))
	return found
}
