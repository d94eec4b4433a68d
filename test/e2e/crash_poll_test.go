package e2e

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// A poller asks a gateway again and again, on a connection of its own each time.
type poller struct {
	addr     string
	end      chan struct{}
	once     sync.Once
	done     sync.WaitGroup
	count    int // valid after stop
	failures []error
}

// pollGap is the pause between two requests of a poller.
const pollGap = 10 * time.Millisecond

func poll(addr, path string) *poller { return pollHost(addr, "", path) }

// pollHost is poll with a host name; none is the address.
func pollHost(addr, host, path string) *poller { return pollBy(&http.Client{}, addr, host, path) }

// pollBy is pollHost with a client.
func pollBy(client *http.Client, addr, host, path string) *poller {
	p := &poller{addr: addr, end: make(chan struct{})}
	p.done.Go(func() {
		for {
			if err := askBy(client, addr, host, path); err != nil && len(p.failures) < 10 {
				p.failures = append(p.failures, fmt.Errorf("%s: %w", time.Now().Format(time.StampMilli), err))
			}
			p.count++
			select {
			case <-p.end:
				return
			case <-time.After(pollGap):
			}
		}
	})
	return p
}

func (p *poller) stop() {
	p.once.Do(func() { close(p.end) })
	p.done.Wait()
}

// ask sends one request that must be answered with 200.
func ask(addr, path string) error { return askBy(&http.Client{}, addr, "", path) }

func askBy(client *http.Client, addr, host, path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return err
	}
	req.Close, req.Host = true, host
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	return nil
}
