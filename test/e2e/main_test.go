// Package e2e runs the real program: it starts Portico in folders of its own, speaks ARM to it, sends requests through
// its gateways, kills parts of it, and looks at what is left.
package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/armclient"
)

// program is the binary under test, built once with kill points compiled in.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "portico-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "portico")
	build := exec.Command("go", "build", "-tags", "failpoint", "-ldflags", "-X main.version=e2e", "-o", program, "../../cmd/portico")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

const (
	old    = "2020-12-01"
	recent = "2022-08-01"
	latest = "2024-05-01"
)

type object = map[string]any

// A host is one Portico in a folder of its own.
type host struct {
	t      testing.TB
	dir    string
	cmd    *exec.Cmd
	done   chan error
	client *armclient.Client
	// program and args are what the control plane is started with.
	program string
	args    []string
}

var zeroPorts = []string{"--arm", "127.0.0.1:0", "--arm-tls", "127.0.0.1:0", "--edge", "127.0.0.1:0", "--edge-tls", "127.0.0.1:0"}

// start runs `portico up` in a new folder and stops everything when the test ends.
func start(t testing.TB, args ...string) *host {
	t.Helper()
	dir, err := os.MkdirTemp("", "pe2e-")
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, dir: dir, program: program, args: args}
	t.Cleanup(func() { h.close() })
	h.up(nil, args...)
	return h
}

// up starts the control plane and waits until it says that it serves.
func (h *host) up(env []string, args ...string) {
	h.t.Helper()
	if err := h.tryUp(env, args...); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) tryUp(env []string, args ...string) error {
	cmd := exec.Command(h.program, append(append([]string{"up", "--data", h.dir}, zeroPorts...), args...)...)
	cmd.Env = append(os.Environ(), env...)
	log, err := os.OpenFile(filepath.Join(h.dir, "e2e.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		log.Close()
		return err
	}
	done := make(chan error, 1) // its own: h may start another one before this one has ended
	h.cmd, h.done = cmd, done
	ready := make(chan bool, 1)
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			fmt.Fprintln(log, s.Text())
			if strings.HasPrefix(s.Text(), "portico ready in ") {
				select {
				case ready <- true:
				default: // one that took over is ready too
				}
			}
		}
		log.Close()
		done <- cmd.Wait()
	}()
	select {
	case <-ready:
	case err := <-h.done:
		h.done <- err
		return fmt.Errorf("portico up ended: %w\n%s", err, h.log())
	case <-time.After(patience):
		return fmt.Errorf("portico up did not get ready\n%s", h.log())
	}
	h.client, err = armclient.Open(h.dir)
	return err
}

func (h *host) log() string {
	data, _ := os.ReadFile(filepath.Join(h.dir, "e2e.log"))
	return string(data[max(0, len(data)-8000):])
}

// kill ends the control plane with SIGKILL.
func (h *host) kill() {
	h.t.Helper()
	if err := h.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		h.t.Fatal(err)
	}
	h.exited(20 * time.Second)
}

// exited waits for the end of the control plane and returns its exit error.
func (h *host) exited(limit time.Duration) error {
	h.t.Helper()
	select {
	case err := <-h.done:
		h.done <- err
		return err
	case <-time.After(limit):
		h.t.Fatalf("portico up still runs after %v\n%s", limit, h.log())
		return nil
	}
}

func (h *host) close() {
	h.stopAll()
	if err := os.RemoveAll(h.dir); err != nil {
		h.t.Error(err)
	}
}

// stopAll stops everything of the folder, which must leave nothing running.
func (h *host) stopAll() {
	if h.cmd != nil {
		_ = h.cmd.Process.Kill()
		<-h.done
		h.cmd = nil
	}
	if out, err := exec.Command(program, "down", "--data", h.dir).CombinedOutput(); err != nil {
		h.t.Errorf("portico down: %v\n%s", err, out)
	}
	if left := processes(h.t, h.dir); len(left) > 0 {
		h.t.Errorf("still running after portico down: %v", left)
	}
	if h.t.Failed() {
		h.t.Logf("log of %s:\n%s", h.dir, h.log())
	}
}

// processes lists the command lines of processes of this program that name the folder, this test's own left out.
func processes(t testing.TB, dir string) []string {
	t.Helper()
	var found []string
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		line := strings.ReplaceAll(string(data), "\x00", " ")
		if strings.Contains(line, dir) && strings.Contains(line, "portico") && !strings.Contains(line, " up ") {
			found = append(found, filepath.Base(filepath.Dir(path))+" "+line)
		}
	}
	return found
}

// portico runs a command and returns its standard output.
func (h *host) portico(args ...string) string {
	h.t.Helper()
	var stderr strings.Builder
	cmd := exec.Command(program, append(args, "--data", h.dir)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		h.t.Fatalf("portico %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}

// decode runs a command and reads the JSON that it prints.
func (h *host) decode(into any, args ...string) {
	h.t.Helper()
	if err := json.Unmarshal([]byte(h.portico(args...)), into); err != nil {
		h.t.Fatalf("portico %s: %v", strings.Join(args, " "), err)
	}
}

func (h *host) group() string { return h.client.Subscription() + "/resourceGroups/rg" }

func (h *host) service(name string) string {
	return h.group() + "/providers/Microsoft.ApiManagement/service/" + name
}

// do sends a request that must succeed.
func (h *host) do(method, path, apiVersion string, body any) *armclient.Response {
	h.t.Helper()
	res, err := h.client.Do(context.Background(), method, path, apiVersion, body)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	return res
}

// run sends a request that must succeed and waits for the end of its long-running operation. A clock that stands is
// moved by as long as one may take.
func (h *host) run(method, path, apiVersion string, body any) *armclient.Response {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	var advance sync.Once
	res, err := h.client.Run(ctx, method, path, apiVersion, body, func(int) {
		if slices.Contains(h.args, "manual") {
			advance.Do(func() { h.advance("PT45M") })
		}
	})
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	return res
}

// advance moves a clock that stands.
func (h *host) advance(by string) {
	h.t.Helper()
	h.do(http.MethodPost, "/portico/clock", "", object{"advance": by})
}

// create makes a service and returns it as it is when its operation has ended.
func (h *host) create(name, tier string, units int, apiVersion string, more ...object) view {
	h.t.Helper()
	h.do(http.MethodPut, h.group(), "2022-09-01", object{"location": "westeurope"})
	body := object{
		"location": "West Europe", "sku": object{"name": tier, "capacity": units},
		"properties": object{"publisherName": "E2E", "publisherEmail": "e2e@example.com"},
	}
	for _, m := range more {
		maps.Copy(body, m)
	}
	h.run(http.MethodPut, h.service(name), apiVersion, body)
	return h.show(name)
}

// A view is what a client sees of a service.
type view struct {
	Zones      []string `json:"zones"`
	Properties struct {
		ProvisioningState string   `json:"provisioningState"`
		TargetState       string   `json:"targetProvisioningState"`
		PlatformVersion   string   `json:"platformVersion"`
		GatewayURL        string   `json:"gatewayUrl"`
		Network           string   `json:"virtualNetworkType"`
		PublicIPs         []string `json:"publicIPAddresses"`
		PrivateIPs        []string `json:"privateIPAddresses"`
		OutboundIPs       []string `json:"outboundPublicIPAddresses"`
		CreatedAtUTC      string   `json:"createdAtUtc"`

		Custom map[string]string `json:"customProperties"`
	} `json:"properties"`
}

// prepared is the address that the service will have after a migration that gives another.
func (v view) prepared() string {
	return v.Properties.Custom["Microsoft.WindowsAzure.ApiManagement.Stv2MigrationPreCreatedIps"]
}

func (v view) addr() string { return strings.TrimPrefix(v.Properties.GatewayURL, "http://") }

func (h *host) show(name string) view {
	h.t.Helper()
	var v view
	if err := h.do(http.MethodGet, h.service(name), recent, nil).Decode(&v); err != nil {
		h.t.Fatal(err)
	}
	return v
}

// patience is how long the tests wait at least for what comes at once on an idle machine: this one may not be.
const patience = 2 * time.Minute

// eventually polls a condition.
func eventually(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(max(limit, patience)); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never saw: %s", what)
		}
		time.Sleep(5 * time.Millisecond) // between two looks at a condition
	}
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A machine is what Portico.Hosting/units says of one.
type machine struct {
	ID           string `json:"id"`
	Zone         string `json:"zone"`
	UpdateDomain int    `json:"updateDomain"`
	Gateway      string `json:"gateway"`
	Mode         string `json:"mode"`
	Phase        string `json:"phase"`
	PID          int    `json:"pid"`
	Seq          int64  `json:"seq"`
}

// units is what Portico.Hosting/units says of a service.
type units struct {
	Locations []struct {
		PlatformVersion string `json:"platformVersion"`
		Sets            []struct {
			ID       string    `json:"id"`
			Active   bool      `json:"active"`
			Platform string    `json:"platform"`
			Machines []machine `json:"machines"`
		} `json:"sets"`
		VIPs []struct {
			ID      string `json:"id"`
			Address string `json:"address"`
		} `json:"vips"`
		Coexistence *struct {
			Until time.Time `json:"until"`
		} `json:"coexistence"`
		Leaving bool `json:"leaving"`
	} `json:"locations"`
}

// serving lists the machines that the newest address leads to, that of the primary location.
func (u units) serving() []string {
	var ids []string
	for _, l := range u.Locations[:min(1, len(u.Locations))] {
		for _, s := range l.Sets {
			for _, m := range s.Machines {
				if s.Active && m.Mode == "serving" {
					ids = append(ids, m.ID)
				}
			}
		}
	}
	return ids
}

func (h *host) units(name string) units {
	h.t.Helper()
	var u units
	if err := h.do(http.MethodGet, h.service(name)+"/providers/Portico.Hosting/units", latest, nil).Decode(&u); err != nil {
		h.t.Fatal(err)
	}
	return u
}

func (h *host) machines(name string) []machine {
	h.t.Helper()
	var all []machine
	for _, l := range h.units(name).Locations {
		for _, s := range l.Sets {
			all = append(all, s.Machines...)
		}
	}
	return all
}

// settled waits until nothing is kept from before a migration.
func (h *host) settled(name string) {
	h.t.Helper()
	eventually(h.t, time.Minute, "the end of the coexistence of "+name, func() bool {
		for _, l := range h.units(name).Locations {
			if l.Coexistence != nil || len(l.Sets) != 1 || len(l.VIPs) != 1 {
				return false
			}
		}
		return true
	})
}
