// Package demo shows what Portico does, on a folder of its own that it removes again: it hosts services in front of a
// small bookshop, keeps requests going, and meanwhile edits a policy, migrates from stv1 to stv2 both ways, scales,
// kills a machine and restarts the control plane. It uses Portico from outside only: its commands, ARM, and sockets.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/portico-dev/portico/internal/armclient"
	"github.com/portico-dev/portico/internal/demo/bookshop"
	"github.com/portico-dev/portico/internal/demo/load"
)

// Options of the demo.
type Options struct {
	Exe  string    // the portico program
	Name string    // how the user calls it
	Keep bool      // leave everything running and say where
	Out  io.Writer // the table
	Talk io.Writer // progress, one line a step
	Rate float64   // requests per second; default 800
}

const (
	old    = "2020-12-01" // services made at this api-version are hosted on stv1
	recent = "2022-08-01"
	latest = "2024-05-01"

	subscriptions = "2022-12-01" // api-version of Azure subscriptions
	groups        = "2022-09-01" // of resource groups

	coexistence = 5 * time.Second
)

// A row of the table: one step.
type row struct {
	step    string
	took    time.Duration
	n       load.Counts
	held    int64 // connections that the killed machine held; only in the step that kills one
	retry   load.Counts
	longest time.Duration
	service string
	show    look
}

// look is what one sees of a service after a step.
type look struct {
	Platform string
	VIPs     []string
	Machines map[string]int // by zone
}

type demo struct {
	opt    Options
	dir    string
	up     *exec.Cmd
	shop   *http.Server
	origin string
	client *armclient.Client
	load   *load.Client
	retry  *load.Client
	rows   []row
	group  string
}

// Run runs the demo. The error says which step failed, or how many requests did.
func Run(ctx context.Context, opt Options) (err error) {
	if opt.Rate == 0 {
		opt.Rate = 800
	}
	d := &demo{opt: opt}
	defer func() {
		if !opt.Keep || err != nil {
			err = errors.Join(err, d.cleanUp())
		}
	}()
	steps := []struct {
		name string
		run  func(context.Context) error
	}{
		{"start Portico and a bookshop", d.start},
		{"create a service, import the bookshop", d.create},
		{"measure", d.measure},
	}
	for _, s := range steps {
		if err := s.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	d.print()
	return d.verdict()
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.opt.Talk, format+"\n", args...) }

// start runs the bookshop in this process and Portico as a child, in a temporary folder.
func (d *demo) start(ctx context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	d.shop = &http.Server{Handler: bookshop.New(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = d.shop.Serve(l) }()
	d.origin = "http://" + l.Addr().String()
	if d.dir, err = os.MkdirTemp("", "portico-demo-"); err != nil {
		return err
	}
	begin := time.Now()
	d.up = exec.Command(d.opt.Exe, "up", "--data", d.dir, "--coexistence", coexistence.String(),
		"--arm", "127.0.0.1:0", "--arm-tls", "127.0.0.1:0", "--edge", "127.0.0.1:0", "--edge-tls", "127.0.0.1:0")
	log, err := os.Create(filepath.Join(d.dir, "up.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	d.up.Stdout, d.up.Stderr = log, log
	d.up.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the demo, which then stops Portico in order
	if err := d.up.Start(); err != nil {
		return err
	}
	if err := until(ctx, 20*time.Second, func() bool {
		d.client, err = armclient.Open(d.dir)
		if err != nil {
			return false
		}
		_, err = d.client.Do(ctx, http.MethodGet, d.client.Subscription(), subscriptions, nil)
		return err == nil
	}); err != nil {
		text, _ := os.ReadFile(filepath.Join(d.dir, "up.log"))
		return fmt.Errorf("portico up did not get ready: %w\n%s", err, text)
	}
	d.group = d.client.Subscription() + "/resourceGroups/demo"
	_, err = d.client.Do(ctx, http.MethodPut, d.group, groups, object{"location": "westeurope"})
	d.rows = append(d.rows, row{step: "portico up", took: time.Since(begin)})
	return err
}

type object = map[string]any

func (d *demo) service(name string) string {
	return d.group + "/providers/Microsoft.ApiManagement/service/" + name
}

// make creates a service with the bookshop in it and returns where to send requests.
func (d *demo) make(ctx context.Context, name, tier string, units int, apiVersion string) (load.Target, error) {
	id := d.service(name)
	if _, err := d.client.Run(ctx, http.MethodPut, id, apiVersion, object{
		"location": "West Europe", "sku": object{"name": tier, "capacity": units},
		"properties": object{"publisherName": "Demo", "publisherEmail": "demo@example.com"},
	}, nil); err != nil {
		return load.Target{}, err
	}
	if _, err := d.client.Run(ctx, http.MethodPut, id+"/apis/bookshop", recent, object{
		"properties": object{"format": "openapi", "value": bookshop.OpenAPI(d.origin), "path": "shop"},
	}, nil); err != nil {
		return load.Target{}, err
	}
	if _, err := d.client.Do(ctx, http.MethodPut, id+"/subscriptions/demo", recent, object{
		"properties": object{"displayName": "Demo", "scope": id + "/apis/bookshop", "state": "active"},
	}); err != nil {
		return load.Target{}, err
	}
	res, err := d.client.Do(ctx, http.MethodPost, id+"/subscriptions/demo/listSecrets", recent, nil)
	if err != nil {
		return load.Target{}, err
	}
	var keys struct {
		PrimaryKey string `json:"primaryKey"`
	}
	if err := res.Decode(&keys); err != nil {
		return load.Target{}, err
	}
	return d.target(ctx, name, keys.PrimaryKey)
}

// target asks ARM where the service is now and waits for the gateway to know its key.
func (d *demo) target(ctx context.Context, name, key string) (load.Target, error) {
	res, err := d.client.Do(ctx, http.MethodGet, d.service(name), recent, nil)
	if err != nil {
		return load.Target{}, err
	}
	var s struct {
		Properties struct {
			GatewayURL string `json:"gatewayUrl"`
		} `json:"properties"`
	}
	if err := res.Decode(&s); err != nil {
		return load.Target{}, err
	}
	addr := strings.TrimPrefix(s.Properties.GatewayURL, "http://")
	t := load.Target{Addr: addr, Host: addr, Path: "/shop", Key: key}
	u, err := d.units(ctx, name)
	if err != nil {
		return t, err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return t, load.Reach(ctx, t, u.machines())
}

// call sends one request on a connection of its own.
func call(ctx context.Context, t load.Target, method, path, body string) (status int, header http.Header, err error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+t.Addr+t.Path+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Close = true
	req.Header.Set("Ocp-Apim-Subscription-Key", t.Key)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, res.Header, err
}

// create makes the first service and calls every API operation of the imported document once.
func (d *demo) create(ctx context.Context) error {
	begin := time.Now()
	t, err := d.make(ctx, "bookshop", "Developer", 1, old)
	if err != nil {
		return err
	}
	r := row{step: "create Developer at " + old + ", import", took: time.Since(begin), service: "bookshop"}
	if r.show, err = d.look(ctx, "bookshop"); err != nil {
		return err
	}
	d.rows = append(d.rows, r)
	begin = time.Now()
	n, err := d.callAll(ctx, t)
	if err != nil {
		return err
	}
	d.rows = append(d.rows, row{step: fmt.Sprintf("call all %d API operations with a key", n), took: time.Since(begin), n: load.Counts{Done: int64(n)}, service: "bookshop", show: r.show})
	d.load = load.Start(load.Options{Workers: 16, Rate: d.opt.Rate, Slow: 3}, t)
	d.retry = load.Start(load.Options{Workers: 4, Rate: d.opt.Rate / 10, Retry: true}, t)
	return nil
}

func (d *demo) callAll(ctx context.Context, t load.Target) (int, error) {
	ops, err := d.client.List(ctx, d.service("bookshop")+"/apis/bookshop/operations", recent)
	if err != nil {
		return 0, err
	}
	type operation struct {
		Properties struct {
			Method      string `json:"method"`
			URLTemplate string `json:"urlTemplate"`
		} `json:"properties"`
	}
	for _, raw := range ops {
		var op operation
		if err := json.Unmarshal(raw, &op); err != nil {
			return 0, err
		}
		id, body := "1", ""
		switch op.Properties.Method {
		case http.MethodDelete:
			id = "99" // there is no such book: the load goes on reading the others
		case http.MethodPost:
			body = `{"title":"New","stars":5,"book":1,"copies":1}`
		case http.MethodPut:
			body = `{"title":"The Tidal Clock","author":1,"price":1290}`
		}
		status, _, err := call(ctx, t, op.Properties.Method, strings.ReplaceAll(op.Properties.URLTemplate, "{id}", id), body)
		if err == nil && status >= 300 {
			err = fmt.Errorf("status %d", status)
		}
		if err != nil {
			return 0, fmt.Errorf("%s %s: %w", op.Properties.Method, op.Properties.URLTemplate, err)
		}
	}
	if len(ops) < 12 {
		return 0, fmt.Errorf("%d API operations were imported, want at least 12", len(ops))
	}
	return len(ops), nil
}

// step runs f under load and notes what became of the requests meanwhile.
func (d *demo) step(ctx context.Context, name, service string, f func(*row) error) error {
	d.say("… %s", name)
	r := row{step: name, service: service}
	before, retryBefore, begin := d.load.Counts(), d.retry.Counts(), time.Now()
	d.load.TakeWaits()
	if err := f(&r); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	r.took = time.Since(begin)
	if err := d.settle(ctx); err != nil {
		return err
	}
	r.n, r.retry, r.longest = d.load.Counts().Sub(before), d.retry.Counts().Sub(retryBefore), d.load.TakeWaits().Longest
	var err error
	if r.show, err = d.look(ctx, service); err != nil {
		return err
	}
	d.rows = append(d.rows, r)
	return nil
}

// settle waits until every request that was under way when the step ended is answered, so that it counts for the step.
func (d *demo) settle(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(bookshop.ReportTime + 200*time.Millisecond):
		return nil
	}
}

func (d *demo) measure(ctx context.Context) error {
	first := (*d.firstTarget())
	if err := d.step(ctx, "edit a policy", "bookshop", func(*row) error { return d.editPolicy(ctx, first) }); err != nil {
		return err
	}
	if err := d.step(ctx, "migrate to stv2, PreserveIp", "bookshop", func(*row) error {
		return d.migrate(ctx, "bookshop", "PreserveIp")
	}); err != nil {
		return err
	}
	second, err := d.make(ctx, "bookshop-two", "Developer", 1, old)
	if err != nil {
		return err
	}
	d.aim(first, second)
	if err := d.step(ctx, "migrate another, NewIP", "bookshop-two", func(*row) error { return d.migrateNewIP(ctx, first, second) }); err != nil {
		return err
	}
	third, err := d.make(ctx, "bookshop-premium", "Premium", 1, recent)
	if err != nil {
		return err
	}
	d.aim(third)
	for _, s := range []struct {
		name string
		run  func(*row) error
	}{
		{"scale Premium from 1 to 3 units", func(*row) error { return d.scale(ctx, "bookshop-premium", 3) }},
		{"SIGKILL one machine", func(r *row) error { return d.kill(ctx, "bookshop-premium", third, r) }},
		{"restart the control plane", func(*row) error { return d.restart(ctx) }},
		{"scale Premium from 3 to 1 unit", func(*row) error { return d.scale(ctx, "bookshop-premium", 1) }},
	} {
		if err := d.step(ctx, s.name, "bookshop-premium", s.run); err != nil {
			return err
		}
	}
	d.load.Stop()
	d.retry.Stop()
	return nil
}

func (d *demo) firstTarget() *load.Target { t := d.load.Targets()[0]; return &t }

func (d *demo) aim(targets ...load.Target) {
	d.load.Aim(targets...)
	d.retry.Aim(targets...)
}

// editPolicy puts a policy and waits for its effect.
func (d *demo) editPolicy(ctx context.Context, t load.Target) error {
	const policy = `<policies><inbound><base /></inbound><backend><base /></backend><outbound><base />` +
		`<set-header name="X-Edition" exists-action="override"><value>second</value></set-header></outbound><on-error><base /></on-error></policies>`
	if _, err := d.client.Do(ctx, http.MethodPut, d.service("bookshop")+"/apis/bookshop/policies/policy", recent,
		object{"properties": object{"format": "rawxml", "value": policy}}); err != nil {
		return err
	}
	return until(ctx, 10*time.Second, func() bool {
		_, header, err := call(ctx, t, http.MethodGet, "/books/1", "")
		return err == nil && header.Get("X-Edition") == "second"
	})
}

func (d *demo) migrate(ctx context.Context, name, mode string) error {
	if _, err := d.client.Run(ctx, http.MethodPost, d.service(name)+"/migrateToStv2", latest, object{"mode": mode}, nil); err != nil {
		return err
	}
	return d.windowEnds(ctx, name)
}

// windowEnds waits until the old compute of a migration is gone.
func (d *demo) windowEnds(ctx context.Context, name string) error {
	return until(ctx, coexistence+30*time.Second, func() bool {
		u, err := d.units(ctx, name)
		return err == nil && u.settled()
	})
}

// migrateNewIP moves the clients to the new address while both answer, as an owner would move DNS.
func (d *demo) migrateNewIP(ctx context.Context, first, second load.Target) error {
	if _, err := d.client.Run(ctx, http.MethodPost, d.service("bookshop-two")+"/migrateToStv2", latest, object{"mode": "NewIP"}, nil); err != nil {
		return err
	}
	moved, err := d.target(ctx, "bookshop-two", second.Key)
	if err != nil {
		return err
	}
	if moved.Addr == second.Addr {
		return fmt.Errorf("the VIP is still %s", moved.Addr)
	}
	d.aim(second, moved) // both answer during the window
	if err := d.settle(ctx); err != nil {
		return err
	}
	d.aim(first, moved)
	return d.windowEnds(ctx, "bookshop-two")
}

func (d *demo) scale(ctx context.Context, name string, units int) error {
	_, err := d.client.Run(ctx, http.MethodPatch, d.service(name), recent, object{"sku": object{"name": "Premium", "capacity": units}}, nil)
	return err
}

// kill ends one serving machine with SIGKILL. It is held still for the moment in which its connections are counted.
func (d *demo) kill(ctx context.Context, name string, t load.Target, r *row) error {
	u, err := d.units(ctx, name)
	if err != nil {
		return err
	}
	pid := u.serving()
	if pid == 0 {
		return errors.New("no machine of the service is serving")
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	held, err := load.Held(pid, t.Addr)
	if err := errors.Join(err, syscall.Kill(pid, syscall.SIGKILL)); err != nil {
		return err
	}
	r.held = int64(held)
	return until(ctx, 20*time.Second, func() bool {
		now, err := d.units(ctx, name)
		return err == nil && now.healthy() && !now.has(pid)
	})
}

func (d *demo) restart(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, d.opt.Exe, "restart", "--data", d.dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	_, err = d.client.Do(ctx, http.MethodGet, d.client.Subscription(), subscriptions, nil)
	return err
}

// cleanUp stops everything and removes the folder.
func (d *demo) cleanUp() error {
	if d.load != nil {
		d.load.Stop()
		d.retry.Stop()
	}
	if d.shop != nil {
		_ = d.shop.Close()
	}
	if d.dir == "" {
		return nil
	}
	out, err := exec.Command(d.opt.Exe, "down", "--data", d.dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("portico down: %w: %s", err, out)
	}
	if d.up != nil && d.up.Process != nil {
		_ = d.up.Wait()
	}
	return os.RemoveAll(d.dir)
}

// verdict is an error when a request failed that should not have.
func (d *demo) verdict() error {
	var lost []string
	for _, r := range d.rows {
		if r.n.Failed > 0 || r.n.Cut > r.held || r.retry.Failed+r.retry.Cut > 0 {
			lost = append(lost, r.step)
		}
	}
	if len(lost) == 0 {
		return nil
	}
	texts := slices.Concat(d.load.Failures(), d.retry.Failures())
	return fmt.Errorf("requests failed in: %s\n%s", strings.Join(lost, "; "), strings.Join(texts, "\n"))
}

// until polls a condition; the error says that it did not come true in time.
func until(ctx context.Context, limit time.Duration, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}
