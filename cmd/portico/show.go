package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// A fullView is a service as `portico service show` tells of it.
type fullView struct {
	serviceView
	Identity   serviceIdentities `json:"identity"`
	Properties struct {
		State       string       `json:"provisioningState"`
		Platform    string       `json:"platformVersion"`
		Created     time.Time    `json:"createdAtUtc"`
		GatewayURL  string       `json:"gatewayUrl"`
		PublicIPs   []string     `json:"publicIPAddresses"`
		PrivateIPs  []string     `json:"privateIPAddresses"`
		OutboundIPs []string     `json:"outboundPublicIPAddresses"`
		Hosts       []domainView `json:"hostnameConfigurations"`
		NetworkType string       `json:"virtualNetworkType"`
		Public      string       `json:"publicNetworkAccess"`
		Network     struct {
			Subnet string `json:"subnetResourceId"`
		} `json:"virtualNetworkConfiguration"`
		Regions   []regionView  `json:"additionalLocations"`
		Endpoints []requestView `json:"privateEndpointConnections"`
	} `json:"properties"`
}

func serviceShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show NAME", Short: "tell all about a service; as JSON, as the management API does",
		Example: "  portico service show shop\n  portico service show shop -o json", Args: takes("NAME"),
	}
	t := targetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, s, err := t.open(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		res, err := c.Do(cmd.Context(), http.MethodGet, s.ID, cliAPIVersion, nil)
		if err != nil {
			return err
		}
		if *t.output == "json" {
			var whole any
			if err := res.Decode(&whole); err != nil {
				return err
			}
			return printJSON(cmd.OutOrStdout(), whole)
		}
		var v fullView
		if err := res.Decode(&v); err != nil {
			return err
		}
		return v.print(cmd.OutOrStdout())
	}
	return cmd
}

// print tells what there is to tell, a line for each thing.
func (v fullView) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(what string, values ...string) {
		if text := strings.Join(slices.DeleteFunc(values, func(s string) bool { return s == "" }), ", "); text != "" {
			fmt.Fprintf(w, "%s\t%s\n", what, text)
		}
	}
	p := v.Properties
	line("name", v.Name)
	line("resource group", groupPart(v.ID))
	line("state", p.State)
	line("created", p.Created.Local().Format(time.DateTime))
	line("tier", v.SKU.Name+", "+count(v.SKU.Capacity, "unit"))
	line("location", v.Location)
	line("zones", v.Zones...)
	line("platform", p.Platform)
	line("public addresses", p.PublicIPs...)
	line("private addresses", p.PrivateIPs...)
	line("outbound addresses", p.OutboundIPs...)
	line("gateway", p.GatewayURL)
	for _, h := range p.Hosts {
		line("host name", h.Name+h.text())
	}
	for _, r := range p.Regions {
		line("region", r.Location, count(r.SKU.Capacity, "unit"), r.Platform, strings.Join(r.PublicIPs, ", "), map[bool]string{true: "out of rotation"}[r.Disabled])
	}
	if p.NetworkType != "None" {
		line("network", p.NetworkType+" in "+p.Network.Subnet)
	}
	if p.Public == "Disabled" {
		line("public access", "none")
	}
	for _, e := range p.Endpoints {
		line("private endpoint", lastPart(e.Properties.Endpoint.ID), e.Properties.State.Status)
	}
	if v.Identity.PrincipalID != "" {
		line("identity", "its own, "+v.Identity.PrincipalID)
	}
	for _, id := range slices.Sorted(maps.Keys(v.Identity.User)) {
		line("identity", lastPart(id))
	}
	for _, name := range slices.Sorted(maps.Keys(v.Tags)) {
		line("tag", name+"="+v.Tags[name])
	}
	return w.Flush()
}

// text says what is special about a host name.
func (h domainView) text() string {
	text := ""
	if h.Type != "Proxy" {
		text += ", " + h.Type
	}
	if h.Certificate != nil {
		text += ", certificate until " + h.Certificate.Expiry
	}
	if h.Default {
		text += ", default"
	}
	return text
}
