package network

import (
	"encoding/json"
	"fmt"
	"net/netip"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

type routeBody struct {
	Properties struct {
		AddressPrefix    string `json:"addressPrefix"`
		NextHopType      string `json:"nextHopType"`
		NextHopIPAddress string `json:"nextHopIpAddress"`
	} `json:"properties"`
}

// Routes reads the routes of a route table; none when the ID is empty. A route to a service tag is to nothing that there is.
func Routes(r store.Reader, table string) (out []platform.Route, err error) {
	if table == "" {
		return nil, nil
	}
	docs, err := r.List(store.Query{Type: TypeRoute, Prefix: table})
	if err != nil {
		return nil, err
	}
	for _, d := range docs {
		var body routeBody
		if err := json.Unmarshal(d.Desired, &body); err != nil {
			return nil, fmt.Errorf("decode %s: %w", d.ID, err)
		}
		if to, ok := platform.ParsePrefix(body.Properties.AddressPrefix); ok {
			out = append(out, platform.Route{To: to, Hop: body.Properties.NextHopType, Via: body.Properties.NextHopIPAddress})
		}
	}
	return out, nil
}

// lans lists the subnets of a virtual network.
func lans(r store.Reader, network string) (out []platform.Lan, err error) {
	docs, err := r.List(store.Query{Type: TypeSubnet, Prefix: network})
	if err != nil {
		return nil, err
	}
	for _, d := range docs {
		var body subnetBody
		if err := json.Unmarshal(d.Desired, &body); err != nil {
			return nil, fmt.Errorf("decode %s: %w", d.ID, err)
		}
		if p, err := netip.ParsePrefix(body.Properties.AddressPrefix); err == nil {
			out = append(out, platform.Lan{Subnet: d.ID, Prefix: p})
		}
	}
	return out, nil
}

// A Peering is one side of two virtual networks that reach each other.
type Peering struct {
	ID      string
	Network string // resource ID of the virtual network whose side it is
	Remote  string // resource ID of the other one
	// Access lets traffic through between the two; Forwarded lets in what began elsewhere.
	Access, Forwarded bool
}

type peeringBody struct {
	Properties struct {
		Remote    reference `json:"remoteVirtualNetwork"`
		Access    *bool     `json:"allowVirtualNetworkAccess"`
		Forwarded bool      `json:"allowForwardedTraffic"`
	} `json:"properties"`
}

// Peerings lists the peerings of a virtual network, its own sides of them.
func Peerings(r store.Reader, network string) (out []Peering, err error) {
	docs, err := r.List(store.Query{Type: TypePeering, Prefix: network})
	if err != nil {
		return nil, err
	}
	for _, d := range docs {
		var body peeringBody
		if err := json.Unmarshal(d.Desired, &body); err != nil {
			return nil, fmt.Errorf("decode %s: %w", d.ID, err)
		}
		p := body.Properties
		out = append(out, Peering{ID: d.ID, Network: network, Remote: p.Remote.ID, Access: p.Access == nil || *p.Access, Forwarded: p.Forwarded})
	}
	return out, nil
}

// Back is the other side of a peering; nil while there is none.
func (p Peering) Back(r store.Reader) (*Peering, error) {
	others, err := Peerings(r, p.Remote)
	for _, o := range others {
		if arm.SameID(o.Remote, p.Network) {
			return &o, err
		}
	}
	return nil, err
}

// Peers lists the networks that a network reaches, and that reach it: where both sides of a peering are there and let
// traffic through.
func Peers(r store.Reader, network string) (out []platform.Peer, err error) {
	mine, err := Peerings(r, network)
	if err != nil {
		return nil, err
	}
	for _, p := range mine {
		back, err := p.Back(r)
		if err != nil {
			return nil, err
		}
		if back == nil || !p.Access || !back.Access {
			continue
		}
		var body networkBody
		doc, err := read(r, p.Remote, &body)
		if err != nil {
			return nil, err
		}
		if doc != nil {
			out = append(out, platform.Peer{Network: doc.ID, Space: prefixes(body.Properties.AddressSpace.AddressPrefixes), Forwarded: p.Forwarded})
		}
	}
	return out, nil
}
