package load

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"
)

// Reach waits until each of the machines behind a target answers the bookshop with the target's key. Configuration
// reaches machines one by one: an answer of one says nothing about the others.
func Reach(ctx context.Context, t Target, machines []string) error {
	left := slices.Clone(machines)
	for {
		machine, status, err := probe(ctx, t)
		if err == nil && status == http.StatusOK {
			left = slices.DeleteFunc(left, func(m string) bool { return m == machine })
		}
		if len(left) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("machines %v of %s do not serve the bookshop: %w, last: status %d of %q, %w", left, t.Addr, ctx.Err(), status, machine, err)
		case <-time.After(time.Millisecond):
		}
	}
}

// probe asks on one connection which machine is there, and then for a book.
func probe(ctx context.Context, t Target) (machine string, code int, err error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", t.Addr)
	if err != nil {
		return "", 0, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", 0, err
	}
	r := bufio.NewReader(c)
	ask := func(path string) (*http.Response, error) {
		if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nOcp-Apim-Subscription-Key: %s\r\n\r\n", path, t.Host, t.Key); err != nil {
			return nil, err
		}
		return http.ReadResponse(r, nil)
	}
	res, err := ask("/status-0123456789abcdef")
	if err != nil {
		return "", 0, err
	}
	var status struct {
		Machine string `json:"machine"`
	}
	err = json.NewDecoder(res.Body).Decode(&status)
	res.Body.Close()
	if err != nil {
		return "", 0, err
	}
	if res, err = ask(t.Path + "/books/1"); err != nil {
		return status.Machine, 0, err
	}
	res.Body.Close()
	return status.Machine, res.StatusCode, nil
}
