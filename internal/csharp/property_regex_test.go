package csharp_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// drawPattern invents an expression that Go and .NET read alike. Go prefers the
// leftmost alternative as .NET does; what is repeated never matches nothing, as
// the two treat that differently.
func drawPattern(t *rapid.T, depth int) (pattern string, canBeEmpty bool) {
	if depth == 0 {
		return rapid.SampledFrom([]string{"a", "b", "c", ".", "[ab]", "[^a]", `\w`, `\d`, "-", "[a-c]", `\.`}).Draw(t, "atom"), false
	}
	switch rapid.IntRange(0, 5).Draw(t, "shape") {
	case 0, 1:
		p, e := drawPattern(t, depth-1)
		q, f := drawPattern(t, depth-1)
		return p + q, e && f
	case 2:
		p, e := drawPattern(t, depth-1)
		q, f := drawPattern(t, depth-1)
		return "(" + p + "|" + q + ")", e || f
	case 3:
		p, e := drawPattern(t, depth-1)
		if e {
			return p, true
		}
		times := rapid.SampledFrom([]string{"*", "+", "?", "{2}", "{1,2}", "*?", "+?", "??", "{0,2}?"}).Draw(t, "times")
		return "(?:" + p + ")" + times, strings.ContainsAny(times[:1], "*?") || strings.HasPrefix(times, "{0")
	case 4:
		p, e := drawPattern(t, depth-1)
		return "(" + p + ")", e
	}
	p, e := drawPattern(t, depth-1)
	return rapid.SampledFrom([]string{"^", `\b`, "(?i)"}).Draw(t, "before") + p, e
}

func TestProperty_RegexLikeGo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, _ := drawPattern(t, 3)
		p += rapid.SampledFrom([]string{"", "", "$"}).Draw(t, "after")
		s := rapid.StringOfN(rapid.SampledFrom([]rune("abcABC-.1 ")), 0, 12, -1).Draw(t, "s")
		re, err := regexp.Compile(p)
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		want := "none"
		if m := re.FindStringSubmatchIndex(s); m != nil {
			var parts []string
			for i := 0; i < len(m); i += 2 {
				if m[i] < 0 {
					parts = append(parts, "-")
				} else {
					parts = append(parts, fmt.Sprintf("%d+%d=%s", m[i], m[i+1]-m[i], s[m[i]:m[i+1]]))
				}
			}
			want = strings.Join(parts, " ")
		}
		values, decls := in{"s": str(s), "p": str(p)}, "{ "+take("string s", "string p")
		same(t, decls+`var m = Regex.Match(s, p); if (!m.Success) return "none"; var r = new List<string>(); for (int i = 0; i < m.Groups.Count; i++) { var g = m.Groups[i]; r.Add(g.Success ? g.Index + "+" + g.Length + "=" + g.Value : "-"); } return string.Join(" ", r); }`, values, want)
		same(t, decls+"return Regex.IsMatch(s, p) == new Regex(p).IsMatch(s) && Regex.IsMatch(s, p) == (Regex.Matches(s, p).Count > 0); }", values, "True")
	})
}

func TestProperty_RegexEquivalences(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, canBeEmpty := drawPattern(t, 2)
		s := drawText(t, "s", 10)
		values, decls := in{"s": s.value(), "p": str(p)}, "{ "+take("string s", "string p")
		for _, expr := range []string{
			"Regex.Replace(s, p, \"$0\") == s && Regex.Replace(s, p, \"$&\") == s && Regex.Replace(s, p, m => m.Value) == s",
			"Regex.Matches(s, p).Cast<Match>().All(m => s.Substring(m.Index, m.Length) == m.Value && m.Groups[0].Value == m.Value)",
			"Regex.Matches(s, p).Cast<Match>().Zip(Regex.Matches(s, p).Cast<Match>().Skip(1), (a, b) => a.Index + a.Length <= b.Index).All(x => x)",
			"new Regex(p).Replace(s, \"#\", 1) == (Regex.IsMatch(s, p) ? s.Substring(0, Regex.Match(s, p).Index) + \"#\" + s.Substring(Regex.Match(s, p).Index + Regex.Match(s, p).Length) : s)",
			"Regex.IsMatch(s, \"\\\\A(?:\" + p + \")\\\\z\") == Regex.Match(s, \"\\\\A(?:\" + p + \")\\\\z\").Success", "Regex.Match(s, \"(?=\" + p + \")\").Success == Regex.IsMatch(s, p)",
			"Regex.Match(s, \"(?<whole>\" + p + \")\").Groups[\"whole\"].Value == Regex.Match(s, p).Value", "Regex.Replace(s, p, \"x\").Split('x').Length > Regex.Matches(s, p).Count",
			"Regex.Replace(s, \"(?<w>\" + p + \")\", \"${w}$$\").Length == s.Length + Regex.Matches(s, p).Count",
		} {
			same(t, decls+"return "+expr+"; }", values, "True")
		}
		if !canBeEmpty && !strings.ContainsAny(p, "(^") {
			same(t, decls+"var m = Regex.Matches(s, p); var parts = Regex.Split(s, p); var r = parts[0]; for (int i = 0; i < m.Count; i++) r += m[i].Value + parts[i + 1]; return parts.Length == m.Count + 1 && r == s; }", values, "True")
		}
	})
}

// An expression that is one text finds what the string methods find.
func TestProperty_RegexLiterals(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, v := drawText(t, "s", 12), drawText(t, "v", 3)
		if len(v) == 0 {
			return
		}
		var escaped text16
		for _, c := range v {
			if c < 0x80 && strings.ContainsRune(`\*+?|{}[]()^$.# `+"\t", rune(c)) {
				escaped = append(escaped, '\\')
			}
			escaped = append(escaped, c)
		}
		values, decls := in{"s": s.value(), "v": v.value(), "p": escaped.value(), "i": clr.Int(rapid.IntRange(0, len(s)).Draw(t, "i"))}, "{ "+take("string s", "string v", "string p", "int i")
		for _, expr := range []string{
			"Regex.IsMatch(s, p) == s.Contains(v)", "(Regex.Match(s, p).Success ? Regex.Match(s, p).Index : -1) == s.IndexOf(v, StringComparison.Ordinal)", "Regex.Replace(s, p, \"#\") == s.Replace(v, \"#\")",
			"Regex.Split(s, p).SequenceEqual(s.Split(new[] { v }, StringSplitOptions.None))", "Regex.IsMatch(s, \"^\" + p) == s.StartsWith(v, StringComparison.Ordinal)", "Regex.IsMatch(s, p + \"\\\\z\") == s.EndsWith(v, StringComparison.Ordinal)",
			"(new Regex(p).Match(s, i).Success ? new Regex(p).Match(s, i).Index : -1) == s.IndexOf(v, i, StringComparison.Ordinal)",
			"(Regex.Match(s, p, RegexOptions.RightToLeft).Success ? Regex.Match(s, p, RegexOptions.RightToLeft).Index : -1) == s.LastIndexOf(v, StringComparison.Ordinal)",
			"Regex.Replace(s, p, \"#\", RegexOptions.IgnoreCase).Length <= s.Length", "Regex.Unescape(p) == v || v.Any(c => char.IsSurrogate(c))",
		} {
			same(t, decls+"return "+expr+"; }", values, "True")
		}
	})
}
