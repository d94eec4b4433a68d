package edge

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// A wildcard stands for one label; a name of its own comes first, wherever it leads.
func TestTable_Wildcards(t *testing.T) {
	t.Parallel()
	tab := newTable()
	one, two := &set{}, &set{}
	tab.sets["one"], tab.sets["two"] = one, two
	for host, id := range map[string]string{"*.contoso.example": "one", "api.contoso.example": "two", "gone.contoso.example": "three"} {
		if err := tab.change(wire.ToEdge{Set: id, Hosts: []string{host}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]string{}
	names := map[*set]string{one: "one", two: "two", nil: ""}
	for _, host := range []string{"www.contoso.example", "api.contoso.example", "gone.contoso.example", "contoso.example", "a.b.contoso.example", "example"} {
		got[host] = names[tab.find(host)]
	}
	want := map[string]string{
		"www.contoso.example": "one", "api.contoso.example": "two", "gone.contoso.example": "", "contoso.example": "", "a.b.contoso.example": "", "example": "",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
