package lib

import (
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// uriDecls are System.Uri and its enumerations.
func uriDecls() []clr.Decl {
	x := func(v V) *URI { return v.Ref().(*URI) }
	abs := func(fn func(a *address) V) func(F, []V) V {
		return func(_ F, a []V) V {
			u := x(a[0])
			if u.at == nil {
				throwRelative()
			}
			return fn(u.at)
		}
	}
	str := func(fn func(a *address) string) func(F, []V) V {
		return abs(func(a *address) V { return clr.String(fn(a)) })
	}
	is := func(fn func(a *address) bool) func(F, []V) V {
		return abs(func(a *address) V { return clr.Bool(fn(a)) })
	}
	read := func(s string, kind int64) *URI {
		u, fault := readURI(s, kind)
		if fault != "" {
			clr.Throw(clr.ExUriFormat, string(fault))
		}
		return u
	}
	esc := func(fn func(string) string, param string) func(F, []V) V {
		return func(f F, a []V) V {
			s := text(a[0], param)
			f.Alloc(len(s))
			return f.Str(fn(s))
		}
	}
	return []clr.Decl{
		D("enum System.UriKind { RelativeOrAbsolute, Absolute, Relative }"), D("enum System.UriPartial { Scheme, Authority, Path, Query }"), D("enum System.UriHostNameType { Unknown, Basic, Dns, IPv4, IPv6 }"),
		D("class System.Uri",
			R("new(string uriString)", func(_ F, a []V) V { return clr.Object(newURI(text(a[0], "uriString"))) }),
			R("new(string uriString, UriKind uriKind)", func(_ F, a []V) V { return clr.Object(read(text(a[0], "uriString"), a[1].Int())) }),
			R("new(Uri baseUri, string relativeUri)", func(_ F, a []V) V { return join(x(notNull(a[0], "baseUri")), read(a[1].Str(), uriAny)) }),
			R("new(Uri baseUri, Uri relativeUri)", func(_ F, a []V) V { return join(x(notNull(a[0], "baseUri")), x(notNull(a[1], "relativeUri"))) }),
			R("string AbsoluteUri", str((*address).String)), R("string AbsolutePath", str((*address).absolutePath)), R("string LocalPath", str((*address).localPath)),
			R("string PathAndQuery", str(func(a *address) string { return a.absolutePath() + a.query })), R("string Query", str(func(a *address) string { return a.query })),
			R("string Fragment", str(func(a *address) string { return a.fragment })), R("string Scheme", str(func(a *address) string { return a.name })),
			R("string Host", str(func(a *address) string { return a.host })), R("string DnsSafeHost", str((*address).safeHost)), R("string IdnHost", str((*address).idnHost)),
			R("string Authority", str((*address).server)), R("string UserInfo", str(func(a *address) string { return strings.TrimSuffix(a.user, "@") })),
			R("int Port", abs(func(a *address) V { return clr.Int(a.port) })), R("bool IsDefaultPort", is((*address).defaultPort)),
			R("bool IsAbsoluteUri", func(_ F, a []V) V { return clr.Bool(x(a[0]).at != nil) }), R("string OriginalString", func(_ F, a []V) V { return clr.String(x(a[0]).orig) }),
			R("bool IsLoopback", is((*address).loopback)), R("bool IsFile", is(func(a *address) bool { return a.name == "file" })),
			R("UriHostNameType HostNameType", abs(func(a *address) V { return clr.Scalar(named("System.UriHostNameType"), a.kind) })),
			R("string[] Segments", abs((*address).segments)),
			R("string GetLeftPart(UriPartial part)", func(f F, a []V) V {
				return str(func(u *address) string { return u.leftPart(a[1].Int()) })(f, a)
			}),
			R("bool IsBaseOf(Uri uri)", func(_ F, a []V) V {
				u, v := x(a[0]), x(notNull(a[1], "uri"))
				return clr.Bool(u.at != nil && u.at.baseOf(v))
			}),
			R("Uri MakeRelativeUri(Uri uri)", func(f F, a []V) V {
				to := x(notNull(a[1], "uri"))
				return abs(func(u *address) V { return u.relativeTo(to) })(f, a)
			}),
			R("string ToString()", toStringRow), R("bool Equals(object comparand)", equalsRow), R("int GetHashCode()", hashRow),
			R("static bool operator ==(Uri uri1, Uri uri2)", func(f F, a []V) V { return clr.Bool(Equal(f, a[0], a[1])) }),
			R("static bool operator !=(Uri uri1, Uri uri2)", func(f F, a []V) V { return clr.Bool(!Equal(f, a[0], a[1])) }),
			R("static bool TryCreate(string uriString, UriKind uriKind, out Uri result)", func(_ F, a []V) V {
				u, fault := readURI(a[0].Str(), a[1].Int())
				ok := !a[0].IsNull() && fault == ""
				setOut(a[2], clr.Null)
				if ok {
					setOut(a[2], clr.Object(u))
				}
				return clr.Bool(ok)
			}),
			R("static bool IsWellFormedUriString(string uriString, UriKind uriKind)", func(_ F, a []V) V {
				u, fault := readURI(a[0].Str(), a[1].Int())
				return clr.Bool(!a[0].IsNull() && fault == "" && u.wellFormed())
			}),
			R("static string EscapeDataString(string stringToEscape)", esc(func(s string) string { return percent(s, "-_.~") }, "stringToEscape")),
			R("static string EscapeUriString(string stringToEscape)", esc(func(s string) string { return percent(s, "-_.~"+uriReserved) }, "stringToEscape")),
			R("static string UnescapeDataString(string stringToUnescape)", esc(unescapeData, "stringToUnescape")),
			R("static bool CheckSchemeName(string schemeName)", func(_ F, a []V) V { return clr.Bool(isScheme(a[0].Str())) }),
			R("static UriHostNameType CheckHostName(string name)", func(_ F, a []V) V { return clr.Scalar(named("System.UriHostNameType"), hostKind(a[0].Str())) }),
			R("static string HexEscape(char character)", func(_ F, a []V) V {
				if a[0].Int() > 0xFF {
					clr.ThrowRange("character", "")
				}
				return clr.String("%" + strings.ToUpper(leftZeros(strconv.FormatInt(a[0].Int(), 16), 2)))
			}),
			R("static bool IsHexDigit(char character)", func(_ F, a []V) V { return clr.Bool(hexValue(a[0].Int()) >= 0) }),
			R("static int FromHex(char digit)", func(_ F, a []V) V {
				n := hexValue(a[0].Int())
				if n < 0 {
					clr.ThrowArg(clr.ExArgument, "Value does not fall within the expected range.", "digit")
				}
				return clr.Int(n)
			}),
			R("static bool IsHexEncoding(string pattern, int index)", func(_ F, a []V) V { return clr.Bool(hexAt(a[0].Str(), a[1].Int()) >= 0) }),
			R("static char HexUnescape(string pattern, ref int index)", hexUnescape),
			R("static string UriSchemeHttp", clr.String("http")), R("static string UriSchemeHttps", clr.String("https")), R("static string SchemeDelimiter", clr.String("://")),
			R("static string UriSchemeFtp", clr.String("ftp")), R("static string UriSchemeFile", clr.String("file")), R("static string UriSchemeMailto", clr.String("mailto")),
			R("static string UriSchemeGopher", clr.String("gopher")), R("static string UriSchemeNews", clr.String("news")), R("static string UriSchemeNntp", clr.String("nntp")),
			R("static string UriSchemeNetTcp", clr.String("net.tcp")), R("static string UriSchemeNetPipe", clr.String("net.pipe")),
		),
	}
}
