package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "portico.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad_FlagBeforeEnvironmentBeforeFileBeforeDefault(t *testing.T) {
	t.Parallel()
	file := write(t, "arm: 127.0.0.1:1\nedge: 127.0.0.1:2\ncoexistence: 3s\n")
	up, values, err := Load(map[string]string{"arm": "127.0.0.1:9"}, env("PORTICO_ARM", "127.0.0.1:8", "PORTICO_EDGE", "127.0.0.1:7"), file)
	if err != nil {
		t.Fatal(err)
	}
	if up.ARM != "127.0.0.1:9" || up.Edge != "127.0.0.1:7" || up.Coexistence != 3*time.Second || up.VIPHTTP != 9080 {
		t.Errorf("got %+v", up)
	}
	want := map[string]string{"arm": "flag", "edge": "environment PORTICO_EDGE", "coexistence": "file " + file, "vip-http": "default"}
	for _, v := range values {
		if w, ok := want[v.Key]; ok && v.Source != w {
			t.Errorf("%s comes from %q, want %q", v.Key, v.Source, w)
		}
	}
}

func TestLoad_Refusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ flag, value, want string }{
		{"arm", "8480", `arm (flag): "8480" is not host:port`},
		{"arm", "127.0.0.1:99999", "has no port between 0 and 65535"},
		{"vip-http", "x", "is not a port"},
		{"vip-pool", "10.0.0.1", "is not an IPv4 prefix"},
		{"coexistence", "5", "is not a duration"},
		{"limits", "2025", "is none of 2024, 2026, none"},
		{"pace", "fast", "is none of instant, azure, x1 to x3600, manual"},
		{"log-level", "loud", "is none of debug"},
		{"data", "", "may not be empty"},
		{"counters", "0", "is not a number between 1 and 16777215"},
		{"retire-stv1", "31.8.2024", "is not a date such as 2024-08-31"},
		{"cache", "64MB", "is not a size such as 512KiB, 64MiB or 2GiB"},
		{"cache", "0MiB", "is not a size"},
	} {
		_, _, err := Load(map[string]string{c.flag: c.value}, env(), "")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("--%s %q: got %v, want %s", c.flag, c.value, err, c.want)
		}
	}
}

func TestLoad_UnknownKeyNamesTheNearest(t *testing.T) {
	t.Parallel()
	file := write(t, "arm: 127.0.0.1:1\ncoexistance: 5s\n")
	_, _, err := Load(nil, env(), file)
	if want := file + `:2:1: unknown key "coexistance"; did you mean "coexistence"?`; err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("arm: 127.0.0.1:1\n")
	f.Add("- a\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, _, _ = Load(nil, env(), write(t, text))
	})
}
