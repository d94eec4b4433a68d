package apim

import (
	"encoding/base64"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/lib"
)

// bodyAs is IMessageBody.As<T>.
func bodyAs(fr f, s *clr.Site, a []v) v {
	b, err := a[0].Ref().(Body).Read(a[1].Bool())
	if err != nil {
		clr.Throw(clr.ExIO, err.Error())
	}
	fr.Alloc(len(b))
	t := s.Args[0]
	switch t.FullName() {
	case "System.String":
		return clr.String(strings.ToValidUTF8(strings.TrimPrefix(string(b), "\ufeff"), "\uFFFD"))
	case "Newtonsoft.Json.Linq.JObject", "Newtonsoft.Json.Linq.JArray", "Newtonsoft.Json.Linq.JToken":
		return lib.ParseJSON(fr, string(b), t.Name)
	case "System.Xml.Linq.XElement", "System.Xml.Linq.XNode", "System.Xml.Linq.XDocument":
		return lib.ParseXML(fr, string(b), t.Name != "XDocument")
	}
	if t.Kind == clr.Array && t.Elem == clr.Byte {
		return clr.Bytes(append([]byte{}, b...))
	}
	clr.Throw(clr.ExNotSupported, "The body cannot be read as type '"+t.ReflectionName()+"'.")
	return clr.Null
}

// bodyForm reads application/x-www-form-urlencoded.
func bodyForm(fr f, s *clr.Site, a []v) v {
	b, err := a[0].Ref().(Body).Read(a[1].Bool())
	if err != nil {
		clr.Throw(clr.ExIO, err.Error())
	}
	fr.Alloc(len(b) * 2)
	out := lib.NewDict(clr.StringType, s.Ret.Args[1])
	for pair := range strings.SplitSeq(string(b), "&") {
		if pair == "" {
			continue
		}
		k, val, _ := strings.Cut(pair, "=")
		key := clr.String(lib.Unescape(k))
		list, ok := out.Lookup(fr, key)
		if !ok {
			list = lib.NewList(clr.StringType)
			out.Put(fr, key, list)
		}
		lib.AddTo(fr, list, clr.String(lib.Unescape(val)))
	}
	return clr.Object(out)
}

// Jwt is a parsed token; its signature was not looked at.
type Jwt struct {
	header, claims v
	all            claimsMap // Claims
}

// RuntimeType is Jwt.
func (*Jwt) RuntimeType() *clr.Type { return jwtType() }

var jwtType = sync.OnceValue(func() *clr.Type { return Universe().Lookup("Gateway.Jwt", 0) })

// ParseJwt reads a token, with or without the word Bearer before it.
func ParseJwt(fr *clr.Frame, s string) (*Jwt, bool) {
	s = strings.TrimSpace(s)
	if len(s) > 7 && strings.EqualFold(s[:7], "bearer ") {
		s = strings.TrimSpace(s[7:])
	}
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return nil, false
	}
	j := &Jwt{}
	j.all.j = j
	for i, to := range []*v{&j.header, &j.claims} {
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[i], "="))
		if err != nil {
			return nil, false
		}
		tok, ok := lib.TryParseObject(fr, string(b))
		if !ok {
			return nil, false
		}
		*to = tok
	}
	return j, true
}

func (j *Jwt) text(fr f, name string) v {
	s, ok := lib.TokenText(fr, j.claims, name)
	if !ok {
		return clr.Null
	}
	return clr.String(s)
}

func (j *Jwt) date(fr f, name string) v {
	x, ok := lib.TokenNumber(fr, j.claims, name)
	if !ok || math.Abs(x) > 2.5e11 {
		return clr.Null
	}
	return lib.DateTime(time.Unix(int64(x), 0))
}

// claimsMap is Jwt.Claims.
type claimsMap struct{ j *Jwt }

// RuntimeType is IReadOnlyDictionary<string, string[]>.
func (*claimsMap) RuntimeType() *clr.Type { return stringsDict() }

// Lookup finds the values of a claim.
func (m *claimsMap) Lookup(fr *clr.Frame, key v) (v, bool) {
	list := lib.TokenStrings(fr, m.j.claims, key.Str())
	if list == nil {
		return clr.Null, false
	}
	return clr.Strings(list), true
}

// Count is the number of claims.
func (m *claimsMap) Count(fr *clr.Frame) int { return len(lib.TokenNames(m.j.claims)) }

// Each yields the claims.
func (m *claimsMap) Each(fr *clr.Frame, yield func(v) bool) {
	for _, n := range lib.TokenNames(m.j.claims) {
		if !yield(lib.Pair(clr.StringType, stringArray, clr.String(n), clr.Strings(lib.TokenStrings(fr, m.j.claims, n)))) {
			return
		}
	}
}

func jwtDecl() clr.Decl {
	R := clr.R
	claim := func(name string) clr.Getter {
		return func(fr f, x v) v { return x.Ref().(*Jwt).text(fr, name) }
	}
	header := func(name string) clr.Getter {
		return func(fr f, x v) v {
			if l := lib.TokenStrings(fr, x.Ref().(*Jwt).header, name); len(l) > 0 {
				return clr.String(l[0])
			}
			return clr.Null
		}
	}
	date := func(name string) clr.Getter {
		return func(fr f, x v) v { return x.Ref().(*Jwt).date(fr, name) }
	}
	return clr.D("class Gateway.Jwt", R("string Algorithm", header("alg")), R("string Type", header("typ")), R("string Issuer", claim("iss")), R("string Subject", claim("sub")), R("string Id", claim("jti")),
		R("IEnumerable<string> Audiences", func(fr f, a []v) v { return clr.Strings(lib.TokenStrings(fr, a[0].Ref().(*Jwt).claims, "aud")) }),
		R("IReadOnlyDictionary<string,string[]> Claims", func(_ f, x v) v { return clr.Object(&x.Ref().(*Jwt).all) }),
		R("DateTime? ExpirationTime", date("exp")), R("DateTime? NotBefore", date("nbf")), R("DateTime? IssuedAt", date("iat")))
}

// joined is the value of a header, query parameter or claim.
func joined(fr f, a []v) v {
	if a[0].IsNull() {
		clr.ThrowNull()
	}
	if a[1].IsNull() {
		clr.ThrowArgNull("key")
	}
	if h, ok := a[0].Ref().(*HeaderMap); ok {
		if s, ok := h.Get(a[1].Str()); ok {
			return clr.String(s)
		}
	} else if c, ok := a[0].Ref().(*claimsMap); ok {
		if s, ok := lib.TokenText(fr, c.j.claims, a[1].Str()); ok {
			return clr.String(s)
		}
	} else if m, ok := a[0].Ref().(lib.Map); ok {
		if x, ok := m.Lookup(fr, a[1]); ok {
			var parts []string
			lib.Each(fr, x, func(s v) bool { parts = append(parts, s.Str()); return true })
			return fr.Str(strings.Join(parts, ","))
		}
	}
	if len(a) > 2 {
		return a[2]
	}
	return clr.Null
}

// value is GetValueOrDefault of any dictionary.
func value(fr f, s *clr.Site, a []v) v {
	m, ok := a[0].Ref().(lib.Map)
	if !ok {
		clr.ThrowNull()
	}
	if a[1].IsNull() {
		clr.ThrowArgNull("key")
	}
	if x, ok := m.Lookup(fr, a[1]); ok {
		return x
	}
	if len(a) > 2 {
		return a[2]
	}
	return clr.Zero(s.Ret)
}

// variable is GetValueOrDefault<T> of variables.
func variable(fr f, s *clr.Site, a []v) v {
	m, ok := a[0].Ref().(lib.Map)
	if !ok {
		clr.ThrowNull()
	}
	t := s.Args[0]
	x, ok := m.Lookup(fr, a[1])
	switch {
	case !ok:
		if len(a) > 2 {
			return a[2]
		}
		return clr.Zero(t)
	case t == clr.StringType && x.IsString() || x.Tag() == t:
		return x
	case x.IsNull():
		if !t.IsValueType() || t.IsNullable() {
			return x
		}
	case fr.Is(x, t):
		return x
	}
	from := "null"
	if rt := fr.TypeOf(x); rt != nil {
		from = rt.ReflectionName()
	}
	clr.Throw(clr.ExVariableCast, "Unable to convert context variable `"+a[1].Str()+"` of type `"+from+"` to the type of `"+t.ReflectionName()+"`.")
	return clr.Null
}

func basic(s string) (*record, bool) {
	s = strings.TrimSpace(s)
	if len(s) < 6 || !strings.EqualFold(s[:6], "basic ") {
		return nil, false
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s[6:]))
	if err != nil {
		return nil, false
	}
	id, pass, ok := strings.Cut(string(b), ":")
	return &record{"BasicAuthCredentials", []string{id, pass}}, ok
}

func form(prefix string) func(f, []v) v {
	return func(fr f, a []v) v {
		var b strings.Builder
		lib.Each(fr, a[0], func(e v) bool {
			k, list := lib.PairParts(e)
			lib.Each(fr, list, func(x v) bool {
				if b.Len() > 0 {
					b.WriteByte('&')
				}
				b.WriteString(escapeQuery(k.Str()) + "=" + escapeQuery(x.Str()))
				return true
			})
			return true
		})
		if b.Len() == 0 {
			return clr.Null
		}
		return fr.Str(prefix + b.String())
	}
}

func extensions() clr.Decl {
	R := clr.R
	const multi, vars = "this IReadOnlyDictionary<string,string[]> values", "this IReadOnlyDictionary<string,object> variables"
	out := func(cell v, x v) { cell.Ref().(*clr.Cell).V = x }
	return clr.D("static class Gateway.Extensions",
		R("static string GetValueOrDefault("+multi+", string key)", joined), R("static string GetValueOrDefault("+multi+", string key, string defaultValue)", joined),
		R("static T GetValueOrDefault<T>("+vars+", string variableName)", variable), R("static T GetValueOrDefault<T>("+vars+", string variableName, T defaultValue)", variable),
		R("static V GetValueOrDefault<K,V>(this IReadOnlyDictionary<K,V> dictionary, K key)", value), R("static V GetValueOrDefault<K,V>(this IReadOnlyDictionary<K,V> dictionary, K key, V defaultValue)", value),
		R("static V GetValueOrDefault<K,V>(this IDictionary<K,V> dictionary, K key)", value), R("static V GetValueOrDefault<K,V>(this IDictionary<K,V> dictionary, K key, V defaultValue)", value),
		R("static Jwt AsJwt(this string input)", func(fr f, a []v) v {
			if j, ok := ParseJwt(fr, a[0].Str()); ok {
				return clr.Object(j)
			}
			return clr.Null
		}),
		R("static bool TryParseJwt(this string input, out Jwt result)", func(fr f, a []v) v {
			j, ok := ParseJwt(fr, a[0].Str())
			if !ok {
				out(a[1], clr.Null)
				return clr.Bool(false)
			}
			out(a[1], clr.Object(j))
			return clr.Bool(true)
		}),
		R("static BasicAuthCredentials AsBasic(this string input)", func(_ f, a []v) v {
			if c, ok := basic(a[0].Str()); ok {
				return clr.Object(c)
			}
			return clr.Null
		}),
		R("static bool TryParseBasic(this string input, out BasicAuthCredentials result)", func(_ f, a []v) v {
			c, ok := basic(a[0].Str())
			if !ok {
				out(a[1], clr.Null)
				return clr.Bool(false)
			}
			out(a[1], clr.Object(c))
			return clr.Bool(true)
		}),
		R("static string ToFormUrlEncodedContent(this IDictionary<string,IList<string>> values)", form("")), R("static string ToQueryString(this IDictionary<string,IList<string>> values)", form("?")),
	)
}
