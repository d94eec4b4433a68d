package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestCLI_OperationsAndTimeline reads what was done to a service by the commands and in the activity log, also after the
// control plane was killed.
func TestCLI_OperationsAndTimeline(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.create("shop", "Developer", 1, recent)
	h.kill()
	h.up(nil)
	var list []struct {
		Kind, Status, By string
		Percent          int
	}
	if err := json.Unmarshal([]byte(h.portico("operations", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].Kind != "service.create" || list[0].Status != "Succeeded" || list[0].By == "" || list[0].Percent != 100 {
		t.Errorf("operations: %+v", list)
	}
	if out := h.portico("operations", "--running", "-o", "json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("operations that run: %s", out)
	}
	for command, want := range map[string]string{
		"operations":       `(?m)^\S+ \S+ +service\.create +shop +Succeeded +\[##########\] 100 % +\S`,
		"service timeline": `(?m)^\S+ \S+ +- +operation succeeded +service\.create$`,
	} {
		args := strings.Fields(command)
		if len(args) > 1 {
			args = append(args, "shop")
		}
		if out := h.portico(args...); !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%s: no line %s in\n%s", command, want, out)
		}
	}
	path := h.client.Subscription() + "/providers/Microsoft.Insights/eventtypes/management/values?$filter=" +
		url.QueryEscape("eventTimestamp ge '2020-01-01T00:00:00Z' and resourceUri eq '"+h.service("shop")+"'")
	eventually(t, 20*time.Second, "the creation in the activity log", func() bool {
		var log struct {
			Value []struct{ Status struct{ Value string } }
		}
		if err := h.do(http.MethodGet, path, "2015-04-01", nil).Decode(&log); err != nil {
			t.Fatal(err)
		}
		return len(log.Value) == 2 && log.Value[0].Status.Value == "Succeeded" && log.Value[1].Status.Value == "Accepted"
	})
}

// TestCLI_DeletedServices deletes a service, brings it back, and removes it for good.
func TestCLI_DeletedServices(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.create("shop", "Standard", 2, recent)
	h.portico("service", "delete", "shop")
	if out := h.portico("service", "deleted"); !regexp.MustCompile(`(?m)^shop +West Europe +\S+ \S+ +\S+ \S+$`).MatchString(out) {
		t.Errorf("deleted services:\n%s", out)
	}
	if out := h.portico("service", "undelete", "shop"); !regexp.MustCompile(`(?m)^shop +Succeeded +stv2 +Standard +2 `).MatchString(out) {
		t.Errorf("the service that came back:\n%s", out)
	}
	h.portico("service", "delete", "shop")
	h.portico("service", "purge", "shop", "--yes")
	if out := h.portico("service", "deleted", "-o", "json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("after the purge: %s", out)
	}
}
