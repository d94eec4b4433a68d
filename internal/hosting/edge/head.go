package edge

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
)

// What a parser says of bytes that give no host.
var (
	errMore   = errors.New("more bytes are needed")
	errLarge  = errors.New("the head is too large")
	errBad    = errors.New("the head is malformed")
	errNoHost = errors.New("the head names no host")
	errHTTP2  = errors.New("the client speaks HTTP/2 without TLS")
)

// preface is how a client starts HTTP/2 without being asked (RFC 9113, section 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// goAway is an HTTP/2 server's SETTINGS (empty) and GOAWAY with HTTP_1_1_REQUIRED (0xd): words that such a client
// understands.
var goAway = []byte{
	0, 0, 0, 4, 0, 0, 0, 0, 0,
	0, 0, 8, 7, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0xd,
}

// requestHost finds the host of an HTTP/1 request from the start of its head. It reads no further than it must: the
// gateway parses the whole head, strictly; here a line that is plainly wrong is refused and nothing is repaired.
// A target in absolute form wins over the Host header (RFC 9112, section 3.2.2).
func requestHost(b []byte) (string, error) {
	if len(b) >= len("PRI ") && strings.HasPrefix(preface, string(b[:min(len(b), len(preface))])) {
		if len(b) < len(preface) {
			return "", errMore
		}
		return "", errHTTP2
	}
	line, rest, err := nextLine(b)
	if err != nil {
		return "", err
	}
	target, old, err := requestLine(line)
	if err != nil {
		return "", err
	}
	if authority, ok := absolute(target); ok {
		return hostOf(authority)
	}
	for {
		if line, rest, err = nextLine(rest); err != nil {
			return "", err
		}
		if len(line) == 0 {
			if old {
				return "", errNoHost
			}
			return "", errBad // HTTP/1.1 without Host
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || !isToken(name) {
			return "", errBad // also folded lines and spaces before the colon
		}
		if strings.EqualFold(string(name), "host") {
			return hostOf(string(bytes.Trim(value, " \t")))
		}
	}
}

// nextLine cuts one line that ends in CRLF. A bare LF, a lone CR, and other control characters are malformed.
func nextLine(b []byte) (line, rest []byte, err error) {
	for i, c := range b {
		switch {
		case c == '\r' && i+1 == len(b):
			return nil, nil, errMore
		case c == '\r' && b[i+1] == '\n':
			return b[:i], b[i+2:], nil
		case c < ' ' && c != '\t', c == 0x7f:
			return nil, nil, errBad
		}
	}
	return nil, nil, errMore
}

// requestLine splits "GET /path HTTP/1.1". old is true for HTTP/1.0, which needs no Host.
func requestLine(line []byte) (target string, old bool, err error) {
	method, rest, ok := bytes.Cut(line, []byte(" "))
	if !ok || !isToken(method) {
		return "", false, errBad
	}
	path, version, ok := bytes.Cut(rest, []byte(" "))
	if !ok || len(path) == 0 {
		return "", false, errBad
	}
	switch string(version) {
	case "HTTP/1.1":
		return string(path), false, nil
	case "HTTP/1.0":
		return string(path), true, nil
	}
	return "", false, errBad
}

// absolute returns the authority of a target like http://host:80/path.
func absolute(target string) (authority string, ok bool) {
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return "", false
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return rest, true
}

// hostOf normalises an authority: without port and final dot, in lower case. Anything that is neither a name nor an
// address is malformed.
func hostOf(authority string) (string, error) {
	if strings.HasPrefix(authority, "[") {
		literal, port, ok := strings.Cut(authority[1:], "]")
		if addr, err := netip.ParseAddr(literal); !ok || err != nil || !isPort(port) {
			return "", errBad
		} else {
			return addr.String(), nil
		}
	}
	name, port := authority, ""
	if i := strings.IndexByte(authority, ':'); i >= 0 {
		name, port = authority[:i], authority[i:]
	}
	if name == "" && port == "" {
		return "", errNoHost
	}
	if !isPort(port) || !isName(name) {
		return "", errBad
	}
	return strings.ToLower(strings.TrimSuffix(name, ".")), nil
}

// isPort accepts what may follow a host: nothing, or a colon and digits.
func isPort(s string) bool {
	if s == "" {
		return true
	}
	if s[0] != ':' || len(s) > 6 {
		return false
	}
	return strings.Trim(s[1:], "0123456789") == ""
}

// isName accepts host names and IPv4 literals. Underscores occur in names that are in use.
func isName(s string) bool {
	if s == "" || s == "." || len(s) > 254 {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return true
}

// isToken accepts what RFC 9110 calls a token: methods and field names.
func isToken(b []byte) bool {
	for _, c := range b {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return len(b) > 0
}
