package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/demo/bookshop"
)

// A peer is a program that stands between the client and the backend.
type peer struct {
	name, addr, path string
	pids             []int
}

const (
	peerConns    = 16   // keep-alive connections of the client
	peerRequests = 2000 // of one sample
)

// measurePeers sends the same requests through the gateway, httputil.ReverseProxy and, where it is installed, nginx,
// in turns. What counts is CPU time of the process in the middle: on one machine the client and the backend take
// theirs from the same cores, so that requests per second would say little.
func measurePeers(bin string, n int) (rows []result, err error) {
	shop := httptest.NewServer(bookshop.New())
	defer shop.Close()
	h, err := start(bin)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.stop()) }()
	gateway, err := gatewayPeer(h, shop.URL)
	if err != nil {
		return nil, err
	}
	peers := []peer{gateway}
	for _, run := range []func(dir, origin string) (*peer, func(), error){reverseProxy, nginx} {
		p, stop, err := run(h.dir, shop.URL)
		if err != nil {
			return nil, err
		}
		if p != nil {
			defer stop()
			peers = append(peers, *p)
		}
	}
	rate, wait := make([]result, len(peers)), make([]result, len(peers))
	for i, p := range peers {
		rate[i] = result{name: p.name + ": requests per CPU-second", unit: "1/s"}
		wait[i] = result{name: p.name + ": time of a request", unit: "ms"}
	}
	for range n + 1 { // the first is to get warm
		for i, p := range peers {
			perSecond, waits, err := p.sample()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			rate[i].samples, wait[i].samples = append(rate[i].samples, perSecond), append(wait[i].samples, waits...)
		}
	}
	for i := range peers {
		rate[i].samples, wait[i].samples = rate[i].samples[1:], wait[i].samples[peerRequests:]
		rows = append(rows, rate[i], wait[i])
	}
	return rows, nil
}

func gatewayPeer(h *host, origin string) (p peer, err error) {
	ctx := context.Background()
	p = peer{name: "portico", path: "/shop/books/1"}
	if err = h.makeGroup(ctx); err != nil {
		return p, err
	}
	if p.addr, err = h.put(ctx, "peers", "Developer", 1); err != nil {
		return p, err
	}
	if err = h.addAPI(ctx, "peers", origin); err != nil {
		return p, err
	}
	if p.pids, err = h.machines(ctx, "peers"); err != nil {
		return p, err
	}
	return p, firstOK(p.addr, p.path)
}

// reverseProxy runs this program once more as a plain httputil.ReverseProxy.
func reverseProxy(_, origin string) (*peer, func(), error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	return child("httputil", exec.Command(self, "-proxy-to", origin), 0)
}

// serveProxy is that program: it prints its address and serves until it is killed.
func serveProxy(origin string) error {
	to, err := url.Parse(origin)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	tr := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	return http.Serve(l, &httputil.ReverseProxy{Transport: tr, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}) //nolint:gosec // a benchmark
}

const nginxConf = `daemon off; master_process off; error_log stderr crit; pid %[1]s/nginx.pid;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 1000000;
  client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  upstream shop { server %[2]s; keepalive 256; keepalive_requests 1000000; }
  server { listen 127.0.0.1:%[3]d; location / { proxy_pass http://shop; proxy_http_version 1.1; proxy_set_header Connection ""; } }
}
`

// nginx is nil where there is none.
func nginx(dir, origin string) (*peer, func(), error) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: nginx is not installed and left out")
		return nil, nil, nil //nolint:nilerr // no peer is no error
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return nil, nil, err
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, nginxConf, dir, strings.TrimPrefix(origin, "http://"), port), 0o600); err != nil {
		return nil, nil, err
	}
	return child("nginx", exec.Command(path, "-c", file), port)
}

// child starts a peer on a port of loopback; with port 0 the peer prints its address.
func child(name string, cmd *exec.Cmd, port int) (*peer, func(), error) {
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	stop := func() { _, _ = cmd.Process.Kill(), cmd.Wait() }
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	if port == 0 {
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			stop()
			return nil, nil, fmt.Errorf("start %s: %w", name, err)
		}
		addr = strings.TrimSpace(line)
	}
	p := &peer{name: name, addr: addr, path: "/books/1", pids: []int{cmd.Process.Pid}}
	if err := firstOK(p.addr, p.path); err != nil {
		stop()
		return nil, nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, stop, nil
}

// sample sends peerRequests over peerConns connections and gives requests per second of the peer's CPU time and
// the time of each request in milliseconds.
func (p peer) sample() (perSecond float64, waits []float64, err error) {
	before, err := p.cpu()
	if err != nil {
		return 0, nil, err
	}
	waits = make([]float64, peerRequests)
	errs := make([]error, peerConns)
	var clients sync.WaitGroup
	for i := range peerConns {
		clients.Go(func() { errs[i] = p.send(waits[i*peerRequests/peerConns : (i+1)*peerRequests/peerConns]) })
	}
	clients.Wait()
	after, err := p.cpu()
	return peerRequests / (after - before).Seconds(), waits, errors.Join(append(errs, err)...)
}

// send is the raw client: one write and as few reads as the answer takes, no second try.
func (p peer) send(waits []float64) error {
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	r := bufio.NewReader(c)
	request := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", p.path, p.addr)
	for i := range waits {
		began := time.Now()
		if _, err := c.Write(request); err != nil {
			return err
		}
		if err := skipAnswer(r); err != nil {
			return err
		}
		waits[i] = ms(time.Since(began))
	}
	return nil
}

func skipAnswer(r *bufio.Reader) error {
	length := -1
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimSpace(line)
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
			return fmt.Errorf("answer %q", line)
		}
		if len(line) == 0 {
			break
		}
		if name, value, _ := bytes.Cut(line, []byte(":")); bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("an answer without Content-Length")
	}
	_, err := io.CopyN(io.Discard, r, int64(length))
	return err
}

// cpu is the CPU time that the peer's threads have used. getrusage does not reach the gateway's machines, which are
// no children of this program.
func (p peer) cpu() (sum time.Duration, err error) {
	for _, pid := range p.pids {
		files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if err != nil {
			return 0, err
		}
		if len(files) == 0 {
			return 0, fmt.Errorf("no CPU times of process %d", pid)
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				continue // the thread has ended
			}
			first, _, _ := strings.Cut(string(data), " ")
			ns, err := strconv.ParseInt(first, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read %s: %w", f, err)
			}
			sum += time.Duration(ns)
		}
	}
	return sum, nil
}
