package e2e

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestCLI_Mistakes lists what people type wrong and what they are told.
func TestCLI_Mistakes(t *testing.T) {
	t.Parallel()
	h := start(t)
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("openapi: 3.0.0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.portico("service", "create", "shop")
	for _, c := range []struct {
		line string
		want []string
	}{
		{"servce", []string{`unknown command "servce"`, "service"}},
		{"service crate", []string{`unknown command "crate" for "portico service"; did you mean create?`}},
		{"service destroyed", []string{"see `portico service --help`"}},
		{"service create", []string{"NAME is missing; usage: portico service create NAME"}},
		{"service show a b", []string{`unexpected argument "b"; usage: portico service show NAME`}},
		{"up now", []string{`unexpected argument "now"; usage: portico up`}},
		{"up --foo", []string{"unknown flag: --foo; see `portico up --help`"}},
		{"service list -o yaml", []string{"it is table or json", "see `portico service list --help`"}},
		{"service show nope --data " + h.dir, []string{`there is no service "nope"`}},
		{"service create x --tier Gold --data " + h.dir, []string{"'Gold'", "Developer"}},
		{"api import " + broken + " --service shop --path b --data " + h.dir, []string{"ValidationError", "\n  "}},
		{"up --data " + h.dir, []string{"already runs on " + h.dir, "portico down"}},
		{"down --data " + h.dir + "/none", []string{"no Portico has run in " + h.dir + "/none yet"}},
		{"restart --data " + h.dir + "/none", []string{"no Portico has run in " + h.dir + "/none yet"}},
	} {
		out, err := exec.Command(program, strings.Fields(c.line)...).CombinedOutput()
		if err == nil {
			t.Errorf("portico %s succeeded:\n%s", c.line, out)
		}
		for _, want := range c.want {
			if !strings.Contains(string(out), want) {
				t.Errorf("portico %s does not say %q:\n%s", c.line, want, out)
			}
		}
	}
}

func TestCLI_Bookshop(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(program, "bookshop", "--listen", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, at, _ := strings.Cut(strings.TrimSpace(line), "its document at ")
	for url, want := range map[string]string{at: "openapi: 3.", strings.TrimSuffix(at, "/openapi.yaml") + "/books": "The Tidal Clock"} {
		res, err := http.Get(url) //nolint:gosec // what the program printed
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %v, no %q in\n%s", url, res.StatusCode, err, want, body)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("stopped with %v", err)
	}
}
