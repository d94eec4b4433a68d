package e2e

import (
	"net/http"
	"os"
	"strings"

	"github.com/portico-dev/portico/internal/hosting/vnet"
)

// networkLanes are those of hosts that make virtual networks.
func networkLanes() []lane {
	if vnet.Trouble() != "" {
		return nil
	}
	return []lane{{"network", []string{"--coexistence", keep}, []*crashKind{joinNetwork, leaveNetwork}, 10}}
}

// networked are the facts with the namespaces that the folder has: one for the service and one for its network, or none.
type networked struct {
	Facts  facts
	Spaces int
}

func lookAtNetwork(h *crashHost) any { return networked{h.facts(), h.spaces()} }

// spaces counts the namespaces of the folder.
func (h *crashHost) spaces() (n int) {
	h.t.Helper()
	prefix, _, _ := strings.Cut(vnet.NewHost(h.dir).Router(""), "-v-")
	entries, err := os.ReadDir("/run/netns")
	if err != nil && !os.IsNotExist(err) {
		h.t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			n++
		}
	}
	return n
}

// becoming makes sure that the subject is in a virtual network, or in none.
func becoming(inside bool) func(*crashHost) {
	return func(h *crashHost) {
		anyDeveloper(h)
		h.withNetworks("ip1")
		if is := h.spaces() > 0; is != inside {
			h.run(http.MethodPatch, h.service(subject), latest, networkPatch(inside)(h))
		}
	}
}

// networkPatch takes the subject into a virtual network, or out of it.
func networkPatch(inside bool) func(*crashHost) any {
	return func(h *crashHost) any {
		if !inside {
			return object{"properties": object{"virtualNetworkType": "None", "virtualNetworkConfiguration": nil, "publicIpAddressId": nil}}
		}
		in := h.injected("External", "one", "ip1")["properties"].(object)
		delete(in, "publisherName")
		delete(in, "publisherEmail")
		return object{"properties": in}
	}
}

func networkKind(name string, inside bool, spaces int) *crashKind {
	return &crashKind{
		name: name, prepare: becoming(!inside), look: lookAtNetwork,
		send: request(http.MethodPatch, "", latest, networkPatch(inside)),
		want: func(_ *crashHost, before any) any {
			n := before.(networked)
			n.Facts.Address, n.Spaces = "new", spaces
			return n
		},
	}
}

var (
	joinNetwork  = networkKind("join a network", true, 2)
	leaveNetwork = networkKind("leave a network", false, 0)
)
