package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/portico-dev/portico/internal/armclient"
	"github.com/portico-dev/portico/internal/config"
	"github.com/portico-dev/portico/internal/snapshot"
)

// The steps in which a service grows, in APIs of ten API operations each.
var sizes = []int{100, 1000, 10_000, 100_000}

const (
	perAPI  = 10  // API operations
	probes  = 500 // PUTs of each measurement of writing
	lists   = 100 // pages read at each size
	effects = 50  // changes whose way to a machine is timed
	answers = 5   // changes whose way is measured in bytes
	writers = 16  // at once, where there are several
	apiPath = "/apis/api-%05d"
)

// A stage is what was measured at one size.
type stage struct {
	apis                       int
	one, many                  float64   // PUTs per second, durable
	page, effect               []float64 // ms
	sent                       []float64 // KB, of one change
	back, up, again            float64   // ms, until a machine, the control plane and its publishing are there again
	control, machine, database float64   // MB
}

// measureScale grows one service, by default to 10,000 APIs and 100,000 API operations.
func measureScale(bin string, apis int) (rows []result, err error) {
	ctx := context.Background()
	h, err := startWithGroup(ctx, bin)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.stop()) }()
	addr, err := h.put(ctx, "scale", "Developer", 1)
	if err != nil {
		return nil, err
	}
	var stages []stage
	have := 0
	for _, size := range sizes {
		if size > apis {
			break
		}
		fmt.Fprintf(os.Stderr, "scale: growing to %d APIs\n", size)
		s := stage{apis: size}
		if err := h.grow(ctx, have, size-probes/10); err != nil {
			return nil, err
		}
		have = size
		if err := h.measureStage(ctx, &s, addr); err != nil {
			return nil, err
		}
		stages = append(stages, s)
	}
	chart(os.Stdout, stages)
	return stageRows(stages), nil
}

func (h *host) measureStage(ctx context.Context, s *stage, addr string) (err error) {
	half := probes / 10 / 2 // APIs
	if s.one, err = h.writing(ctx, s.apis-2*half, s.apis-half, 1); err != nil {
		return err
	}
	if s.many, err = h.writing(ctx, s.apis-half, s.apis, writers); err != nil {
		return err
	}
	if s.page, err = h.paging(ctx, s.apis); err != nil {
		return err
	}
	if s.effect, err = h.effects(ctx, s.apis, addr); err != nil {
		return err
	}
	if s.sent, err = h.bytesSent(ctx, s.apis); err != nil {
		return err
	}
	pids, err := h.machines(ctx, "scale")
	if err != nil {
		return err
	}
	if s.machine, err = residentMB(pids[0]); err != nil {
		return err
	}
	if s.back, err = restart(pids[0], addr, fmt.Sprintf("/a/%d/things/0/1", s.apis-1)); err != nil {
		return err
	}
	if s.control, err = residentMB(h.cmd.Process.Pid); err != nil {
		return err
	}
	begin := time.Now()
	if s.up, err = h.again(); err != nil {
		return err
	}
	if _, err := h.effect(ctx, 0, fmt.Sprint("again", s.apis), addr); err != nil {
		return err
	}
	s.again = ms(time.Since(begin))
	s.database, err = databaseMB(h.dir)
	return err
}

// grow imports the APIs [from, to).
func (h *host) grow(ctx context.Context, from, to int) error {
	return h.each(from, to, writers, func(i int) error {
		_, err := h.client.Run(ctx, http.MethodPut, h.service("scale")+fmt.Sprintf(apiPath, i), "2022-08-01", object{"properties": object{
			"format": "openapi+json", "value": openAPI(i), "path": fmt.Sprint("a/", i), "subscriptionRequired": false,
		}}, nil)
		return err
	})
}

// openAPI describes what addScaleAPI makes.
func openAPI(i int) string {
	paths := object{}
	for j := range perAPI {
		paths[fmt.Sprintf("/things/%d/{id}", j)] = object{"get": object{
			"operationId": "op-" + strconv.Itoa(j), "summary": fmt.Sprint("Operation ", j), "responses": object{"200": object{"description": "OK"}},
			"parameters": []object{{"name": "id", "in": "path", "required": true, "schema": object{"type": "string"}}},
		}}
	}
	text, _ := json.Marshal(object{ //nolint:errchkjson // nothing in it can fail
		"openapi": "3.0.1", "info": object{"title": fmt.Sprint("API ", i), "version": "1"},
		"servers": []object{{"url": "http://127.0.0.1:9"}}, "paths": paths,
	})
	return string(text)
}

// writing adds the APIs [from, to) and their operations and gives the PUTs per second.
func (h *host) writing(ctx context.Context, from, to, writers int) (float64, error) {
	begin := time.Now()
	err := h.each(from, to, writers, func(i int) error { return h.addScaleAPI(ctx, i) })
	return float64((to-from)*(1+perAPI)) / time.Since(begin).Seconds(), err
}

// each calls f for the numbers [from, to), several at once.
func (h *host) each(from, to, writers int, f func(int) error) error {
	var next atomic.Int64
	next.Store(int64(from))
	var wg sync.WaitGroup
	failed := make(chan error, writers)
	for range writers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < to; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	return <-failed
}

func (h *host) addScaleAPI(ctx context.Context, i int) error {
	id := h.service("scale") + fmt.Sprintf(apiPath, i)
	if _, err := h.client.Do(ctx, http.MethodPut, id, "2022-08-01", object{"properties": object{
		"displayName": fmt.Sprint("API ", i), "path": fmt.Sprint("a/", i), "protocols": []string{"http"},
		"serviceUrl": "http://127.0.0.1:9", "subscriptionRequired": false,
	}}); err != nil {
		return err
	}
	for j := range perAPI {
		if _, err := h.client.Do(ctx, http.MethodPut, id+"/operations/op-"+strconv.Itoa(j), "2022-08-01", object{"properties": object{
			"displayName": fmt.Sprint("Operation ", j), "method": "GET", "urlTemplate": fmt.Sprintf("/things/%d/{id}", j),
			"templateParameters": []object{{"name": "id", "type": "string", "required": true}},
		}}); err != nil {
			return err
		}
	}
	return nil
}

// paging reads pages of 100 APIs at random places.
func (h *host) paging(ctx context.Context, apis int) (samples []float64, err error) {
	for range lists {
		skip := rand.N(max(1, apis-100)) //nolint:gosec // any place will do
		begin := time.Now()
		if _, err := h.client.Do(ctx, http.MethodGet, h.service("scale")+"/apis?$top=100&$skip="+strconv.Itoa(skip), "2022-08-01", nil); err != nil {
			return nil, err
		}
		samples = append(samples, ms(time.Since(begin)))
	}
	return samples, nil
}

// effects times the way of a policy of one API to the machine that serves them all.
func (h *host) effects(ctx context.Context, apis int, addr string) (samples []float64, err error) {
	for i := range effects {
		took, err := h.effect(ctx, rand.N(apis), fmt.Sprint("m", apis, "-", i), addr) //nolint:gosec // any API will do
		if err != nil {
			return nil, err
		}
		samples = append(samples, took)
	}
	return samples, nil
}

func (h *host) effect(ctx context.Context, api int, mark, addr string) (float64, error) {
	begin := time.Now()
	if err := h.putMark(ctx, api, mark); err != nil {
		return 0, err
	}
	err := until(addr, fmt.Sprintf("/a/%d/things/0/1", api), mark)
	return ms(time.Since(begin)), err
}

// putMark makes an API answer with a mark.
func (h *host) putMark(ctx context.Context, api int, mark string) error {
	_, err := h.client.Do(ctx, http.MethodPut, h.service("scale")+fmt.Sprintf(apiPath, api)+"/policies/policy", "2022-08-01", object{"properties": object{
		"format": "rawxml",
		"value":  `<policies><inbound><return-response><set-header name="X-Mark"><value>` + mark + `</value></set-header></return-response></inbound></policies>`,
	}})
	return err
}

func until(addr, path, mark string) error {
	c, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		res, _, err := c.get(path)
		if err != nil {
			return err
		}
		if res.Header.Get("X-Mark") == mark {
			return nil
		}
	}
	return fmt.Errorf("%s never answered %s", path, mark)
}

// bytesSent counts what a machine that has everything is sent after a change of one API. It polls as one more machine.
func (h *host) bytesSent(ctx context.Context, apis int) (samples []float64, err error) {
	socket, err := config.Layout{Dir: h.dir}.Socket("publish.sock")
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	req := snapshot.PollRequest{Machine: "bench", Service: h.service("scale")}
	for i := range answers + 1 {
		if i > 0 {
			if err := h.putMark(ctx, rand.N(apis), fmt.Sprint("b", apis, "-", i)); err != nil { //nolint:gosec // any API will do
				return nil, err
			}
		}
		res, size, err := poll(ctx, client, req)
		if err != nil {
			return nil, err
		}
		if req.Session, req.Seq = res.Session, res.Seq; i > 0 {
			samples = append(samples, float64(size)/1024)
		}
	}
	return samples, nil
}

func poll(ctx context.Context, client *http.Client, req snapshot.PollRequest) (out snapshot.PollResponse, size int, err error) {
	body, err := json.Marshal(req)
	if err != nil {
		return out, 0, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://publish"+snapshot.PollPath, bytes.NewReader(body))
	if err != nil {
		return out, 0, err
	}
	res, err := client.Do(r)
	if err != nil {
		return out, 0, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return out, 0, err
	}
	return out, len(data), json.Unmarshal(data, &out)
}

// restart kills a machine and times until the one that takes its place has all APIs, in milliseconds.
func restart(pid int, addr, path string) (float64, error) {
	begin := time.Now()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return 0, err
	}
	for deadline := begin.Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		c, err := dial(addr)
		if err != nil {
			continue
		}
		res, _, err := c.get(path)
		_ = c.Close()
		if err == nil && res.StatusCode != http.StatusNotFound {
			return ms(time.Since(begin)), nil
		}
	}
	return 0, fmt.Errorf("%s is not served again", path)
}

// again kills the control plane and times its next start on the same folder, in milliseconds.
func (h *host) again() (float64, error) {
	if err := h.cmd.Process.Kill(); err != nil {
		return 0, err
	}
	_ = h.cmd.Wait()
	h.cmd = exec.Command(h.bin, h.cmd.Args[1:]...)
	h.cmd.Stderr = os.Stderr
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := h.cmd.Start(); err != nil {
		return 0, err
	}
	for s := bufio.NewScanner(out); s.Scan(); {
		if strings.HasPrefix(s.Text(), "portico ready in ") {
			took := ms(time.Since(begin))
			go func() { _, _ = io.Copy(io.Discard, out) }()
			h.client, err = armclient.Open(h.dir)
			return took, err
		}
	}
	return 0, errors.New("portico up did not get ready again")
}

func databaseMB(dir string) (float64, error) {
	var total int64
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.Contains(e.Name(), ".db") {
			total += info.Size()
		}
	}
	return float64(total) / (1 << 20), nil
}

func stageRows(stages []stage) (rows []result) {
	for _, s := range stages {
		at := fmt.Sprintf("%d APIs: ", s.apis)
		rows = append(rows,
			result{name: at + "durable PUT/s, 1 writer", unit: "/s", samples: []float64{s.one}},
			result{name: at + fmt.Sprintf("durable PUT/s, %d writers", writers), unit: "/s", samples: []float64{s.many}},
			result{name: at + "list page of 100", unit: "ms", samples: s.page},
			result{name: at + "policy PUT to effect", unit: "ms", aim: "< 30", samples: s.effect},
			result{name: at + "sent to a machine for one change", unit: "KB", aim: "< 20", samples: s.sent},
			result{name: at + "machine killed to serving again", unit: "ms", samples: []float64{s.back}},
			result{name: at + "control plane killed to ready", unit: "ms", samples: []float64{s.up}},
			result{name: at + "control plane killed to next change in effect", unit: "ms", samples: []float64{s.again}},
			result{name: at + "control plane VmRSS", unit: "MB", samples: []float64{s.control}},
			result{name: at + "machine VmRSS", unit: "MB", samples: []float64{s.machine}},
			result{name: at + "database", unit: "MB", samples: []float64{s.database}},
		)
	}
	return rows
}

// chart draws how each figure grows with the size.
func chart(w io.Writer, stages []stage) {
	figures := []struct {
		name string
		of   func(stage) float64
	}{
		{"PUT/s, 1 writer", func(s stage) float64 { return s.one }},
		{fmt.Sprintf("PUT/s, %d writers", writers), func(s stage) float64 { return s.many }},
		{"list page, median ms", func(s stage) float64 { return median(s.page) }},
		{"policy to effect, median ms", func(s stage) float64 { return median(s.effect) }},
		{"sent for a change, median KB", func(s stage) float64 { return median(s.sent) }},
		{"machine back, ms", func(s stage) float64 { return s.back }},
		{"control plane start, ms", func(s stage) float64 { return s.up }},
		{"change after the start, ms", func(s stage) float64 { return s.again }},
		{"control plane MB", func(s stage) float64 { return s.control }},
		{"machine MB", func(s stage) float64 { return s.machine }},
	}
	for _, f := range figures {
		most := 0.0
		for _, s := range stages {
			most = max(most, f.of(s))
		}
		for i, s := range stages {
			name := ""
			if i == 0 {
				name = f.name
			}
			bar := strings.Repeat("█", int(f.of(s)/max(most, 1e-9)*40+0.5))
			fmt.Fprintf(w, "%-28s %6d APIs %-40s %.1f\n", name, s.apis, bar, f.of(s))
		}
	}
}

func median(samples []float64) float64 {
	sorted := append([]float64(nil), samples...)
	slices.Sort(sorted)
	return at(sorted, 50)
}
