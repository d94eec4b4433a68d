package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestBackup_KilledInTheMiddle backs a service up and restores it, with a control plane that dies before and after the
// transaction that ends each of the two.
func TestBackup_KilledInTheMiddle(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := os.Mkdir(filepath.Join(disk, "backups"), 0o700); err != nil {
		t.Fatal(err)
	}
	const wait = 30 * time.Second
	folders := []string{"--backup-folders", "disk=" + disk}
	h := start(t, folders...)
	v := h.create("shop", "Developer", 1, recent)
	put := func(mark string) {
		h.do(http.MethodPut, h.service("shop")+"/policies/policy", latest, policyBody(mark))
	}
	serves := func(mark string) {
		t.Helper()
		eventually(t, wait, "answers marked "+mark, func() bool {
			return marked(v.addr()) == mark
		})
	}
	h.do(http.MethodPut, h.service("shop")+"/apis/echo", latest, object{"properties": object{"displayName": "Echo", "path": "echo", "subscriptionRequired": false, "protocols": []string{"http"}}})
	h.do(http.MethodPut, h.service("shop")+"/apis/echo/operations/get", latest, object{"properties": object{"displayName": "Get", "method": "GET", "urlTemplate": "/"}})
	put("backed-up")
	body := object{"storageAccount": "disk", "containerName": "backups", "backupName": "one"}
	for _, action := range []string{"backup", "restore"} {
		for _, point := range []string{"before", "after"} {
			h.kill()
			h.up([]string{"PORTICO_FAILPOINT=lro.content." + action + "." + point + ":1"}, folders...)
			if action == "restore" {
				put("changed")
				serves("changed")
			}
			_, _ = h.client.Do(t.Context(), http.MethodPost, h.service("shop")+"/"+action, latest, body) // may die on the way
			if err := h.exited(wait); err == nil {
				t.Fatalf("%s: the control plane did not die %s the end", action, point)
			}
			h.up(nil, folders...)
			eventually(t, wait, "the end of "+action, func() bool { return h.show("shop").Properties.ProvisioningState == "Succeeded" })
			serves("backed-up")
		}
	}
	put("changed")
	keyFile := filepath.Join(disk, "key")
	if err := os.WriteFile(keyFile, []byte("a2V5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command := func(action, name string) {
		h.portico("service", action, "shop", "--account", "disk", "--container", "backups", "--backup", name, "--key-file", keyFile)
	}
	command("backup", "two")
	command("restore", "one")
	serves("backed-up")
	command("restore", "two")
	serves("changed")
	if after := h.show("shop"); after.addr() != v.addr() {
		t.Errorf("the address changed from %s to %s", v.addr(), after.addr())
	}
}
