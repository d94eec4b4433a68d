package edge

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"
)

func TestRequestHost(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]struct {
		host string
		err  error
	}{
		"GET / HTTP/1.1\r\nHost: a.example\r\n":                        {"a.example", nil},
		"GET / HTTP/1.1\r\nhOsT:\tA.Example.:8080 \r\n":                {"a.example", nil},
		"GET / HTTP/1.1\r\nX: 1\r\nHost: a_b.example\r\nHost: c\r\n":   {"a_b.example", nil},
		"POST http://B.example:80/x HTTP/1.1\r\n":                      {"b.example", nil},
		"POST https://b.example?x HTTP/1.1\r\nHost: a.example\r\n\r\n": {"b.example", nil},
		"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n":                    {"a", nil},
		"OPTIONS * HTTP/1.1\r\nHost: 127.64.0.1:9080\r\n":              {"127.64.0.1", nil},
		"GET / HTTP/1.1\r\nHost: [::1]:80\r\n":                         {"::1", nil},
		"GET / HTTP/1.0\r\nHost: a\r\n":                                {"a", nil},
		"PRINT / HTTP/1.1\r\nHost: a\r\n":                              {"a", nil},
		"GET / HTTP/1.0\r\n\r\n":                                       {"", errNoHost},
		"GET / HTTP/1.1\r\nHost:\r\n":                                  {"", errNoHost},
		"GET / HTTP/1.1\r\n\r\n":                                       {"", errBad},
		"":                                                             {"", errMore},
		"GET / HTTP/1.1\r":                                             {"", errMore},
		"GET / HTTP/1.1\r\nHost: a.exam":                               {"", errMore},
		"GET / HTTP/1.1\r\nHost: a.example\r":                          {"", errMore},
		"PRI * HT":                                                     {"", errMore},
		preface:                                                        {"", errHTTP2},
		"\r\nGET / HTTP/1.1\r\n":                                       {"", errBad},
		"GET / HTTP/1.1\nHost: a\n":                                    {"", errBad},
		"GET / HTTP/1.1\r\nHost : a\r\n":                               {"", errBad},
		"GET / HTTP/1.1\r\n Host: a\r\n":                               {"", errBad},
		"GET / HTTP/1.1\r\nX: 1\r\n folded\r\n":                        {"", errBad},
		"GET / HTTP/1.1\r\nHost: a b\r\n":                              {"", errBad},
		"GET / HTTP/1.1\r\nHost: a,b\r\n":                              {"", errBad},
		"GET / HTTP/1.1\r\nHost: a:80x\r\n":                            {"", errBad},
		"GET / HTTP/1.1\r\nHost: [::1\r\n":                             {"", errBad},
		"GET / HTTP/1.1\r\nHost: user@a\r\n":                           {"", errBad},
		"GET http://u@a/ HTTP/1.1\r\n":                                 {"", errBad},
		"GET / HTTP/2.0\r\n":                                           {"", errBad},
		"GET  / HTTP/1.1\r\n":                                          {"", errBad},
		"GET /\r\n":                                                    {"", errBad},
		"G\x00T / HTTP/1.1\r\n":                                        {"", errBad},
		"\x16\x03\x01\x00\xa5\x01":                                     {"", errBad},
		"GET / HTTP/1.1\r\nHost: " + strings.Repeat("a", 300) + "\r\n": {"", errBad},
		"GET / HTTP/1.1\r\nX: \x01\r\nHost: a\r\n":                     {"", errBad},
		"GET / HTTP/1.1\r\nX: a\rb\r\nHost: a\r\n":                     {"", errBad},
		"GET / HTTP/1.1\r\nX-Long: " + strings.Repeat("v", 9000) + "\r\nHost: a\r\n": {"a", nil},
	} {
		host, err := requestHost([]byte(head))
		if host != want.host || !errors.Is(err, want.err) {
			t.Errorf("%.80q: host %q, error %v; want %q, %v", head, host, err, want.host, want.err)
		}
	}
}

// What is found does not depend on how the bytes arrive, and agrees with net/http where that reads the head too.
func FuzzRequestHost(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: a.example:80\r\n\r\n", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", preface,
		"GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		host, err := requestHost(head)
		for i := range head {
			part, perr := requestHost(head[:i])
			if !errors.Is(perr, errMore) && (part != host || !errors.Is(perr, err)) {
				t.Fatalf("%d of %d bytes of %q give %q, %v; all give %q, %v", i, len(head), head, part, perr, host, err)
			}
		}
		if err != nil {
			if host != "" {
				t.Fatalf("%q gives both %q and %v", head, host, err)
			}
			return
		}
		req, herr := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
		if herr != nil {
			return
		}
		other, oerr := hostOf(req.Host)
		if oerr == nil && other != host && req.Method != http.MethodConnect {
			t.Fatalf("%q gives %q, net/http reads %q", head, host, other)
		}
	})
}
