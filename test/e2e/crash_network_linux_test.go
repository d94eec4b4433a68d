package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/armclient"
	"github.com/portico-dev/portico/internal/hosting/vnet"
)

// networkLanes are those of hosts that make virtual networks.
func networkLanes() []lane {
	if vnet.Trouble() != "" {
		return nil
	}
	return []lane{{"network", []string{"--coexistence", keep}, networkKinds, 10}}
}

// networkProcessLanes are those on which agent, edge and machines die.
func networkProcessLanes() []lane {
	if vnet.Trouble() != "" {
		return nil
	}
	return []lane{
		{"network", []string{"--coexistence", keep}, networkKinds, 8},
		{"inside", []string{"--coexistence", keep}, []*crashKind{joinInside, leaveInside}, 4},
		{"nat", []string{"--coexistence", keep}, []*crashKind{addNAT, removeNAT}, 4},
	}
}

// networked are the facts with what the subject has to do with networks.
type networked struct {
	Facts    facts
	Mode     string
	Public   string // its public IP address resource
	NAT      string // state of the platform's NAT gateway
	Endpoint bool   // there is a private endpoint
}

// lookAtNetwork reads them, and waits until the namespaces of the folder are those that they ask for: one for the service
// or its endpoint and one for its network, or none.
func lookAtNetwork(h *crashHost) any { return h.networked() }

func (h *crashHost) networked() networked {
	h.t.Helper()
	n := networked{Facts: h.facts(), Mode: "None", Endpoint: h.isThere(h.endpoint(), networks)}
	if n.Facts.There {
		var v struct {
			Properties struct {
				Mode   string `json:"virtualNetworkType"`
				Public string `json:"publicIpAddressId"`
				NAT    string `json:"natGatewayState"`
			} `json:"properties"`
		}
		if err := h.do(http.MethodGet, h.service(subject), latest, nil).Decode(&v); err != nil {
			h.t.Fatal(err)
		}
		n.Mode, n.Public, n.NAT = v.Properties.Mode, lastOf(v.Properties.Public), v.Properties.NAT
	}
	want := 0
	if n.Mode != "None" || n.Endpoint {
		want = 2
	}
	eventually(h.t, time.Minute, fmt.Sprintf("%d namespaces", want), func() bool { return h.spaces() == want })
	return n
}

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

func (h *crashHost) endpoint() string { return h.network("privateEndpoints/door") }

// becoming makes sure that the subject is in a network of a mode, and that it has a private endpoint or none.
func becoming(mode string, endpoint bool) func(*crashHost) {
	return func(h *crashHost) {
		anyDeveloper(h)
		h.withNetworks("ip1", "ip2")
		is := h.networked()
		if is.Endpoint && !endpoint {
			h.run(http.MethodDelete, h.endpoint(), networks, nil)
		}
		if is.Mode != mode {
			h.run(http.MethodPatch, h.service(subject), latest, h.networkPatch(mode, "ip1"))
		}
		if endpoint && !is.Endpoint {
			h.run(http.MethodPut, h.endpoint(), networks, h.endpointBody())
		}
	}
}

// networkPatch takes the subject into a virtual network, or out of it.
func (h *crashHost) networkPatch(mode, address string) object {
	if mode == "None" {
		return object{"properties": object{"virtualNetworkType": mode, "virtualNetworkConfiguration": nil, "publicIpAddressId": nil}}
	}
	in := h.injected(mode, "one", address)["properties"].(object)
	delete(in, "publisherName")
	delete(in, "publisherEmail")
	return object{"properties": in}
}

func (h *crashHost) endpointBody() object {
	return object{"location": "westeurope", "properties": object{
		"subnet":                        object{"id": h.network("virtualNetworks/one/subnets/apim")},
		"privateLinkServiceConnections": []object{{"name": "c", "properties": object{"privateLinkServiceId": h.service(subject), "groupIds": []string{"Gateway"}}}},
	}}
}

// moving is the kind of a change of network from one mode to another, or to the other public address.
func moving(name, from, to string) *crashKind {
	// other is the public address to be had: the other one, where the mode stays.
	other := func(now string) string {
		switch {
		case to == "None":
			return ""
		case from == to && now == "ip1":
			return "ip2"
		}
		return "ip1"
	}
	return &crashKind{
		name: name, prepare: becoming(from, false), look: lookAtNetwork,
		send: func(h *crashHost) (*armclient.Response, error) {
			patch := h.networkPatch(to, other(h.networked().Public))
			return request(http.MethodPatch, "", latest, always(patch))(h)
		},
		want: func(_ *crashHost, before any) any {
			n := before.(networked)
			n.Facts.Address, n.Mode, n.Public = "new", to, other(n.Public)
			return n
		},
	}
}

// ending is the kind of a private endpoint that comes or goes.
func ending(name string, there bool) *crashKind {
	return &crashKind{
		name: name, prepare: becoming("None", !there), look: lookAtNetwork, serves: true,
		send: func(h *crashHost) (*armclient.Response, error) {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			if there {
				return h.client.Do(ctx, http.MethodPut, h.endpoint(), networks, h.endpointBody())
			}
			return h.client.Do(ctx, http.MethodDelete, h.endpoint(), networks, nil)
		},
		want: func(_ *crashHost, before any) any {
			n := before.(networked)
			n.Endpoint = there
			return n
		},
	}
}

// translating is the kind of a NAT gateway that comes or goes, to a state.
func translating(name, from, to string) *crashKind {
	state := func(s string) object { return object{"properties": object{"natGatewayState": s}} }
	return &crashKind{
		name: name, look: lookAtNetwork, serves: true,
		prepare: func(h *crashHost) {
			present("Premium", 1, 2, "stv2")(h)
			becoming("External", false)(h)
			if h.networked().NAT != from {
				h.run(http.MethodPatch, h.service(subject), latest, state(from))
			}
		},
		send: request(http.MethodPatch, "", latest, always(state(to))),
		want: func(_ *crashHost, before any) any {
			n := before.(networked)
			n.NAT = to
			return n
		},
	}
}

var (
	joinNetwork    = moving("join a network", "None", "External")
	readdress      = moving("another public address", "External", "External")
	leaveNetwork   = moving("leave a network", "External", "None")
	joinInside     = moving("join a network, Internal", "None", "Internal")
	leaveInside    = moving("leave a network, Internal", "Internal", "None")
	addEndpoint    = ending("add a private endpoint", true)
	removeEndpoint = ending("remove a private endpoint", false)
	addNAT         = translating("add a NAT gateway", "Disabled", "Enabled")
	removeNAT      = translating("remove a NAT gateway", "Enabled", "Disabled")

	networkKinds = []*crashKind{joinNetwork, readdress, leaveNetwork, addEndpoint, removeEndpoint}
)
