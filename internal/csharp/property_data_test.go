package csharp_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"html"
	"math"
	"net/url"
	"strings"
	"testing"
	"unicode/utf16"

	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/clr"
)

// drawString invents valid text, of signs that formats have to escape.
func drawString(t *rapid.T, label string, most int) string {
	special := []rune("ab\"\\/'&<>;=+%# \n\r\t\b\u0001\u0085\u2028éß€😀.[]{}()$@0,-_~*!?:`|\x7f")
	return string(rapid.SliceOfN(rapid.SampledFrom(special), 0, most).Draw(t, label))
}

// node is a JSON value with its two texts as Newtonsoft writes them.
type node struct {
	compact string
	pretty  func(indent string) string
	leaves  int
}

func scalar(s string) node { return node{s, func(string) string { return s }, 1} }

// jsonString quotes as Newtonsoft does.
func jsonString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case strings.ContainsRune(`"\`, r):
			b.WriteString(`\` + string(r))
		case strings.ContainsRune("\n\r\t\b\f", r):
			b.WriteString(`\` + string("nrtbf"[strings.IndexRune("\n\r\t\b\f", r)]))
		case r < ' ' || r == 0x85 || r == 0x2028 || r == 0x2029:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + `"`
}

func drawJSON(t *rapid.T, depth int) node {
	kind := rapid.IntRange(0, 7).Draw(t, "kind")
	if depth == 0 {
		kind %= 6
	}
	switch kind {
	case 0:
		return scalar(fmt.Sprint(rapid.Int64().Draw(t, "integer")))
	case 1:
		x := rapid.Float64().Draw(t, "number")
		s := roundTrip(x, 64)
		if !strings.ContainsAny(s, ".E") {
			s += ".0"
		}
		return scalar(s)
	case 2:
		return scalar(rapid.SampledFrom([]string{"true", "false", "null"}).Draw(t, "word"))
	case 3, 4, 5:
		return scalar(jsonString(drawString(t, "string", 6)))
	}
	n := rapid.IntRange(0, 3).Draw(t, "items")
	items := make([]node, n)
	names := make([]string, n)
	for i := range items {
		items[i] = drawJSON(t, depth-1)
		if kind == 7 {
			names[i] = jsonString(drawName(t, i)) + ":"
		}
	}
	return container(kind == 7, names, items)
}

// drawName invents the name of a property. A path cannot hold every character.
func drawName(t *rapid.T, i int) string {
	return string(rapid.SliceOfN(rapid.SampledFrom([]rune("abé$_-. '\"[]()/\n😀0")), 0, 4).Draw(t, "name")) + fmt.Sprint(i)
}

func container(object bool, names []string, items []node) node {
	open, closing := "[", "]"
	if object {
		open, closing = "{", "}"
	}
	out := node{leaves: 1}
	var compact []string
	for i, x := range items {
		compact = append(compact, names[i]+x.compact)
		out.leaves += x.leaves
	}
	out.compact = open + strings.Join(compact, ",") + closing
	out.pretty = func(indent string) string {
		if len(items) == 0 {
			return open + closing
		}
		lines := make([]string, len(items))
		for i, x := range items {
			name := names[i]
			if name != "" {
				name += " "
			}
			lines[i] = indent + "  " + name + x.pretty(indent+"  ")
		}
		return open + "\r\n" + strings.Join(lines, ",\r\n") + "\r\n" + indent + closing
	}
	return out
}

func TestProperty_JSONTexts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := container(false, []string{""}, []node{drawJSON(t, 3)})
		values, decls := in{"s": str(x.compact)}, "{ "+take("string s")+"var j = JToken.Parse(s); "
		for expr, want := range map[string]string{
			"j.ToString(Formatting.None)": x.compact, "j.ToString()": x.pretty(""), "JsonConvert.SerializeObject(j)": x.compact, "JsonConvert.SerializeObject(j, Formatting.Indented)": x.pretty(""),
			"JsonConvert.SerializeObject(JsonConvert.DeserializeObject(s))": x.compact, "JToken.Parse(j.ToString()).ToString(Formatting.None)": x.compact,
			"JToken.DeepEquals(j, JToken.Parse(j.ToString()))": "True", "JToken.DeepEquals(j, j.DeepClone())": "True", "j.DeepClone().ToString()": x.pretty(""), "JArray.Parse(s).Count": "1",
			"JArray.FromObject(new object[] { j[0] }).ToString(Formatting.None)": x.compact, "new JArray(j[0]).ToString(Formatting.None)": x.compact,
		} {
			same(t, decls+"return "+expr+"; }", values, want)
		}
	})
}

func TestProperty_JSONPaths(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := container(false, []string{""}, []node{drawJSON(t, 3)})
		values, decls := in{"s": str(x.compact)}, "{ "+take("string s")+"var j = JArray.Parse(s); var all = j.Descendants().Where(d => !(d is JProperty)).ToList(); "
		same(t, decls+"return all.Count; }", values, fmt.Sprint(x.leaves-1))
		same(t, decls+"return all.All(d => object.ReferenceEquals(j.SelectToken(d.Path), d)); }", values, "True")
		same(t, decls+"return all.All(d => j.SelectTokens(d.Path).Single() == d); }", values, "True")
		same(t, decls+"return all.All(d => object.ReferenceEquals(d.Root, j) && d.Ancestors().Last() == j && d.AncestorsAndSelf().First() == d); }", values, "True")
		same(t, decls+"return j.SelectTokens(\"$..*\").Count(); }", values, fmt.Sprint(x.leaves)) // the root too
		same(t, decls+"return j.SelectTokens(\"$..*\").Skip(1).SequenceEqual(all); }", values, "True")
	})
}

func TestProperty_JSONValues(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, n, x, b := drawString(t, "s", 8), rapid.Int64().Draw(t, "n"), rapid.Float64().Draw(t, "x"), rapid.Bool().Draw(t, "b")
		values := in{"s": str(s), "n": clr.Long(n), "x": float(x), "b": clr.Bool(b)}
		decls := "{ " + take("string s", "long n", "double x", "bool b") + "var j = JObject.FromObject(new { s, n, x, b, a = new object[] { s, n, x, b, null } }); var k = JObject.Parse(j.ToString()); "
		for _, expr := range []string{
			"(string)k[\"s\"] == s && k.Value<string>(\"s\") == s && k[\"s\"].ToObject<string>() == s && k[\"s\"].ToString() == s",
			"(long)k[\"n\"] == n && k.Value<long>(\"n\") == n && k[\"n\"].ToString() == n.ToString()", "(double)k[\"x\"] == x && k.Value<double>(\"x\") == x && k[\"a\"][2].Value<double>() == x",
			"(bool)k[\"b\"] == b && k.Value<bool>(\"b\") == b && k[\"b\"].ToString() == b.ToString()", "JToken.DeepEquals(j, k)", "k[\"a\"].Select(t => t.Type).SequenceEqual(new[] { JTokenType.String, JTokenType.Integer, JTokenType.Float, JTokenType.Boolean, JTokenType.Null })",
			"JsonConvert.DeserializeObject<Dictionary<string, object>>(j.ToString())[\"s\"].Equals(s)", "JsonConvert.DeserializeObject<string[]>(JsonConvert.SerializeObject(new[] { s, s }))[1] == s",
			"new JValue(s).ToString(Formatting.None) == JsonConvert.SerializeObject(s)", "JToken.FromObject(s).Type == JTokenType.String && (string)JToken.FromObject(s) == s",
			"k.Properties().Select(p => p.Name).SequenceEqual(new[] { \"s\", \"n\", \"x\", \"b\", \"a\" })", "new JObject(k.Properties()).ToString() == k.ToString()",
		} {
			same(t, decls+"return "+expr+"; }", values, "True")
		}
		same(t, decls+"return JsonConvert.SerializeObject(s); }", values, jsonString(s))
	})
}

// element is an XML element as source and as its parts.
type element struct {
	src, text string
	count     int
}

func escapeXML(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\n", "&#xA;", "\t", "&#x9;", "\r", "&#xD;").Replace(s)
}

func drawXMLText(t *rapid.T, label string) string {
	return string(rapid.SliceOfN(rapid.SampledFrom([]rune("ab&<>\"' \n\té😀]")), 0, 6).Draw(t, label))
}

func drawElement(t *rapid.T, depth int) element {
	name := rapid.SampledFrom([]string{"a", "b", "p:a", "c-d", "é"}).Draw(t, "name")
	out := element{count: 1}
	var src strings.Builder
	src.WriteString("<" + name + ` xmlns:p="urn:p"`)
	for i := range rapid.IntRange(0, 2).Draw(t, "attributes") {
		fmt.Fprintf(&src, ` x%d="%s"`, i, escapeXML(drawXMLText(t, "value")))
	}
	src.WriteString(">")
	n := 0
	if depth > 0 {
		n = rapid.IntRange(0, 3).Draw(t, "children")
	}
	for range n {
		switch rapid.IntRange(0, 3).Draw(t, "child") {
		case 0:
			s := "x" + drawXMLText(t, "text")
			src.WriteString(escapeXML(s))
			out.text += s
		case 1:
			s := strings.ReplaceAll(drawXMLText(t, "data"), "]", "") + "x"
			src.WriteString("<![CDATA[" + s + "]]>")
			out.text += s
		default:
			e := drawElement(t, depth-1)
			src.WriteString(e.src)
			out.text += e.text
			out.count += e.count
		}
	}
	out.src = src.String() + "</" + name + ">"
	return out
}

func TestProperty_XMLTexts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := drawElement(t, 3)
		values, decls := in{"s": str(e.src)}, "{ "+take("string s")+"var x = XElement.Parse(s); var y = XElement.Parse(x.ToString()); var z = XElement.Parse(x.ToString(SaveOptions.DisableFormatting)); "
		same(t, decls+"return x.Value; }", values, e.text)
		same(t, decls+"return x.DescendantsAndSelf().Count() + \",\" + x.Descendants().Count(); }", values, fmt.Sprintf("%d,%d", e.count, e.count-1))
		for _, expr := range []string{
			"XNode.DeepEquals(x, z)", "z.ToString(SaveOptions.DisableFormatting) == x.ToString(SaveOptions.DisableFormatting)", "y.ToString() == x.ToString()", "XNode.DeepEquals(x, new XElement(x))",
			"x.Value == z.Value", "XDocument.Parse(s).Root.ToString() == x.ToString()", "x.Descendants().All(d => d.Ancestors().Last() == x)",
			"x.DescendantsAndSelf().All(d => d.Attributes().All(a => d.Attribute(a.Name) == a && a.Parent == d))", "x.Descendants().All(d => d.Parent.Elements(d.Name).Contains(d))",
			"x.DescendantNodes().OfType<XText>().Aggregate(\"\", (r, n) => r + n.Value) == x.Value",
		} {
			same(t, decls+"return "+expr+"; }", values, "True")
		}
		dom := "{ " + take("string s") + "var d = new XmlDocument(); d.LoadXml(s); "
		same(t, dom+"return d.DocumentElement.InnerText; }", values, e.text)
		same(t, dom+"return d.GetElementsByTagName(\"*\").Count; }", values, fmt.Sprint(e.count))
		same(t, dom+"var f = new XmlDocument(); f.LoadXml(d.OuterXml); return f.OuterXml == d.OuterXml && f.InnerText == d.InnerText; }", values, "True")
	})
}

func TestProperty_Base64AndHex(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes")
		text := base64.StdEncoding.EncodeToString(b)
		spaced := strings.Join(strings.Split(text, ""), rapid.SampledFrom([]string{"", " ", "\r\n", "\t"}).Draw(t, "space"))
		values := in{"b": clr.Bytes(b), "s": str(text), "w": str(spaced)}
		decls := "{ " + take("byte[] b", "string s", "string w")
		same(t, decls+"return Convert.ToBase64String(b); }", values, text)
		same(t, decls+"return Convert.FromBase64String(s).SequenceEqual(b) && Convert.FromBase64String(w).SequenceEqual(b); }", values, "True")
		i := rapid.IntRange(0, len(b)).Draw(t, "offset")
		n := rapid.IntRange(0, len(b)-i).Draw(t, "length")
		values["i"], values["n"] = clr.Int(i), clr.Int(n)
		same(t, decls+take("int i", "int n")+"return Convert.ToBase64String(b, i, n); }", values, base64.StdEncoding.EncodeToString(b[i:i+n]))
		same(t, decls+"return BitConverter.ToString(b); }", values, strings.Join(pairs(strings.ToUpper(hex.EncodeToString(b))), "-"))
		same(t, decls+"return string.Concat(b.Select(x => x.ToString(\"x2\"))); }", values, hex.EncodeToString(b))
		// One letter too many or one that does not belong there makes it invalid.
		values["s"] = str(text + rapid.SampledFrom([]string{"a", "-", "====", "\x00", "é"}).Draw(t, "tail"))
		if got := kindOf(run(t, decls+"return Convert.FromBase64String(s); }", values)); got != "FormatException" {
			t.Fatalf("FromBase64String(%q) gave %s", values["s"].Str(), got)
		}
	})
}

func pairs(s string) []string {
	var out []string
	for ; s != ""; s = s[2:] {
		out = append(out, s[:2])
	}
	return out
}

func TestProperty_BitConverter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 8, 12).Draw(t, "bytes")
		i := rapid.IntRange(0, len(b)-8).Draw(t, "offset")
		values, decls := in{"b": clr.Bytes(b), "i": clr.Int(i)}, "{ "+take("byte[] b", "int i")
		le := binary.LittleEndian
		for expr, want := range map[string]any{
			"BitConverter.ToInt16(b, i)": int16(le.Uint16(b[i:])), "BitConverter.ToUInt16(b, i)": le.Uint16(b[i:]), "BitConverter.ToInt32(b, i)": int32(le.Uint32(b[i:])), "BitConverter.ToUInt32(b, i)": le.Uint32(b[i:]),
			"BitConverter.ToInt64(b, i)": int64(le.Uint64(b[i:])), "BitConverter.ToUInt64(b, i)": le.Uint64(b[i:]), "BitConverter.ToBoolean(b, i)": boolText(b[i] != 0), "(int)BitConverter.ToChar(b, i)": le.Uint16(b[i:]),
			"BitConverter.ToDouble(b, i)": roundTrip(math.Float64frombits(le.Uint64(b[i:])), 64), "BitConverter.ToSingle(b, i)": roundTrip(float64(math.Float32frombits(le.Uint32(b[i:]))), 32),
		} {
			same(t, decls+"return "+expr+"; }", values, fmt.Sprint(want))
		}
		for typ, name := range map[string]string{"short": "ToInt16", "ushort": "ToUInt16", "int": "ToInt32", "uint": "ToUInt32", "long": "ToInt64", "ulong": "ToUInt64", "char": "ToChar"} {
			same(t, decls+"var x = BitConverter."+name+"(b, i); "+typ+" y = x; return BitConverter.GetBytes(y).SequenceEqual(b.Skip(i).Take(BitConverter.GetBytes(y).Length)); }", values, "True")
		}
		values["i"] = clr.Int(len(b) - 1)
		if got := kindOf(run(t, decls+"return BitConverter.ToInt32(b, i); }", values)); got != "ArgumentException" {
			t.Fatalf("ToInt32 behind the end gave %s", got)
		}
	})
}

func TestProperty_Encodings(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawString(t, "s", 12)
		units := utf16.Encode([]rune(s))
		var little, big, wide []byte
		for _, u := range units {
			little, big = binary.LittleEndian.AppendUint16(little, u), binary.BigEndian.AppendUint16(big, u)
		}
		for _, r := range s {
			wide = binary.LittleEndian.AppendUint32(wide, uint32(r))
		}
		values, decls := in{"s": str(s)}, "{ "+take("string s")
		for name, want := range map[string][]byte{"UTF8": []byte(s), "Unicode": little, "BigEndianUnicode": big, "UTF32": wide} {
			values["w"] = clr.Bytes(want)
			all := decls + take("byte[] w") + "var e = Encoding." + name + "; "
			for _, expr := range []string{"e.GetBytes(s).SequenceEqual(w)", "e.GetString(w) == s", "e.GetByteCount(s) == w.Length", "e.GetCharCount(w) == s.Length", "e.GetString(e.GetBytes(s.ToCharArray())) == s", "new string(e.GetChars(w)) == s", "e.GetString(new byte[4].Concat(w).ToArray(), 4, w.Length) == s"} {
				same(t, all+"return "+expr+"; }", values, "True")
			}
		}
		ascii := strings.Map(func(r rune) rune {
			if r > 0x7F {
				return '?'
			}
			return r
		}, s)
		ascii = strings.ReplaceAll(ascii, "\x00", "")
		if !strings.Contains(s, "😀") { // two units, two question marks
			same(t, decls+"return Encoding.ASCII.GetString(Encoding.ASCII.GetBytes(s)); }", values, ascii)
		}
		// Whatever bytes there are, what was decoded survives another round.
		values["w"] = clr.Bytes(rapid.SliceOfN(rapid.Byte(), 0, 12).Draw(t, "bytes"))
		same(t, decls+take("byte[] w")+"var x = Encoding.UTF8.GetString(w); return Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(x)) == x; }", values, "True")
		same(t, decls+take("byte[] w")+"var x = Encoding.GetEncoding(\"ISO-8859-1\").GetString(w); return Encoding.GetEncoding(\"ISO-8859-1\").GetBytes(x).SequenceEqual(w); }", values, "True")
	})
}

// percent escapes all bytes but those that a set keeps.
func percent(s, keep string, plus bool) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(keep, c) >= 0:
			b.WriteByte(c)
		case plus && c == ' ':
			b.WriteByte('+')
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func TestProperty_Escaping(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawString(t, "s", 12)
		values, decls := in{"s": str(s)}, "{ "+take("string s")
		var encoded strings.Builder
		for _, r := range s {
			switch {
			case strings.ContainsRune("&<>\"'", r):
				encoded.WriteString(strings.NewReplacer("&#34;", "&quot;").Replace(html.EscapeString(string(r))))
			case r >= 160 && r < 256 || r > 0xFFFF:
				fmt.Fprintf(&encoded, "&#%d;", r)
			default:
				encoded.WriteRune(r)
			}
		}
		for expr, want := range map[string]string{
			"System.Net.WebUtility.UrlEncode(s)": percent(s, "-_.!*()", true), "Uri.EscapeDataString(s)": percent(s, "-_.~", false), "Uri.EscapeUriString(s)": percent(s, "-_.~!*'();:@&=+$,/?#[]", false),
			"System.Net.WebUtility.HtmlEncode(s)":                                 encoded.String(),
			"System.Net.WebUtility.UrlDecode(System.Net.WebUtility.UrlEncode(s))": s, "Uri.UnescapeDataString(Uri.EscapeDataString(s))": s, "System.Net.WebUtility.HtmlDecode(System.Net.WebUtility.HtmlEncode(s))": s,
			"System.Net.WebUtility.UrlDecode(Uri.EscapeDataString(s))": s,
		} {
			same(t, decls+"return "+expr+"; }", values, want)
		}
		// Decoding what was never encoded must not lose anything but escapes.
		plain := strings.NewReplacer("%", "", "+", "", "&", "").Replace(s)
		values["s"] = str(plain)
		same(t, decls+"return System.Net.WebUtility.UrlDecode(s) == s && Uri.UnescapeDataString(s) == s && System.Net.WebUtility.HtmlDecode(s) == s; }", values, "True")
	})
}

func TestProperty_Uris(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		segment := rapid.StringMatching(`[a-z0-9_.~-]{1,6}`).Filter(func(s string) bool { return strings.Trim(s, ".") != "" })
		path := "/" + strings.Join(rapid.SliceOfN(segment, 0, 3).Draw(t, "path"), "/")
		query := rapid.StringMatching(`(\?[a-z]{1,3}=([a-z0-9]|%20){0,3})?`).Draw(t, "query") // .NET undoes needless escapes
		fragment := rapid.StringMatching(`(#[a-z]{1,4})?`).Draw(t, "fragment")
		scheme := rapid.SampledFrom([]string{"http", "https"}).Draw(t, "scheme")
		host := rapid.StringMatching(`[a-z]{1,8}\.example`).Draw(t, "host")
		port := rapid.SampledFrom([]int{80, 443, 8080}).Draw(t, "port")
		authority := host
		if port != map[string]int{"http": 80, "https": 443}[scheme] {
			authority += fmt.Sprint(":", port)
		}
		values, decls := in{"s": str(fmt.Sprintf("%s://%s:%d%s%s%s", strings.ToUpper(scheme), strings.ToUpper(host), port, path, query, fragment))}, "{ "+take("string s")+"var u = new Uri(s); "
		for expr, want := range map[string]string{
			"u.Scheme": scheme, "u.Host": host, "u.Port": fmt.Sprint(port), "u.AbsolutePath": path, "u.Query": query, "u.Fragment": fragment, "u.PathAndQuery": path + query, "u.Authority": authority,
			"u.AbsoluteUri": scheme + "://" + authority + path + query + fragment, "u.GetLeftPart(UriPartial.Path)": scheme + "://" + authority + path, "u.GetLeftPart(UriPartial.Authority)": scheme + "://" + authority,
			"string.Concat(u.Segments)": path, "u.IsDefaultPort": boolText(authority == host), "new Uri(u.AbsoluteUri) == u": "True", "u.OriginalString == s": "True", "new Uri(u, \"/x?y\").AbsoluteUri": scheme + "://" + authority + "/x?y",
		} {
			same(t, decls+"return "+expr+"; }", values, want)
		}
	})
}

// A form survives the way into a body and back.
func TestProperty_Forms(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := url.Values{}
		var keys []string
		for i := range rapid.IntRange(0, 3).Draw(t, "fields") {
			key := fmt.Sprint("k", drawString(t, "key", 4), i)
			keys = append(keys, key)
			for range rapid.IntRange(1, 2).Draw(t, "values") {
				want.Add(key, drawString(t, "value", 5))
			}
		}
		var flat []string
		for _, k := range keys {
			for _, v := range want[k] {
				flat = append(flat, k, v)
			}
		}
		values, build := in{"f": clr.Strings(flat)}, "{ "+take("string[] f")+"var d = new Dictionary<string, IList<string>>(); for (int i = 0; i < f.Length; i += 2) { if (!d.ContainsKey(f[i])) d[f[i]] = new List<string>(); d[f[i]].Add(f[i + 1]); } "
		form := run(t, build+"return d.ToFormUrlEncodedContent() ?? \"\"; }", values)
		got, err := url.ParseQuery(form)
		if err != nil || got.Encode() != want.Encode() {
			t.Fatalf("%q is written as %q: %v", flat, form, err)
		}
		query := run(t, build+"return d.ToQueryString() ?? \"\"; }", values)
		got, err = url.ParseQuery(strings.TrimPrefix(query, "?"))
		if err != nil || got.Encode() != want.Encode() || strings.HasPrefix(query, "?") != (len(keys) > 0) {
			t.Fatalf("%q is the query %q: %v", flat, query, err)
		}
		back := programOf(t, `{ var d = context.Request.Body.AsFormUrlEncodedContent(true); return string.Join("\0", d.SelectMany(p => p.Value.SelectMany(v => new[] { p.Key, v }))); }`)
		host := newExchange()
		host.req.body = &body{[]byte(form)}
		f := csharp.NewFrame(context.Background(), host)
		defer f.Release()
		v, err := back.Run(f)
		if err != nil || v.Str() != strings.Join(flat, "\x00") {
			t.Fatalf("%q came back from %q as %q, %v", flat, form, v.Str(), err)
		}
	})
}

// Hashes and AES agree with each other whichever way they are asked.
func TestProperty_Crypto(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "bytes")
		key := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key")
		iv := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "iv")
		values, decls := in{"b": clr.Bytes(b), "k": clr.Bytes(key), "v": clr.Bytes(iv)}, "{ "+take("byte[] b", "byte[] k", "byte[] v")
		for _, expr := range []string{
			"b.Encrypt(\"Aes\", k, v).Decrypt(\"Aes\", k, v).SequenceEqual(b)", "b.Encrypt(\"Aes\", k, v).Length == (b.Length / 16 + 1) * 16", "b.Encrypt(\"Aes\", k.Take(16).ToArray(), v).Decrypt(\"Aes\", k.Take(16).ToArray(), v).SequenceEqual(b)",
			"SHA256.Create().ComputeHash(b).SequenceEqual(new SHA256Managed().ComputeHash(b))", "new HMACSHA256(k).ComputeHash(b).Length == 32 && SHA512.Create().ComputeHash(b).Length == 64",
		} {
			same(t, decls+"return "+expr+"; }", values, "True")
		}
	})
}
