package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/portico-dev/portico/internal/demo/bookshop"
)

func TestCLI_Version(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(program, "version").Output()
	if err != nil || string(out) != "e2e\n" {
		t.Errorf("got %q %v, want e2e", out, err)
	}
}

func TestCLI_Config(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "portico.yaml")
	if err := os.WriteFile(file, []byte("coexistence: 7s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "config", "--config", file, "--edge", "127.0.0.1:1")
	cmd.Env = append(os.Environ(), "PORTICO_ARM=127.0.0.1:2")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{
		`(?m)^coexistence +7s +file ` + regexp.QuoteMeta(file) + `$`, `(?m)^edge +127\.0\.0\.1:1 +flag$`,
		`(?m)^arm +127\.0\.0\.1:2 +environment PORTICO_ARM$`, `(?m)^vip-http +9080 +default$`,
	} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("no line %s in\n%s", want, out)
		}
	}
}

func TestCLI_Service(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.portico("service", "create", "Shop", "-g", "shops", "--tier", "Premium", "--units", "3", "--zones", "1,2,3", "--location", "East US")
	out := h.portico("service", "list", "-g", "shops", "-o", "json")
	var list []struct {
		Name, Location string
		Zones          []string
		SKU            struct {
			Name     string
			Capacity int
		}
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].Name != "Shop" || list[0].Location != "East US" || len(list[0].Zones) != 3 || list[0].SKU.Name != "Premium" || list[0].SKU.Capacity != 3 {
		t.Errorf("created and listed: %+v", list)
	}
	if out := h.portico("service", "list", "-g", "others"); strings.Contains(out, "Shop") {
		t.Errorf("another group shows it:\n%s", out)
	}
	if out := h.portico("units", "shop"); strings.Count(out, "  serving  ready  ") != 6 || !strings.Contains(out, "    zone 2          │ ■ ■") || !strings.Contains(out, "Shop in eastus: stv2, Premium with 3 units, Succeeded") {
		t.Errorf("units:\n%s", out)
	}
	if out := h.portico("service", "scale", "shop", "--units", "6"); !strings.Contains(out, "Premium  6") {
		t.Errorf("scaled:\n%s", out)
	}
	h.portico("service", "create", "small", "--tier", "Basic")
	if out := h.portico("service", "scale", "small", "--tier", "Standard", "--units", "2"); !strings.Contains(out, "Standard  2") {
		t.Errorf("another tier:\n%s", out)
	}
	h.portico("service", "delete", "shop")
	if out := h.portico("service", "list"); strings.Contains(out, "Shop") || !strings.Contains(out, "small") {
		t.Errorf("after the deletion:\n%s", out)
	}
	text, err := exec.Command(program, "service", "show", "shop", "--data", h.dir).CombinedOutput()
	if want := "portico: there is no service \"shop\"; `portico service list` shows those there are\n"; err == nil || string(text) != want {
		t.Errorf("got %v %q, want %q", err, text, want)
	}
}

func TestCLI_Import(t *testing.T) {
	t.Parallel()
	shop := httptest.NewServer(bookshop.New())
	defer shop.Close()
	file := filepath.Join(t.TempDir(), "openapi.yaml")
	if err := os.WriteFile(file, []byte(bookshop.OpenAPI("http://nowhere.invalid")), 0o600); err != nil {
		t.Fatal(err)
	}
	h := start(t)
	h.portico("service", "create", "shop")
	out := h.portico("api", "import", file, "--service", "shop", "--path", "books", "--id", "bookshop", "--service-url", shop.URL)
	if !strings.HasPrefix(out, "bookshop: 16 API operations at http://") || !strings.HasSuffix(out, "/books\n") {
		t.Errorf("got %q", out)
	}
	var api struct {
		Properties struct{ ServiceURL, Path string }
	}
	id := h.client.Subscription() + "/resourceGroups/default/providers/Microsoft.ApiManagement/service/shop/apis/bookshop"
	if err := h.do(http.MethodGet, id, recent, nil).Decode(&api); err != nil {
		t.Fatal(err)
	}
	if api.Properties.ServiceURL != shop.URL || api.Properties.Path != "books" {
		t.Errorf("imported %+v", api.Properties)
	}
}

// TestDemo runs the demo as a user does, at a rate that leaves room for other tests, and stops what it was told to
// keep.
func TestDemo(t *testing.T) {
	out, err := exec.Command(program, "demo", "--keep", "--rate", "200").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	m := regexp.MustCompile(`portico down --data (\S+)`).FindSubmatch(out)
	if m == nil {
		t.Fatal("the demo does not say how to stop what it kept")
	}
	dir := string(m[1])
	if out, err := exec.Command(program, "service", "list", "--data", dir).CombinedOutput(); err != nil || strings.Count(string(out), "bookshop") < 3 {
		t.Errorf("what was kept: %v\n%s", err, out)
	}
	if out, err := exec.Command(program, "down", "--data", dir).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if left := processes(t, dir); len(left) > 0 {
		t.Errorf("left running: %v", left)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}

// TestCLI_Expr evaluates, explains and checks expressions; no Portico has to run.
func TestCLI_Expr(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "context.json")
	if err := os.WriteFile(file, []byte(`{"variables": {"a": {"x": [1, 2]}}, "request": {"headers": {"X-A": "hi"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := `{"id": 1, "source": "@(1 +)"}` + "\n" + `{"id": "b", "source": "@{ return 5 / (int)context.Variables[\"n\"]; }", "context": {"variables": {"n": 0}}}` + "\n"
	for _, c := range []struct {
		args                  []string
		stdin, stdout, stderr string
		fails                 bool
	}{
		{args: []string{"1 + 2 * 3"}, stdout: "7\n"},
		{args: []string{`@(((JObject)context.Variables["a"])["x"][1] + context.Request.Headers.GetValueOrDefault("X-A", "none"))`, "--context", file}, stdout: "2hi\n"},
		{args: []string{"--explain", "context.Request.IpAddress.Length"}, stdout: "type: int\nmembers:\n"},
		{args: []string{"@(1 + foo)"}, stderr: "(1,7): error CS0103: The name 'foo' does not exist in the current context\n  1 + foo\n      ^\n", fails: true},
		{args: []string{"--check", "-"}, stdin: lines, stdout: `{"id":1,"ok":false,"errors":[{"line":1,"col":6,"code":"CS1733","message":"Expected expression"}]}` + "\n" + `{"id":"b","ok":true,"type":"int"}` + "\n"},
		{args: []string{"--run", "-"}, stdin: lines, stdout: `{"id":1,"ok":false,"errors":[{"line":1,"col":6,"code":"CS1733","message":"Expected expression"}]}` + "\n" +
			`{"id":"b","ok":true,"type":"int","exception":{"type":"System.DivideByZeroException","message":"Attempted to divide by zero."}}` + "\n"},
	} {
		var stdout, stderr strings.Builder
		cmd := exec.Command(program, append([]string{"expr"}, c.args...)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(c.stdin), &stdout, &stderr
		err := cmd.Run()
		if (err != nil) != c.fails || !strings.HasPrefix(stdout.String(), c.stdout) || stderr.String() != c.stderr {
			t.Errorf("expr %q: %v\n got %q %q\nwant %q %q", c.args, err, stdout.String(), stderr.String(), c.stdout, c.stderr)
		}
	}
}
