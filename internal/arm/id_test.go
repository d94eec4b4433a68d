package arm_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/arm"
)

const sub = "/subscriptions/00000000-0000-0000-0000-000000000000"

func TestParsePath(t *testing.T) {
	t.Parallel()
	service := arm.ID{Subscription: "s", ResourceGroup: "g", Provider: "Microsoft.ApiManagement", Types: []string{"service"}, Names: []string{"x"}}
	for _, c := range []struct {
		path string
		want arm.ID
	}{
		{"/", arm.ID{}},
		{"/subscriptions", arm.ID{Tail: []string{"subscriptions"}}},
		{"/subscriptions/s", arm.ID{Subscription: "s"}},
		{"//Subscriptions//s//resourcegroups/g/", arm.ID{Subscription: "s", ResourceGroup: "g"}},
		{"/subscriptions/s/resourceGroups", arm.ID{Subscription: "s", Tail: []string{"resourceGroups"}}},
		{"/subscriptions/s/resourceGroups/g/resources", arm.ID{Subscription: "s", ResourceGroup: "g", Tail: []string{"resources"}}},
		{"/subscriptions/s/providers", arm.ID{Subscription: "s", Tail: []string{"providers"}}},
		{"/subscriptions/s/providers/A.B", arm.ID{Subscription: "s", Provider: "A.B"}},
		{"/subscriptions/s/providers/A.B/register", arm.ID{Subscription: "s", Provider: "A.B", Types: []string{"register"}}},
		{"/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/x", service},
		{
			"/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/x/apis/echo%3Brev%3D2/operations",
			arm.ID{Subscription: "s", ResourceGroup: "g", Provider: "Microsoft.ApiManagement", Types: []string{"service", "apis", "operations"}, Names: []string{"x", "echo;rev=2"}},
		},
		{
			"/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/x/providers/Portico.Hosting/units",
			arm.ID{Scope: &service, Subscription: "s", ResourceGroup: "g", Provider: "Portico.Hosting", Types: []string{"units"}},
		},
		{
			"/providers/Microsoft.ApiManagement/operations",
			arm.ID{Provider: "Microsoft.ApiManagement", Types: []string{"operations"}},
		},
		{
			"/subscriptions/s/resourceGroups/g/providers/A.B/x/providers",
			arm.ID{Subscription: "s", ResourceGroup: "g", Provider: "A.B", Types: []string{"x"}, Names: []string{"providers"}},
		},
	} {
		got, err := arm.ParsePath(c.path)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.path, d)
		}
	}
}

func TestParsePath_Refuses(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/a/%zz", "/a/b%2Fc", "/a/..", "/a/%2e%2E", "/a/%00", "/a/%ff", "/a/b%5Cc", "/" + strings.Repeat("a", arm.MaxPath)} {
		if got, err := arm.ParsePath(path); err == nil {
			t.Errorf("%.40q: %+v", path, got)
		}
	}
}

func TestParseID(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, canonical, kind, name, parent string }{
		{sub + "/", sub, "Microsoft.Resources/subscriptions", "00000000-0000-0000-0000-000000000000", ""},
		{strings.ToUpper(sub) + "/RESOURCEGROUPS/G", sub + "/resourceGroups/G", "Microsoft.Resources/resourceGroups", "G", sub},
		{sub + "/resourceGroups/g/providers/A.B/c/d", sub + "/resourceGroups/g/providers/A.B/c/d", "A.B/c", "d", sub + "/resourceGroups/g"},
		{sub + "/resourceGroups/g/providers/A.B/c/d/e/f", sub + "/resourceGroups/g/providers/A.B/c/d/e/f", "A.B/c/e", "f", sub + "/resourceGroups/g/providers/A.B/c/d"},
		{sub + "/resourceGroups/g/providers/A.B/c/d/providers/E.F/h/i", sub + "/resourceGroups/g/providers/A.B/c/d/providers/E.F/h/i", "E.F/h", "i", sub + "/resourceGroups/g/providers/A.B/c/d"},
	} {
		id, err := arm.ParseID(c.path)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		want := []string{c.canonical, c.kind, c.name, c.parent}
		if d := cmp.Diff(want, []string{id.String(), id.Type(), id.Name(), id.Parent().String()}); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.path, d)
		}
	}
	for _, path := range []string{"", "/", "/subscriptions", sub + "/resourceGroups", sub + "/providers/A.B", sub + "/resourceGroups/g/providers/A.B/c", sub + "/x"} {
		if _, err := arm.ParseID(path); !errors.Is(err, arm.ErrBadID) {
			t.Errorf("%q: %v, want ErrBadID", path, err)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"/", sub, sub + "/resourceGroups/g/providers/A.B/c/d;rev=1/e/f/providers/G.H/i/j", sub + "//providers/%41", "/%2f", "/providers/x/providers/y/providers"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		id, err := arm.ParsePath(path)
		if err != nil {
			return
		}
		_, _, _ = id.Type(), id.Name(), id.Parent()
		canonical := id.String()
		again, err := arm.ParsePath(arm.EscapePath(canonical))
		if len(arm.EscapePath(canonical)) > arm.MaxPath {
			return
		}
		if err != nil {
			t.Fatalf("%q: canonical %q does not parse: %v", path, canonical, err)
		}
		if again.String() != canonical {
			t.Fatalf("%q: canonical %q reads as %q", path, canonical, again)
		}
	})
}
