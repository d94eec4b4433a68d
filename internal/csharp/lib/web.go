package lib

import (
	"html"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// URI is a System.Uri.
type URI struct {
	orig string
	u    *url.URL // nil for a relative one
}

// RuntimeType is System.Uri.
func (*URI) RuntimeType() *clr.Type { return named("System.Uri") }

// Text is the canonical form, unescaped where that is safe.
func (x *URI) Text(F) string {
	if x.u == nil {
		return x.orig
	}
	return unescapeSafe(x.absolute())
}

// identity is the canonical form without fragment, by which addresses compare.
func (x *URI) identity() string {
	if x.u == nil {
		return x.orig
	}
	s, _, _ := strings.Cut(x.absolute(), "#")
	return s
}

// Equal compares canonical forms without fragment.
func (x *URI) Equal(_ F, v V) bool {
	y, ok := v.Ref().(*URI)
	return ok && x.identity() == y.identity()
}

// Key is the canonical form without fragment.
func (x *URI) Key() any { return "u" + x.identity() }

var defaultPorts = map[string]int{"http": 80, "https": 443, "ftp": 21, "ws": 80, "wss": 443, "ldap": 389, "net.tcp": 808}

// readURI parses; kind 0 is any, 1 absolute, 2 relative as UriKind has it.
func readURI(s string, kind int64) (*URI, string) {
	t := strings.TrimSpace(s)
	u, err := url.Parse(escapeLonePercents(t))
	if err != nil || u.Scheme == "" || len(u.Scheme) == 1 {
		if kind != 1 && t != "" && err == nil || kind == 2 {
			return &URI{orig: s}, ""
		}
		if t == "" {
			return nil, "Invalid URI: The URI is empty."
		}
		if err != nil && strings.Contains(err.Error(), "invalid port") {
			return nil, "Invalid URI: Invalid port specified."
		}
		if err != nil && strings.Contains(t, "://") {
			return nil, "Invalid URI: The hostname could not be parsed."
		}
		return nil, "Invalid URI: The format of the URI could not be determined."
	}
	if kind == 2 {
		return nil, "A relative URI cannot be created because the 'uriString' parameter represents an absolute URI."
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if u.Host == "" && defaultPorts[u.Scheme] != 0 {
		return nil, "Invalid URI: The hostname could not be parsed."
	}
	if u.Opaque == "" && defaultPorts[u.Scheme] != 0 {
		if u.Path == "" {
			u.Path = "/"
		}
		u = u.JoinPath()
		if p := u.Port(); p == strconv.Itoa(defaultPorts[u.Scheme]) {
			u.Host = strings.TrimSuffix(u.Host, ":"+p)
		}
	}
	return &URI{orig: s, u: u}, ""
}

// escapeLonePercents escapes the percent signs that begin no escape.
func escapeLonePercents(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte(s[i])
		if s[i] == '%' && len(escapedBytes(s[i:])) == 0 {
			b.WriteString("25")
		}
	}
	return b.String()
}

func newURI(s string, kind int64) *URI {
	if kind == 0 {
		kind = 1
	}
	x, msg := readURI(s, kind)
	if x == nil {
		clr.Throw(clr.ExUriFormat, msg)
	}
	return x
}

// NewURI makes a System.Uri of an absolute URL.
func NewURI(s string) V { return clr.Object(newURI(s, 1)) }

func (x *URI) port() int {
	if p, err := strconv.Atoi(x.u.Port()); err == nil {
		return p
	}
	if p, ok := defaultPorts[x.u.Scheme]; ok {
		return p
	}
	return -1
}

func (x *URI) path() string {
	if x.u.Opaque != "" {
		return x.u.Opaque
	}
	return x.u.EscapedPath()
}

func (x *URI) query() string {
	if x.u.RawQuery == "" && !x.u.ForceQuery {
		return ""
	}
	return "?" + strings.ReplaceAll(x.u.RawQuery, " ", "%20")
}

func (x *URI) fragment() string {
	if x.u.Fragment == "" {
		return ""
	}
	return "#" + x.u.EscapedFragment()
}

func (x *URI) authority() string { return x.u.Host }

func (x *URI) absolute() string {
	if x.u.Opaque != "" {
		return x.u.Scheme + ":" + x.u.Opaque + x.query() + x.fragment()
	}
	user := ""
	if x.u.User != nil {
		user = x.u.User.String() + "@"
	}
	return x.u.Scheme + "://" + user + x.authority() + x.path() + x.query() + x.fragment()
}

func webDecls() []clr.Decl {
	x := func(v V) *URI { return v.Ref().(*URI) }
	abs := func(fn func(u *URI) V) func(F, []V) V {
		return func(_ F, a []V) V {
			u := x(a[0])
			if u.u == nil {
				clr.Throw(clr.ExInvalidOp, "This operation is not supported for a relative URI.")
			}
			return fn(u)
		}
	}
	str := func(fn func(u *URI) string) func(F, []V) V {
		return abs(func(u *URI) V { return clr.String(fn(u)) })
	}
	join := func(base *URI, rel string) V {
		r, err := url.Parse(rel)
		if err != nil || base.u == nil {
			clr.Throw(clr.ExUriFormat, "Invalid URI: The format of the URI could not be determined.")
		}
		return clr.Object(newURI(base.u.ResolveReference(r).String(), 1))
	}
	esc := func(fn func(string) string, param string) func(F, []V) V {
		return func(f F, a []V) V {
			s := text(a[0], param)
			f.Alloc(len(s))
			return f.Str(fn(s))
		}
	}
	web := func(fn func(string) string) func(F, []V) V {
		return func(f F, a []V) V {
			if a[0].IsNull() {
				return clr.Null
			}
			f.Alloc(len(a[0].Str()))
			return f.Str(fn(a[0].Str()))
		}
	}
	return []clr.Decl{
		D("enum System.UriKind { RelativeOrAbsolute, Absolute, Relative }"), D("enum System.UriPartial { Scheme, Authority, Path, Query }"), D("enum System.UriHostNameType { Unknown, Basic, Dns, IPv4, IPv6 }"),
		D("class System.Uri",
			R("new(string uriString)", func(_ F, a []V) V { return clr.Object(newURI(text(a[0], "uriString"), 1)) }),
			R("new(string uriString, UriKind uriKind)", func(_ F, a []V) V {
				u, msg := readURI(text(a[0], "uriString"), a[1].Int())
				if u == nil {
					clr.Throw(clr.ExUriFormat, msg)
				}
				return clr.Object(u)
			}),
			R("new(Uri baseUri, string relativeUri)", func(_ F, a []V) V { return join(x(notNull(a[0], "baseUri")), a[1].Str()) }),
			R("new(Uri baseUri, Uri relativeUri)", func(_ F, a []V) V { return join(x(notNull(a[0], "baseUri")), x(notNull(a[1], "relativeUri")).orig) }),
			R("string AbsoluteUri", str((*URI).absolute)), R("string AbsolutePath", str((*URI).path)), R("string LocalPath", str(func(u *URI) string { return u.u.Path })),
			R("string PathAndQuery", str(func(u *URI) string { return u.path() + u.query() })), R("string Query", str((*URI).query)), R("string Fragment", str((*URI).fragment)),
			R("string Scheme", str(func(u *URI) string { return u.u.Scheme })), R("string Host", str(func(u *URI) string {
				h := u.u.Hostname()
				if strings.Contains(h, ":") {
					return "[" + h + "]"
				}
				return h
			})),
			R("string DnsSafeHost", str(func(u *URI) string { return u.u.Hostname() })), R("string IdnHost", str(func(u *URI) string { return u.u.Hostname() })),
			R("string Authority", str((*URI).authority)), R("string UserInfo", str(func(u *URI) string {
				if u.u.User == nil {
					return ""
				}
				return u.u.User.String()
			})),
			R("int Port", abs(func(u *URI) V { return clr.Int(u.port()) })), R("bool IsDefaultPort", abs(func(u *URI) V { return clr.Bool(u.u.Port() == "") })),
			R("bool IsAbsoluteUri", func(_ F, a []V) V { return clr.Bool(x(a[0]).u != nil) }), R("string OriginalString", func(_ F, a []V) V { return clr.String(x(a[0]).orig) }),
			R("bool IsLoopback", abs(func(u *URI) V {
				h := u.u.Hostname()
				ip, err := netip.ParseAddr(h)
				return clr.Bool(h == "localhost" || err == nil && ip.IsLoopback())
			})),
			R("bool IsFile", abs(func(u *URI) V { return clr.Bool(u.u.Scheme == "file") })),
			R("UriHostNameType HostNameType", abs(func(u *URI) V {
				n := int64(2)
				if ip, err := netip.ParseAddr(u.u.Hostname()); err == nil {
					n = 4
					if ip.Is4() {
						n = 3
					}
				}
				return clr.Scalar(named("System.UriHostNameType"), n)
			})),
			R("string[] Segments", abs(func(u *URI) V { return segments(u.path()) })),
			R("string GetLeftPart(UriPartial part)", func(_ F, a []V) V {
				u := x(a[0])
				s := u.u.Scheme + "://"
				if n := a[1].Int(); n > 0 {
					s += u.authority()
					if n > 1 {
						s += u.path()
					}
					if n > 2 {
						s += u.query()
					}
				}
				return clr.String(s)
			}),
			R("bool IsBaseOf(Uri uri)", func(_ F, a []V) V {
				u, v := x(a[0]), x(notNull(a[1], "uri"))
				return clr.Bool(u.u != nil && v.u != nil && u.u.Scheme == v.u.Scheme && u.u.Host == v.u.Host && strings.HasPrefix(v.path(), u.path()[:strings.LastIndex(u.path(), "/")+1]))
			}),
			R("string ToString()", toStringRow), R("bool Equals(object comparand)", equalsRow), R("int GetHashCode()", hashRow),
			R("static bool operator ==(Uri uri1, Uri uri2)", func(f F, a []V) V { return clr.Bool(Equal(f, a[0], a[1])) }),
			R("static bool operator !=(Uri uri1, Uri uri2)", func(f F, a []V) V { return clr.Bool(!Equal(f, a[0], a[1])) }),
			R("static bool TryCreate(string uriString, UriKind uriKind, out Uri result)", func(_ F, a []V) V {
				u, _ := readURI(a[0].Str(), a[1].Int())
				if u == nil || a[0].IsNull() {
					setOut(a[2], clr.Null)
					return clr.Bool(false)
				}
				setOut(a[2], clr.Object(u))
				return clr.Bool(true)
			}),
			R("static bool IsWellFormedUriString(string uriString, UriKind uriKind)", func(_ F, a []V) V {
				u, _ := readURI(a[0].Str(), a[1].Int())
				return clr.Bool(u != nil && !strings.ContainsAny(a[0].Str(), " <>\"{}|\\^`"))
			}),
			R("static string EscapeDataString(string stringToEscape)", esc(func(s string) string { return percent(s, "-_.~") }, "stringToEscape")),
			R("static string EscapeUriString(string stringToEscape)", esc(func(s string) string { return percent(s, "-_.~!*'();:@&=+$,/?#[]") }, "stringToEscape")),
			R("static string UnescapeDataString(string stringToUnescape)", esc(func(s string) string { return unpercent(s, false) }, "stringToUnescape")),
			R("static string HexEscape(char character)", func(_ F, a []V) V {
				return clr.String("%" + strings.ToUpper(leftZeros(strconv.FormatInt(a[0].Int(), 16), 2)))
			}),
			R("static bool CheckSchemeName(string schemeName)", func(_ F, a []V) V {
				u, err := url.Parse(a[0].Str() + ":x")
				return clr.Bool(err == nil && u.Scheme != "")
			}),
			R("static string UriSchemeHttp", clr.String("http")), R("static string UriSchemeHttps", clr.String("https")), R("static string SchemeDelimiter", clr.String("://")),
			R("static string UriSchemeFtp", clr.String("ftp")), R("static string UriSchemeFile", clr.String("file")), R("static string UriSchemeMailto", clr.String("mailto")),
			R("static string UriSchemeGopher", clr.String("gopher")), R("static string UriSchemeNews", clr.String("news")), R("static string UriSchemeNntp", clr.String("nntp")),
			R("static string UriSchemeNetTcp", clr.String("net.tcp")), R("static string UriSchemeNetPipe", clr.String("net.pipe")),
			R("static bool IsHexDigit(char character)", func(_ F, a []V) V { return clr.Bool(hexValue(a[0].Int()) >= 0) }),
			R("static int FromHex(char digit)", func(_ F, a []V) V {
				n := hexValue(a[0].Int())
				if n < 0 {
					clr.Throw(clr.ExArgument, "Value does not fall within the expected range.")
				}
				return clr.Int(n)
			}),
			R("static bool IsHexEncoding(string pattern, int index)", func(_ F, a []V) V { return clr.Bool(hexAt(a[0].Str(), a[1].Int()) >= 0) }),
			R("static char HexUnescape(string pattern, ref int index)", hexUnescape),
			R("static UriHostNameType CheckHostName(string name)", func(_ F, a []V) V { return clr.Scalar(named("System.UriHostNameType"), hostKind(a[0].Str())) }),
			R("Uri MakeRelativeUri(Uri uri)", func(_ F, a []V) V { return relativeURI(x(a[0]), x(notNull(a[1], "uri"))) }),
		),
		D("static class System.Net.WebUtility",
			R("static string UrlEncode(string value)", web(func(s string) string { return strings.ReplaceAll(percent(s, "-_.!*() "), " ", "+") })),
			R("static string UrlDecode(string encodedValue)", web(func(s string) string { return unpercent(s, true) })),
			R("static string HtmlEncode(string value)", web(htmlEncode)), R("static string HtmlDecode(string value)", web(htmlDecode)),
			R("static byte[] UrlDecodeToBytes(byte[] encodedValue, int offset, int count)", func(_ F, a []V) V {
				if a[0].IsNull() && a[2].Int() == 0 {
					return clr.Null
				}
				return clr.Bytes(unpercentBytes(string(byteSpan(a, "encodedValue")), true))
			}),
			R("static byte[] UrlEncodeToBytes(byte[] encodedValue, int offset, int count)", func(_ F, a []V) V {
				if a[0].IsNull() && a[2].Int() == 0 {
					return clr.Null
				}
				return clr.Bytes([]byte(strings.ReplaceAll(percentBytes(byteSpan(a, "value"), "-_.!*() "), " ", "+")))
			}),
		),
		D("enum System.Net.Sockets.AddressFamily { Unspecified = 0, InterNetwork = 2, InterNetworkV6 = 23 }"), ipDecl(),
	}
}

// percent escapes all but letters, digits and the characters of safe.
func percent(s, safe string) string { return percentBytes(encodeUTF8(s), safe) }

func percentBytes(bytes []byte, safe string) string {
	var b strings.Builder
	for _, c := range bytes {
		if c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || strings.IndexByte(safe, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte("0123456789ABCDEF"[c>>4])
			b.WriteByte("0123456789ABCDEF"[c&15])
		}
	}
	return b.String()
}

func unpercent(s string, plus bool) string { return decodeUTF8(unpercentBytes(s, plus)) }

func unpercentBytes(s string, plus bool) []byte {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		if s[i] == '+' && plus {
			b = append(b, ' ')
		} else {
			b = append(b, s[i])
		}
	}
	return b
}

// byteSpan is the part of the arguments (byte[] b, int offset, int count).
func byteSpan(a []V, param string) []byte {
	b := bytesOf(a[0], param)
	i, n := a[1].Int(), a[2].Int()
	if i < 0 || i > int64(len(b)) {
		clr.ThrowRange("offset", "")
	}
	if n < 0 || i+n > int64(len(b)) {
		clr.ThrowRange("count", "")
	}
	return b[i : i+n]
}

// htmlDecode replaces character references, which must end in a semicolon.
func htmlDecode(s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '&')
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		s = s[i:]
		end := strings.IndexAny(s[1:], ";&") + 1
		if end == 0 || s[end] == '&' {
			b.WriteByte('&')
			s = s[1:]
			continue
		}
		b.WriteString(reference(s[:end+1]))
		s = s[end+1:]
	}
}

// reference is what a character reference stands for, and itself if it is none.
func reference(ref string) string {
	num, ok := strings.CutPrefix(ref[:len(ref)-1], "&#")
	if !ok {
		return html.UnescapeString(ref)
	}
	base := 10
	if strings.HasPrefix(num, "x") || strings.HasPrefix(num, "X") {
		num, base = num[1:], 16
	}
	n, err := strconv.ParseUint(num, base, 32)
	if err != nil || n == 0 || n > 0x10FFFF || n >= 0xD800 && n <= 0xDFFF {
		return ref
	}
	return string(rune(n))
}

func htmlEncode(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"':
			b.WriteString("&quot;")
		case r == '\'':
			b.WriteString("&#39;")
		case r == '&':
			b.WriteString("&amp;")
		case r >= 160 && r < 256 || r > 0xFFFF:
			b.WriteString("&#" + strconv.Itoa(int(r)) + ";")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

type ipAddress struct{ a netip.Addr }

// RuntimeType is System.Net.IPAddress.
func (*ipAddress) RuntimeType() *clr.Type { return named("System.Net.IPAddress") }

// Text is the address.
func (i *ipAddress) Text(F) string { return i.a.String() }

// Equal compares addresses.
func (i *ipAddress) Equal(_ F, v V) bool { o, ok := v.Ref().(*ipAddress); return ok && o.a == i.a }

func readIP(s string) (V, bool) {
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return clr.Null, false
	}
	return clr.Object(&ipAddress{a}), true
}

func ipDecl() clr.Decl {
	return clr.Decl{Sig: "class System.Net.IPAddress", Access: clr.AccessListed, Refused: "MapToIPv6 MapToIPv4 ScopeId Address Any Loopback None Broadcast HostToNetworkOrder NetworkToHostOrder", Rows: []clr.Row{
		R("static System.Net.IPAddress Parse(string ipString)", func(_ F, a []V) V {
			v, ok := readIP(text(a[0], "ipString"))
			if !ok {
				clr.Throw(clr.ExFormat, "An invalid IP address was specified.")
			}
			return v
		}),
		R("static bool TryParse(string ipString, out System.Net.IPAddress address)", func(_ F, a []V) V { v, ok := readIP(a[0].Str()); setOut(a[1], v); return clr.Bool(ok) }),
		R("byte[] GetAddressBytes()", func(_ F, a []V) V { return clr.Bytes(a[0].Ref().(*ipAddress).a.AsSlice()) }),
		R("static bool IsLoopback(System.Net.IPAddress address)", func(_ F, a []V) V { return clr.Bool(notNull(a[0], "address").Ref().(*ipAddress).a.IsLoopback()) }),
		R("System.Net.Sockets.AddressFamily AddressFamily", func(_ F, a []V) V {
			n := int64(2)
			if a[0].Ref().(*ipAddress).a.Is6() {
				n = 23
			}
			return clr.Scalar(named("System.Net.Sockets.AddressFamily"), n)
		}),
		R("bool Equals(object comparand)", equalsRow), R("string ToString()", toStringRow),
	}}
}

// segments splits a path behind its slashes.
func segments(path string) V {
	var out []string
	for _, p := range strings.SplitAfter(path, "/") {
		if p != "" {
			out = append(out, p)
		}
	}
	return clr.Strings(out)
}
