package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/armclient"
)

const networksAPIVersion = "2024-03-01"

var (
	virtualNetworkKind = resourceKind{
		"network vnet", "Microsoft.Network/virtualNetworks", "virtual network", networksAPIVersion, "ADDRESSES\tSUBNETS",
		func(v resourceView) string {
			var subnets []string
			for _, s := range v.Properties.Subnets {
				subnets = append(subnets, s.Name+" "+s.Properties.Prefix)
			}
			return strings.Join(v.Properties.Space.Prefixes, ", ") + "\t" + dash(strings.Join(subnets, ", "))
		},
	}
	securityGroupKind = resourceKind{
		"network nsg", "Microsoft.Network/networkSecurityGroups", "network security group", networksAPIVersion, "RULES",
		func(v resourceView) string {
			var rules []string
			slices.SortFunc(v.Properties.Rules, func(a, b ruleView) int { return a.Properties.Priority - b.Properties.Priority })
			for _, r := range v.Properties.Rules {
				rules = append(rules, r.text())
			}
			return dash(strings.Join(rules, "; "))
		},
	}
	publicIPKind = resourceKind{
		"network public-ip", "Microsoft.Network/publicIPAddresses", "public IP address", networksAPIVersion, "ADDRESS\tDNS NAME",
		func(v resourceView) string {
			return dash(v.Properties.Address) + "\t" + dash(v.Properties.DNS.Name)
		},
	}
	privateEndpointKind = resourceKind{
		"network private-endpoint", "Microsoft.Network/privateEndpoints", "private endpoint", networksAPIVersion, "SUBNET\tSERVICE\tSTATE\tADDRESS",
		func(v resourceView) string {
			p := v.Properties
			service, state, address := "", "", ""
			for _, c := range append(p.Connections, p.Manual...) {
				service, state = lastPart(c.Properties.Service), c.Properties.State.Status
			}
			for _, d := range p.DNSConfigs {
				address = strings.Join(d.Addresses, ", ")
			}
			return lastPart(p.Subnet.ID) + "\t" + service + "\t" + state + "\t" + dash(address)
		},
	}
)

// A resourceView is what commands show of a resource, of whatever kind.
type resourceView struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Location   string `json:"location"`
	Properties struct {
		Space struct {
			Prefixes []string `json:"addressPrefixes"`
		} `json:"addressSpace"`
		Subnets []struct {
			Name       string `json:"name"`
			Properties struct {
				Prefix string `json:"addressPrefix"`
			} `json:"properties"`
		} `json:"subnets"`
		Rules   []ruleView `json:"securityRules"`
		Address string     `json:"ipAddress"`
		DNS     struct {
			Name string `json:"fqdn"`
		} `json:"dnsSettings"`
		Subnet      reference        `json:"subnet"`
		Connections []connectionView `json:"privateLinkServiceConnections"`
		Manual      []connectionView `json:"manualPrivateLinkServiceConnections"`
		DNSConfigs  []struct {
			Addresses []string `json:"ipAddresses"`
		} `json:"customDnsConfigs"`
		identityView
	} `json:"properties"`
}

type reference struct {
	ID string `json:"id"`
}

type connectionView struct {
	Properties struct {
		Service string `json:"privateLinkServiceId"`
		State   struct {
			Status string `json:"status"`
		} `json:"privateLinkServiceConnectionState"`
	} `json:"properties"`
}

type ruleView struct {
	Name       string `json:"name"`
	Properties struct {
		Access    string   `json:"access"`
		Direction string   `json:"direction"`
		Priority  int      `json:"priority"`
		Source    string   `json:"sourceAddressPrefix"`
		Port      string   `json:"destinationPortRange"`
		Ports     []string `json:"destinationPortRanges"`
	} `json:"properties"`
}

func (r ruleView) text() string {
	p := r.Properties
	return fmt.Sprintf("%d %s %s %s from %s", p.Priority, strings.ToLower(p.Direction), strings.ToLower(p.Access), strings.Trim(p.Port+" "+strings.Join(p.Ports, ","), " "), p.Source)
}

func networkCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "network",
		Short: "make virtual networks, security groups, public IP addresses and private endpoints",
		Long: `Makes what a service needs in a virtual network, and ways into services from one. All
of it can be described on every host; services and private endpoints are put into
networks where the host can hold such (Linux, with CAP_NET_ADMIN).

  portico network nsg create guard --for-services
  portico network vnet create office --prefix 10.1.0.0/16 --subnet apim=10.1.1.0/27 --nsg guard
  portico network public-ip create front --dns-label shop
  portico service network shop --mode External --subnet office/apim --public-ip front`,
	})
	for _, k := range []struct {
		resourceKind
		more []*cobra.Command
	}{
		{virtualNetworkKind, []*cobra.Command{vnetCreateCommand()}},
		{securityGroupKind, []*cobra.Command{nsgCreateCommand(), nsgRuleCommand()}},
		{publicIPKind, []*cobra.Command{publicIPCreateCommand()}},
		{privateEndpointKind, append(connectionCommands(), endpointCreateCommand())},
	} {
		sub := group(&cobra.Command{Use: strings.TrimPrefix(k.word, "network "), Short: plural(k.what)})
		sub.AddCommand(append(k.more, k.listCommand(), k.showCommand(), k.deleteCommand())...)
		cmd.AddCommand(sub)
	}
	subnet := group(&cobra.Command{Use: "subnet", Short: "subnets of virtual networks"})
	subnet.AddCommand(subnetCreateCommand(), subnetDeleteCommand())
	cmd.AddCommand(subnet)
	return cmd
}

// findSubnet gives the ID of a subnet that is named VNET/SUBNET.
func findSubnet(ctx context.Context, t serviceTarget, c *armclient.Client, name string) (string, error) {
	if strings.HasPrefix(name, "/") {
		return name, nil
	}
	vnet, subnet, ok := strings.Cut(name, "/")
	if !ok {
		return "", fmt.Errorf("%q is not VNET/SUBNET", name)
	}
	id, err := virtualNetworkKind.find(ctx, t, c, vnet)
	return id + "/subnets/" + subnet, err
}

func locationFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("location", "West Europe", "location")
}

func vnetCreateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create NAME --prefix PREFIX",
		Short: "make a virtual network, and subnets in it",
		Long: `Makes a virtual network. Without --subnet, one that is there keeps its subnets;
otherwise those named are what it has afterwards.`,
		Example: "  portico network vnet create office --prefix 10.1.0.0/16 --subnet apim=10.1.1.0/27 --nsg guard",
		Args:    takes("NAME"),
	}
	t, location := targetFlags(cmd), locationFlag(cmd)
	prefixes := cmd.Flags().StringSlice("prefix", nil, "address space, as in 10.1.0.0/16")
	subnets := cmd.Flags().StringArray("subnet", nil, "a subnet, as in apim=10.1.1.0/27; may be repeated")
	nsg := cmd.Flags().String("nsg", "", "network security group of these subnets")
	_ = cmd.MarkFlagRequired("prefix")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return virtualNetworkKind.put(cmd, t, args[0], *location, func(c *armclient.Client) (object, error) {
			properties := object{"addressSpace": object{"addressPrefixes": *prefixes}}
			var list []object
			for _, s := range *subnets {
				name, prefix, ok := strings.Cut(s, "=")
				if !ok {
					return nil, fmt.Errorf("--subnet: %q is not NAME=PREFIX", s)
				}
				body, err := subnetBody(cmd.Context(), t, c, prefix, *nsg)
				if err != nil {
					return nil, err
				}
				body["name"] = name
				list = append(list, body)
			}
			if list != nil {
				properties["subnets"] = list
			}
			return object{"properties": properties}, nil
		})
	}
	return cmd
}

func subnetBody(ctx context.Context, t serviceTarget, c *armclient.Client, prefix, nsg string) (object, error) {
	properties := object{"addressPrefix": prefix}
	if nsg != "" {
		id, err := securityGroupKind.find(ctx, t, c, nsg)
		if err != nil {
			return nil, err
		}
		properties["networkSecurityGroup"] = object{"id": id}
	}
	return object{"properties": properties}, nil
}

func subnetCreateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "create VNET/NAME --prefix PREFIX", Short: "make a subnet of a virtual network, or change it",
		Example: "  portico network subnet create office/endpoints --prefix 10.1.2.0/24", Args: takes("VNET/NAME"),
	}
	t := targetFlags(cmd)
	prefix := cmd.Flags().String("prefix", "", "its addresses, as in 10.1.2.0/24")
	nsg := cmd.Flags().String("nsg", "", "its network security group")
	_ = cmd.MarkFlagRequired("prefix")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := armclient.Open(*t.dir)
		if err != nil {
			return err
		}
		id, err := findSubnet(cmd.Context(), t, c, args[0])
		if err != nil {
			return err
		}
		body, err := subnetBody(cmd.Context(), t, c, *prefix, *nsg)
		if err != nil {
			return err
		}
		if _, err := run(cmd, c, "create "+args[0], http.MethodPut, id, networksAPIVersion, body); err != nil {
			return err
		}
		return showNetworkOf(cmd, t, c, id)
	}
	return cmd
}

// showNetworkOf shows the resource that a part belongs to.
func showNetworkOf(cmd *cobra.Command, t serviceTarget, c *armclient.Client, part string) error {
	for kind, below := range map[*resourceKind]string{&virtualNetworkKind: "/subnets/", &securityGroupKind: "/securityRules/"} {
		if whole, _, ok := strings.Cut(part, below); ok {
			res, err := c.Do(cmd.Context(), http.MethodGet, whole, networksAPIVersion, nil)
			if err != nil {
				return err
			}
			return kind.print(cmd.OutOrStdout(), t, res)
		}
	}
	return fmt.Errorf("%s is a part of nothing", part)
}

func subnetDeleteCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "delete VNET/NAME", Short: "delete a subnet that nothing lives in", Args: takes("VNET/NAME")}
	t := targetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := armclient.Open(*t.dir)
		if err != nil {
			return err
		}
		id, err := findSubnet(cmd.Context(), t, c, args[0])
		if err != nil {
			return err
		}
		if _, err := run(cmd, c, "delete "+args[0], http.MethodDelete, id, networksAPIVersion, nil); err != nil {
			return err
		}
		return showNetworkOf(cmd, t, c, id)
	}
	return cmd
}

// inbound is a rule that decides about connections into a subnet.
func inbound(access, from string, priority int, ports ...string) object {
	return object{
		"access": access, "direction": "Inbound", "priority": priority, "protocol": "Tcp", "sourcePortRange": "*",
		"sourceAddressPrefix": from, "destinationAddressPrefix": "VirtualNetwork", "destinationPortRanges": ports,
	}
}

func nsgCreateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "make a network security group",
		Long: `Makes a network security group. With --for-services it has the rules that the subnet
of a service must have: callers from the Internet, management, and health probes.
Without it, one that is there keeps its rules.`,
		Example: "  portico network nsg create guard --for-services",
		Args:    takes("NAME"),
	}
	t, location := targetFlags(cmd), locationFlag(cmd)
	services := cmd.Flags().Bool("for-services", false, "with the rules that services need")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return securityGroupKind.put(cmd, t, args[0], *location, func(*armclient.Client) (object, error) {
			properties := object{}
			if *services {
				properties["securityRules"] = []object{
					{"name": "callers", "properties": inbound("Allow", "Internet", 200, "80", "443")},
					{"name": "management", "properties": inbound("Allow", "ApiManagement", 210, "3443")},
					{"name": "probes", "properties": inbound("Allow", "AzureLoadBalancer", 220, "6390")},
				}
			}
			return object{"properties": properties}, nil
		})
	}
	return cmd
}

func nsgRuleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rule GROUP NAME",
		Short: "allow or deny what comes into the subnets of a network security group",
		Long: `Adds or changes a rule about TCP connections into the subnets of a network security
group. Rules are asked in the order of their priority, and the first that fits
decides. With --delete the rule goes.`,
		Example: `  portico network nsg rule guard callers --deny --from Internet --ports 80,443 --priority 200
  portico network nsg rule guard office --allow --from 10.0.0.0/8 --ports 443 --priority 190
  portico network nsg rule guard office --delete`,
		Args: takes("GROUP", "NAME"),
	}
	t := targetFlags(cmd)
	allow := cmd.Flags().Bool("allow", false, "let connections in")
	deny := cmd.Flags().Bool("deny", false, "keep connections out")
	cmd.Flags().Bool("delete", false, "remove the rule")
	from := cmd.Flags().String("from", "Internet", "where they come from: a prefix, a service tag, or *")
	ports := cmd.Flags().StringSlice("ports", []string{"443"}, "ports and ranges, as in 80,8000-8010")
	priority := cmd.Flags().Int("priority", 300, "100 to 4096; a lower one is asked first")
	cmd.MarkFlagsMutuallyExclusive("allow", "deny", "delete")
	cmd.MarkFlagsOneRequired("allow", "deny", "delete")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := armclient.Open(*t.dir)
		if err != nil {
			return err
		}
		id, err := securityGroupKind.find(cmd.Context(), t, c, args[0])
		if err != nil {
			return err
		}
		id += "/securityRules/" + args[1]
		method, body := http.MethodDelete, any(nil)
		switch {
		case *allow:
			method, body = http.MethodPut, object{"properties": inbound("Allow", *from, *priority, *ports...)}
		case *deny:
			method, body = http.MethodPut, object{"properties": inbound("Deny", *from, *priority, *ports...)}
		}
		if _, err := run(cmd, c, "change "+args[0], method, id, networksAPIVersion, body); err != nil {
			return err
		}
		return showNetworkOf(cmd, t, c, id)
	}
	return cmd
}

func publicIPCreateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "create NAME --dns-label LABEL", Short: "make a Standard public IP address, for a service in a virtual network",
		Example: "  portico network public-ip create front --dns-label shop", Args: takes("NAME"),
	}
	t, location := targetFlags(cmd), locationFlag(cmd)
	label := cmd.Flags().String("dns-label", "", "first part of its DNS name; services ask for one")
	zones := cmd.Flags().StringSlice("zones", nil, "availability zones")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return publicIPKind.put(cmd, t, args[0], *location, func(*armclient.Client) (object, error) {
			o, properties := object{"sku": object{"name": "Standard"}}, object{"publicIPAllocationMethod": "Static"}
			if *label != "" {
				properties["dnsSettings"] = object{"domainNameLabel": *label}
			}
			if len(*zones) > 0 {
				o["zones"] = *zones
			}
			o["properties"] = properties
			return o, nil
		})
	}
	return cmd
}

func serviceNetworkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "network NAME --mode None|External|Internal",
		Short: "put a service into a virtual network, or take it out; its addresses change",
		Long: `Puts a service into a subnet. External: callers reach it from everywhere; Internal:
from inside the network alone. None takes it out. The subnet needs a security group
with the rules of 'portico network nsg create --for-services', and each change another
public IP address than the one before. 'portico network --help' shows all of it.`,
		Example: `  portico service network shop --mode External --subnet office/apim --public-ip front
  portico service network shop --mode None`,
		Args: takes("NAME"),
	}
	t := targetFlags(cmd)
	mode := cmd.Flags().String("mode", "", "None, External or Internal")
	subnet := cmd.Flags().String("subnet", "", "VNET/SUBNET")
	publicIP := cmd.Flags().String("public-ip", "", "a public IP address")
	_ = cmd.MarkFlagRequired("mode")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		c, err := armclient.Open(*t.dir)
		if err != nil {
			return err
		}
		properties := object{"virtualNetworkType": *mode}
		if *mode == "None" {
			if *subnet != "" || *publicIP != "" {
				return errors.New("a service that is in no network has neither --subnet nor --public-ip")
			}
			properties["virtualNetworkConfiguration"], properties["publicIpAddressId"] = nil, nil
		}
		anywhere := t.everywhere()
		if *subnet != "" {
			id, err := findSubnet(ctx, anywhere, c, *subnet)
			if err != nil {
				return err
			}
			properties["virtualNetworkConfiguration"] = object{"subnetResourceId": id}
		}
		if *publicIP != "" {
			if properties["publicIpAddressId"], err = publicIPKind.find(ctx, anywhere, c, *publicIP); err != nil {
				return err
			}
		}
		return change(cmd, t, args[0], "connect", http.MethodPatch, "", object{"properties": properties})
	}
	return cmd
}
