package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValue_PrintsMaskedEverywhere(t *testing.T) {
	t.Parallel()
	const text = "hunter2-Swordfish"
	type open struct{ Password Value }
	type hidden struct{ password Value }
	v := New(text)
	holders := []any{v, &v, open{v}, &open{v}, hidden{v}, []Value{v}, map[string]Value{"a": v}, fmt.Errorf("with %v", v)}
	var out bytes.Buffer
	for _, holder := range holders {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10.3s", "%T", "%t", "%p", "%U"} {
			fmt.Fprintf(&out, verb+"\n", holder)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", holder)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", holder)
		if err := json.NewEncoder(&out).Encode(holder); err != nil {
			t.Fatal(err)
		}
	}
	hex := fmt.Sprintf("%x", text)
	for _, leak := range []string{text, hex, strings.ToUpper(hex), "hunter", fmt.Sprint([]byte(text))} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("output contains %q:\n%s", leak, out.String())
		}
	}
	for verb, want := range map[string]string{"%v": "***", "%s": "***", "%#v": "***", "%d": "***"} {
		if got := fmt.Sprintf(verb, v); got != want {
			t.Errorf("Sprintf(%q) = %q, want %q", verb, got, want)
		}
	}
}

func TestValue_ReadsAndCompares(t *testing.T) {
	t.Parallel()
	var got struct{ Password, Other Value }
	if err := json.Unmarshal([]byte(`{"password":"a\"b"}`), &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{`a"b`, ""}, []string{got.Password.Reveal(), got.Other.Reveal()}); d != "" {
		t.Error(d)
	}
	same := []bool{got.Password.Equal(New(`a"b`)), got.Password.Equal(New("a")), got.Other.Equal(New("")), got.Other.IsZero(), New("x").IsZero()}
	if d := cmp.Diff([]bool{true, false, true, true, false}, same); d != "" {
		t.Error(d)
	}
}

func sealer(tb testing.TB, b byte) *Sealer {
	tb.Helper()
	s, err := NewSealer(bytes.Repeat([]byte{b}, KeySize))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestSealer_OpensWhatItSealed(t *testing.T) {
	t.Parallel()
	s := sealer(t, 1)
	for _, plain := range []string{"", "a", strings.Repeat("long ", 10_000)} {
		sealed, err := s.Seal([]byte(plain), "/a#password")
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Open(sealed, "/a#password")
		if err != nil || string(got) != plain {
			t.Errorf("Open(Seal(%d bytes)) = %d bytes, %v", len(plain), len(got), err)
		}
		if len(plain) > 1 && strings.Contains(sealed, plain) {
			t.Errorf("sealed text contains the secret")
		}
	}
}

func TestSealer_SameSecretInSamePlaceSealsEqually(t *testing.T) {
	t.Parallel()
	var texts []string
	for _, in := range [][2]string{{"s", "/a"}, {"s", "/a"}, {"s", "/b"}, {"t", "/a"}, {"a", "s/"}, {"as", "/"}} {
		sealed, err := sealer(t, 1).Seal([]byte(in[0]), in[1])
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, sealed)
	}
	if texts[0] != texts[1] {
		t.Error("the same secret in the same place was sealed in two ways")
	}
	slices.Sort(texts)
	if n := len(slices.Compact(texts)); n != 5 {
		t.Errorf("%d different texts, want 5", n)
	}
}

func TestSealer_RefusesOtherKeyPlaceAndBytes(t *testing.T) {
	t.Parallel()
	s := sealer(t, 1)
	sealed, err := s.Seal([]byte("secret"), "/a")
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, s *Sealer, sealed, context string) {
		t.Helper()
		if got, err := s.Open(sealed, context); !errors.Is(err, ErrUnsealable) {
			t.Errorf("%s: Open = %q, %v; want ErrUnsealable", what, got, err)
		}
	}
	refused("another key", sealer(t, 2), sealed, "/a")
	refused("another place", s, sealed, "/b")
	for i := range sealed {
		changed := []byte(sealed)
		changed[i] ^= 1
		refused(fmt.Sprintf("byte %d changed", i), s, string(changed), "/a")
		refused(fmt.Sprintf("cut at %d", i), s, sealed[:i], "/a")
	}
	for _, n := range []int{0, 16, 31, 33, 64} {
		if _, err := NewSealer(make([]byte, n)); err == nil {
			t.Errorf("NewSealer accepts %d bytes", n)
		}
	}
}

func TestSealJSON_KeepsAnyValue(t *testing.T) {
	t.Parallel()
	s := sealer(t, 1)
	for _, value := range []string{`"text"`, `null`, `{"a":[1,2]}`, `17`} {
		sealed, err := s.SealJSON(json.RawMessage(value), "/a")
		if err != nil {
			t.Fatal(err)
		}
		if !IsSealedJSON(sealed) || !strings.HasPrefix(string(sealed), `{"$sealed":"`) {
			t.Errorf("SealJSON(%s) = %s", value, sealed)
		}
		got, err := s.OpenJSON(sealed, "/a")
		if err != nil || string(got) != value {
			t.Errorf("OpenJSON(SealJSON(%s)) = %s, %v", value, got, err)
		}
	}
	if _, err := s.SealJSON(json.RawMessage(`{`), "/a"); err == nil {
		t.Error("SealJSON accepts broken JSON")
	}
	for _, value := range []string{``, `null`, `"$sealed"`, `[]`, `{}`, `{"$sealed":1}`, `{"$sealed":null}`, `{"$sealed":"x","a":1}`, `{"$Sealed":"x"}`} {
		if IsSealedJSON(json.RawMessage(value)) {
			t.Errorf("IsSealedJSON(%s)", value)
		}
		if _, err := s.OpenJSON(json.RawMessage(value), "/a"); !errors.Is(err, ErrUnsealable) {
			t.Errorf("OpenJSON(%s): %v, want ErrUnsealable", value, err)
		}
	}
}

func TestLoadOrCreateKey_AllGetTheSame(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	keys := make([][]byte, 16)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			var err error
			if keys[i], err = LoadOrCreateKey(path); err != nil {
				t.Errorf("LoadOrCreateKey: %v", err)
			}
		})
	}
	wg.Wait()
	for _, key := range keys {
		if len(key) != KeySize || !bytes.Equal(key, keys[0]) {
			t.Fatalf("keys differ: %d bytes", len(key))
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, error %v; want 0600", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files, error %v; want the key alone", len(entries), err)
	}
}

func TestLoadOrCreateKey_RefusesWhatIsNotAPrivateKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, n int, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, make([]byte, n), 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(write("good", KeySize, 0o400), link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		write("short", 31, 0o600):         "it has 31 bytes, want 32",
		write("empty", 0, 0o600):          "it has 0 bytes, want 32",
		write("group", KeySize, 0o640):    "mode 0640 lets others use it",
		write("other", KeySize, 0o604):    "mode 0604 lets others use it",
		dir:                               "it is not a regular file",
		link:                              "it is not a regular file",
		filepath.Join(dir, "none", "key"): "make key file",
	} {
		if _, err := LoadOrCreateKey(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("LoadOrCreateKey(%s): %v, want %q", path, err, want)
		}
	}
	if _, err := LoadOrCreateKey(filepath.Join(dir, "good")); err != nil {
		t.Errorf("a file of mode 0400: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	s := sealer(f, 1)
	sealed, err := s.Seal([]byte("secret"), "/a")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed, "/a")
	f.Add("", "")
	f.Add("AQ", "/a")
	f.Fuzz(func(t *testing.T, text, context string) {
		plain, err := s.Open(text, context)
		if err != nil {
			if !errors.Is(err, ErrUnsealable) {
				t.Errorf("Open(%q): %v is not ErrUnsealable", text, err)
			}
			return
		}
		// What opens must be exactly what sealing gives: there is no second form of a sealed value.
		again, err := s.Seal(plain, context)
		if err != nil || again != text {
			t.Errorf("Open(%q) accepts what Seal writes as %q (%v)", text, again, err)
		}
	})
}

func FuzzOpenJSON(f *testing.F) {
	s := sealer(f, 1)
	f.Add([]byte(`{"$sealed":"AQ"}`))
	f.Add([]byte(`{"$sealed":null}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		if got, err := s.OpenJSON(value, "/a"); err == nil {
			t.Errorf("OpenJSON(%q) = %q for a value that was not sealed", value, got)
		}
	})
}
