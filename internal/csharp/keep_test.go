package csharp_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/lib"
)

// evaluate runs a source that must compile and end well, and says what its value looks like.
func evaluate(t *testing.T, source string) (csharp.Value, func(csharp.Value) string) {
	t.Helper()
	p, errs := csharp.Compile(source, csharp.Options{})
	if errs != nil {
		t.Fatalf("%s: %v", source, errs)
	}
	f := csharp.NewFrame(context.Background(), nil)
	t.Cleanup(f.Release)
	v, err := p.Run(f)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return v, func(v csharp.Value) string {
		text, err := f.Text(p, v)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}

func TestKeep_CopiesLookTheSame(t *testing.T) {
	t.Parallel()
	for _, source := range []string{
		`null`, `true`, `12`, `1.5m`, `"text"`, `'c'`, `DateTime.MinValue`, `TimeSpan.FromSeconds(3)`, `Guid.Empty`, `new Uri("http://a/b")`,
		`JObject.Parse("{\"a\":[1,null,{\"b\":\"c\"}],\"d\":1.5}")`, `JArray.Parse("[1,2]")`, `JToken.Parse("3")`,
		`XElement.Parse("<a b='c'><d>e</d></a>")`, `XDocument.Parse("<a><b/></a>")`,
		`new KeyValuePair<string, int>("a", 1)`, `new { A = 1, B = "x" }`, `(1, "y")`,
	} {
		v, text := evaluate(t, source)
		kept, size, err := lib.Keep(v, 1<<20)
		if err != nil || size < 24 || text(kept) != text(v) {
			t.Errorf("%s: got %q of %d bytes, %v; want %q", source, text(kept), size, err, text(v))
		}
	}
}

// TestKeep_CopiesAreWhole looks into what has no text of its own.
func TestKeep_CopiesAreWhole(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`new byte[] { 1, 2 }`:                                                           `"AQI="`,
		`new[] { "a", "b" }`:                                                            `["a","b"]`,
		`new List<object> { 1, "a", new List<int> { 2 } }`:                              `[1,"a",[2]]`,
		`new Dictionary<string, object> { { "a", new[] { 1 } } }`:                       `{"a":[1]}`,
		`new HashSet<int> { 1, 2 }`:                                                     `[1,2]`,
		`new Dictionary<string, JToken> { { "a", new JArray(1) } }`:                     `{"a":[1]}`,
		`new List<KeyValuePair<string, int>> { new KeyValuePair<string, int>("a", 1) }`: `[{"Key":"a","Value":1}]`,
	} {
		v, _ := evaluate(t, source)
		kept, _, err := lib.Keep(v, 1<<20)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got := jsonOf(t, kept); got != want {
			t.Errorf("%s: got %s, want %s", source, got, want)
		}
	}
}

func jsonOf(t *testing.T, v csharp.Value) string {
	t.Helper()
	f := &clr.Frame{Types: lib.Universe()}
	f.Reset(t.Context(), 1000, 1<<20)
	return lib.JSON(f, v)
}

func TestKeep_Refuses(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`new List<int> { 1 }.Select(x => x)`:                  "a value of this type cannot be kept",
		`new Dictionary<object, int> { { new object(), 1 } }`: "a value of this type cannot be kept: a dictionary or set of objects",
		`new Random()`:          "a value of this type cannot be kept: System.Random",
		`new string('x', 2000)`: "the value is too large",
		`{ var l = new List<object>(); l.Add(l); return l; }`:                          "the value is too large",
		`{ object l = 1; for (int i = 0; i < 64; i++) l = new[] { l, l }; return l; }`: "the value is too large",
	} {
		v, _ := evaluate(t, source)
		_, _, err := lib.Keep(v, 1000)
		if err == nil || !strings.HasPrefix(err.Error(), want) || !errors.Is(err, lib.ErrNotKept) && !errors.Is(err, lib.ErrTooLarge) {
			t.Errorf("%s: got %v, want %s", source, err, want)
		}
	}
}
