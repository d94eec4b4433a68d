package engine_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/portico-dev/portico/internal/gateway/engine"
	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
)

// BenchmarkForward is one plain GET through the engine to a minimal backend, over kept connections; allocations
// include those of the client and the backend, which are few.
func BenchmarkForward(b *testing.B) {
	backend := gatewaytest.Listen(b)
	b.Cleanup(func() { _ = backend.Close() })
	go func() {
		for {
			c, err := backend.Accept()
			if err != nil {
				return
			}
			go answerAll(c)
		}
	}()
	_, addr := gatewaytest.Start(b, engine.Options{}, gatewaytest.Shop("http://"+backend.Addr().String()))
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	br := bufio.NewReader(c)
	request := []byte("GET /shop/orders/7 HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\nUser-Agent: bench\r\n\r\n")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		res, err := http.ReadResponse(br, nil)
		if err != nil || res.StatusCode != 200 {
			b.Fatal(res, err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
	}
}

// answerAll answers every head that ends in an empty line.
func answerAll(c net.Conn) {
	defer c.Close()
	br := bufio.NewReader(c)
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n\r\nok")
	for {
		line, err := br.ReadSlice('\n')
		if err != nil {
			return
		}
		if len(line) == 2 {
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	}
}

func BenchmarkApply(b *testing.B) {
	snap := gatewaytest.Shop("http://127.0.0.1:1")
	for a := range 200 {
		api := snap.APIs[0]
		api.ID, api.Path = fmt.Sprintf("/apis/%d", a), fmt.Sprintf("p%d", a)
		snap.APIs = append(snap.APIs, api)
	}
	srv, _ := gatewaytest.Start(b, engine.Options{}, snap)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		snap.APIs[7].DisplayName = fmt.Sprint(i)
		b.StopTimer()
		bundle := snap.Bundle(b)
		b.StartTimer()
		if _, err := srv.Apply(bundle); err != nil {
			b.Fatal(err)
		}
	}
}
