// Package load sends a steady stream of requests and counts what becomes of every one of them. It writes to sockets
// itself: no retry, no pool, no clever transport between the counter and the network. Half of its workers keep their
// connection, half open a new one for each request; some requests carry 100 KiB, some take longer than a second.
//
// Its process shares the machine with what it measures, so that a request must cost it little: heads are made once,
// answers are read without taking them apart.
package load

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Target is where requests go. Host is sent as it stands; Path is the prefix of the bookshop API.
type Target struct {
	Addr string // host:port
	Host string
	Path string
	Key  string // subscription key
	TLS  *tls.Config
}

// Options of a Client. The zero value of a field takes its default.
type Options struct {
	Workers int     // half keep their connection; default 16
	Rate    float64 // requests per second of all workers together; default 600
	Slow    int     // further workers that ask for the report, which takes more than a second; default 2
	// Retry sends an idempotent request once more, on a new connection, when its connection broke. Requests that
	// are not idempotent are then left out.
	Retry   bool
	Timeout time.Duration // of one request; default 30 s
	// Dial connects, without TLS; default net.DialTimeout.
	Dial func(network, address string, timeout time.Duration) (net.Conn, error)
}

// Counts is what happened since the start. Subtract two for what happened between them.
type Counts struct {
	Done   int64 // answered as expected
	Failed int64 // a wrong answer, or none, for another reason than Cut
	Cut    int64 // the connection was there and broke before the answer was whole
	Fresh  int64 // of Done: on a connection made for it
	Posts  int64 // of Done: with a body of 100 KiB
	Slow   int64 // of Done: took longer than a second by design
}

// Sub returns c - d.
func (c Counts) Sub(d Counts) Counts {
	return Counts{c.Done - d.Done, c.Failed - d.Failed, c.Cut - d.Cut, c.Fresh - d.Fresh, c.Posts - d.Posts, c.Slow - d.Slow}
}

// Add returns c + d.
func (c Counts) Add(d Counts) Counts {
	return Counts{c.Done + d.Done, c.Failed + d.Failed, c.Cut + d.Cut, c.Fresh + d.Fresh, c.Posts + d.Posts, c.Slow + d.Slow}
}

const (
	postBytes    = 100 << 10
	postEvery    = 25 // of a worker's requests, one is a POST
	keptFailures = 20
)

// A Client is a running load. Use Start.
type Client struct {
	opt    Options
	aim    atomic.Pointer[aim]
	body   []byte
	digest string

	done, failed, cut, fresh, posts, slow atomic.Int64
	waits                                 waits // for answers that are not slow by design

	mu       sync.Mutex // guards below
	failures []string

	cancel  context.CancelFunc
	workers sync.WaitGroup
}

// Start begins to send. Stop ends it.
func Start(opt Options, targets ...Target) *Client {
	if opt.Workers == 0 {
		opt.Workers = 16
	}
	if opt.Rate == 0 {
		opt.Rate = 600
	}
	if opt.Timeout == 0 {
		opt.Timeout = 30 * time.Second
	}
	c := &Client{opt: opt, body: make([]byte, postBytes)}
	for i := range c.body {
		c.body[i] = byte(i * 31)
	}
	sum := sha256.Sum256(c.body)
	c.digest = hex.EncodeToString(sum[:])
	c.aim.Store(newAim(targets))
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	pause := time.Duration(float64(opt.Workers) / opt.Rate * float64(time.Second))
	for i := range opt.Workers {
		c.workers.Go(func() { c.work(ctx, worker{keep: i%2 == 0, pause: pause, turn: i / 2, sent: i * 7}) })
	}
	for i := range opt.Slow {
		c.workers.Go(func() { c.work(ctx, worker{keep: i%2 == 0, slow: true, turn: i / 2}) })
	}
	return c
}

// Stop waits for the requests in flight and returns the final counts.
func (c *Client) Stop() Counts {
	c.cancel()
	c.workers.Wait()
	return c.Counts()
}

// Counts returns what happened so far.
func (c *Client) Counts() Counts {
	return Counts{c.done.Load(), c.failed.Load(), c.cut.Load(), c.fresh.Load(), c.posts.Load(), c.slow.Load()}
}

// TakeWaits returns how long answers took since it was last called, the slow-by-design ones left out.
func (c *Client) TakeWaits() Waits { return c.waits.take() }

// Failures returns the texts of the first failures.
func (c *Client) Failures() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string{}, c.failures...)
}

type worker struct {
	keep, slow bool
	pause      time.Duration
	conn       *conn
	sent       int // begins at different numbers, so that all kinds of requests come soon
	turn       int // of the targets: a worker that keeps its connection stays with one, another asks each in turn
}

type conn struct {
	net.Conn
	r      *bufio.Reader
	target Target
}

func (c *Client) work(ctx context.Context, w worker) {
	defer w.hangUp()
	due := time.Now()
	for ctx.Err() == nil {
		if wait := time.Until(due); wait > 0 {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
		} else if wait < -time.Second {
			due = time.Now() // far behind: do not make up for it with a burst
		}
		due = due.Add(w.pause)
		if w.conn != nil && !w.slow && c.fresh.Load()*20 < c.done.Load()*9 {
			w.hangUp() // a busy machine slows new connections more: the mix stays about half and half
		}
		c.send(&w)
	}
}

// A cutError says that the connection was made and then broke.
type cutError struct{ err error }

func (e *cutError) Error() string { return "connection cut: " + e.err.Error() }
func (e *cutError) Unwrap() error { return e.err }

// send sends one request, counts its end, and once more on a new connection where the options say so.
func (c *Client) send(w *worker) {
	w.sent++
	post := !w.slow && !c.opt.Retry && w.sent%postEvery == 0
	start := time.Now()
	fresh, err := c.once(w, post)
	var cut *cutError
	if c.opt.Retry && errors.As(err, &cut) {
		fresh, err = c.once(w, post)
	}
	if err != nil {
		c.fail(err)
		return
	}
	if !w.slow {
		c.waits.add(time.Since(start))
	}
	c.done.Add(1)
	if fresh {
		c.fresh.Add(1)
	}
	if post {
		c.posts.Add(1)
	}
	if w.slow {
		c.slow.Add(1)
	}
}

func (c *Client) fail(err error) {
	if _, ok := errors.AsType[*cutError](err); ok {
		c.cut.Add(1)
	} else {
		c.failed.Add(1)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.failures) < keptFailures {
		c.failures = append(c.failures, time.Now().Format("15:04:05.000 ")+err.Error())
	}
}

// once sends one request on the worker's connection or a new one, and reads the whole answer.
func (c *Client) once(w *worker, post bool) (fresh bool, err error) {
	a := c.enter()
	defer a.leave()
	if !w.keep {
		w.turn++
	}
	target := a.targets[w.turn%len(a.targets)]
	if w.conn != nil && w.conn.target != target {
		w.hangUp()
	}
	if w.conn == nil {
		nc, err := c.dial(target)
		if err != nil {
			return false, fmt.Errorf("connect to %s: %w", target.Addr, err)
		}
		w.conn = &conn{nc, bufio.NewReader(nc), target}
		fresh = true
	}
	keep, err := c.exchange(w, post)
	if err != nil || !keep {
		w.hangUp()
	}
	return fresh, err
}

func (c *Client) dial(t Target) (net.Conn, error) {
	if c.opt.Dial != nil {
		return c.opt.Dial("tcp", t.Addr, c.opt.Timeout)
	}
	d := net.Dialer{Timeout: c.opt.Timeout}
	if t.TLS != nil {
		return tls.DialWithDialer(&d, "tcp", t.Addr, t.TLS)
	}
	return d.Dial("tcp", t.Addr)
}

func (w *worker) hangUp() {
	if w.conn != nil {
		w.conn.Close()
		w.conn = nil
	}
}

func (c *Client) exchange(w *worker, post bool) (keep bool, err error) {
	method, path, body := "GET", "/books/"+strconv.Itoa(1+w.sent%5), []byte(nil)
	switch {
	case w.slow:
		path = "/reports/sales"
	case post:
		method, path, body = "POST", "/books/1/cover", c.body
	}
	t := w.conn.target
	var head strings.Builder
	fmt.Fprintf(&head, "%s %s%s HTTP/1.1\r\nHost: %s\r\nOcp-Apim-Subscription-Key: %s\r\n", method, t.Path, path, t.Host, t.Key)
	if !w.keep {
		head.WriteString("Connection: close\r\n")
	}
	if body != nil {
		fmt.Fprintf(&head, "Content-Type: application/octet-stream\r\nContent-Length: %d\r\n", len(body))
	}
	head.WriteString("\r\n")
	if err := w.conn.SetDeadline(time.Now().Add(c.opt.Timeout)); err != nil {
		return false, err
	}
	if _, err := w.conn.Write(append([]byte(head.String()), body...)); err != nil {
		return false, &cutError{err}
	}
	res, err := http.ReadResponse(w.conn.r, &http.Request{Method: method})
	if err != nil {
		return false, broken(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return false, broken(err)
	}
	if err := c.judge(w, post, res, answer); err != nil {
		return false, fmt.Errorf("%s %s%s: %w", method, t.Path, path, err)
	}
	return w.keep && !res.Close, nil
}

// broken tells a connection that broke from an answer that did not come in time.
func broken(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("no answer: %w", err)
	}
	return &cutError{err}
}

// judge compares the answer with what the bookshop says to that request.
func (c *Client) judge(w *worker, post bool, res *http.Response, answer []byte) error {
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d: %.200s", res.StatusCode, answer)
	}
	var got struct {
		ID     int    `json:"id"`
		Bytes  int    `json:"bytes"`
		SHA256 string `json:"sha256"`
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		return fmt.Errorf("answer %.200q: %w", answer, err)
	}
	switch {
	case w.slow:
		return nil
	case post && (got.Bytes != postBytes || got.SHA256 != c.digest):
		return fmt.Errorf("the body arrived as %d bytes with digest %s", got.Bytes, got.SHA256)
	case !post && got.ID != 1+w.sent%5:
		return fmt.Errorf("answer is of another request: %.200s", answer)
	}
	return nil
}
