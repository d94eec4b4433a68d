package lib

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// address is what an absolute URI says, in canonical form: escaped, and with
// lower-case scheme and host.
type address struct {
	scheme    uriScheme
	name      string // of the scheme
	authority bool   // behind two slashes
	user      string // with its @
	host      string
	kind      int64 // of the host, a UriHostNameType
	port      int   // -1 for none
	path      string
	query     string // with its question mark
	fragment  string // with its number sign
	dos, unc  bool   // a path of Windows
}

// uriScheme is how addresses of a scheme look.
type uriScheme struct {
	port      int  // that is used without one; -1 for none
	known     bool // others are read with less rigour
	authority bool // is needed
	empty     bool // the host may be empty
	noQuery   bool // a question mark is a part of the path
	relaxed   bool // no authority at all
}

var uriSchemes = map[string]uriScheme{
	"http":     {port: 80, known: true, authority: true},
	"https":    {port: 443, known: true, authority: true},
	"ws":       {port: 80, known: true, authority: true},
	"wss":      {port: 443, known: true, authority: true},
	"ftp":      {port: 21, known: true, authority: true, noQuery: true},
	"file":     {port: -1, known: true, authority: true, empty: true},
	"gopher":   {port: 70, known: true, authority: true, noQuery: true},
	"nntp":     {port: 119, known: true, authority: true, noQuery: true},
	"telnet":   {port: 23, known: true, authority: true, noQuery: true},
	"ldap":     {port: 389, known: true, authority: true, empty: true},
	"net.tcp":  {port: 808, known: true, authority: true},
	"net.pipe": {port: -1, known: true, authority: true},
	"news":     {port: -1, known: true, noQuery: true, relaxed: true},
	"uuid":     {port: -1, known: true, noQuery: true, relaxed: true},
	"mailto":   {port: 25, known: true, empty: true},
}

// uriFault is what is wrong with the text of an address.
type uriFault string

// The first four leave the text to be a relative address.
const (
	uriBadFormat    uriFault = "Invalid URI: The format of the URI could not be determined."
	uriBadScheme    uriFault = "Invalid URI: The URI scheme is not valid."
	uriBadAuthority uriFault = "Invalid URI: The Authority/Host could not be parsed."
	uriEmpty        uriFault = "Invalid URI: The URI is empty."
	uriLongScheme   uriFault = "Invalid URI: The Uri scheme is too long."
	uriUnrooted     uriFault = "Invalid URI: A Dos path must be rooted, for example, 'c:\\'."
	uriBadHost      uriFault = "Invalid URI: The hostname could not be parsed."
	uriBadPort      uriFault = "Invalid URI: Invalid port specified."
	uriAbsolute     uriFault = "A relative URI cannot be created because the 'uriString' parameter represents an absolute URI."
)

func (f uriFault) mayBeRelative() bool {
	return f == uriBadFormat || f == uriBadScheme || f == uriBadAuthority || f == uriEmpty
}

// Values of UriKind.
const (
	uriAny = iota
	uriAbsoluteOnly
	uriRelativeOnly
)

// readURI reads a text as an address of a UriKind.
func readURI(s string, kind int64) (*URI, uriFault) {
	t := strings.Trim(s, " \t\r\n")
	if isShare(t) && (kind == uriRelativeOnly || kind == uriAny && !strings.HasPrefix(t, `\\`)) {
		return &URI{orig: s}, ""
	}
	a, fault := readAddress(t)
	switch {
	case fault.mayBeRelative() && kind != uriAbsoluteOnly:
		return &URI{orig: s}, ""
	case fault != "":
		return nil, fault
	case kind == uriRelativeOnly:
		return nil, uriAbsolute
	}
	return &URI{orig: s, at: a}, ""
}

func newURI(s string) *URI {
	x, fault := readURI(s, uriAbsoluteOnly)
	if fault != "" {
		clr.Throw(clr.ExUriFormat, string(fault))
	}
	return x
}

func isSlash(c byte) bool { return c == '/' || c == '\\' }

// isShare tells the names of shared files: two slashes or backslashes and more.
func isShare(s string) bool { return len(s) > 2 && isSlash(s[0]) && isSlash(s[1]) }

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// readAddress reads an absolute address.
func readAddress(t string) (*address, uriFault) {
	colon := strings.IndexByte(t, ':')
	switch {
	case t == "":
		return nil, uriEmpty
	case len(t) <= 2 || colon == 0:
		return nil, uriBadFormat
	case isLetter(t[0]) && (t[1] == ':' || t[1] == '|'):
		if !isSlash(t[2]) {
			return nil, uriUnrooted
		}
		return addressOf("file", "///"+t)
	case t[1] == ':':
		return nil, uriBadScheme
	case isShare(t):
		a := newAddress("file")
		a.unc = true
		return a, a.read("//" + strings.TrimLeft(t, `/\`))
	case colon < 0 || isSlash(t[0]):
		return nil, uriBadFormat
	case colon > 1024:
		return nil, uriLongScheme
	case !isScheme(t[:colon]):
		return nil, uriBadScheme
	}
	return addressOf(strings.ToLower(t[:colon]), t[colon+1:])
}

// isScheme tells the names that a scheme can have.
func isScheme(s string) bool {
	return s != "" && isLetter(s[0]) && !strings.ContainsFunc(s, func(r rune) bool {
		return r >= 0x80 || !isLetter(byte(r)) && (r < '0' || r > '9') && r != '+' && r != '-' && r != '.'
	})
}

func newAddress(scheme string) *address {
	s, known := uriSchemes[scheme]
	if !known {
		s = uriScheme{port: -1, empty: true}
	}
	return &address{scheme: s, name: scheme, port: s.port}
}

// addressOf reads an address of its scheme and what stands behind the colon.
func addressOf(scheme, rest string) (*address, uriFault) {
	a := newAddress(scheme)
	if scheme == "file" {
		if fault := a.windowsPath(&rest); fault != "" {
			return nil, fault
		}
	}
	return a, a.read(rest)
}

func (a *address) read(rest string) uriFault {
	iri := hasEscapes(rest)
	slashes := len(rest) >= 2 && isSlash(rest[0]) && isSlash(rest[1])
	switch {
	case a.dos:
	case a.scheme.authority && !slashes:
		return uriBadAuthority
	case a.scheme.authority, !a.scheme.known && strings.HasPrefix(rest, "//"):
		a.authority = true
		rest = rest[2:]
		fallthrough
	case a.name == "mailto":
		if fault := a.readAuthority(&rest); fault != "" {
			return fault
		}
	}
	a.readPath(rest, iri)
	return ""
}

// windowsPath looks for a drive or a share behind file:.
func (a *address) windowsPath(rest *string) uriFault {
	s := *rest
	n := 0
	for n < len(s) && isSlash(s[n]) {
		n++
	}
	switch path := s[n:]; {
	case len(path) >= 2 && isLetter(path[0]) && (path[1] == ':' || path[1] == '|'):
		if len(path) == 2 || !isSlash(path[2]) {
			return uriUnrooted
		}
		a.dos, a.authority, a.kind = true, true, 1
		*rest = "/" + path[:1] + ":" + path[2:]
	case n >= 2 && n != 3 && path != "" && path[0] != '?' && path[0] != '#':
		a.unc = true
		*rest = "//" + path
	}
	return ""
}

// readAuthority reads user, host and port, and leaves the rest.
func (a *address) readAuthority(rest *string) uriFault {
	end := strings.IndexAny(*rest, `/\?#`)
	if end < 0 {
		end = len(*rest)
	}
	s := (*rest)[:end]
	if at := strings.IndexByte(s, '@'); at >= 0 && at < len(*rest)-1 {
		a.user, s = s[:at+1], s[at+1:]
	}
	*rest = (*rest)[end:]
	if s == "" && a.user == "" {
		if !a.scheme.empty {
			return uriBadHost
		}
		a.kind = 1
		return ""
	}
	if strings.HasPrefix(*rest, `\`) && a.name != "file" {
		return uriBadHost
	}
	host, port := s, ""
	if from := strings.LastIndexByte(s, ']') + 1; strings.Contains(s[from:], ":") {
		from += strings.IndexByte(s[from:], ':')
		host, port = s[:from], s[from+1:]
	}
	if a.host, a.kind = canonicalHost(host, a.scheme.known); a.kind == 0 {
		return uriBadHost
	}
	if host != s && a.scheme.known && a.scheme.port < 0 {
		return uriBadHost
	}
	if port == "" {
		return ""
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return uriBadPort
	}
	a.port = int(n)
	return ""
}

// canonicalHost is a host as addresses show it, and its UriHostNameType.
func canonicalHost(host string, known bool) (string, int64) {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		if !closed || err != nil || !ip.Is6() {
			return "", 0
		}
		return "[" + ip.String() + "]", 4
	}
	if ip, ok := readIPv4(host); ok && (known || ip == host) {
		return ip, 3
	}
	if !isHostName(host, true) {
		return "", 0
	}
	host = strings.ToLower(host)
	if host == "loopback" {
		host = "localhost"
	}
	return host, 2
}

// readIPv4 reads the forms that inet_aton does: up to four numbers, decimal,
// octal or hexadecimal, of which the last fills the bytes that are left.
func readIPv4(s string) (string, bool) {
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return "", false
	}
	ip := uint64(0)
	for i, p := range parts {
		bits := 8
		if i == len(parts)-1 {
			bits = 8 * (5 - len(parts))
		}
		base := 10
		if hex, ok := strings.CutPrefix(strings.ToLower(p), "0x"); ok {
			p, base = hex, 16
		} else if strings.HasPrefix(p, "0") {
			base = 8
		}
		n, err := strconv.ParseUint(p, base, bits)
		if err != nil {
			return "", false
		}
		ip = ip<<bits | n
	}
	return netip.AddrFrom4([4]byte{byte(ip >> 24), byte(ip >> 16), byte(ip >> 8), byte(ip)}).String(), true
}

// isHostName tells names of hosts: labels of letters, digits, hyphens and
// underscores. Unless relaxed, a label begins with a letter or a digit.
func isHostName(name string, relaxed bool) bool {
	if name == "" || len(name) > 255 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label == "" || len(label) > 63 || !relaxed && (label[0] == '-' || label[0] == '_') {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool {
			return r < 0x80 && r != '-' && r != '_' && (r < '0' || r > '9') && !isLetter(byte(r))
		}) {
			return false
		}
	}
	return true
}

// hostKind is the UriHostNameType of a name.
func hostKind(name string) int64 {
	if ip, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil && ip.Is6() {
		return 4
	}
	if _, ok := readIPv4(name); ok {
		return 3
	}
	if isHostName(name, false) {
		return 2
	}
	return 0
}

// readPath reads path, query and fragment. With iri, escapes of what need not
// be escaped are undone first.
func (a *address) readPath(s string, iri bool) {
	canonical := func(part, also string) string {
		if iri {
			part = unescapeIRI(part)
		}
		return escapeURI(part, also)
	}
	s, fragment, found := strings.Cut(s, "#")
	if found {
		a.fragment = "#" + canonical(fragment, "")
	}
	if !a.scheme.noQuery {
		path, query, found := strings.Cut(s, "?")
		if found {
			a.query = "?" + canonical(query, "")
		}
		s = path
	}
	if a.user != "" {
		a.user = canonical(strings.TrimSuffix(a.user, "@"), "") + "@"
	}
	if iri {
		s = unescapeIRI(s)
	}
	if !a.scheme.relaxed {
		s = compressPath(s)
	}
	if a.authority && !strings.HasPrefix(s, "/") {
		s = "/" + s
	}
	a.path = escapeURI(s, "?")
}

// compressPath turns backslashes round and goes up where two dots say so.
func compressPath(path string) string {
	path = strings.ReplaceAll(path, `\`, "/")
	if !strings.Contains(path, "/.") {
		return path
	}
	parts := strings.Split(path, "/")
	out := parts[:1:1]
	for i, p := range parts[1:] {
		last := i == len(parts)-2
		switch {
		case p == ".." && len(out) > 1:
			out = out[:len(out)-1]
		case p != "." && p != "..":
			out = append(out, p)
			continue
		}
		if last {
			out = append(out, "")
		}
	}
	return strings.Join(out, "/")
}
