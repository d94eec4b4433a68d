// Bench measures what a user waits for: start, memory, a new service, a policy's way to the gateways. It runs the real
// program on folders of its own, beside other proxies too, and prints a table with median and 99th percentile; the micro benchmarks of the hot
// paths follow from `go test -bench`. Nothing here is a test: numbers depend on the machine.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/portico-dev/portico/internal/armclient"
	"github.com/portico-dev/portico/internal/demo/bookshop"
)

func main() {
	bin := flag.String("bin", "bin/portico", "the program to measure")
	n := flag.Int("n", 50, "samples of each measurement")
	idle := flag.Duration("idle", 30*time.Second, "how long to idle before memory is read")
	only := flag.String("only", "", "run measurements whose name contains this")
	micro := flag.Bool("micro", true, "run the micro benchmarks too")
	apis := flag.Int("apis", 10_000, "how many APIs of ten API operations a service grows to")
	services := flag.Int("services", 10_000, "how many Consumption services share the host")
	singles := flag.Int("singles", 1000, "how many single-tenant services are looked after in process")
	proxy := flag.String("proxy-to", "", "be the reverse proxy that the gateway is compared with, in front of this URL")
	flag.Parse()
	if *proxy != "" {
		fmt.Fprintln(os.Stderr, "bench:", serveProxy(*proxy))
		os.Exit(1)
	}
	if err := run(*bin, *n, *apis, *services, *singles, *idle, *only, *micro); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A result is one row of the table.
type result struct {
	name    string
	unit    string
	aim     string
	samples []float64
}

func run(bin string, n, apis, services, singles int, idle time.Duration, only string, micro bool) error {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	measurements := []struct {
		name string
		run  func() ([]result, error)
	}{
		{"start", func() ([]result, error) { return measureStart(bin, n) }},
		{"memory", func() ([]result, error) { return measureMemory(bin, idle) }},
		{"service", func() ([]result, error) { return measureService(bin, n) }},
		{"policy", func() ([]result, error) { return measurePolicy(bin, n) }},
		{"scale", func() ([]result, error) { return measureScale(bin, apis) }},
		{"consumption", func() ([]result, error) { return measureConsumption(bin, services) }},
		{"neighbours", func() ([]result, error) { return measureNeighbours(bin) }},
		{"single", func() ([]result, error) { return measureSingle(singles) }},
		{"rollout", func() ([]result, error) { return measureRollout(bin, services) }},
		{"rollout-in-process", func() ([]result, error) { return measureSingleRollout(singles) }},
		{"peers", func() ([]result, error) { return measurePeers(bin, n) }},
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MEASUREMENT\tN\tMEDIAN\tP99\tMAX\tUNIT\tAIM")
	for _, m := range measurements {
		if !strings.Contains(m.name, only) {
			continue
		}
		rs, err := m.run()
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		for _, r := range rs {
			slices.Sort(r.samples)
			fmt.Fprintf(w, "%s\t%d\t%.1f\t%.1f\t%.1f\t%s\t%s\n", r.name, len(r.samples), at(r.samples, 50), at(r.samples, 99), r.samples[len(r.samples)-1], r.unit, r.aim)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if !micro {
		return nil
	}
	cmd := exec.Command("go", "test", "-run", "^$", "-bench", ".", "-benchmem", "./internal/gateway/...", "./internal/store/...", "./internal/policy/...", "./internal/csharp/...")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return err
	}
	// The other expression engines are in a module of their own.
	expr := exec.Command("go", "run", ".")
	expr.Dir, expr.Stdout, expr.Stderr = filepath.Join("bench", "expr"), os.Stdout, os.Stderr
	return expr.Run()
}

// at is the p-th percentile of sorted samples: the smallest that p percent do not exceed.
func at(sorted []float64, p int) float64 { return sorted[max(0, (len(sorted)*p+99)/100-1)] }

// A host is a running Portico.
type host struct {
	bin, dir string
	cmd      *exec.Cmd
	client   *armclient.Client
	ready    time.Duration // from process start to the ready line
}

func start(bin string) (*host, error) {
	dir, err := os.MkdirTemp("", "portico-bench-")
	if err != nil {
		return nil, err
	}
	h := &host{bin: bin, dir: dir}
	h.cmd = exec.Command(bin, "up", "--data", dir, "--arm", "127.0.0.1:0", "--arm-tls", "127.0.0.1:0", "--edge", "127.0.0.1:0", "--edge-tls", "127.0.0.1:0", "--coexistence", "1s", "--limits", "none")
	h.cmd.Stderr = os.Stderr
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	for s := bufio.NewScanner(out); s.Scan(); {
		if strings.HasPrefix(s.Text(), "portico ready in ") {
			h.ready = time.Since(begin)
			go func() { _, _ = io.Copy(io.Discard, out) }()
			h.client, err = armclient.Open(dir)
			return h, err
		}
	}
	return nil, errors.Join(errors.New("portico up did not get ready"), h.stop())
}

func (h *host) stop() error {
	out, err := exec.Command(h.bin, "down", "--data", h.dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("portico down: %w: %s", err, out)
	}
	_ = h.cmd.Wait()
	return os.RemoveAll(h.dir)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func measureStart(bin string, n int) ([]result, error) {
	r := result{name: "portico up on an empty folder, to ready", unit: "ms", aim: "< 400"}
	for range n {
		h, err := start(bin)
		if err != nil {
			return nil, err
		}
		r.samples = append(r.samples, ms(h.ready))
		if err := h.stop(); err != nil {
			return nil, err
		}
	}
	return []result{r}, nil
}

type object = map[string]any

func (h *host) group() string { return h.client.Subscription() + "/resourceGroups/bench" }

func (h *host) service(name string) string {
	return h.group() + "/providers/Microsoft.ApiManagement/service/" + name
}

// startWithGroup is start, with the resource group that services go into.
func startWithGroup(ctx context.Context, bin string) (*host, error) {
	h, err := start(bin)
	if err != nil {
		return nil, err
	}
	if err := h.makeGroup(ctx); err != nil {
		return nil, errors.Join(err, h.stop())
	}
	return h, nil
}

func (h *host) makeGroup(ctx context.Context) error {
	_, err := h.client.Do(ctx, http.MethodPut, h.group(), "2022-09-01", object{"location": "westeurope"})
	return err
}

// put creates a service and waits for it, looking every 5 ms, and returns its address.
func (h *host) put(ctx context.Context, name, tier string, units int) (string, error) {
	if _, err := h.client.Do(ctx, http.MethodPut, h.service(name), "2022-08-01", object{
		"location": "West Europe", "sku": object{"name": tier, "capacity": units},
		"properties": object{"publisherName": "Bench", "publisherEmail": "bench@example.com"},
	}); err != nil {
		return "", err
	}
	for {
		res, err := h.client.Do(ctx, http.MethodGet, h.service(name), "2022-08-01", nil)
		if err != nil {
			return "", err
		}
		var s struct {
			Properties struct {
				State string `json:"provisioningState"`
				URL   string `json:"gatewayUrl"`
			} `json:"properties"`
		}
		if err := res.Decode(&s); err != nil {
			return "", err
		}
		switch s.Properties.State {
		case "Succeeded":
			return strings.TrimPrefix(s.Properties.URL, "http://"), nil
		case "Failed":
			return "", errors.New("the service failed to start")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// addAPI imports the bookshop, open to everybody.
func (h *host) addAPI(ctx context.Context, name, origin string) error {
	_, err := h.client.Run(ctx, http.MethodPut, h.service(name)+"/apis/bookshop", "2022-08-01", object{"properties": object{
		"format": "openapi", "value": bookshop.OpenAPI(origin), "path": "shop", "subscriptionRequired": false,
	}}, nil)
	return err
}

func measureMemory(bin string, idle time.Duration) (rows []result, err error) {
	ctx := context.Background()
	shop := httptest.NewServer(bookshop.New())
	defer shop.Close()
	h, err := startWithGroup(ctx, bin)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.stop()) }()
	addr, err := h.put(ctx, "memory", "Premium", 3)
	if err != nil {
		return nil, err
	}
	if err := h.addAPI(ctx, "memory", shop.URL); err != nil {
		return nil, err
	}
	if err := firstOK(addr, "/shop/books/1"); err != nil {
		return nil, err
	}
	time.Sleep(idle)
	control := result{name: fmt.Sprintf("control plane VmRSS after %v idle", idle), unit: "MB", aim: "< 60"}
	rss, err := residentMB(h.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	control.samples = append(control.samples, rss)
	machines := result{name: fmt.Sprintf("machine VmRSS after %v idle", idle), unit: "MB", aim: "< 30"}
	pids, err := h.machines(ctx, "memory")
	if err != nil {
		return nil, err
	}
	for _, pid := range pids {
		rss, err := residentMB(pid)
		if err != nil {
			return nil, err
		}
		machines.samples = append(machines.samples, rss)
	}
	return []result{control, machines}, nil
}

// machines lists the process ids of a service's machines.
func (h *host) machines(ctx context.Context, name string) ([]int, error) {
	res, err := h.client.Do(ctx, http.MethodGet, h.service(name)+"/providers/Portico.Hosting/units", "2022-08-01", nil)
	if err != nil {
		return nil, err
	}
	var u any
	if err := res.Decode(&u); err != nil {
		return nil, err
	}
	var pids []int
	collect(u, &pids)
	if len(pids) == 0 {
		return nil, fmt.Errorf("no machines in %.300s", res.Body)
	}
	return pids, nil
}

// collect finds every "pid" in a JSON value.
func collect(v any, pids *[]int) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if n, ok := x.(float64); ok && k == "pid" && n > 0 {
				*pids = append(*pids, int(n))
			}
			collect(x, pids)
		}
	case []any:
		for _, x := range v {
			collect(x, pids)
		}
	}
}

func residentMB(pid int) (float64, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kb, err := strconv.ParseFloat(f[1], 64)
			return kb / 1024, err
		}
	}
	return 0, errors.New("no VmRSS line")
}

// firstOK asks every 5 ms until the answer is 200.
func firstOK(addr, path string) error {
	for deadline := time.Now().Add(20 * time.Second); ; {
		res, err := http.Get("http://" + addr + path)
		if err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no 200 from %s%s: %w", addr, path, errors.Join(errors.New("too late"), err))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func measureService(bin string, n int) (rows []result, err error) {
	ctx := context.Background()
	shop := httptest.NewServer(bookshop.New())
	defer shop.Close()
	h, err := startWithGroup(ctx, bin)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.stop()) }()
	r := result{name: "service PUT, API PUT, first 200 at gatewayUrl", unit: "ms", aim: "< 700"}
	for i := range n {
		name := "new-" + strconv.Itoa(i)
		begin := time.Now()
		addr, err := h.put(ctx, name, "Developer", 1)
		if err != nil {
			return nil, err
		}
		if err := h.addAPI(ctx, name, shop.URL); err != nil {
			return nil, err
		}
		if err := firstOK(addr, "/shop/books/1"); err != nil {
			return nil, err
		}
		r.samples = append(r.samples, ms(time.Since(begin)))
		if _, err := h.client.Run(ctx, http.MethodDelete, h.service(name), "2022-08-01", nil, nil); err != nil {
			return nil, err
		}
	}
	return []result{r}, nil
}

// measurePolicy times policy changes until each machine of three units answers by the new one. It holds a connection
// to each machine, so that none is asked twice while another is left out.
func measurePolicy(bin string, n int) (rows []result, err error) {
	ctx := context.Background()
	shop := httptest.NewServer(bookshop.New())
	defer shop.Close()
	h, err := startWithGroup(ctx, bin)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.stop()) }()
	addr, err := h.put(ctx, "policy", "Premium", 3)
	if err != nil {
		return nil, err
	}
	if err := h.addAPI(ctx, "policy", shop.URL); err != nil {
		return nil, err
	}
	conns, err := connectToAll(addr, 6)
	if err != nil {
		return nil, err
	}
	r := result{name: "policy PUT to effect on all 6 machines of 3 units", unit: "ms", aim: "median < 50, p99 < 200"}
	for i := range n {
		mark := "v" + strconv.Itoa(i)
		begin := time.Now()
		if _, err := h.client.Do(ctx, http.MethodPut, h.service("policy")+"/apis/bookshop/policies/policy", "2022-08-01", object{"properties": object{
			"format": "rawxml",
			"value":  `<policies><inbound><return-response><set-header name="X-Mark" exists-action="override"><value>` + mark + `</value></set-header></return-response></inbound></policies>`,
		}}); err != nil {
			return nil, err
		}
		for _, c := range conns {
			if err := c.until(mark); err != nil {
				return nil, err
			}
		}
		r.samples = append(r.samples, ms(time.Since(begin)))
	}
	return []result{r}, nil
}

type conn struct {
	net.Conn
	r    *bufio.Reader
	addr string
}

func dial(addr string) (*conn, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &conn{c, bufio.NewReader(c), addr}, nil
}

// get sends a request on this very connection.
func (c *conn) get(path string) (*http.Response, []byte, error) {
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, c.addr); err != nil {
		return nil, nil, err
	}
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, body, err
}

func (c *conn) until(mark string) error {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		res, _, err := c.get("/shop/books/1")
		if err != nil {
			return err
		}
		if res.Header.Get("X-Mark") == mark {
			return nil
		}
	}
	return fmt.Errorf("the policy never took effect on a machine of %s", c.addr)
}

// connectToAll opens connections until it has one to each of n machines.
func connectToAll(addr string, n int) ([]*conn, error) {
	found := map[string]*conn{}
	for tries := 0; len(found) < n; tries++ {
		if tries > 5000 {
			return nil, fmt.Errorf("found %d machines, want %d", len(found), n)
		}
		c, err := dial(addr)
		if err != nil {
			return nil, err
		}
		_, body, err := c.get("/status-0123456789abcdef")
		if err != nil {
			return nil, err
		}
		var s struct {
			Machine string `json:"machine"`
		}
		if err := json.Unmarshal(body, &s); err != nil {
			return nil, err
		}
		if found[s.Machine] != nil {
			c.Close()
			continue
		}
		found[s.Machine] = c
	}
	var all []*conn
	for _, c := range found {
		all = append(all, c)
	}
	return all, nil
}
