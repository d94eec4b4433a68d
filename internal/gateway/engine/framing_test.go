package engine

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestFraming_Refuses lists what different readers would understand differently.
func TestFraming_Refuses(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"length and coding":      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"coding and length":      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\ncontent-length: 0\r\n\r\n",
		"coding on 1.0":          "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
		"two codings":            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
		"two lengths":            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"two equal lengths":      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
		"signed length":          "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
		"listed length":          "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",
		"no length":              "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
		"two hosts":              "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
		"folded line":            "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
		"bare LF":                "GET / HTTP/1.1\nHost: a\r\n\r\n",
		"bare LF in the head":    "GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n",
		"bare CR":                "GET / HTTP/1.1\r\nHost: a\r\nX: 1\rY: 2\r\n\r\n",
		"space before the colon": "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
		"no colon":               "GET / HTTP/1.1\r\nHost a\r\n\r\n",
		"no name":                "GET / HTTP/1.1\r\n: a\r\n\r\n",
		"control character":      "GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n",
		"empty first line":       "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"chunk size":             "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
		"chunk size with sign":   "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n",
		"chunk size with space":  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n",
		"chunk size too long":    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n00000000000000001\r\n",
		"chunk ended by LF":      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n",
		"chunk that goes on":     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
		"bad trailer":            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX : 1\r\n\r\n",
	} {
		for _, step := range []int{1, 7, len(in)} {
			if _, err := feedAll(in, step); err == nil {
				t.Errorf("%s (pieces of %d): accepted", name, step)
			}
		}
	}
}

func TestFraming_KnowsWhereRequestsEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in      string
		between bool
	}{
		"nothing":            {"", true},
		"one letter":         {"G", false},
		"part of a head":     {"GET / HTTP/1.1\r\nHost: a\r\n", false},
		"a head":             {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
		"a head and more":    {"GET / HTTP/1.1\r\nHost: a\r\n\r\nG", false},
		"part of a body":     {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab", false},
		"a body":             {"POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 3\r\n\r\nabc", true},
		"an empty body":      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", true},
		"part of chunks":     {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n", false},
		"chunks":             {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", true},
		"chunks and trailer": {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n\r\n", true},
		"two requests":       {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\naGET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
	} {
		for _, step := range []int{1, 5, max(1, len(c.in))} {
			f, err := feedAll(c.in, step)
			if err != nil || f.between() != c.between {
				t.Errorf("%s (pieces of %d): between %v, %v; want %v", name, step, f.between(), err, c.between)
			}
		}
	}
}

func feedAll(in string, step int) (*framing, error) {
	f := &framing{max: 64 << 10}
	for len(in) > 0 {
		n := min(step, len(in))
		if _, err := f.feed([]byte(in[:n])); err != nil {
			return f, err
		}
		in = in[n:]
	}
	return f, nil
}

// FuzzFraming: what framing accepts as a whole request, net/http reads as the same number of requests with nothing
// left over.
func FuzzFraming(f *testing.F) {
	f.Add([]byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: 1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fr := &framing{max: 64 << 10}
		ends := 0 // requests seen by framing, byte by byte
		for i := range data {
			was := fr.between()
			if _, err := fr.feed(data[i : i+1]); err != nil {
				return
			}
			if !was && fr.between() {
				ends++
			}
		}
		if !fr.between() {
			return
		}
		br := bufio.NewReader(bytes.NewReader(data))
		read := 0
		for {
			r, err := http.ReadRequest(br)
			if err == io.EOF {
				break
			}
			if err != nil {
				return // net/http refuses more, and ends the connection
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil && !strings.Contains(err.Error(), "EOF") {
				return
			}
			read++
		}
		if read != ends {
			t.Fatalf("net/http reads %d requests, framing %d: %q", read, ends, data)
		}
	})
}
