package resource

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/network"
	"github.com/portico-dev/portico/internal/store"
)

// Namespaces beside API Management.
const (
	Resources = "Microsoft.Resources"
	Network   = "Microsoft.Network"
)

// GroupStatus is the Status of a resource group.
type GroupStatus struct {
	Deleting string `json:"deleting,omitempty"` // name of the operation
}

func resourceGroups() *Row {
	return &Row{
		Namespace: Resources, Path: "resourceGroups", Shape: Group, Entity: "Resource group", Proof: "TestGolden/resourcegroups", Versions: groupVersions,
		Verbs: Get | Head | Put | Patch | Delete | List, NameParam: "resourceGroupName", NameMax: 90, NameLike: groupName, NoIfMatch: true,
		Fields: []Field{
			{Path: "location", Kind: String},
			{Path: "tags", Kind: Map},
			{Path: "managedBy", Kind: String},
			{Path: "properties.provisioningState", Kind: String, Flags: ReadOnly},
		},
		Rules: []Rule{tagLimits},
		Compute: func(s *Shown) {
			state := "Succeeded"
			var st GroupStatus
			if json.Unmarshal(s.Doc.Status, &st) == nil && st.Deleting != "" {
				state = "Deleting"
			}
			s.Object.Set("properties.provisioningState", state)
		},
		Complete: func(c *Change) { c.New.Set("location", NormalLocation(c.New.Text("location"))) },
	}
}

// maxTags is how many tags a resource may have.
const maxTags = 50

// tagLimits are ARM's: the number of tags, and names without some characters.
func tagLimits(c *Change) (found []arm.ErrorDetail) {
	tags, _ := c.New["tags"].(map[string]any)
	if len(tags) > maxTags {
		found = append(found, Finding("tags", "A resource may have at most %d tags.", maxTags))
	}
	for name, v := range tags {
		s, _ := v.(string)
		switch {
		case name == "" || len(name) > 512 || strings.ContainsAny(name, `<>%&\?/`):
			found = append(found, Finding("tags", "'%s' is not a tag name.", name))
		case len(s) > 256:
			found = append(found, Finding("tags."+name, "The value of tag '%s' is longer than 256 characters.", name))
		}
	}
	slices.SortFunc(found, func(a, b arm.ErrorDetail) int { return strings.Compare(a.Message, b.Message) })
	return found
}

// CheckTags checks the tags of New and nothing else.
func (c *Change) CheckTags() *arm.Error {
	found := tagLimits(c)
	if len(found) == 0 {
		return nil
	}
	return arm.Invalid(found...)
}

// An AddressStatus is the Status of a public IP address.
type AddressStatus struct {
	IPAddress string `json:"ipAddress"`
	GUID      string `json:"resourceGuid"`
}

func publicIPAddresses() *Row {
	return &Row{
		Namespace: Network, Path: "publicIPAddresses", Shape: Tracked, Entity: "Public IP address", Proof: "TestGolden/publicipaddresses", Versions: networkVersions,
		Verbs: Get | Head | Put | Patch | Delete | List, NameParam: "publicIpAddressName", NameMax: 80, NameLike: networkName, NoIfMatch: true,
		Fields: []Field{
			{Path: "location", Kind: String},
			{Path: "tags", Kind: Map},
			{Path: "zones", Kind: Array},
			{Path: "sku.name", Kind: String, Enum: words("Basic", "Standard")},
			{Path: "sku.tier", Kind: String, Enum: words("Regional", "Global")},
			{Path: "properties.publicIPAllocationMethod", Kind: String, Enum: words("Static", "Dynamic"), Default: "Static"},
			{Path: "properties.publicIPAddressVersion", Kind: String, Enum: words("IPv4", "IPv6"), Default: "IPv4"},
			{Path: "properties.idleTimeoutInMinutes", Kind: Int, Min: new(int64(4)), Max: new(int64(30)), Default: int64(4)},
			{Path: "properties.dnsSettings.domainNameLabel", Kind: String, MinLen: 1, MaxLen: 63},
			{Path: "properties.dnsSettings.fqdn", Kind: String, Flags: ReadOnly},
			{Path: "properties.ipTags", Kind: Array, Of: Any},
			{Path: "properties.ipAddress", Kind: String, Flags: ReadOnly},
			{Path: "properties.resourceGuid", Kind: String, Flags: ReadOnly},
			{Path: "properties.provisioningState", Kind: String, Flags: ReadOnly},
		},
		Complete: func(c *Change) {
			c.New.Set("location", NormalLocation(c.New.Text("location")))
			c.New.SetDefault("sku.name", "Basic")
			c.New.SetDefault("sku.tier", "Regional")
			if _, ok := c.New["properties"]; !ok {
				c.New["properties"] = map[string]any{}
			}
		},
		Rules:     []Rule{tagLimits, addressNotBuilt, addressLabelFree},
		NewStatus: newAddress,
		Compute: func(s *Shown) {
			var st AddressStatus
			if json.Unmarshal(s.Doc.Status, &st) == nil {
				s.Object.Set("properties.ipAddress", st.IPAddress)
				s.Object.Set("properties.resourceGuid", st.GUID)
			}
			s.Object.Set("properties.provisioningState", "Succeeded")
			if label := s.Object.Text("properties.dnsSettings.domainNameLabel"); label != "" && s.Env != nil {
				s.Object.Set("properties.dnsSettings.fqdn", strings.ToLower(label)+"."+s.Object.Text("location")+"."+s.Env.AddressDomain)
			}
			s.Object["etag"] = networkETag(s.Doc)
		},
		OnDelete: addressUnused,
	}
}

func newAddress(c *Change) (any, error) {
	if c.Env.AllocateIP == nil {
		return nil, arm.Invalid(notBuilt("ipAddress", "Public IP addresses without a pool to take them from"))
	}
	ip, err := c.Env.AllocateIP(c.ID)
	return AddressStatus{IPAddress: ip, GUID: uuid.NewString()}, err
}

func addressNotBuilt(c *Change) (found []arm.ErrorDetail) {
	if c.New.Text("properties.publicIPAllocationMethod") == "Dynamic" {
		found = append(found, notBuilt("publicIPAllocationMethod", "Dynamic public IP addresses"))
	}
	if c.New.Text("properties.publicIPAddressVersion") == "IPv6" {
		found = append(found, notBuilt("publicIPAddressVersion", "IPv6 public IP addresses"))
	}
	if c.New.Text("sku.tier") == "Global" {
		found = append(found, notBuilt("sku.tier", "Public IP addresses of the tier 'Global'"))
	}
	if len(c.New.List("properties.ipTags")) > 0 {
		found = append(found, notBuilt("ipTags", "Tags of public IP addresses (ipTags)"))
	}
	if c.Old != nil && c.Old.Text("sku.name") != c.New.Text("sku.name") {
		found = append(found, Finding("sku.name", "The SKU of a public IP address cannot be changed from '%s' to '%s'.", c.Old.Text("sku.name"), c.New.Text("sku.name")))
	}
	return found
}

func addressLabelFree(c *Change) []arm.ErrorDetail {
	label := c.New.Text("properties.dnsSettings.domainNameLabel")
	if label == "" {
		return nil
	}
	docs, objects := c.Siblings(c.Row.Type(), "")
	for i, o := range objects {
		if store.Key(docs[i].ID) != store.Key(c.ID) && strings.EqualFold(o.Text("properties.dnsSettings.domainNameLabel"), label) && o.Text("location") == c.New.Text("location") {
			return []arm.ErrorDetail{Finding("dnsSettings.domainNameLabel", "DNS record %s.%s is already used by another public IP.", label, c.New.Text("location"))}
		}
	}
	return nil
}

// addressUnused refuses to delete an address that something uses.
func addressUnused(r *Removal) *arm.Error {
	user, err := network.AddressUser(r.Tree, r.ID)
	switch {
	case err != nil:
		return unreadable(r.ID)
	case user == "":
		return nil
	}
	return &arm.Error{Status: 400, Code: "PublicIPAddressCannotBeDeleted", Message: "Public IP address " + r.ID + " can not be deleted since it is still allocated to resource " + user + "."}
}
