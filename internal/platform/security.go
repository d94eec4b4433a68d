package platform

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A SecurityRule is one rule of a network security group.
type SecurityRule struct {
	Name     string `json:"name"`
	Priority int    `json:"priority"` // the lowest number that matches decides
	Inbound  bool   `json:"inbound,omitempty"`
	Allow    bool   `json:"allow,omitempty"`
	Protocol string `json:"protocol"` // Tcp, Udp, Icmp, Esp, Ah, or * for all
	// Sources and Destinations are addresses, prefixes, service tags, or * for everything.
	Sources      []string    `json:"sources"`
	Destinations []string    `json:"destinations"`
	SourcePorts  []PortRange `json:"sourcePorts"`
	Ports        []PortRange `json:"ports"` // of the destination
}

// A PortRange is a range of ports, both ends included. All ports are 0 to 65535.
type PortRange struct {
	First uint16 `json:"first"`
	Last  uint16 `json:"last"`
}

var allPorts = PortRange{0, 65535}

// All says whether the range holds every port.
func (r PortRange) All() bool { return r == allPorts }

// ParsePorts reads "*", "80" or "80-90".
func ParsePorts(s string) (PortRange, bool) {
	if s == "*" {
		return allPorts, true
	}
	low, high, isRange := strings.Cut(s, "-")
	if !isRange {
		high = low
	}
	first, err := strconv.ParseUint(low, 10, 16)
	last, err2 := strconv.ParseUint(high, 10, 16)
	if err != nil || err2 != nil || last < first {
		return PortRange{}, false
	}
	return PortRange{uint16(first), uint16(last)}, true
}

// Service tags that rules of a network treat by themselves; all others are names of services of the cloud.
const (
	TagVirtualNetwork = "VirtualNetwork"
	TagInternet       = "Internet"
	TagLoadBalancer   = "AzureLoadBalancer"
)

// cloudTags are the service tags of the cloud's own services. Nothing here has an address of one.
var cloudTags = []string{
	"ActionGroup", "ApiManagement", "ApplicationInsightsAvailability", "AppConfiguration", "AppService", "AppServiceManagement",
	"AzureActiveDirectory", "AzureActiveDirectoryDomainServices", "AzureArcInfrastructure", "AzureBackup", "AzureCloud", "AzureCognitiveSearch",
	"AzureConnectors", "AzureContainerRegistry", "AzureCosmosDB", "AzureDatabricks", "AzureDataExplorerManagement", "AzureDevOps",
	"AzureDigitalTwins", "AzureEventGrid", "AzureFrontDoor.Backend", "AzureFrontDoor.Frontend", "AzureFrontDoor.FirstParty",
	"AzureInformationProtection", "AzureIoTHub", "AzureKeyVault", "AzureMachineLearning", "AzureMonitor", "AzurePlatformDNS",
	"AzurePlatformIMDS", "AzurePlatformLKM", "AzureResourceManager", "AzureSignalR", "AzureSiteRecovery", "AzureTrafficManager", "BatchNodeManagement",
	"CognitiveServicesManagement", "DataFactory", "DataFactoryManagement", "EventHub", "GatewayManager", "GuestAndHybridManagement",
	"HDInsight", "LogicApps", "LogicAppsManagement", "MicrosoftCloudAppSecurity", "MicrosoftContainerRegistry", "PowerBI",
	"ServiceBus", "ServiceFabric", "Sql", "SqlManagement", "Storage", "StorageSyncService", "WindowsVirtualDesktop",
}

// ParseTag finds a service tag, with or without a region ("Storage.WestUS"), and gives it its spelling.
func ParseTag(s string) (string, bool) {
	for _, t := range append([]string{TagVirtualNetwork, TagInternet, TagLoadBalancer}, cloudTags...) {
		if strings.EqualFold(t, s) {
			return t, true
		}
		if rest, ok := cutFold(s, t+"."); ok && rest != "" && !strings.ContainsAny(rest, "./ ") {
			return t + "." + rest, true
		}
	}
	return "", false
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}

// ParsePrefix reads an IPv4 address or a prefix of addresses in its plain form.
func ParsePrefix(s string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(s); err == nil && a.Is4() {
		return netip.PrefixFrom(a, 32), true
	}
	p, err := netip.ParsePrefix(s)
	return p, err == nil && p.Addr().Is4() && p.Masked() == p
}

// DefaultSecurityRules are those that every group ends with.
func DefaultSecurityRules() []SecurityRule {
	rule := func(name string, priority int, inbound, allow bool, from, to string) SecurityRule {
		return SecurityRule{
			Name: name, Priority: priority, Inbound: inbound, Allow: allow, Protocol: "*", Sources: []string{from}, Destinations: []string{to},
			SourcePorts: []PortRange{allPorts}, Ports: []PortRange{allPorts},
		}
	}
	return []SecurityRule{
		rule("AllowVnetInBound", 65000, true, true, TagVirtualNetwork, TagVirtualNetwork),
		rule("AllowAzureLoadBalancerInBound", 65001, true, true, TagLoadBalancer, "*"),
		rule("DenyAllInBound", 65500, true, false, "*", "*"),
		rule("AllowVnetOutBound", 65000, false, true, TagVirtualNetwork, TagVirtualNetwork),
		rule("AllowInternetOutBound", 65001, false, true, "*", TagInternet),
		rule("DenyAllOutBound", 65500, false, false, "*", "*"),
	}
}

// SortSecurityRules puts rules in the order in which they decide.
func SortSecurityRules(rules []SecurityRule) {
	slices.SortStableFunc(rules, func(a, b SecurityRule) int { return cmp.Compare(a.Priority, b.Priority) })
}

// A flow is traffic that a service needs: from a tag to a tag.
type flow struct {
	inbound  bool
	from, to string
	port     uint16
	// external: only where the gateway is reached from the Internet; probed: not for Developer, whose one machine no load
	// balancer probes; regions: only where there are several; vault: not on stv1, which needs no key vault.
	external, probed, regions, vault bool
}

// requiredFlows are the connections without which an injected service does not work.
// https://learn.microsoft.com/azure/api-management/virtual-network-reference
var requiredFlows = []flow{
	{inbound: true, from: TagInternet, to: TagVirtualNetwork, port: 443, external: true},
	{inbound: true, from: "ApiManagement", to: TagVirtualNetwork, port: 3443},
	{inbound: true, from: TagLoadBalancer, to: TagVirtualNetwork, port: 6390, probed: true},
	{inbound: true, from: "AzureTrafficManager", to: TagVirtualNetwork, port: 443, external: true, regions: true},
	{from: TagVirtualNetwork, to: TagInternet, port: 80},
	{from: TagVirtualNetwork, to: "Storage", port: 443},
	{from: TagVirtualNetwork, to: "Sql", port: 1433},
	{from: TagVirtualNetwork, to: "AzureKeyVault", port: 443, vault: true},
	{from: TagVirtualNetwork, to: "AzureMonitor", port: 443},
	{from: TagVirtualNetwork, to: "AzureMonitor", port: 1886},
}

func (f flow) String() string {
	direction := "outbound"
	if f.inbound {
		direction = "inbound"
	}
	return fmt.Sprintf("%s TCP %d from %s to %s", direction, f.port, f.from, f.to)
}

// blocked lists the required flows that the rules, the default ones among them, do not let through.
func blocked(rules []SecurityRule, r Request) (out []flow) {
	for _, f := range requiredFlows {
		if f.external && r.Network.mode() != External || f.probed && r.Tier == Developer || f.regions && !r.Network.SeveralRegions || f.vault && r.platform() == STv1 {
			continue
		}
		if !f.passes(rules) {
			out = append(out, f)
		}
	}
	return out
}

// passes says what the first rule decides that is about all of the flow. A rule for some addresses only decides nothing
// about all of them.
func (f flow) passes(rules []SecurityRule) bool {
	for _, r := range rules {
		if r.Inbound == f.inbound && (r.Protocol == "*" || strings.EqualFold(r.Protocol, "Tcp")) && slices.ContainsFunc(r.SourcePorts, PortRange.All) &&
			covers(r.Sources, f.from) && covers(r.Destinations, f.to) &&
			slices.ContainsFunc(r.Ports, func(p PortRange) bool { return p.First <= f.port && f.port <= p.Last }) {
			return r.Allow
		}
	}
	return false
}

// covers says whether a list of a rule holds all of a tag. A regional tag stands for its whole: services are reached in
// the region of the network.
func covers(list []string, tag string) bool {
	cloud := tag != TagVirtualNetwork && tag != TagLoadBalancer
	return slices.ContainsFunc(list, func(s string) bool {
		switch {
		case s == "*", s == "0.0.0.0/0", strings.EqualFold(s, tag):
			return true
		case cloud && strings.EqualFold(s, TagInternet):
			return true
		case cloud && tag != TagInternet && strings.EqualFold(s, "AzureCloud"):
			return true
		}
		_, regional := cutFold(s, tag+".")
		return regional
	})
}
