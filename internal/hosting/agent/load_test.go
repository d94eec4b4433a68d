package agent_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load is a number of raw clients that repeat nothing: what fails is counted as failed.
type load struct {
	addr   string
	stop   chan struct{}
	wg     sync.WaitGroup
	good   atomic.Int64
	failed atomic.Int64
	mu     sync.Mutex // guards errs
	errs   []string
}

// startLoad starts clients, one half on connections that they keep for as long as the server lets them, the other
// half with a new one for each request.
func startLoad(addr string, clients int) *load {
	l := &load{addr: addr, stop: make(chan struct{})}
	for i := range clients {
		l.wg.Go(func() { l.client(i%2 == 0) })
	}
	return l
}

// finish stops the clients when their requests are answered.
func (l *load) finish(t testing.TB) (good, failed int64) {
	t.Helper()
	close(l.stop)
	l.wg.Wait()
	for _, e := range l.errs {
		t.Log(e)
	}
	return l.good.Load(), l.failed.Load()
}

func (l *load) fail(err error) {
	l.failed.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.errs) < 10 {
		l.errs = append(l.errs, err.Error())
	}
}

func (l *load) client(keep bool) {
	var c net.Conn
	var r *bufio.Reader
	for n := 0; ; n++ {
		select {
		case <-l.stop:
			if c != nil {
				_ = c.Close()
			}
			return
		default:
		}
		if c == nil {
			var err error
			if c, err = net.DialTimeout("tcp", l.addr, 20*time.Second); err != nil {
				l.fail(err)
				continue
			}
			r = bufio.NewReader(c)
		}
		last, err := l.request(c, r, keep, n)
		if err != nil {
			l.fail(fmt.Errorf("keep %v: %w", keep, err))
			last = true
		} else {
			l.good.Add(1)
		}
		if last {
			_ = c.Close()
			c = nil
		}
	}
}

// request sends one request, one in sixteen with a body of 100 KiB and one in sixteen for a slow answer.
func (l *load) request(c net.Conn, r *bufio.Reader, keep bool, n int) (last bool, err error) {
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	connection, head, body := "keep-alive", "GET / HTTP/1.1", ""
	if !keep {
		connection = "close"
	}
	switch n % 16 {
	case 3:
		head, body = "POST / HTTP/1.1", strings.Repeat("b", 100<<10)
	case 9:
		head = "GET /?wait=20ms HTTP/1.1"
	}
	msg := fmt.Sprintf("%s\r\nHost: shop.example\r\nConnection: %s\r\nContent-Length: %d\r\n\r\n%s", head, connection, len(body), body)
	if _, err := io.WriteString(c, msg); err != nil {
		return true, err
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return true, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return true, err
	}
	if resp.StatusCode != http.StatusOK {
		return true, errors.New(resp.Status)
	}
	if want := fmt.Sprintf(`"body":%d,`, len(body)); !strings.Contains(string(answer), want) {
		return true, fmt.Errorf("answer %s lacks %s", answer, want)
	}
	return resp.Close || !keep, nil
}
