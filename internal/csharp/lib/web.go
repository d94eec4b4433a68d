package lib

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

func webDecls() []clr.Decl {
	web := func(fn func(string) string) func(F, []V) V {
		return func(f F, a []V) V {
			if a[0].IsNull() {
				return clr.Null
			}
			f.Alloc(len(a[0].Str()))
			return f.Str(fn(a[0].Str()))
		}
	}
	return append(uriDecls(),
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
	)
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
		return htmlEntity(ref)
	}
	base := 10
	if strings.HasPrefix(num, "x") || strings.HasPrefix(num, "X") {
		num, base = num[1:], 16
	}
	n, err := strconv.ParseUint(num, base, 32)
	if err != nil || n > 0x10FFFF || n >= 0xD800 && n <= 0xDFFF {
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

// readIP reads the forms of inet_aton, and IPv6 with or without brackets.
func readIP(s string) (V, bool) {
	if ip, ok := readIPv4(s); ok {
		return clr.Object(&ipAddress{netip.MustParseAddr(ip)}), true
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		s = strings.TrimSuffix(inner, "]")
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Is4() {
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
