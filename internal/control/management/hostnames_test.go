package management_test

import (
	"crypto/sha1" //nolint:gosec // thumbprints are SHA-1
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/certtest"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

const otherService = groupPath + "/providers/Microsoft.ApiManagement/service/apimService2"

type object = map[string]any

// serviceBody is a service with these properties.
func serviceBody(t testing.TB, tier string, properties object) string {
	t.Helper()
	capacity := 1
	if tier == "Consumption" {
		capacity = 0
	}
	all := object{"publisherEmail": "a@b.c", "publisherName": "Contoso"}
	maps.Copy(all, properties)
	data, err := json.Marshal(object{"location": "West Europe", "sku": object{"name": tier, "capacity": capacity}, "properties": all})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func custom(name, pfx, password string) object {
	return object{"type": "Proxy", "hostName": name, "encodedCertificate": pfx, "certificatePassword": password}
}

func hosts(list ...object) object { return object{"hostnameConfigurations": list} }

// pemFile is a PEM file in base64, the key first.
func pemFile(t testing.TB, p certtest.Pair) string {
	t.Helper()
	chain, key := p.PEM(t)
	return base64.StdEncoding.EncodeToString([]byte(key + chain))
}

func der(p certtest.Pair) string { return base64.StdEncoding.EncodeToString(p.Certificate.Raw) }

func shownHosts(t testing.TB, a answer) []object {
	t.Helper()
	var out []object
	for _, e := range a.Body.List("properties.hostnameConfigurations") {
		out = append(out, e.(object))
	}
	return out
}

func status(t testing.TB, w *world, id string) platform.ServiceStatus {
	t.Helper()
	var st platform.ServiceStatus
	err := w.store.View(t.Context(), func(r store.Reader) error {
		d, err := r.Get(id)
		if err != nil {
			return err
		}
		return json.Unmarshal(d.Status, &st)
	})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// A custom name is a change of infrastructure; what was uploaded for it stays until another file comes, and nobody sees it.
func TestHostnames_LifeOfOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	ca := certtest.Authority(t, "CA").Under(t, "Between")
	leaf := ca.IssueRSA(t, "api.contoso.example")
	a := w.want(200, "PUT", servicePath, serviceBody(t, "Developer", hosts(custom("API.contoso.example", leaf.PFX(t, "pass word"), "pass word"))))
	if a.Header.Get("Location") == "" || a.text("properties.provisioningState") != "Updating" {
		t.Fatalf("no operation: %s", a.Raw)
	}
	if !status(t, w, servicePath).Renames {
		t.Error("the operation does not wait for the machines")
	}
	certificate := object{"expiry": "2064-02-03T04:05:06+00:00", "subject": "CN=api.contoso.example", "thumbprint": thumbprint(leaf)}
	builtIn := object{"type": "Proxy", "hostName": "apimService1.apim.localhost", "negotiateClientCertificate": false, "defaultSslBinding": true, "certificateSource": "BuiltIn"}
	own := object{
		"type": "Proxy", "hostName": "API.contoso.example", "negotiateClientCertificate": false, "defaultSslBinding": false,
		"certificate": certificate, "certificateSource": "Custom", "certificateStatus": "InProgress",
	}
	if diff := cmp.Diff([]object{builtIn, own}, shownHosts(t, a)); diff != "" {
		t.Error(diff)
	}
	locked := w.want(409, "PATCH", servicePath, `{"properties":{"hostnameConfigurations":[]}}`)
	if locked.code() != "ServiceLocked" {
		t.Errorf("code %s", locked.code())
	}
	w.settle()
	own["certificateStatus"] = "Completed"
	a = w.want(200, "GET", servicePath, "")
	if diff := cmp.Diff([]object{builtIn, own}, shownHosts(t, a)); diff != "" {
		t.Error(diff)
	}

	// What was read is sent back, with a change.
	sent := shownHosts(t, a)
	sent[1]["defaultSslBinding"], sent[1]["negotiateClientCertificate"] = true, true
	body, err := json.Marshal(object{"properties": hosts(sent...)})
	if err != nil {
		t.Fatal(err)
	}
	w.want(202, "PATCH", servicePath, string(body))
	w.settle()
	builtIn["defaultSslBinding"], own["defaultSslBinding"], own["negotiateClientCertificate"] = false, true, true
	if diff := cmp.Diff([]object{builtIn, own}, shownHosts(t, w.want(200, "GET", servicePath, ""))); diff != "" {
		t.Error(diff)
	}
	if a := w.want(200, "PATCH", servicePath, `{"tags":{"a":"b"}}`); a.Header.Get("Location") != "" {
		t.Error("a tag is no change of infrastructure")
	}

	// A renewal is an operation too, though nothing else changes. This one is a PEM file.
	next := ca.Issue(t, "api.contoso.example")
	sent[1]["encodedCertificate"] = pemFile(t, next)
	if body, err = json.Marshal(object{"properties": hosts(sent...)}); err != nil {
		t.Fatal(err)
	}
	a = w.want(202, "PATCH", servicePath, string(body))
	own["certificate"], own["certificateStatus"] = object{"expiry": "2064-02-03T04:05:06+00:00", "subject": "CN=api.contoso.example", "thumbprint": thumbprint(next)}, "InProgress"
	if diff := cmp.Diff([]object{builtIn, own}, shownHosts(t, a)); diff != "" {
		t.Error(diff)
	}
	w.settle()
	var stored string
	err = w.store.View(t.Context(), func(r store.Reader) error {
		d, err := r.Get(servicePath)
		stored = string(d.Desired) + string(d.Status)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"PRIVATE KEY", "pass word", "encodedCertificate", leaf.PFX(t, "pass word")[:40]} {
		if strings.Contains(stored, secret) {
			t.Errorf("%q is stored in the clear", secret)
		}
	}

	// Without the list there are no custom names.
	w.want(200, "PUT", servicePath, developerBody)
	w.settle()
	builtIn["defaultSslBinding"] = true
	if diff := cmp.Diff([]object{builtIn}, shownHosts(t, w.want(200, "GET", servicePath, ""))); diff != "" {
		t.Error(diff)
	}
}

// Host names of endpoints that Portico does not have are kept and shown, and count for no limit of the gateway.
func TestHostnames_OfOtherEndpoints(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGroup()
	file := certtest.Authority(t, "CA").Issue(t, "*.contoso.example").PFX(t, "")
	var list []object
	for _, kind := range []string{"Proxy", "Portal", "Management", "Scm", "DeveloperPortal", "ConfigurationApi"} {
		h := custom(strings.ToLower(kind)+".contoso.example", file, "")
		h["type"] = kind
		list = append(list, h)
	}
	w.want(201, "PUT", servicePath, serviceBody(t, "Basic", hosts(list...)))
	w.settle()
	var got []string
	for _, h := range shownHosts(t, w.want(200, "GET", servicePath, "")) {
		got = append(got, fmt.Sprint(h["type"], " ", h["hostName"], " ", h["certificateSource"]))
	}
	want := []string{
		"Proxy apimService1.apim.localhost BuiltIn", "Proxy proxy.contoso.example Custom", "Portal portal.contoso.example Custom", "Management management.contoso.example Custom",
		"Scm scm.contoso.example Custom", "DeveloperPortal developerportal.contoso.example Custom", "ConfigurationApi configurationapi.contoso.example Custom",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func thumbprint(p certtest.Pair) string { return fmt.Sprintf("%X", sha1.Sum(p.Certificate.Raw)) } //nolint:gosec // thumbprints are SHA-1

func TestHostnames_Refused(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGroup()
	ca := certtest.Authority(t, "CA")
	good, wild := ca.Issue(t, "api.contoso.example"), ca.Issue(t, "*.contoso.example")
	pfx := good.PFX(t, "")
	with := func(more object) object {
		h := custom("api.contoso.example", pfx, "")
		maps.Copy(h, more)
		return h
	}
	many := func(n int) (list []object) {
		all := wild.PFX(t, "")
		for i := range n {
			list = append(list, custom(fmt.Sprintf("a%d.contoso.example", i), all, ""))
		}
		return list
	}
	for name, c := range map[string]struct {
		tier       string
		properties object
		target     string
		message    string
	}{
		"key vault":  {"Developer", hosts(object{"type": "Proxy", "hostName": "api.contoso.example", "keyVaultId": "https://v/secrets/s"}), "hostnameConfigurations[0].keyVaultId", "Certificates from a key vault: not built in this version of Portico."},
		"managed":    {"Developer", hosts(object{"type": "Proxy", "hostName": "api.contoso.example", "certificateSource": "Managed"}), "hostnameConfigurations[0].certificateSource", "Managed certificates: not built in this version of Portico."},
		"no file":    {"Developer", hosts(object{"type": "Proxy", "hostName": "api.contoso.example"}), "hostnameConfigurations[0].encodedCertificate", "'encodedCertificate' must not be empty."},
		"no PFX":     {"Developer", hosts(with(object{"encodedCertificate": "aGVsbG8="})), "hostnameConfigurations[0].encodedCertificate", "'encodedCertificate' must be a PFX (PKCS #12) or PEM file with a certificate and its private key, in base64."},
		"password":   {"Developer", hosts(with(object{"encodedCertificate": good.PFX(t, "a"), "certificatePassword": "b"})), "hostnameConfigurations[0].certificatePassword", "The password does not open the certificate."},
		"other name": {"Developer", hosts(with(object{"hostName": "www.contoso.example"})), "hostnameConfigurations[0].encodedCertificate", "Neither the subject nor an alternative name of the certificate matches 'www.contoso.example'."},
		"wildcard":   {"Developer", hosts(with(object{"hostName": "*.contoso.example"})), "hostnameConfigurations[0].encodedCertificate", "Neither the subject nor an alternative name of the certificate matches '*.contoso.example'."},
		"address":    {"Developer", hosts(with(object{"hostName": "10.0.0.1"})), "hostnameConfigurations[0].hostName", "'10.0.0.1' is not a host name."},
		"no name":    {"Developer", hosts(with(object{"hostName": "a.*.example"})), "hostnameConfigurations[0].hostName", "'a.*.example' is not a host name."},
		"reserved":   {"Developer", hosts(with(object{"hostName": "Other.apim.localhost"})), "hostnameConfigurations[0].hostName", "'Other.apim.localhost' is in the domain 'apim.localhost', whose names are given by the platform."},
		"twice":      {"Developer", hosts(with(nil), with(object{"hostName": "API.contoso.example"})), "hostnameConfigurations[1].hostName", "'API.contoso.example' is listed more than once."},
		"two defaults": {
			"Developer", hosts(with(object{"defaultSslBinding": true}), object{"type": "Proxy", "hostName": "b.contoso.example", "encodedCertificate": wild.PFX(t, ""), "defaultSslBinding": true}),
			"hostnameConfigurations", "At most one host name can have 'defaultSslBinding'.",
		},
		"21":                     {"Developer", hosts(many(21)...), "hostnameConfigurations", "A service of the tier Developer may have at most 20 custom host names of the gateway."},
		"two of Basic":           {"Basic", hosts(many(2)...), "hostnameConfigurations", "A service of the tier Basic may have at most 1 custom host names of the gateway."},
		"two of Consumption":     {"Consumption", hosts(many(2)...), "hostnameConfigurations", "A service of the tier Consumption may have at most 1 custom host names of the gateway."},
		"portal of Consumption":  {"Consumption", hosts(with(object{"type": "DeveloperPortal"})), "hostnameConfigurations[0].type", "A service of the tier Consumption has host names of the type Proxy only."},
		"wild Consumption":       {"Consumption", hosts(custom("*.contoso.example", wild.PFX(t, ""), "")), "hostnameConfigurations[0].hostName", "A service of the tier Consumption has no wildcard host names."},
		"client certificates":    {"Developer", object{"enableClientCertificate": true}, "enableClientCertificate", "'enableClientCertificate' is for the tier Consumption; in others a host name has 'negotiateClientCertificate'."},
		"authority":              {"Consumption", object{"certificates": []object{{"storeName": "Root", "encodedCertificate": der(ca)}}}, "certificates", "A service of the tier Consumption has no CA certificates."},
		"11 authorities":         {"Developer", object{"certificates": authorities(t, 11)}, "certificates", "A service may have at most 10 CA certificates."},
		"authority without file": {"Developer", object{"certificates": []object{{"storeName": "Root"}}}, "certificates[0].encodedCertificate", "'encodedCertificate' must not be empty."},
		"authority of nothing":   {"Developer", object{"certificates": []object{{"storeName": "Root", "encodedCertificate": "aGVsbG8="}}}, "certificates[0].encodedCertificate", "'encodedCertificate' must be a certificate in base64: DER, PEM or PFX."},
	} {
		before := w.seq()
		a := w.want(400, "PUT", servicePath, serviceBody(t, c.tier, c.properties))
		details := a.Body.List("error.details")
		if len(details) != 1 {
			t.Errorf("%s: %s", name, a.Raw)
			continue
		}
		got := details[0].(object)
		if diff := cmp.Diff([]any{c.target, c.message}, []any{got["target"], got["message"]}); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if w.seq() != before {
			t.Errorf("%s: something was stored", name)
		}
	}
}

func authorities(t testing.TB, n int) (list []object) {
	t.Helper()
	for i := range n {
		list = append(list, object{"storeName": "Root", "encodedCertificate": der(certtest.Authority(t, fmt.Sprintf("CA %d", i)))})
	}
	return list
}

// A name belongs to one service; one that a service gives up does so until the operation has ended.
func TestHostnames_OfAnotherService(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	pfx := certtest.Authority(t, "CA").Issue(t, "api.contoso.example").PFX(t, "")
	w.want(200, "PUT", servicePath, serviceBody(t, "Developer", hosts(custom("api.contoso.example", pfx, ""))))
	take := func(status int) answer {
		return w.want(status, "PUT", otherService, serviceBody(t, "Consumption", hosts(custom("API.contoso.example", pfx, ""))))
	}
	refused := take(409)
	if diff := cmp.Diff([]string{"HostnameAlreadyInUse", "The host name 'api.contoso.example' is in use by another API Management service."}, []string{refused.code(), refused.text("error.message")}); diff != "" {
		t.Error(diff)
	}
	w.settle()
	take(409)
	w.want(202, "PATCH", servicePath, `{"properties":{"hostnameConfigurations":null}}`)
	take(409)
	w.settle()
	take(201)
}

// CA certificates come as DER, PEM or PFX; their keys, if any, are not kept.
func TestAuthorities(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGroup()
	root, between := certtest.Authority(t, "Root"), certtest.Authority(t, "Above").Under(t, "Between")
	third := certtest.Authority(t, "Third")
	text, _ := between.PEM(t)
	list := []object{
		{"storeName": "Root", "encodedCertificate": der(root)},
		{"storeName": "CertificateAuthority", "encodedCertificate": base64.StdEncoding.EncodeToString([]byte(text))},
		{"storeName": "Root", "encodedCertificate": third.PFX(t, "p"), "certificatePassword": "p"},
	}
	w.want(201, "PUT", servicePath, serviceBody(t, "Developer", object{"certificates": list}))
	w.settle()
	want := []any{}
	for i, p := range []certtest.Pair{root, between, third} {
		want = append(want, object{"storeName": list[i]["storeName"], "certificate": object{
			"expiry": "2064-02-03T04:05:06+00:00", "subject": "CN=" + p.Certificate.Subject.CommonName, "thumbprint": thumbprint(p),
		}})
	}
	a := w.want(200, "GET", servicePath, "")
	if diff := cmp.Diff(want, a.Body.List("properties.certificates")); diff != "" {
		t.Error(diff)
	}
	// What was read is sent back without the first.
	body, err := json.Marshal(object{"properties": object{"certificates": want[1:]}})
	if err != nil {
		t.Fatal(err)
	}
	w.want(202, "PATCH", servicePath, string(body))
	w.settle()
	if diff := cmp.Diff(want[1:], w.want(200, "GET", servicePath, "").Body.List("properties.certificates")); diff != "" {
		t.Error(diff)
	}
}

// On stv1 another name deploys the one machine of Developer anew; elsewhere machines take it as they are.
func TestHostnames_RenewDeveloperOnSTv1(t *testing.T) {
	t.Parallel()
	leaf := certtest.Authority(t, "CA").IssueRSA(t, "api.contoso.example")
	for tier, renews := range map[string]bool{"Developer": true, "Basic": false} {
		w := newWorld(t).withGroup()
		const old = servicePath + "?api-version=2020-12-01"
		w.want(201, "PUT", old, serviceBody(t, tier, nil))
		w.settle()
		body := serviceBody(t, tier, hosts(custom("api.contoso.example", leaf.PFX(t, "p"), "p")))
		w.want(200, "PUT", old, body)
		w.settle()
		first := status(t, w, servicePath).Wish
		if first.Platform != platform.STv1 || (first.Renewal != "") != renews {
			t.Errorf("%s: wish %+v", tier, first)
		}
		w.want(200, "PUT", old, strings.Replace(body, `"Contoso"`, `"Other"`, 1)) // renews nothing
		w.settle()
		if now := status(t, w, servicePath).Wish; now.Renewal != first.Renewal {
			t.Errorf("%s: renewed by another publisher: %q, was %q", tier, now.Renewal, first.Renewal)
		}
	}
}
