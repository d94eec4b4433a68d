package edge

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// recorder is a connection that keeps what is written and gives nothing.
type recorder struct{ bytes.Buffer }

func (*recorder) Read([]byte) (int, error)         { return 0, io.EOF }
func (*recorder) Close() error                     { return nil }
func (*recorder) LocalAddr() net.Addr              { return nil }
func (*recorder) RemoteAddr() net.Addr             { return nil }
func (*recorder) SetDeadline(time.Time) error      { return nil }
func (*recorder) SetReadDeadline(time.Time) error  { return nil }
func (*recorder) SetWriteDeadline(time.Time) error { return nil }

// hello is the first flight of a real client.
func hello(server string, version uint16) []byte {
	var r recorder
	c := tls.Client(&r, &tls.Config{ServerName: server, InsecureSkipVerify: true, MinVersion: version, MaxVersion: version}) //nolint:gosec // only its first bytes
	_ = c.Handshake()                                                                                                        // nobody answers
	return r.Bytes()
}

// split cuts the one record of a hello into records of at most n bytes.
func split(record []byte, n int) []byte {
	var out []byte
	for body := record[5:]; len(body) > 0; {
		part := body[:min(n, len(body))]
		body = body[len(part):]
		out = append(out, record[0], record[1], record[2])
		out = binary.BigEndian.AppendUint16(out, uint16(len(part)))
		out = append(out, part...)
	}
	return out
}

func TestHelloHost(t *testing.T) {
	t.Parallel()
	v13 := hello("A.Example", tls.VersionTLS13)
	v12 := hello("b.example", tls.VersionTLS12)
	none := hello("127.0.0.1", tls.VersionTLS13) // an address is not sent as a name
	big := bytes.Clone(v13)
	big[6] = 1 // a message of 64 KiB and more
	other := bytes.Clone(v13)
	other[5] = 2 // a ServerHello
	cut := bytes.Clone(v13)
	cut[5+4+2+32] = 255 // a session longer than the hello
	for name, c := range map[string]struct {
		data []byte
		host string
		err  error
	}{
		"TLS 1.3":              {v13, "a.example", nil},
		"TLS 1.2":              {v12, "b.example", nil},
		"many records":         {split(v13, 7), "a.example", nil},
		"bytes after it":       {append(bytes.Clone(v13), 20, 3, 3, 0, 1, 1), "a.example", nil},
		"no name":              {none, "", nil},
		"nothing":              {nil, "", errMore},
		"half a record":        {v13[:50], "", errMore},
		"half the records":     {split(v13, 7)[:30], "", errMore},
		"plain HTTP":           {[]byte("GET / HTTP/1.1\r\n"), "", errBad},
		"SSL 2":                {[]byte{0x80, 0x2e, 1, 0, 2}, "", errBad},
		"empty record":         {[]byte{22, 3, 1, 0, 0}, "", errBad},
		"too long a record":    {[]byte{22, 3, 1, 0xff, 0xff}, "", errBad},
		"too long a message":   {big, "", errLarge},
		"another message":      {other, "", errBad},
		"length out of bounds": {cut, "", errBad},
	} {
		host, err := helloHost(c.data)
		if host != c.host || !errors.Is(err, c.err) {
			t.Errorf("%s: host %q, error %v; want %q, %v", name, host, err, c.host, c.err)
		}
	}
}

// What is found does not depend on how the bytes arrive.
func FuzzHelloHost(f *testing.F) {
	f.Add(hello("a.example", tls.VersionTLS13))
	f.Add(hello("a.example", tls.VersionTLS12))
	f.Add(split(hello("a.example", tls.VersionTLS12), 9))
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		host, err := helloHost(data)
		if err != nil && host != "" || host != "" && !isName(host) {
			t.Fatalf("%x gives host %q, error %v", data, host, err)
		}
		step := max(1, len(data)/64)
		for i := 0; i < len(data); i += step {
			part, perr := helloHost(data[:i])
			if !errors.Is(perr, errMore) && (part != host || !errors.Is(perr, err)) {
				t.Fatalf("%d of %d bytes give %q, %v; all give %q, %v", i, len(data), part, perr, host, err)
			}
		}
	})
}
