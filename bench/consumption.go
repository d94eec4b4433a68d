package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	coldSamples = 300             // services that are called for the first time, one after another
	wakeSamples = 5               // times that a sleeping worker is called
	sleepAfter  = 5 * time.Second // without connections, of a worker that is to sleep
)

// quietPolicy answers at once.
const quietPolicy = `<policies><inbound><return-response><set-header name="X-Mark"><value>quiet</value></set-header></return-response></inbound></policies>`

// measureConsumption makes many Consumption services on one host and measures what each costs, how long the first
// request to one takes.
func measureConsumption(bin string, services int) (rows []result, err error) {
	ctx := context.Background()
	h, err := startWithGroup(ctx, bin)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.stop()) }()
	// The first service brings the pool and its worker: what they cost is nobody's share.
	if _, err := h.put(ctx, "quiet", "Consumption", 0); err != nil {
		return nil, err
	}
	if err := h.addPlainAPI(ctx, "quiet", quietPolicy); err != nil {
		return nil, err
	}
	bare, err := h.settled()
	if err != nil {
		return nil, err
	}
	created, err := h.createMany(ctx, services)
	if err != nil {
		return nil, err
	}
	rows = append(rows, result{name: fmt.Sprintf("create rate of %d Consumption services, %d writers", services, writers), unit: "/s", samples: []float64{created}})
	full, err := h.settled()
	if err != nil {
		return nil, err
	}
	rows = append(rows, memoryRows(bare, full, services)...)
	cold, err := h.cold(services)
	if err != nil {
		return nil, err
	}
	rows = append(rows, result{name: "cold activation: first request to a service", unit: "ms", aim: "median < 20, p99 < 50", samples: cold})
	woken, err := h.woken(services)
	if err != nil {
		return nil, err
	}
	return append(rows, result{name: "first request to a worker that sleeps, process and all", unit: "ms", samples: woken}), nil
}

// addPlainAPI gives a service an API of one API operation and a policy.
func (h *host) addPlainAPI(ctx context.Context, name, policy string) error {
	id := h.service(name) + "/apis/plain"
	for _, d := range []struct {
		id         string
		properties object
	}{
		{id, object{"displayName": "Plain", "path": "p", "protocols": []string{"http"}, "serviceUrl": "http://127.0.0.1:9", "subscriptionRequired": false}},
		{id + "/operations/get", object{"displayName": "Get", "method": "GET", "urlTemplate": "/it"}},
		{id + "/policies/policy", object{"format": "xml", "value": policy}},
	} {
		if _, err := h.client.Do(ctx, http.MethodPut, d.id, "2022-08-01", object{"properties": d.properties}); err != nil {
			return err
		}
	}
	return nil
}

func many(i int) string { return fmt.Sprintf("many-%05d", i) }

// createMany creates services with an API each and gives how many were made per second.
func (h *host) createMany(ctx context.Context, services int) (float64, error) {
	begin := time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	failed := make(chan error, writers)
	for range writers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < services; i = int(next.Add(1)) - 1 {
				if err := h.createOne(ctx, many(i)); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	return float64(services) / time.Since(begin).Seconds(), <-failed
}

func (h *host) createOne(ctx context.Context, name string) error {
	if _, err := h.client.Do(ctx, http.MethodPut, h.service(name), "2022-08-01", object{
		"location": "West Europe", "sku": object{"name": "Consumption", "capacity": 0},
		"properties": object{"publisherName": "Bench", "publisherEmail": "bench@example.com"},
	}); err != nil {
		return err
	}
	if err := h.succeeded(ctx, name); err != nil {
		return err
	}
	return h.addPlainAPI(ctx, name, quietPolicy)
}

// succeeded waits until a service is there.
func (h *host) succeeded(ctx context.Context, name string) error {
	// Clients look less often than this: more would measure how fast the control plane answers that it is not done yet.
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		res, err := h.client.Do(ctx, http.MethodGet, h.service(name), "2022-08-01", nil)
		if err != nil {
			return err
		}
		var s struct {
			Properties struct {
				State string `json:"provisioningState"`
			} `json:"properties"`
		}
		if err := res.Decode(&s); err != nil {
			return err
		}
		switch {
		case s.Properties.State == "Succeeded":
			return nil
		case s.Properties.State == "Failed" || time.Now().After(deadline):
			return fmt.Errorf("service %s is %s", name, s.Properties.State)
		}
	}
}

// settled is what each kind of process holds in memory once the control plane was started again and all is quiet, in
// bytes.
func (h *host) settled() (map[string]float64, error) {
	if _, err := h.again(); err != nil {
		return nil, err
	}
	time.Sleep(20 * time.Second) // the collector gives back what it has found
	held := map[string]float64{}
	for _, pid := range h.processes() {
		mb, err := residentMB(pid.id)
		if err != nil {
			continue // it has ended
		}
		held[pid.kind] += mb * (1 << 20)
	}
	return held, nil
}

// A process is one of the host's.
type process struct {
	id   int
	kind string // up, host, edge, machine
}

// processes lists what runs on the host's folder.
func (h *host) processes() (out []process) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range all {
		line, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(line), h.dir) {
			continue
		}
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if args := strings.Split(string(line), "\x00"); err == nil && len(args) > 1 {
			out = append(out, process{id, args[1]})
		}
	}
	return out
}

func memoryRows(bare, full map[string]float64, services int) (rows []result) {
	each := func(name, aim string, bytes float64) {
		rows = append(rows, result{name: "idle memory of each service, " + name, unit: "KiB", aim: aim, samples: []float64{bytes / 1024 / float64(services)}})
	}
	total := 0.0
	for _, kind := range []struct{ kind, name string }{{"up", "control plane"}, {"host", "agent"}, {"edge", "edge"}, {"machine", "worker"}} {
		grew := full[kind.kind] - bare[kind.kind]
		total += grew
		each(kind.name, "", grew)
	}
	each("all processes", "< 8", total)
	return rows
}

// name is the host name of a Consumption service, with the port of the edge.
func (h *host) name(service string) (address, host string, err error) {
	e, err := url.Parse(h.client.Endpoints.Edge)
	if err != nil {
		return "", "", err
	}
	_, port, err := net.SplitHostPort(e.Host)
	return e.Host, service + ".apim.localhost:" + port, err
}

// dialEdge connects to the edge as a caller of a service.
func (h *host) dialEdge(service string) (*conn, error) {
	address, name, err := h.name(service)
	if err != nil {
		return nil, err
	}
	c, err := dial(address)
	if err != nil {
		return nil, err
	}
	c.addr = name
	return c, nil
}

// ask sends one request and gives how long its answer took.
func (c *conn) ask() (float64, error) {
	begin := time.Now()
	res, body, err := c.get("/p/it")
	if err != nil {
		return 0, err
	}
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s answers %s: %.200s", c.addr, res.Status, body)
	}
	return ms(time.Since(begin)), nil
}

// cold calls services that nobody has called before, each on a connection of its own.
func (h *host) cold(services int) (samples []float64, err error) {
	n := min(coldSamples, services)
	for i := range n {
		begin := time.Now()
		c, err := h.dialEdge(many(i * services / n))
		if err != nil {
			return nil, err
		}
		if _, err := c.ask(); err != nil {
			return nil, errors.Join(err, c.Close())
		}
		samples = append(samples, ms(time.Since(begin)))
		_ = c.Close()
	}
	return samples, nil
}

// woken calls the worker after it has gone to sleep, and gives how long the answers took.
func (h *host) woken(services int) (samples []float64, err error) {
	h.cmd.Args = append(h.cmd.Args, "--sleep", sleepAfter.String())
	if _, err := h.again(); err != nil {
		return nil, err
	}
	for i := range wakeSamples {
		if err := h.asleep(); err != nil {
			return nil, err
		}
		begin := time.Now()
		c, err := h.dialEdge(many(i * services / wakeSamples))
		if err != nil {
			return nil, err
		}
		if _, err := c.ask(); err != nil {
			return nil, errors.Join(err, c.Close())
		}
		samples = append(samples, ms(time.Since(begin)))
		_ = c.Close()
	}
	return samples, nil
}

// asleep waits until no worker has a process.
func (h *host) asleep() error {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if !slices.ContainsFunc(h.processes(), func(p process) bool { return p.kind == "machine" }) {
			return nil
		}
	}
	return errors.New("the worker does not sleep")
}
