package resource

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/network"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

var subnetID = regexp.MustCompile(`(?i)^/subscriptions/[^/]*/resourceGroups/[^/]*/providers/Microsoft.(ClassicNetwork|Network)/virtualNetworks/[^/]*/subnets/[^/]*$`)

// service is the API Management service. What makes compute of it is control/management's and the hosting plane's.
func service() *Row {
	onOff := words("Enabled", "Disabled")
	platforms := []Value{{Name: "undetermined"}, {Name: "stv1"}, {Name: "stv2"}, {Name: "mtv1"}, {Name: "stv2.1", From: v2022sep, Older: "stv2"}}
	return &Row{
		Namespace: APIM, Path: "service", Shape: Tracked, Entity: "Service", Proof: "TestGolden/service", Versions: apimVersions,
		Verbs: Get | Head | Put | Patch | Delete | List, NameParam: "serviceName", NameMax: 50, NameLike: serviceName, NoIfMatch: true,
		Fields: slices.Concat([]Field{
			{Path: "location", Kind: String},
			{Path: "tags", Kind: Map},
			{Path: "sku.name", Kind: String, Flags: Required},
			{Path: "sku.capacity", Kind: Int, Until: v2019dec, Min: new(int64(0)), Max: new(int64(1 << 20))},
			{Path: "sku.capacity", Kind: Int, From: v2019dec, Flags: Required, Min: new(int64(0)), Max: new(int64(1 << 20))},
			{Path: "zones", Kind: Array, From: v2020pre, MaxItems: 16},
			{Path: "identity.type", Kind: String, Flags: Required, Enum: newer(words("SystemAssigned"), v2019dec, "UserAssigned", "SystemAssigned, UserAssigned", "None")},
			{Path: "identity.userAssignedIdentities", Kind: Map, Of: Any, From: v2019dec},
			{Path: "properties.publisherEmail", Kind: String, Flags: Required, MinLen: 1, MaxLen: 100},
			{Path: "properties.publisherName", Kind: String, Flags: Required, MinLen: 1, MaxLen: 100},
			{Path: "properties.notificationSenderEmail", Kind: String, MaxLen: 100, Default: "apimgmt-noreply@mail.windowsazure.com"},
			{Path: "properties.virtualNetworkType", Kind: String, Enum: words("None", "External", "Internal"), Default: "None"},
			{Path: "properties.virtualNetworkConfiguration.subnetResourceId", Kind: String, Pattern: subnetID},
			{Path: "properties.customProperties", Kind: Map},
			{Path: "properties.enableClientCertificate", Kind: Bool, From: v2019},
			{Path: "properties.disableGateway", Kind: Bool, From: v2019dec, Default: false},
			{Path: "properties.apiVersionConstraint.minApiVersion", Kind: String, From: v2019dec},
			{Path: "properties.restore", Kind: Bool, From: v2020pre, Flags: WriteOnly},
			{Path: "properties.publicIpAddressId", Kind: String, From: v2021jan},
			{Path: "properties.publicNetworkAccess", Kind: String, From: v2021apr, Enum: onOff, Default: "Enabled"},
			{Path: "properties.natGatewayState", Kind: String, From: v2022apr, Enum: onOff, Default: "Disabled"},
			{Path: "properties.configurationApi.legacyApi", Kind: String, From: v2023mar, Enum: onOff, Default: "Enabled"},
			{Path: "properties.legacyPortalStatus", Kind: String, From: v2023mar, Enum: onOff, Default: "Disabled"},
			{Path: "properties.developerPortalStatus", Kind: String, From: v2023mar, Enum: onOff, Default: "Disabled"},
			{Path: "properties.releaseChannel", Kind: String, From: v2024jun, Enum: words("Preview", "Default", "Stable"), Default: "Default"},
			{Path: "properties.privateEndpointConnections", Kind: Array, Of: Any, Flags: ReadOnly, From: v2021apr},
		},
			below("properties.hostnameConfigurations[]",
				Field{Path: "type", Kind: String, Flags: Required, Enum: newer(newer(words("Proxy", "Portal", "Management", "Scm"), v2019, "DeveloperPortal"), v2023mar, "ConfigurationApi")},
				Field{Path: "hostName", Kind: String, Flags: Required, MinLen: 1, MaxLen: 255},
				Field{Path: "keyVaultId", Kind: String},
				Field{Path: "identityClientId", Kind: String, From: v2020pre},
				Field{Path: "encodedCertificate", Kind: String, Flags: WriteOnly},
				Field{Path: "certificatePassword", Kind: String, Flags: WriteOnly},
				Field{Path: "defaultSslBinding", Kind: Bool},
				Field{Path: "negotiateClientCertificate", Kind: Bool},
				Field{Path: "certificate", Kind: Any},
				Field{Path: "certificateSource", Kind: String, From: v2021jan, Enum: words("Managed", "KeyVault", "Custom", "BuiltIn")},
				Field{Path: "certificateStatus", Kind: String, From: v2021jan, Enum: words("Completed", "Failed", "InProgress")},
			),
			below("properties.certificates[]",
				Field{Path: "storeName", Kind: String, Flags: Required, Enum: words("CertificateAuthority", "Root")},
				Field{Path: "encodedCertificate", Kind: String, Flags: WriteOnly},
				Field{Path: "certificatePassword", Kind: String, Flags: WriteOnly},
				Field{Path: "certificate", Kind: Any},
			),
			[]Field{
				{Path: hostPairs, Kind: Any, From: hidden, Flags: Sealed},
				{Path: authorityFiles, Kind: Any, From: hidden},
			},
			additionalLocations(onOff, platforms),
			readOnly("properties.provisioningState", "properties.targetProvisioningState", "properties.createdAtUtc", "properties.gatewayUrl",
				"properties.gatewayRegionalUrl", "properties.portalUrl", "properties.managementApiUrl", "properties.scmUrl",
				"properties.virtualNetworkConfiguration.vnetid", "properties.virtualNetworkConfiguration.subnetname"),
			readOnly("identity.principalId", "identity.tenantId"),
			from(v2019, readOnly("properties.developerPortalUrl")...),
			from(v2021apr, readOnly("systemData.createdBy", "systemData.createdByType", "systemData.createdAt",
				"systemData.lastModifiedBy", "systemData.lastModifiedByType", "systemData.lastModifiedAt")...),
			[]Field{
				{Path: "properties.publicIPAddresses", Kind: Array, Flags: ReadOnly},
				{Path: "properties.privateIPAddresses", Kind: Array, Flags: ReadOnly},
				{Path: "properties.outboundPublicIPAddresses", Kind: Array, Flags: ReadOnly, From: v2022apr},
				{Path: "properties.platformVersion", Kind: String, Flags: ReadOnly, From: v2021apr, Enum: platforms},
			}),
		Complete: completeService,
		Rules:    []Rule{tagLimits, identityRules, servicePrivate, serviceConstraint, hostRules, authorityRules, customRules, serviceLocations},
		Compute:  computeService,
		Actions:  []Action{{"migrateToStv2", v2022apr}, {"connectivityCheck", v2021apr}, {"applynetworkconfigurationupdates", v2017}, {"backup", ""}, {"restore", ""}},
	}
}

func readOnly(paths ...string) []Field {
	out := make([]Field, len(paths))
	for i, p := range paths {
		out[i] = Field{Path: p, Kind: String, Flags: ReadOnly}
	}
	return out
}

func completeService(c *Change) {
	if loc, ok := c.Env.Location(c.New.Text("location")); ok {
		c.New.Set("location", loc.Display)
	}
	if name := c.New.Text("sku.name"); c.New.Get("sku.capacity") == nil {
		capacity := int64(1)
		if strings.EqualFold(name, string(platform.Consumption)) {
			capacity = 0
		}
		c.New.Set("sku.capacity", capacity)
	}
	if custom, ok := c.New.Get("properties.customProperties").(map[string]any); ok {
		delete(custom, preparedKey) // is read only
	}
	completeLocations(c)
	completeHosts(c)
	completeIdentity(c)
	if c.New.Text("properties.apiVersionConstraint.minApiVersion") == "" { // an answer shows it, constraint or none
		c.New.Remove("properties.apiVersionConstraint")
	}
}

func serviceConstraint(c *Change) []arm.ErrorDetail {
	const path = "apiVersionConstraint.minApiVersion"
	v := c.New.Text("properties." + path)
	if v == "" {
		return nil
	}
	if p, ok := arm.ParseVersion(v); !ok || !c.Row.Has(p) {
		return []arm.ErrorDetail{Finding(path, "'%s' is not an api-version of Microsoft.ApiManagement/service.", v)}
	}
	return nil
}

// computeService adds what the platform knows.
func computeService(s *Shown) {
	var st platform.ServiceStatus
	_ = json.Unmarshal(s.Doc.Status, &st) // an unreadable status shows as an empty one
	o := s.Object
	name := s.Doc.ID[strings.LastIndexByte(s.Doc.ID, '/')+1:]
	o.Set("properties.provisioningState", st.ProvisioningState)
	o.Set("properties.targetProvisioningState", st.TargetProvisioningState)
	o.Set("properties.createdAtUtc", Timestamp(st.CreatedAt))
	o.Set("properties.platformVersion", string(shownPlatform(st.Location, st.ProvisioningState)))
	o.Set("properties.outboundPublicIPAddresses", outboundOf(s.Tree, st.Location))
	public, private := addressesOf(st.Location)
	if len(public) > 0 {
		o.Set("properties.publicIPAddresses", public)
	}
	if len(private) > 0 {
		o.Set("properties.privateIPAddresses", private)
	}
	showSubnet(s)
	if list := shownConnections(s); len(list) > 0 {
		o.Set("properties.privateEndpointConnections", list)
	}
	showIdentity(s, principalID(s.Doc.ID, st))
	showPrepared(s.Object, st)
	showLocations(s, st, name)
	urls := s.Env.URLs(ServiceFacts{ID: s.Doc.ID, Name: name, Location: NormalLocation(o.Text("location")), Status: st})
	for path, u := range map[string]string{
		"gatewayUrl": urls.Gateway, "gatewayRegionalUrl": urls.GatewayRegional, "portalUrl": urls.Portal,
		"developerPortalUrl": urls.DeveloperPortal, "managementApiUrl": urls.Management, "scmUrl": urls.SCM,
	} {
		if u != "" {
			o.Set("properties."+path, u)
		}
	}
	showHosts(s, st, urls.GatewayHost)
	for path, v := range map[string]string{
		"createdBy": st.CreatedBy, "createdByType": principalType(st.CreatedBy), "createdAt": Timestamp(st.CreatedAt),
		"lastModifiedBy": st.ModifiedBy, "lastModifiedByType": principalType(st.ModifiedBy), "lastModifiedAt": Timestamp(st.ModifiedAt),
	} {
		if v != "" {
			o.Set("systemData."+path, v)
		}
	}
	o.SetDefault("properties.apiVersionConstraint", map[string]any{})
	o["etag"] = s.Doc.ETag
}

// addressesOf lists the addresses of a location of a service. One that is reached from inside its network has its public address for
// the platform's own traffic.
func addressesOf(l platform.Location) (public, private []any) {
	for _, vip := range l.Hosting.VIPs {
		if vip.Address == "" || len(vip.Sets) == 0 {
			continue
		}
		if !vip.Inside {
			public = append(public, vip.Address)
			continue
		}
		private = append(private, vip.Address)
		if set := l.Hosting.Set(vip.Sets[0]); set != nil && set.Injection != nil && set.Injection.Address != "" {
			public = append(public, set.Injection.Address)
		}
	}
	return public, private
}

// outboundOf lists what machines of a location go out by, if that is a NAT gateway, as prefixes.
func outboundOf(t store.Reader, l platform.Location) []any {
	set := l.Hosting.Set(l.Hosting.Active)
	if set == nil || set.Injection == nil || t == nil {
		return []any{}
	}
	addresses, err := network.SubnetNAT(t, set.Injection.Subnet)
	if err == nil && len(addresses) == 0 && l.Wish.NAT != "" {
		addresses = []string{l.Wish.NAT}
	}
	out := make([]any, len(addresses))
	for i, a := range addresses {
		out[i] = a + "/32"
	}
	return out
}

// preparedKey is the custom property with the addresses that a service will have after its migration.
const preparedKey = "Microsoft.WindowsAzure.ApiManagement.Stv2MigrationPreCreatedIps"

// showPrepared adds the addresses that are prepared for a migration from stv1.
func showPrepared(o Object, st platform.ServiceStatus) {
	var list []string
	for _, l := range st.Locations() {
		if l.Wish.Platform == platform.STv1 && l.Wish.Prepared != "" && !l.Wish.Gone {
			list = append(list, l.Wish.Prepared)
		}
	}
	if len(list) == 0 {
		return
	}
	custom, ok := o.Get("properties.customProperties").(map[string]any)
	if !ok {
		custom = map[string]any{}
		o.Set("properties.customProperties", custom)
	}
	custom[preparedKey] = strings.Join(list, ",")
}

// showSubnet adds what is read-only of the network of a service.
func showSubnet(s *Shown) {
	const config = "properties.virtualNetworkConfiguration"
	id := s.Object.Text(config + ".subnetResourceId")
	if id == "" || s.Tree == nil {
		return
	}
	s.Object.Set(config+".subnetname", lastSegment(id))
	if d, err := s.Tree.Get(parentID(id)); err == nil {
		var st NetworkStatus
		if json.Unmarshal(d.Status, &st) == nil {
			s.Object.Set(config+".vnetid", st.GUID)
		}
	}
}

// principalID is that of the identity of a service: the same as long as the service lives, another one when it is created
// anew.
func principalID(service string, st platform.ServiceStatus) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(strings.ToLower(service)+"#"+st.CreatedAt.UTC().Format(time.RFC3339Nano))).String()
}

// principalType tells users, who are named by their address, from applications.
func principalType(name string) string {
	switch {
	case name == "":
		return ""
	case strings.Contains(name, "@"):
		return "User"
	}
	return "Application"
}

// DeletedService is the stored form of a soft-deleted service. Service and Platform keep what restoring needs.
type DeletedService struct {
	Location   string            `json:"location"`
	Properties DeletedProperties `json:"properties"`
	Service    json.RawMessage   `json:"service"` // Desired of the service
	Platform   platform.Version  `json:"platform,omitempty"`
}

// DeletedProperties are the times of a soft deletion.
type DeletedProperties struct {
	ServiceID          string `json:"serviceId"`
	DeletionDate       string `json:"deletionDate"`
	ScheduledPurgeDate string `json:"scheduledPurgeDate"`
}

// DeletedServiceID is the ID of the record of a soft-deleted service.
func DeletedServiceID(subscription, location, name string) string {
	return fmt.Sprintf("/subscriptions/%s/providers/%s/locations/%s/deletedservices/%s", subscription, APIM, NormalLocation(location), name)
}

func deletedServices() *Row {
	return &Row{
		Namespace: APIM, Path: "locations/deletedservices", WireType: APIM + "/deletedservices", Shape: Proxy, Entity: "Deleted service", Proof: "TestGolden/service",
		Versions: since(apimVersions, v2020pre), Verbs: Get | Delete | List, NameParam: "serviceName", NameMax: 50, NameLike: serviceName, NoIfMatch: true,
		Fields: []Field{
			{Path: "location", Kind: String},
			{Path: "properties.serviceId", Kind: String},
			{Path: "properties.deletionDate", Kind: String},
			{Path: "properties.scheduledPurgeDate", Kind: String},
		},
	}
}
