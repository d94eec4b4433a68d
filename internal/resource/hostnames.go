package resource

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/platform"
)

// Where a service's object has its host names and its authorities, and, where no client sees it, what was uploaded for
// them: by host name in lower case, and by thumbprint.
const (
	hostsPath       = "properties.hostnameConfigurations"
	authoritiesPath = "properties.certificates"
	hostPairs       = "hostCertificates"
	authorityFiles  = "authorityCertificates"
)

// maxAuthorities is how many CA certificates a service may have.
const maxAuthorities = 10

// maxUploads bounds the files of one body: each takes its time to open.
const maxUploads = 40

// An Upload is a certificate file as a client sends it.
type Upload struct{ Data, Password string }

func uploadOf(o Object) Upload {
	return Upload{o.Text("encodedCertificate"), o.Text("certificatePassword")}
}

// OpenUploads opens the certificate files in the body of a service, a patch too. It needs no transaction and takes long.
func OpenUploads(env *Env, body Object) (map[Upload]*KeyPair, *arm.Error) {
	opened := map[Upload]*KeyPair{}
	var found []arm.ErrorDetail
	for _, list := range []struct {
		path string
		open func(data, password string) (*KeyPair, []arm.ErrorDetail)
	}{{hostsPath, env.OpenServer}, {authoritiesPath, env.OpenAuthority}} {
		for i, e := range body.List(list.path) {
			o, _ := e.(map[string]any)
			up := uploadOf(o)
			if up.Data == "" || opened[up] != nil {
				continue
			}
			if len(opened)+len(found) >= maxUploads {
				return nil, arm.Invalid(Finding(target(list.path), "A request may have at most %d certificates.", maxUploads))
			}
			pair, wrong := list.open(up.Data, up.Password)
			for _, w := range wrong {
				w.Target = fmt.Sprintf("%s[%d].%s", target(list.path), i, w.Target)
				found = append(found, w)
			}
			if pair != nil {
				opened[up] = pair
			}
		}
	}
	if len(found) > 0 {
		return nil, arm.Invalid(found...)
	}
	return opened, nil
}

// completeHosts keeps what was uploaded apart from what clients read. A name, or an authority, that comes without a file
// keeps the one that it has. The default host name is computed: a client that sends back what it read means no other.
func completeHosts(c *Change) {
	c.keepUploads(hostsPath, hostPairs, func(o Object) string {
		if c.isDefaultHost(o) {
			return ""
		}
		o.Remove("certificateStatus")
		return strings.ToLower(o.Text("hostName"))
	})
	c.keepUploads(authoritiesPath, authorityFiles, func(o Object) string {
		if pair := c.Opened[uploadOf(o)]; pair != nil {
			return pair.Thumbprint
		}
		return strings.ToUpper(o.Text("certificate.thumbprint"))
	})
}

// keepUploads moves what the elements of a list upload to another path, under their keys. An element without a key goes.
func (c *Change) keepUploads(list, files string, key func(Object) string) {
	had, _ := c.New.Get(files).(map[string]any)
	keep, elements := map[string]any{}, []any(nil)
	for _, e := range c.New.List(list) {
		o, ok := e.(map[string]any)
		if !ok {
			continue
		}
		k := key(o)
		if k == "" && list == hostsPath {
			continue
		}
		file, _ := had[k].(map[string]any)
		if pair := c.Opened[uploadOf(o)]; pair != nil {
			file = map[string]any{
				"certificate": pair.Certificate, "key": pair.Key, "subject": pair.Subject, "thumbprint": pair.Thumbprint, "expiry": pair.Expires,
			}
		}
		for _, name := range []string{"encodedCertificate", "certificatePassword", "certificate"} {
			delete(o, name)
		}
		if file != nil {
			keep[k] = file
			o["certificate"] = map[string]any{"subject": file["subject"], "thumbprint": file["thumbprint"], "expiry": file["expiry"]}
			if list == hostsPath {
				Object(o).SetDefault("certificateSource", "Custom")
			}
		}
		elements = append(elements, o)
	}
	c.New.Remove(list)
	delete(c.New, files)
	if len(elements) > 0 {
		c.New.Set(list, elements)
	}
	if len(keep) > 0 {
		c.New[files] = keep
	}
}

func (c *Change) isDefaultHost(h Object) bool {
	return h.Text("certificateSource") == "BuiltIn" || strings.EqualFold(h.Text("hostName"), c.defaultHost())
}

func (c *Change) defaultHost() string {
	return c.Env.URLs(ServiceFacts{ID: c.ID, Name: c.Name, Location: NormalLocation(c.New.Text("location"))}).GatewayHost
}

// hostName is a name of two labels or more, the first of which may be a wildcard.
var hostName = regexp.MustCompile(`^(\*\.)?([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$`)

// hostLimit is how many custom host names the gateway may have in a tier.
func hostLimit(tier string) int {
	switch platform.Tier(tier) {
	case platform.Developer, platform.Premium, platform.Isolated:
		return 20
	}
	return 1
}

// proxy is the type of host names that the gateway answers to. The endpoints of the others do not exist: such names are
// kept, with their certificates, and lead nowhere.
const proxy = "Proxy"

// hostRules are what is asked of the host names of a service.
func hostRules(c *Change) (found []arm.ErrorDetail) {
	list, tier := c.New.List(hostsPath), c.New.Text("sku.name")
	seen, standard, gateways := map[string]bool{}, 0, 0
	for i, e := range list {
		o, _ := e.(map[string]any)
		h, at := Object(o), fmt.Sprintf("hostnameConfigurations[%d].", i)
		name := strings.ToLower(h.Text("hostName"))
		wrong := hostProblems(c, h, at)
		if seen[name] {
			wrong = append(wrong, Finding(at+"hostName", "'%s' is listed more than once.", h.Text("hostName")))
		}
		seen[name] = true
		if h.Text("type") == proxy {
			gateways++
			if h.Flag("defaultSslBinding") {
				standard++
			}
		}
		found = append(found, wrong...)
	}
	if limit := hostLimit(tier); gateways > limit {
		found = append(found, Finding("hostnameConfigurations", "A service of the tier %s may have at most %d custom host names of the gateway.", tier, limit))
	}
	if standard > 1 {
		found = append(found, Finding("hostnameConfigurations", "At most one host name can have 'defaultSslBinding'."))
	}
	if c.New.Flag("properties.enableClientCertificate") && tier != string(platform.Consumption) {
		found = append(found, Finding("enableClientCertificate", "'enableClientCertificate' is for the tier Consumption; in others a host name has 'negotiateClientCertificate'."))
	}
	return found
}

// hostProblems says what is wrong with one host name.
func hostProblems(c *Change, h Object, at string) []arm.ErrorDetail {
	name, source := strings.ToLower(h.Text("hostName")), h.Text("certificateSource")
	domain := strings.TrimPrefix(strings.ToLower(c.defaultHost()), strings.ToLower(c.Name)+".")
	_, literal := netip.ParseAddr(name)
	switch {
	case h.Text("type") != proxy && c.New.Text("sku.name") == string(platform.Consumption):
		return []arm.ErrorDetail{Finding(at+"type", "A service of the tier Consumption has host names of the type Proxy only.")}
	case h.Text("keyVaultId") != "" || source == "KeyVault":
		return []arm.ErrorDetail{notBuilt(at+"keyVaultId", "Certificates from a key vault")}
	case source == "Managed":
		return []arm.ErrorDetail{notBuilt(at+"certificateSource", "Managed certificates")}
	case !hostName.MatchString(name) || literal == nil:
		return []arm.ErrorDetail{Finding(at+"hostName", "'%s' is not a host name.", h.Text("hostName"))}
	case name == domain || strings.HasSuffix(name, "."+domain):
		return []arm.ErrorDetail{Finding(at+"hostName", "'%s' is in the domain '%s', whose names are given by the platform.", h.Text("hostName"), domain)}
	case strings.HasPrefix(name, "*.") && c.New.Text("sku.name") == string(platform.Consumption):
		return []arm.ErrorDetail{Finding(at+"hostName", "A service of the tier Consumption has no wildcard host names.")}
	}
	files, _ := c.New[hostPairs].(map[string]any)
	file, ok := files[name].(map[string]any)
	switch text, _ := file["certificate"].(string); {
	case !ok:
		return []arm.ErrorDetail{Finding(at+"encodedCertificate", "'encodedCertificate' must not be empty.")}
	case !covers(text, name):
		return []arm.ErrorDetail{Finding(at+"encodedCertificate", "Neither the subject nor an alternative name of the certificate matches '%s'.", h.Text("hostName"))}
	}
	return nil
}

// covers says whether the first certificate of a chain is for a host name: by its alternative names or, where it has
// none, by its subject.
func covers(chain, name string) bool {
	block, _ := pem.Decode([]byte(chain))
	if block == nil {
		return false
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return false
	}
	if len(cert.DNSNames)+len(cert.IPAddresses) == 0 {
		cert.DNSNames = []string{cert.Subject.CommonName}
	}
	return cert.VerifyHostname(name) == nil
}

// authorityRules are what is asked of the CA certificates of a service.
func authorityRules(c *Change) (found []arm.ErrorDetail) {
	list := c.New.List(authoritiesPath)
	if len(list) > 0 && c.New.Text("sku.name") == string(platform.Consumption) {
		return []arm.ErrorDetail{Finding("certificates", "A service of the tier Consumption has no CA certificates.")}
	}
	if len(list) > maxAuthorities {
		found = append(found, Finding("certificates", "A service may have at most %d CA certificates.", maxAuthorities))
	}
	for i, e := range list {
		if o, _ := e.(map[string]any); o["certificate"] == nil {
			found = append(found, Finding(fmt.Sprintf("certificates[%d].encodedCertificate", i), "'encodedCertificate' must not be empty."))
		}
	}
	return found
}

// ChangesNames says whether a change of a service is one of what its gateways answer to, and with.
func (c *Change) ChangesNames() bool {
	for _, path := range []string{hostsPath, authoritiesPath, hostPairs, authorityFiles, "properties.enableClientCertificate"} {
		if !reflect.DeepEqual(c.Old.Get(path), c.New.Get(path)) {
			return true
		}
	}
	return false
}

// HostNames lists the custom host names of a stored service, in lower case.
func HostNames(desired json.RawMessage) []string {
	o, err := parseObject(desired)
	if err != nil {
		return nil
	}
	return HostNamesOf(o)
}

// HostNamesOf is HostNames for an object.
func HostNamesOf(o Object) (names []string) {
	for _, e := range o.List(hostsPath) {
		h, _ := e.(map[string]any)
		names = append(names, strings.ToLower(Object(h).Text("hostName")))
	}
	return names
}

// showHosts adds the default host name, and how far the certificates of the others are.
func showHosts(s *Shown, st platform.ServiceStatus, standard string) {
	before, _ := parseObject(st.Before)
	own := standard != ""
	var shown []any
	for _, e := range s.Object.List(hostsPath) {
		h, _ := e.(map[string]any)
		Object(h).SetDefault("defaultSslBinding", false)
		Object(h).SetDefault("negotiateClientCertificate", false)
		h["certificateStatus"] = "Completed"
		if st.Operation != "" && !listed(before.List(hostsPath), h) {
			h["certificateStatus"] = "InProgress"
		}
		own = own && (h["type"] != proxy || !Object(h).Flag("defaultSslBinding"))
		shown = append(shown, h)
	}
	if standard != "" {
		shown = append([]any{map[string]any{
			"type": proxy, "hostName": standard, "negotiateClientCertificate": false, "defaultSslBinding": own, "certificateSource": "BuiltIn",
		}}, shown...)
	}
	if len(shown) > 0 {
		s.Object.Set(hostsPath, shown)
	}
}

// listed says whether a host name was there before, with the certificate that it has.
func listed(before []any, h Object) bool {
	for _, e := range before {
		was, _ := e.(map[string]any)
		if strings.EqualFold(Object(was).Text("hostName"), h.Text("hostName")) && Object(was).Text("certificate.thumbprint") == h.Text("certificate.thumbprint") {
			return true
		}
	}
	return false
}
