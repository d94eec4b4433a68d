package management_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/control/backup"
	"github.com/portico-dev/portico/internal/control/management"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// A backupWorld has a folder for an account, and an engine that runs operations.
type backupWorld struct {
	*world
	dir string
}

func newBackupWorld(t *testing.T, clock *pace.Clock) backupWorld {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "backups"), 0o700); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *management.Options) {
		o.Clock = clock
		o.Backups = backup.Accounts{Folders: map[string]string{"disk": dir}, Endpoint: "http://127.0.0.1:1/{account}"}
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- lro.NewEngine(w.store, slog.New(slog.DiscardHandler), w.handler.Handlers(), clock).Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return backupWorld{w, dir}
}

const backupBody = `{"storageAccount":"disk","containerName":"backups","backupName":"one"}`

// run sends a backup or restore of a service and returns the status object of its end.
func (w backupWorld) run(path, body string) answer {
	w.t.Helper()
	a := w.want(202, "POST", path, body)
	if a.Raw != "" {
		w.t.Errorf("POST %s answers %s", path, a.Raw)
	}
	var end answer
	eventually(w.t, func() bool {
		end = w.want(200, "GET", local(w.t, a.Header.Get("Azure-AsyncOperation")), "")
		return end.text("status") != "InProgress"
	})
	return end
}

func (w backupWorld) succeed(path, body string) {
	w.t.Helper()
	if end := w.run(path, body); end.text("status") != "Succeeded" {
		w.t.Fatalf("%s: %s", path, end.Raw)
	}
}

// contents are the documents of a service, in the clear, with the service's name left out.
func (w backupWorld) contents(service string) map[string]string {
	w.t.Helper()
	out := map[string]string{}
	if err := w.store.View(w.t.Context(), func(r store.Reader) error {
		docs, err := r.List(store.Query{Prefix: service})
		for _, d := range docs {
			o, err := resource.Open(d, textSealer{})
			if err != nil {
				return err
			}
			raw, err := json.Marshal(o)
			if err != nil {
				return err
			}
			out[d.ID[len(service):]] = strings.ReplaceAll(string(raw), service, "{s}")
		}
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w backupWorld) filled() backupWorld {
	w.t.Helper()
	w.withAPI()
	w.want(201, "PUT", servicePath+"/namedValues/pass", `{"properties":{"displayName":"pass","value":"hunter2","secret":true}}`)
	w.want(201, "PUT", servicePath+"/subscriptions/mine", `{"properties":{"displayName":"mine","scope":"`+servicePath+`/apis/echo"}}`)
	w.want(201, "PUT", servicePath+"/products/unlimited/apis/echo", "")
	return w
}

// TestBackup_ByIdentity: the service must have the identity that its client names; where no key is at hand for an
// account, it is not let in.
func TestBackup_ByIdentity(t *testing.T) {
	t.Parallel()
	w := newBackupWorld(t, pace.New(pace.Instant())).filled()
	path := servicePath + "/backup"
	body := func(account, more string) string {
		return `{"storageAccount":"` + account + `","containerName":"backups","backupName":"one",` + more + `}`
	}
	const system, user = `"accessType":"SystemAssignedManagedIdentity"`, `"accessType":"UserAssignedManagedIdentity"`
	const someone = `,"clientId":"00000000-0000-0000-0000-000000000001"`
	for more, want := range map[string]string{
		system:         "accessType: The service 'apimService1' has no system-assigned identity.",
		user:           "clientId: 'clientId' is required for the access type 'UserAssignedManagedIdentity'.",
		user + someone: "clientId: The service 'apimService1' has no user-assigned identity with the client ID '00000000-0000-0000-0000-000000000001'.",
	} {
		a := w.want(400, "POST", path, body("disk", more))
		d, _ := a.Body.List("error.details")[0].(map[string]any)
		if got := fmt.Sprintf("%v: %v", d["target"], d["message"]); got != want {
			t.Errorf("%s: %s, want %s", more, got, want)
		}
	}
	id := groupPath + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reader"
	client := w.want(201, "PUT", id+"?api-version=2023-01-31", `{"location":"westeurope"}`).text("properties.clientId")
	w.want(200, "PATCH", servicePath, `{"identity":{"type":"SystemAssigned, UserAssigned","userAssignedIdentities":{"`+id+`":{}}}}`)
	w.succeed(path, body("disk", system))
	w.succeed(path, body("disk", user+`,"clientId":"`+strings.ToUpper(client)+`"`))
	w.want(400, "POST", path, body("disk", user+someone))
	if end := w.run(path, body("account", system)); end.text("error.code") != "StorageAccessDenied" {
		t.Errorf("an account without a key here: %s", end.Raw)
	}
	w.want(200, "DELETE", id+"?api-version=2023-01-31", "")
	w.want(400, "POST", path, body("disk", user+`,"clientId":"`+client+`"`))
}

func TestBackup_ToAFolder(t *testing.T) {
	t.Parallel()
	w := newBackupWorld(t, pace.New(pace.Instant())).filled()
	before := w.contents(servicePath)
	w.succeed(servicePath+"/backup", backupBody)
	data, err := os.ReadFile(filepath.Join(w.dir, "backups", "one"))
	if err != nil || strings.Contains(string(data), "hunter2") {
		t.Errorf("the backup cannot be read, or shows a secret: %v", err)
	}
	if got := w.want(200, "GET", servicePath, "").text("properties.provisioningState"); got != "Succeeded" {
		t.Errorf("provisioningState after the backup = %s", got)
	}
	seq := w.seq()
	w.want(204, "DELETE", servicePath+"/apis/echo?deleteRevisions=true", "", "If-Match", "*")
	w.want(200, "PATCH", servicePath+"/namedValues/pass", `{"properties":{"value":"changed"}}`, "If-Match", "*")
	w.want(201, "PUT", servicePath+"/tags/new", `{"properties":{"displayName":"new"}}`)
	w.want(200, "PATCH", servicePath, `{"properties":{"publisherName":"Changed since"}}`)
	master := get(t, w, servicePath+"/subscriptions/master")
	w.succeed(servicePath+"/restore", backupBody)
	if d := cmp.Diff(before, w.contents(servicePath)); d != "" {
		t.Errorf("contents (-backed up +restored):\n%s", d)
	}
	if master.Seq > seq || get(t, w, servicePath+"/subscriptions/master").ETag != master.ETag {
		t.Error("what is the same was written again")
	}
	if got := w.want(200, "GET", servicePath, "").text("properties.publisherName"); got != "Changed since" {
		t.Errorf("publisherName = %s: the service itself is not part of its backup", got)
	}
	if got := w.want(200, "POST", servicePath+"/namedValues/pass/listValue", "").text("value"); got != "hunter2" {
		t.Errorf("the secret is %q", got)
	}
}

func get(t *testing.T, w backupWorld, id string) (d store.Document) {
	t.Helper()
	if err := w.store.View(t.Context(), func(r store.Reader) (err error) {
		d, err = r.Get(id)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestRestore_ToAnotherService(t *testing.T) {
	t.Parallel()
	w := newBackupWorld(t, pace.New(pace.Instant())).filled()
	w.succeed(servicePath+"/backup", backupBody)
	other := groupPath + "/providers/Microsoft.ApiManagement/service/second"
	w.want(201, "PUT", other, developerBody)
	w.settle()
	w.succeed(other+"/restore", backupBody)
	if d := cmp.Diff(w.contents(servicePath), w.contents(other)); d != "" {
		t.Errorf("contents (-of the first +of the second):\n%s", d)
	}
	for path, want := range map[string]string{"scope": other + "/apis/echo", "state": "submitted"} {
		if got := w.want(200, "GET", other+"/subscriptions/mine", "").text("properties." + path); got != want {
			t.Errorf("%s = %s, want %s", path, got, want)
		}
	}
	if got := w.want(200, "GET", other, "").text("properties.gatewayUrl"); got != "http://second.apim.localhost" {
		t.Errorf("gatewayUrl = %s", got)
	}
}

// TestRestore_RefusedChangesNothing tries what cannot be restored.
func TestRestore_RefusedChangesNothing(t *testing.T) {
	t.Parallel()
	clock := pace.New(pace.Manual())
	w := newBackupWorld(t, clock).filled()
	standard := groupPath + "/providers/Microsoft.ApiManagement/service/standard"
	w.want(201, "PUT", standard, strings.Replace(developerBody, "Developer", "Standard", 1))
	w.settle()
	advance := func(d time.Duration) {
		t.Helper()
		if _, err := clock.Advance(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	paced := func(path, body string, takes time.Duration) answer {
		t.Helper()
		a := w.want(202, "POST", path, body)
		monitor := local(t, a.Header.Get("Azure-AsyncOperation"))
		if end := w.want(200, "GET", monitor, ""); end.text("status") != "InProgress" {
			t.Errorf("%s is over before its time: %s", path, end.Raw)
		}
		if got := w.want(409, "PATCH", path[:strings.LastIndexByte(path, '/')], `{"tags":{"a":"b"}}`).code(); got != "ServiceLocked" {
			t.Errorf("a change meanwhile: %s", got)
		}
		advance(takes)
		var end answer
		eventually(t, func() bool {
			end = w.want(200, "GET", monitor, "")
			return end.text("status") != "InProgress"
		})
		return end
	}
	if end := paced(servicePath+"/backup", backupBody, time.Minute); end.text("status") != "Succeeded" {
		t.Fatal(end.Raw)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "backups", "junk"), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := w.contents(standard)
	refused := func(path, body, code, message string) {
		t.Helper()
		end := paced(path, body, 30*time.Minute)
		if d := cmp.Diff([]string{"Failed", code, message}, []string{end.text("status"), end.text("error.code"), end.text("error.message")}); d != "" {
			t.Errorf("%s %s (-want +got):\n%s", path, body, d)
		}
	}
	named := func(name string) string { return strings.Replace(backupBody, `"one"`, `"`+name+`"`, 1) }
	refused(standard+"/restore", backupBody, "SkuMismatch", "Cannot restore: the backup is of a service of the tier Developer, 'standard' has the tier Standard.")
	refused(standard+"/restore", named("none"), "BackupNotFound", "There is no backup 'none' in the container 'backups' of the storage account 'disk'.")
	refused(standard+"/restore", named("junk"), "InvalidBackup", "Cannot restore: 'junk' cannot be read: it is not a backup.")
	refused(standard+"/restore", strings.Replace(backupBody, "backups", "elsewhere", 1), "ContainerNotFound", "The container 'elsewhere' of the storage account 'disk' does not exist.")
	refused(standard+"/backup", `{"storageAccount":"acct","containerName":"backups","backupName":"one","accessKey":"a2V5"}`, "StorageAccountNotReached",
		"The storage account cannot be reached, or does not do what it is asked.")
	advance(30*24*time.Hour - 2*time.Hour)
	refused(servicePath+"/restore", backupBody, "BackupExpired", "Cannot restore: backup expired")
	if d := cmp.Diff(before, w.contents(standard)); d != "" {
		t.Errorf("contents (-before +after):\n%s", d)
	}
	if got := w.want(200, "GET", standard, "").text("properties.provisioningState"); got != "Succeeded" {
		t.Errorf("provisioningState = %s", got)
	}
}

func TestBackup_Refused(t *testing.T) {
	t.Parallel()
	w := newBackupWorld(t, pace.New(pace.Instant())).filled()
	old := "?api-version=2020-12-01"
	for body, want := range map[string]string{
		`{}`: "'storageAccount' is required.",
		`{"storageAccount":"Disk","containerName":"backups","backupName":"one","accessKey":"a2V5"}`:                                            "'Disk' is not a valid storageAccount.",
		`{"storageAccount":"disk","containerName":"../up","backupName":"one"}`:                                                                 "'../up' is not a valid containerName.",
		`{"storageAccount":"disk","containerName":"backups","backupName":"../one"}`:                                                            "'../one' is not a valid backupName.",
		`{"storageAccount":"acct","containerName":"backups","backupName":"one"}`:                                                               "'accessKey' is required.",
		`{"storageAccount":"disk","containerName":"backups","backupName":"one","accessType":"Magic"}`:                                          "'Magic' is no type of access. Possible values: AccessKey, SystemAssignedManagedIdentity, UserAssignedManagedIdentity.",
		`{"storageAccount":"disk","containerName":"backups","backupName":"one","accessType":"UserAssignedManagedIdentity","clientId":"00-00"}`: "The service 'apimService1' has no user-assigned identity with the client ID '00-00'.",
	} {
		for _, action := range []string{"/backup", "/restore"} {
			a := w.want(400, "POST", servicePath+action, body)
			found, _ := a.Body.List("error.details")[0].(map[string]any)
			if found["message"] != want {
				t.Errorf("%s %s: %v, want %s", action, body, found["message"], want)
			}
		}
	}
	a := w.want(400, "POST", servicePath+"/backup"+old, `{"storageAccount":"acct","containerName":"backups","backupName":"one","accessType":"Magic"}`)
	if found, _ := a.Body.List("error.details")[0].(map[string]any); found["message"] != "'accessKey' is required." {
		t.Errorf("before access types: %s", a.Raw)
	}
	consumption := groupPath + "/providers/Microsoft.ApiManagement/service/small"
	w.want(201, "PUT", consumption, `{"location":"West Europe","sku":{"name":"Consumption","capacity":0},"properties":{"publisherEmail":"a@b.c","publisherName":"Contoso"}}`)
	w.settle()
	if got := w.want(400, "POST", consumption+"/backup", backupBody).code(); got != "MethodNotAllowedInPricingTier" {
		t.Errorf("code = %s", got)
	}
	w.want(404, "POST", groupPath+"/providers/Microsoft.ApiManagement/service/none/backup", backupBody)
}
