package e2e

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/portico-dev/portico/internal/azuritetest"
	"github.com/portico-dev/portico/internal/certtest"
)

// says runs a command and asks that its output has these lines, in this order, spaces between columns aside.
func (h *host) says(lines []string, args ...string) {
	h.t.Helper()
	out := h.portico(args...)
	got := strings.Split(strings.TrimSpace(out), "\n")
	for i := range got {
		got[i] = regexp.MustCompile(` {2,}`).ReplaceAllString(strings.TrimSpace(got[i]), "  ")
	}
	for _, line := range got {
		if len(lines) > 0 && regexp.MustCompile("^(?:"+lines[0]+")$").MatchString(line) {
			lines = lines[1:]
		}
	}
	if len(lines) > 0 {
		h.t.Errorf("portico %s: no line %q in\n%s", strings.Join(args, " "), lines[0], strings.Join(got, "\n"))
	}
}

// complains runs a command that must fail, and asks for the beginning of what it says.
func (h *host) complains(want string, args ...string) {
	h.t.Helper()
	out, err := exec.Command(program, append(args, "--data", h.dir)...).CombinedOutput()
	if err == nil || !strings.HasPrefix(string(out), want) {
		h.t.Errorf("portico %s: %v %q, want %q", strings.Join(args, " "), err, out, want)
	}
}

func TestCLI_LocksTagsAndActivity(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.portico("service", "create", "shop", "--tags", "team=books,stage=test")
	h.portico("service", "create", "bare", "--tier", "Consumption")
	h.says([]string{"stage  live", "team  books"}, "service", "tag", "shop", "stage=live")
	h.says([]string{"team  books"}, "service", "tag", "shop", "--remove", "Stage")
	h.says([]string{"shop  Succeeded  .*"}, "service", "list", "--tag", "team=books")
	if out := h.portico("service", "list", "--tag", "stage", "-o", "json"); out != "[]\n" {
		t.Errorf("a tag that was removed: %s", out)
	}

	h.says([]string{"keep  CanNotDelete  default/service/shop  it is open"}, "lock", "create", "keep", "--service", "shop", "--notes", "it is open")
	h.portico("lock", "create", "frozen", "-g", "default", "--level", "ReadOnly")
	h.says([]string{"frozen  ReadOnly  default  -"}, "lock", "list", "--service", "bare")
	h.complains("portico: ScopeLocked: ", "service", "tag", "shop", "a=b")
	h.says([]string{"frozen of default is gone"}, "lock", "delete", "frozen", "-g", "default")
	h.complains("portico: ScopeLocked: ", "service", "delete", "shop")
	h.portico("lock", "delete", "keep", "--resource", h.client.Subscription()+"/resourceGroups/default/providers/Microsoft.ApiManagement/service/shop")
	h.complains("portico: everything has no lock \"keep\"", "lock", "delete", "keep")

	h.says([]string{`\S+ \S+  Failed  service/delete  default/service/shop  \S+  ScopeLocked: .*`}, "activity", "--status", "Failed", "--service", "shop")
	var events []struct {
		Caller        string
		CorrelationID string
		OperationName struct{ Value string }
	}
	if err := json.Unmarshal([]byte(h.portico("activity", "-o", "json", "--since", "1h")), &events); err != nil || len(events) == 0 {
		t.Fatalf("%d events: %v", len(events), err)
	}
	oldest := events[len(events)-1]
	h.says([]string{`.*  Microsoft.Resources/resourceGroups/write  default  \S+  Created`}, "activity", "--correlation", oldest.CorrelationID, "--caller", oldest.Caller)
	if out := h.portico("activity", "--caller", "nobody"); strings.Count(out, "\n") != 1 {
		t.Errorf("what nobody did:\n%s", out)
	}
}

func TestCLI_DomainsAndCertificates(t *testing.T) {
	t.Parallel()
	h, dir := start(t), t.TempDir()
	h.portico("service", "create", "shop")
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca := certtest.Authority(t, "Contoso")
	p := ca.Issue(t, "api.contoso.example")
	pfx, err := base64.StdEncoding.DecodeString(p.PFX(t, pfxPassword))
	if err != nil {
		t.Fatal(err)
	}
	shown, password := file("api.pfx", pfx), file("password", []byte(pfxPassword+"\n"))
	certificates, private := p.PEM(t)
	chain, key := file("chain.pem", []byte(certificates)), file("key.pem", []byte(private))
	authority, _ := ca.PEM(t)

	h.says([]string{"api.contoso.example  Custom  CN=api.contoso.example  \\S+  -  -"},
		"domain", "add", "api.contoso.example", "--service", "shop", "--certificate", chain, "--key", key)
	h.says([]string{"shop.apim.localhost  BuiltIn  -  -  -  -", "API.contoso.example  Custom  CN=api.contoso.example  \\S+  yes  yes"},
		"domain", "add", "API.contoso.example", "--service", "shop", "--certificate", shown, "--password-file", password, "--default", "--client-certificates")
	h.complains("portico: ValidationError: ", "domain", "add", "www.contoso.example", "--service", "shop", "--certificate", shown, "--password-file", password)
	h.complains("portico: shop has no host name \"nowhere\"", "domain", "remove", "nowhere", "--service", "shop")
	h.portico("domain", "remove", "api.contoso.example", "--service", "shop")
	if out := h.portico("domain", "list", "--service", "shop"); strings.Contains(out, "contoso") {
		t.Errorf("after the removal:\n%s", out)
	}

	h.says([]string{"partner  CN=api.contoso.example  [0-9A-F]{40}  \\S+"}, "certificate", "add", "partner", "--service", "shop", "--certificate", shown, "--password-file", password)
	h.says([]string{"partner  .*"}, "certificate", "list", "--service", "shop")
	h.portico("certificate", "remove", "partner", "--service", "shop")
	h.complains("portico: ResourceNotFound: ", "certificate", "remove", "partner", "--service", "shop")

	h.says([]string{"[0-9A-F]{40}  CertificateAuthority  CN=Contoso  \\S+"}, "authority", "add", file("ca.pem", []byte(authority)), "--service", "shop", "--store", "CertificateAuthority")
	var authorities []struct{ Certificate struct{ Thumbprint string } }
	if err := json.Unmarshal([]byte(h.portico("authority", "list", "--service", "shop", "-o", "json")), &authorities); err != nil || len(authorities) != 1 {
		t.Fatalf("%+v: %v", authorities, err)
	}
	h.complains("portico: 0 thumbprints of shop begin with \"none\"", "authority", "remove", "none", "--service", "shop")
	if out := h.portico("authority", "remove", authorities[0].Certificate.Thumbprint[:8], "--service", "shop", "-o", "json"); out != "[]\n" {
		t.Errorf("after the removal: %s", out)
	}
}

func TestCLI_Regions(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.portico("service", "create", "shop", "--tier", "Premium")
	h.says([]string{"West Europe  stv2  1  -  \\S+  yes  \\S+", "East US  stv2  2  1,2  \\S+  yes  \\S+"}, "region", "add", "eastus", "--service", "shop", "--units", "2", "--zones", "1,2")
	h.says([]string{"East US  stv2  2  1,2  \\S+  -  \\S+"}, "region", "add", "East US", "--service", "shop", "--disabled")
	h.says([]string{"name  shop", "state  Succeeded", "tier  Premium, 1 unit", "location  West Europe", "host name  shop.apim.localhost, default", "region  East US, 2 units, stv2, \\S+, out of rotation"}, "service", "show", "shop")
	h.complains("portico: the primary location", "region", "remove", "westeurope", "--service", "shop")
	h.portico("region", "remove", "East US", "--service", "shop")
	h.complains("portico: shop is not at \"eastus\"", "region", "remove", "eastus", "--service", "shop")
	if out := h.portico("region", "list", "--service", "shop"); strings.Contains(out, "East US") {
		t.Errorf("after the removal:\n%s", out)
	}
}

// TestCLI_Networks describes networks, which every host can; services are put into them in the tests of networks.
func TestCLI_Networks(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.says([]string{"guard  nets  westeurope  200 inbound allow 80,443 from Internet; 210 .* from ApiManagement; 220 .* from AzureLoadBalancer"},
		"network", "nsg", "create", "guard", "-g", "nets", "--for-services")
	h.says([]string{".*  190 inbound deny 443 from 10.0.0.0/8; 200 .*"}, "network", "nsg", "rule", "guard", "office", "--deny", "--from", "10.0.0.0/8", "--priority", "190", "--ports", "443")
	h.says([]string{"guard  nets  westeurope  200 .*"}, "network", "nsg", "rule", "guard", "office", "--delete")
	h.says([]string{"office  nets  westeurope  10.1.0.0/16  apim 10.1.1.0/27"}, "network", "vnet", "create", "office", "-g", "nets", "--prefix", "10.1.0.0/16", "--subnet", "apim=10.1.1.0/27", "--nsg", "guard")
	h.says([]string{".*  apim 10.1.1.0/27, doors 10.1.2.0/24"}, "network", "subnet", "create", "office/doors", "--prefix", "10.1.2.0/24")
	h.complains("portico: NetcfgSubnetRangesOverlap: ", "network", "subnet", "create", "office/more", "--prefix", "10.1.2.0/25")
	h.complains("portico: InUseNetworkSecurityGroupCannotBeDeleted: ", "network", "nsg", "delete", "guard")
	h.says([]string{"front  nets  eastus  198.\\S+  shop.eastus.cloudapp.localhost"}, "network", "public-ip", "create", "front", "-g", "nets", "--dns-label", "shop", "--location", "eastus", "--zones", "1,2,3")
	h.portico("network", "subnet", "delete", "office/doors")
	h.says([]string{"office  nets  westeurope  10.1.0.0/16  apim 10.1.1.0/27"}, "network", "vnet", "list")
	for _, x := range [][2]string{{"vnet", "office"}, {"nsg", "guard"}, {"public-ip", "front"}} {
		h.says([]string{x[1] + "  nets  .*"}, "network", x[0], "show", x[1])
		h.portico("network", x[0], "delete", x[1])
		if out := h.portico("network", x[0], "list", "-o", "json"); out != "[]\n" {
			t.Errorf("%s after the deletion: %s", x[0], out)
		}
	}
	h.complains("portico: there is no virtual network \"office\"", "network", "vnet", "show", "office")
	h.says(nil, "network", "private-endpoint", "list")

	h.portico("service", "create", "shop")
	h.complains("portico: no private endpoint \"door\" leads to shop", "network", "private-endpoint", "approve", "door", "--service", "shop")
	h.complains("portico: \"office\" is not VNET/SUBNET", "service", "network", "shop", "--mode", "Internal", "--subnet", "office")
}

// TestBackup_ToAStorageAccount backs a service up to a storage account, and restores it.
func TestBackup_ToAStorageAccount(t *testing.T) {
	t.Parallel()
	endpoint := azuritetest.Start(t, http.DefaultClient, "http")
	h := start(t, "--blob-endpoint", endpoint)
	h.create("shop", "Developer", 1, recent)
	api := h.service("shop") + "/apis/echo"
	h.do(http.MethodPut, api, latest, object{"properties": object{"displayName": "Echo", "path": "echo", "protocols": []string{"http"}}})
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(azuritetest.Key), 0o600); err != nil {
		t.Fatal(err)
	}
	where := []string{"--account", azuritetest.Account, "--container", azuritetest.Container, "--backup", "shop/one", "--key-file", key}
	h.says([]string{"shop  Succeeded  .*"}, append([]string{"service", "backup", "shop"}, where...)...)
	if _, err := h.client.Do(t.Context(), http.MethodDelete, api, latest, nil, "If-Match", "*"); err != nil {
		t.Fatal(err)
	}
	h.says([]string{"shop  Succeeded  .*"}, append([]string{"service", "restore", "shop"}, where...)...)
	h.do(http.MethodGet, api, latest, nil)
	where[5] = "another"
	h.complains("portico: restore shop: BackupNotFound: ", append([]string{"service", "restore", "shop"}, where...)...)
	where[3] = "elsewhere"
	h.complains("portico: back up shop: ContainerNotFound: ", append([]string{"service", "backup", "shop"}, where...)...)
	h.keepsSecret(azuritetest.Key)
}

// TestBackup_ByIdentity backs a service up to a storage account that lets its identities in.
func TestBackup_ByIdentity(t *testing.T) {
	t.Parallel()
	endpoint := azuritetest.Start(t, http.DefaultClient, "http")
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(azuritetest.Key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := start(t, "--blob-endpoint", endpoint, "--backup-keys", azuritetest.Account+"="+key)
	h.portico("service", "create", "shop")
	h.says([]string{"archivist  people  westeurope  [0-9a-f-]{36}  [0-9a-f-]{36}"}, "identity", "create", "archivist", "-g", "people", "--location", "westeurope")
	where := func(action, account, identity string) []string {
		return []string{"service", action, "shop", "--account", account, "--container", azuritetest.Container, "--backup", "one", "--identity", identity}
	}
	h.complains("portico: back up shop: ValidationError: ", where("backup", azuritetest.Account, "system")...)
	h.complains("portico: shop has no identity \"archivist\"", where("backup", azuritetest.Account, "archivist")...)
	h.says([]string{`\(its own\)  -  [0-9a-f-]{36}`, "archivist  [0-9a-f-]{36}  [0-9a-f-]{36}"}, "service", "identity", "shop", "--system", "--assign", "archivist")
	h.says([]string{"shop  Succeeded  .*"}, where("backup", azuritetest.Account, "system")...)
	h.says([]string{"shop  Succeeded  .*"}, where("restore", azuritetest.Account, "archivist")...)
	h.complains("portico: back up shop: StorageAccessDenied: ", where("backup", "another", "archivist")...)
	if out := h.portico("service", "identity", "shop", "--system=false", "--remove", "archivist"); strings.Count(out, "\n") != 1 {
		t.Errorf("after they were taken:\n%s", out)
	}
	h.says([]string{"archivist  .*"}, "identity", "list")
	h.says([]string{"archivist  .*"}, "identity", "show", "archivist")
	h.portico("identity", "delete", "archivist")
	h.complains("portico: there is no user-assigned identity \"archivist\"; `portico identity list`", "service", "identity", "shop", "--assign", "archivist")
	h.keepsSecret(azuritetest.Key)
}
