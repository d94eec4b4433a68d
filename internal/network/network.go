// Package network reads virtual networks out of the store, for the planes that both need them: control, to check what a
// client asks for, and hosting, to tell a fabric what to make. What may be in them is package resource's business, what
// a service may do with them package platform's.
package network

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// Document types that this package reads.
const (
	TypeNetwork  = "microsoft.network/virtualnetworks"
	TypeSubnet   = "microsoft.network/virtualnetworks/subnets"
	TypeGroup    = "microsoft.network/networksecuritygroups"
	TypeRule     = "microsoft.network/networksecuritygroups/securityrules"
	TypeNAT      = "microsoft.network/natgateways"
	TypeAddress  = "microsoft.network/publicipaddresses"
	TypeEndpoint = "microsoft.network/privateendpoints"
	TypePeering  = "microsoft.network/virtualnetworks/virtualnetworkpeerings"
	TypeTable    = "microsoft.network/routetables"
	TypeRoute    = "microsoft.network/routetables/routes"
	typeService  = "microsoft.apimanagement/service"
)

// Concerns says whether documents of a type change what a subnet is.
func Concerns(docType string) bool {
	return slices.Contains([]string{TypeNetwork, TypeSubnet, TypeGroup, TypeRule, TypeNAT, TypePeering, TypeTable, TypeRoute}, docType)
}

type reference struct {
	ID string `json:"id"`
}

type networkBody struct {
	Location   string `json:"location"`
	Properties struct {
		AddressSpace struct {
			AddressPrefixes []string `json:"addressPrefixes"`
		} `json:"addressSpace"`
		DHCPOptions struct {
			DNSServers []string `json:"dnsServers"`
		} `json:"dhcpOptions"`
	} `json:"properties"`
}

type subnetBody struct {
	Properties struct {
		AddressPrefix        string    `json:"addressPrefix"`
		NetworkSecurityGroup reference `json:"networkSecurityGroup"`
		NATGateway           reference `json:"natGateway"`
		RouteTable           reference `json:"routeTable"`
		Delegations          []struct {
			Properties struct {
				ServiceName string `json:"serviceName"`
			} `json:"properties"`
		} `json:"delegations"`
	} `json:"properties"`
}

// Subnet reads a subnet with what is around it: its network, the rules of its group, and who lives in it. It is nil when
// the ID names none.
func Subnet(r store.Reader, id string) (*platform.Subnet, error) {
	parsed, err := arm.ParseID(id)
	if err != nil || !strings.EqualFold(parsed.Type(), TypeSubnet) {
		return nil, nil //nolint:nilerr // an ID of something else names no subnet
	}
	var body subnetBody
	doc, err := read(r, id, &body)
	if doc == nil || err != nil {
		return nil, err
	}
	var around networkBody
	network, err := read(r, doc.ID[:strings.LastIndex(strings.ToLower(doc.ID), "/subnets/")], &around)
	if network == nil || err != nil {
		return nil, err
	}
	s := &platform.Subnet{
		ID: doc.ID, Network: network.ID, Location: normal(around.Location), DNS: around.Properties.DHCPOptions.DNSServers,
		Space: prefixes(around.Properties.AddressSpace.AddressPrefixes),
	}
	if s.Prefix, err = netip.ParsePrefix(body.Properties.AddressPrefix); err != nil {
		return nil, fmt.Errorf("read %s: %w", doc.ID, err)
	}
	for _, d := range body.Properties.Delegations {
		s.Delegations = append(s.Delegations, d.Properties.ServiceName)
	}
	if group := body.Properties.NetworkSecurityGroup.ID; group != "" {
		s.Group = group
		if s.Rules, err = Rules(r, group); err != nil {
			return nil, err
		}
	}
	if s.NAT, err = NATAddresses(r, body.Properties.NATGateway.ID); err != nil {
		return nil, err
	}
	if s.Routes, err = Routes(r, body.Properties.RouteTable.ID); err != nil {
		return nil, err
	}
	if s.Lans, err = lans(r, s.Network); err != nil {
		return nil, err
	}
	if s.Peers, err = Peers(r, s.Network); err != nil {
		return nil, err
	}
	return s, fill(r, s)
}

// fill lists who lives in a subnet.
func fill(r store.Reader, s *platform.Subnet) error {
	uses, err := Uses(r)
	if err != nil {
		return err
	}
	for _, u := range uses {
		for _, p := range u.Injections {
			if arm.SameID(p.Subnet, s.ID) {
				s.Tenants = append(s.Tenants, platform.Tenant{Service: u.Service, Injection: p.ID, Addresses: p.Addresses})
			}
		}
	}
	s.Endpoints, err = Endpoints(r, s.ID)
	return err
}

func normal(location string) string {
	return strings.ReplaceAll(strings.ToLower(location), " ", "")
}

func prefixes(texts []string) (out []netip.Prefix) {
	for _, t := range texts {
		if p, err := netip.ParsePrefix(t); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// read decodes what the client asked for; the document is nil when there is none.
func read(r store.Reader, id string, into any) (*store.Document, error) {
	d, err := r.Get(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(d.Desired, into); err != nil {
		return nil, fmt.Errorf("decode %s: %w", d.ID, err)
	}
	return &d, nil
}

type ruleBody struct {
	Properties struct {
		Protocol                   string   `json:"protocol"`
		SourcePortRange            string   `json:"sourcePortRange"`
		SourcePortRanges           []string `json:"sourcePortRanges"`
		DestinationPortRange       string   `json:"destinationPortRange"`
		DestinationPortRanges      []string `json:"destinationPortRanges"`
		SourceAddressPrefix        string   `json:"sourceAddressPrefix"`
		SourceAddressPrefixes      []string `json:"sourceAddressPrefixes"`
		DestinationAddressPrefix   string   `json:"destinationAddressPrefix"`
		DestinationAddressPrefixes []string `json:"destinationAddressPrefixes"`
		Access                     string   `json:"access"`
		Priority                   int      `json:"priority"`
		Direction                  string   `json:"direction"`
	} `json:"properties"`
}

// Rules reads the rules of a network security group, in the order in which they decide, the default ones included.
func Rules(r store.Reader, group string) ([]platform.SecurityRule, error) {
	docs, err := r.List(store.Query{Type: TypeRule, Prefix: group})
	if err != nil {
		return nil, err
	}
	rules := platform.DefaultSecurityRules()
	for _, d := range docs {
		var body ruleBody
		if err := json.Unmarshal(d.Desired, &body); err != nil {
			return nil, fmt.Errorf("decode %s: %w", d.ID, err)
		}
		p := body.Properties
		rules = append(rules, platform.SecurityRule{
			Name: d.ID[strings.LastIndexByte(d.ID, '/')+1:], Priority: p.Priority, Protocol: p.Protocol,
			Inbound: strings.EqualFold(p.Direction, "Inbound"), Allow: strings.EqualFold(p.Access, "Allow"),
			Sources: some(p.SourceAddressPrefix, p.SourceAddressPrefixes), Destinations: some(p.DestinationAddressPrefix, p.DestinationAddressPrefixes),
			SourcePorts: ports(some(p.SourcePortRange, p.SourcePortRanges)), Ports: ports(some(p.DestinationPortRange, p.DestinationPortRanges)),
		})
	}
	platform.SortSecurityRules(rules)
	return rules, nil
}

func some(one string, many []string) []string {
	if one != "" {
		return []string{one}
	}
	return many
}

func ports(texts []string) (out []platform.PortRange) {
	for _, t := range texts {
		if p, ok := platform.ParsePorts(t); ok {
			out = append(out, p)
		}
	}
	return out
}

// A Use is what a service holds of networks.
type Use struct {
	Service    string // resource ID
	Injections []platform.Injection
}

// Uses lists what services hold of networks: what they ask for, and what their machines are still in.
func Uses(r store.Reader) ([]Use, error) {
	docs, err := r.List(store.Query{Type: typeService})
	if err != nil {
		return nil, err
	}
	var out []Use
	for _, d := range docs {
		var st platform.ServiceStatus
		if len(d.Status) > 0 {
			if err := json.Unmarshal(d.Status, &st); err != nil {
				return nil, fmt.Errorf("decode status of %s: %w", d.ID, err)
			}
		}
		u := Use{Service: d.ID, Injections: st.Injections()}
		if len(u.Injections) > 0 {
			out = append(out, u)
		}
	}
	return out, nil
}

// InsideAddresses lists the addresses of a subnet that somebody has: VIPs of services, but for one, and private endpoints.
// Each virtual network has addresses of its own.
func InsideAddresses(r store.Reader, subnet, exceptVIP string) ([]string, error) {
	services, err := r.List(store.Query{Type: typeService})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, d := range services {
		var st platform.ServiceStatus
		if err := json.Unmarshal(d.Status, &st); err != nil {
			return nil, fmt.Errorf("decode status of %s: %w", d.ID, err)
		}
		in := map[string]bool{}
		for _, i := range st.Injections() {
			in[i.ID] = arm.SameID(i.Subnet, subnet)
		}
		for _, l := range st.Locations() {
			for _, v := range l.Hosting.VIPs {
				if v.Inside && v.ID != exceptVIP && v.Address != "" && in[v.Injection] {
					out = append(out, v.Address)
				}
			}
		}
	}
	endpoints, err := Endpoints(r, subnet)
	if err != nil {
		return nil, err
	}
	for _, id := range endpoints {
		d, err := r.Get(id)
		if err != nil {
			return nil, err
		}
		var st struct {
			Address string `json:"address"`
		}
		if err := json.Unmarshal(d.Status, &st); len(d.Status) > 0 && err != nil {
			return nil, fmt.Errorf("decode status of %s: %w", d.ID, err)
		}
		out = append(out, st.Address)
	}
	return out, nil
}

type endpointBody struct {
	Properties struct {
		Subnet reference `json:"subnet"`
	} `json:"properties"`
}

// Endpoints lists the IDs of the private endpoints in a subnet.
func Endpoints(r store.Reader, subnet string) ([]string, error) {
	docs, err := r.List(store.Query{Type: TypeEndpoint})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, d := range docs {
		var body endpointBody
		if err := json.Unmarshal(d.Desired, &body); err != nil {
			return nil, fmt.Errorf("decode %s: %w", d.ID, err)
		}
		if arm.SameID(body.Properties.Subnet.ID, subnet) {
			out = append(out, d.ID)
		}
	}
	return out, nil
}

type natBody struct {
	Properties struct {
		PublicIPAddresses []reference `json:"publicIpAddresses"`
	} `json:"properties"`
}

// NATAddresses are the public addresses of a NAT gateway; none when the ID names none.
func NATAddresses(r store.Reader, id string) (out []string, err error) {
	var body natBody
	if id == "" {
		return nil, nil
	}
	if doc, err := read(r, id, &body); doc == nil || err != nil {
		return nil, err
	}
	for _, a := range body.Properties.PublicIPAddresses {
		d, err := r.Get(a.ID)
		if err != nil {
			return nil, fmt.Errorf("read %s of %s: %w", a.ID, id, err)
		}
		st, err := addressStatus(d)
		if err != nil {
			return nil, err
		}
		out = append(out, st.IPAddress)
	}
	return out, nil
}

// SubnetNAT are the public addresses of the NAT gateway of a subnet; none when it has none.
func SubnetNAT(r store.Reader, id string) ([]string, error) {
	var body subnetBody
	if doc, err := read(r, id, &body); doc == nil || err != nil {
		return nil, err
	}
	return NATAddresses(r, body.Properties.NATGateway.ID)
}

// AddressUser is the ID of the service or NAT gateway that uses a public IP address; empty for none.
func AddressUser(r store.Reader, id string) (string, error) {
	uses, err := Uses(r)
	if err != nil {
		return "", err
	}
	for _, u := range uses {
		if slices.ContainsFunc(u.Injections, func(p platform.Injection) bool { return arm.SameID(p.PublicIP, id) }) {
			return u.Service, nil
		}
	}
	docs, err := r.List(store.Query{Type: TypeNAT})
	if err != nil {
		return "", err
	}
	for _, d := range docs {
		var body natBody
		if err := json.Unmarshal(d.Desired, &body); err != nil {
			return "", fmt.Errorf("decode %s: %w", d.ID, err)
		}
		if slices.ContainsFunc(body.Properties.PublicIPAddresses, func(a reference) bool { return arm.SameID(a.ID, id) }) {
			return d.ID, nil
		}
	}
	return "", nil
}

// SubnetUser is the ID of a service or private endpoint that lives in a subnet; empty for none.
func SubnetUser(r store.Reader, id string) (string, error) {
	uses, err := Uses(r)
	if err != nil {
		return "", err
	}
	for _, u := range uses {
		if slices.ContainsFunc(u.Injections, func(p platform.Injection) bool { return arm.SameID(p.Subnet, id) }) {
			return u.Service, nil
		}
	}
	endpoints, err := Endpoints(r, id)
	if err != nil || len(endpoints) == 0 {
		return "", err
	}
	return endpoints[0], nil
}

type addressBody struct {
	Location string `json:"location"`
	SKU      struct {
		Name string `json:"name"`
	} `json:"sku"`
	Properties struct {
		DNSSettings struct {
			DomainNameLabel string `json:"domainNameLabel"`
		} `json:"dnsSettings"`
	} `json:"properties"`
}

// Address reads a public IP address; nil when the ID names none.
func Address(r store.Reader, id string) (*platform.PublicIP, error) {
	parsed, err := arm.ParseID(id)
	if err != nil || !strings.EqualFold(parsed.Type(), TypeAddress) {
		return nil, nil //nolint:nilerr // an ID of something else names no address
	}
	var body addressBody
	doc, err := read(r, id, &body)
	if doc == nil || err != nil {
		return nil, err
	}
	st, err := addressStatus(*doc)
	if err != nil {
		return nil, err
	}
	user, err := AddressUser(r, doc.ID)
	return &platform.PublicIP{
		ID: doc.ID, SKU: cmp.Or(body.SKU.Name, "Basic"), Location: normal(body.Location), Address: st.IPAddress,
		Label: body.Properties.DNSSettings.DomainNameLabel, User: user,
	}, err
}

// addressState is what is known of a public IP address.
type addressState struct {
	IPAddress string `json:"ipAddress"`
}

func addressStatus(d store.Document) (st addressState, err error) {
	if err := json.Unmarshal(d.Status, &st); err != nil {
		return st, fmt.Errorf("decode status of %s: %w", d.ID, err)
	}
	return st, nil
}
