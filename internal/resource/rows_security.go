package resource

import (
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

var rulesOf = childField{path: "properties.securityRules", child: typeSecurityRule}

func securityGroups() *Row {
	return networkRow(&Row{
		Path: "networkSecurityGroups", Entity: "Network security group", Proof: "TestGolden/networksecuritygroups", Versions: networkVersions, NameParam: "networkSecurityGroupName",
		Fields: []Field{
			{Path: "properties.flushConnection", Kind: Bool},
			{Path: "properties.securityRules", Kind: Array, Of: Any},
			{Path: "properties.defaultSecurityRules", Kind: Array, Of: Any, Flags: ReadOnly},
			{Path: "properties.subnets", Kind: Array, Of: Any, Flags: ReadOnly},
		},
		Complete: func(c *Change) {
			completeNetwork(c)
			rulesOf.take(c)
		},
		Rules:  []Rule{rulesOf.check},
		Stored: func(c *Change, tx store.Tx) error { return rulesOf.store(c, tx) },
		Compute: func(s *Shown) {
			computeNetwork(s)
			rulesOf.show(s)
			s.Object.Set("properties.defaultSecurityRules", shownDefaultRules(s.Doc))
			if list := subnetsWith(s.Tree, "networkSecurityGroup", s.Doc.ID); len(list) > 0 {
				s.Object.Set("properties.subnets", list)
			}
		},
		OnDelete: unusedBySubnets("networkSecurityGroup", "InUseNetworkSecurityGroupCannotBeDeleted", "Network security group"),
	}, newNetworkStatus)
}

// unusedBySubnets refuses to delete what a subnet names.
func unusedBySubnets(path, code, what string) func(*Removal) *arm.Error {
	return func(r *Removal) *arm.Error {
		users := subnetsWith(r.Tree, path, r.ID)
		if len(users) == 0 {
			return nil
		}
		var ids []string
		for _, u := range users {
			ids = append(ids, Object(u.(map[string]any)).Text("id"))
		}
		return &arm.Error{Status: 400, Code: code, Message: what + " " + r.ID + " cannot be deleted because it is in use by the following resources: " +
			strings.Join(ids, ", ") + ". In order to delete it, remove the association with the resource(s)."}
	}
}

// subnetsWith lists the subnets that name a resource, as references.
func subnetsWith(t store.Reader, path, id string) (out []any) {
	if t == nil {
		return nil
	}
	docs, err := t.List(store.Query{Type: strings.ToLower(typeSubnet)})
	if err != nil {
		return nil
	}
	for _, d := range docs {
		if o, err := parseObject(d.Desired); err == nil && arm.SameID(o.Text("properties."+path+".id"), id) {
			out = append(out, map[string]any{"id": d.ID})
		}
	}
	return out
}

var defaultRuleTexts = map[string]string{
	"AllowVnetInBound":              "Allow inbound traffic from all VMs in VNET",
	"AllowAzureLoadBalancerInBound": "Allow inbound traffic from azure load balancer",
	"DenyAllInBound":                "Deny all inbound traffic",
	"AllowVnetOutBound":             "Allow outbound traffic from all VMs to all VMs in VNET",
	"AllowInternetOutBound":         "Allow outbound traffic from all VMs to Internet",
	"DenyAllOutBound":               "Deny all outbound traffic",
}

func shownDefaultRules(group store.Document) []any {
	var out []any
	for _, r := range platform.DefaultSecurityRules() {
		direction, access := "Outbound", "Deny"
		if r.Inbound {
			direction = "Inbound"
		}
		if r.Allow {
			access = "Allow"
		}
		out = append(out, map[string]any{
			"id": group.ID + "/defaultSecurityRules/" + r.Name, "name": r.Name, "type": Network + "/networkSecurityGroups/defaultSecurityRules", "etag": networkETag(group),
			"properties": map[string]any{
				"provisioningState": "Succeeded", "description": defaultRuleTexts[r.Name], "protocol": r.Protocol, "sourcePortRange": "*", "destinationPortRange": "*",
				"sourceAddressPrefix": r.Sources[0], "destinationAddressPrefix": r.Destinations[0], "access": access, "priority": r.Priority, "direction": direction,
				"sourcePortRanges": []any{}, "destinationPortRanges": []any{}, "sourceAddressPrefixes": []any{}, "destinationAddressPrefixes": []any{},
			},
		})
	}
	return out
}

func securityRules() *Row {
	return networkChild(&Row{
		Path: "networkSecurityGroups/securityRules", Entity: "Security rule", Proof: "TestGolden/networksecuritygroups", NameParam: "securityRuleName",
		Fields: []Field{
			{Path: "properties.description", Kind: String, MaxLen: 140},
			{Path: "properties.protocol", Kind: String, Flags: Required, Enum: words("Tcp", "Udp", "Icmp", "Esp", "*", "Ah")},
			{Path: "properties.sourcePortRange", Kind: String},
			{Path: "properties.destinationPortRange", Kind: String},
			{Path: "properties.sourceAddressPrefix", Kind: String},
			{Path: "properties.destinationAddressPrefix", Kind: String},
			{Path: "properties.sourcePortRanges", Kind: Array},
			{Path: "properties.destinationPortRanges", Kind: Array},
			{Path: "properties.sourceAddressPrefixes", Kind: Array},
			{Path: "properties.destinationAddressPrefixes", Kind: Array},
			{Path: "properties.sourceApplicationSecurityGroups", Kind: Array, Of: Any},
			{Path: "properties.destinationApplicationSecurityGroups", Kind: Array, Of: Any},
			{Path: "properties.access", Kind: String, Flags: Required, Enum: words("Allow", "Deny")},
			{Path: "properties.priority", Kind: Int, Flags: Required},
			{Path: "properties.direction", Kind: String, Flags: Required, Enum: words("Inbound", "Outbound")},
		},
		Complete: func(c *Change) {
			for _, name := range ruleLists {
				c.New.SetDefault("properties."+name+"s", []any{})
			}
			for _, name := range []string{"sourceAddressPrefixes", "destinationAddressPrefixes"} {
				c.New.SetDefault("properties."+name, []any{})
			}
		},
		Rules:   []Rule{ruleValid, ruleAlone},
		Compute: computeNetwork,
	})
}

// ruleLists are the properties of a rule that have a plural with an "s".
var ruleLists = []string{"sourcePortRange", "destinationPortRange"}

func ruleValid(c *Change) (found []arm.ErrorDetail) {
	if n, _ := c.New.Number("properties.priority"); n < 100 || n > 4096 {
		found = append(found, networkFinding("SecurityRuleInvalidPriority", "priority", "Security rule has invalid Priority. Value provided: %d Allowed range 100-4096.", n))
	}
	for _, side := range []string{"source", "destination"} {
		if len(c.New.List("properties."+side+"ApplicationSecurityGroups")) > 0 {
			found = append(found, notBuilt(side+"ApplicationSecurityGroups", "Application security groups"))
		}
		found = append(found, ruleTexts(c, side+"PortRange", side+"PortRanges", "SecurityRuleInvalidPortRange", "port range", func(s string) bool { _, ok := platform.ParsePorts(s); return ok })...)
		found = append(found, ruleTexts(c, side+"AddressPrefix", side+"AddressPrefixes", "SecurityRuleInvalidAddressPrefix", "address prefix", ruleAddress)...)
	}
	return found
}

// ruleTexts checks a property of a rule that is one text or a list of them.
func ruleTexts(c *Change, one, many, code, what string, valid func(string) bool) (found []arm.ErrorDetail) {
	single, list := c.New.Text("properties."+one), c.New.Texts("properties."+many)
	switch {
	case single == "" && len(list) == 0:
		return []arm.ErrorDetail{networkFinding("SecurityRuleParameterMissing", one, "Security rule %s must have '%s' or '%s'.", c.Name, one, many)}
	case single != "" && len(list) > 0:
		return []arm.ErrorDetail{networkFinding("SecurityRuleParameterConflict", one, "Security rule %s has both '%s' and '%s'.", c.Name, one, many)}
	case single != "":
		list = []string{single}
	}
	for _, s := range list {
		if !valid(s) {
			found = append(found, networkFinding(code, one, "Security rule has invalid %s. Value provided: %s.", what, s))
		}
	}
	return found
}

func ruleAddress(s string) bool {
	_, isTag := platform.ParseTag(s)
	_, isPrefix := platform.ParsePrefix(s)
	return s == "*" || s == "0.0.0.0/0" || isTag || isPrefix
}

// ruleAlone: no two rules of one direction have the same priority.
func ruleAlone(c *Change) []arm.ErrorDetail {
	priority, _ := c.New.Number("properties.priority")
	others := c.others(typeSecurityRule)
	var clash []string
	for name, o := range others {
		n, _ := o.Number("properties.priority")
		if n == priority && strings.EqualFold(o.Text("properties.direction"), c.New.Text("properties.direction")) {
			clash = append(clash, name)
		}
	}
	if len(clash) == 0 {
		return nil
	}
	return []arm.ErrorDetail{networkFinding("SecurityRuleConflict", "priority", "Security rule %s conflicts with rule %s. Rules cannot have the same Priority and Direction.", c.Name, slices.Min(clash))}
}
