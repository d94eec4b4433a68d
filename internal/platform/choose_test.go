package platform_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/platform"
)

const (
	before = "2020-12-01"
	at     = "2021-01-01-preview"
	after  = "2024-05-01"
	pip    = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/publicIPAddresses/p"
)

func TestDecide_Accepts(t *testing.T) {
	t.Parallel()
	v1 := &platform.Wish{Platform: platform.STv1, Tier: platform.Developer, Units: 1}
	v2 := &platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 2}
	zoned := &platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 3, Zones: []string{"1", "2", "3"}}
	serverless := &platform.Wish{Platform: platform.MTv1, Tier: platform.Consumption}
	gone := &platform.Wish{Platform: platform.STv2, Tier: platform.Developer, Gone: true}
	tests := []struct {
		name string
		in   platform.Request
		want platform.Wish
	}{
		{
			"create before the boundary",
			platform.Request{APIVersion: before, Tier: platform.Developer, Units: 1},
			platform.Wish{Platform: platform.STv1, Tier: platform.Developer, Units: 1},
		},
		{
			"create at the boundary",
			platform.Request{APIVersion: at, Tier: platform.Developer, Units: 1},
			platform.Wish{Platform: platform.STv2, Tier: platform.Developer, Units: 1},
		},
		{
			"create at the GA of the boundary's day",
			platform.Request{APIVersion: "2021-01-01", Tier: platform.Basic, Units: 2},
			platform.Wish{Platform: platform.STv2, Tier: platform.Basic, Units: 2},
		},
		{
			"create after the boundary",
			platform.Request{APIVersion: after, Tier: platform.Standard, Units: 4, Network: platform.NetworkRequest{Type: "none"}},
			platform.Wish{Platform: platform.STv2, Tier: platform.Standard, Units: 4},
		},
		{
			"zones that a service has already where there are none",
			platform.Request{APIVersion: after, Old: zoned, Tier: platform.Premium, Units: 6, Zones: []string{"3", "2", "1"}, Zoneless: true},
			platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 6, Zones: []string{"1", "2", "3"}},
		},
		{
			"Premium takes 31 units",
			platform.Request{APIVersion: after, Tier: platform.Premium, Units: 31},
			platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 31},
		},
		{
			"Consumption is mtv1 in an old api-version",
			platform.Request{APIVersion: before, Tier: platform.Consumption},
			platform.Wish{Platform: platform.MTv1, Tier: platform.Consumption},
		},
		{
			"Consumption is mtv1 in a new api-version",
			platform.Request{APIVersion: after, Tier: platform.Consumption},
			platform.Wish{Platform: platform.MTv1, Tier: platform.Consumption},
		},
		{
			"Consumption stays mtv1 on update",
			platform.Request{APIVersion: after, Tier: platform.Consumption, Old: serverless},
			platform.Wish{Platform: platform.MTv1, Tier: platform.Consumption},
		},
		{
			"zones are stv2 in an old api-version",
			platform.Request{APIVersion: "2020-06-01-preview", Tier: platform.Premium, Units: 2, Zones: []string{"2", "1"}},
			platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 2, Zones: []string{"1", "2"}},
		},
		{
			"three zones, a multiple",
			platform.Request{APIVersion: after, Tier: platform.Premium, Units: 6, Zones: []string{"1", "2", "3"}},
			platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 6, Zones: []string{"1", "2", "3"}},
		},
		{
			"one zone, any number",
			platform.Request{APIVersion: after, Tier: platform.Premium, Units: 5, Zones: []string{"3"}},
			platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 5, Zones: []string{"3"}},
		},
		{
			"update before the boundary leaves stv1",
			platform.Request{APIVersion: before, Old: v1, Tier: platform.Standard, Units: 2},
			platform.Wish{Platform: platform.STv1, Tier: platform.Standard, Units: 2},
		},
		{
			"update at the boundary moves stv1",
			platform.Request{APIVersion: at, Old: v1, Tier: platform.Developer, Units: 1},
			platform.Wish{Platform: platform.STv2, Tier: platform.Developer, Units: 1, Address: platform.PreserveIP},
		},
		{
			"update before the boundary leaves stv2",
			platform.Request{APIVersion: before, Old: v2, Tier: platform.Premium, Units: 3},
			platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 3},
		},
		{
			"zones on an stv1 service move it with a new address",
			platform.Request{APIVersion: before, Old: &platform.Wish{Platform: platform.STv1, Tier: platform.Premium, Units: 1}, Tier: platform.Premium, Units: 3, Zones: []string{"1", "2", "3"}},
			platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 3, Zones: []string{"1", "2", "3"}, Address: platform.NewIP},
		},
		{
			"the same zones in another order keep the address",
			platform.Request{APIVersion: after, Old: zoned, Tier: platform.Premium, Units: 6, Zones: []string{"3", "2", "1"}},
			platform.Wish{Platform: platform.STv2, Tier: platform.Premium, Units: 6, Zones: []string{"1", "2", "3"}},
		},
		{
			"leaving zones changes the address",
			platform.Request{APIVersion: after, Old: zoned, Tier: platform.Standard, Units: 1},
			platform.Wish{Platform: platform.STv2, Tier: platform.Standard, Units: 1, Address: platform.NewIP},
		},
		{
			"to Developer",
			platform.Request{APIVersion: after, Old: v2, Tier: platform.Developer, Units: 1},
			platform.Wish{Platform: platform.STv2, Tier: platform.Developer, Units: 1},
		},
		{
			"a v2 tier is on its own platform",
			platform.Request{APIVersion: "2023-03-01-preview", Tier: platform.BasicV2, Units: 10},
			platform.Wish{Platform: platform.V2, Tier: platform.BasicV2, Units: 10},
		},
		{
			"Basic v2 to Standard v2",
			platform.Request{APIVersion: after, Old: &platform.Wish{Platform: platform.V2, Tier: platform.BasicV2, Units: 1}, Tier: platform.StandardV2, Units: 2},
			platform.Wish{Platform: platform.V2, Tier: platform.StandardV2, Units: 2},
		},
		{
			"Premium v2 in zones",
			platform.Request{APIVersion: after, Tier: platform.PremiumV2, Units: 30, Zones: []string{"2", "1", "3"}},
			platform.Wish{Platform: platform.V2, Tier: platform.PremiumV2, Units: 30, Zones: []string{"1", "2", "3"}},
		},
		{
			"Isolated before the boundary",
			platform.Request{APIVersion: before, Tier: platform.Isolated, Units: 31},
			platform.Wish{Platform: platform.STv1, Tier: platform.Isolated, Units: 31},
		},
		{
			"what is gone is created",
			platform.Request{APIVersion: before, Old: gone, Tier: platform.Consumption},
			platform.Wish{Platform: platform.MTv1, Tier: platform.Consumption},
		},
		{
			"a pinned gateway version stays",
			platform.Request{APIVersion: before, Old: &platform.Wish{Platform: platform.STv1, Tier: platform.Basic, Units: 1, Gateway: "0.9"}, Tier: platform.Basic, Units: 2},
			platform.Wish{Platform: platform.STv1, Tier: platform.Basic, Units: 2, Gateway: "0.9"},
		},
		{
			"migrate by default",
			platform.Request{APIVersion: after, Old: v1, Migrate: true},
			platform.Wish{Platform: platform.STv2, Tier: platform.Developer, Units: 1, Address: platform.PreserveIP},
		},
		{
			"migrate preserving, any case",
			platform.Request{APIVersion: after, Old: v1, Migrate: true, Address: "PRESERVEIP"},
			platform.Wish{Platform: platform.STv2, Tier: platform.Developer, Units: 1, Address: platform.PreserveIP},
		},
		{
			"migrate to a new address, any case",
			platform.Request{APIVersion: after, Old: v1, Migrate: true, Address: "NewIp"},
			platform.Wish{Platform: platform.STv2, Tier: platform.Developer, Units: 1, Address: platform.NewIP},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := platform.Decide(tt.in)
			if err != nil {
				t.Fatalf("Decide(%+v): %v", tt.in, err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("Decide(%+v) differs (-want +got):\n%s", tt.in, d)
			}
		})
	}
}

func TestDecide_Refuses(t *testing.T) {
	t.Parallel()
	v1 := &platform.Wish{Platform: platform.STv1, Tier: platform.Developer, Units: 1}
	v2 := &platform.Wish{Platform: platform.STv2, Tier: platform.Developer, Units: 1}
	serverless := &platform.Wish{Platform: platform.MTv1, Tier: platform.Consumption}
	const (
		bad         = platform.CodeInvalidParameters
		unsupported = platform.CodeValueNotSupported
		needsNewer  = platform.CodeSKUNeedsVersion
	)
	tests := []struct {
		name                  string
		in                    platform.Request
		code, target, message string
	}{
		{
			"unknown tier",
			platform.Request{APIVersion: after, Tier: "Gold", Units: 1},
			unsupported, "sku.name",
			"The value 'Gold' of 'sku.name' is not supported. Allowed values: Consumption, Developer, Basic, Standard, Premium, Isolated, BasicV2, StandardV2, PremiumV2.",
		},
		{
			"a v2 tier before there was one",
			platform.Request{APIVersion: "2022-09-01-preview", Versions: []arm.Version{"2024-05-01", "2023-03-01-preview", "2022-09-01-preview"}, Tier: platform.StandardV2, Units: 1},
			needsNewer, "sku.name",
			"Operation on StandardV2 SKU is only supported in the api-versions 2023-03-01-preview,2024-05-01",
		},
		{
			"a v2 tier stops at 10",
			platform.Request{APIVersion: after, Tier: platform.StandardV2, Units: 11},
			bad, "sku.capacity",
			"The value 11 of 'sku.capacity' is not valid for tier 'StandardV2'. Allowed values: 1 to 10.",
		},
		{
			"zones where there are none",
			platform.Request{APIVersion: after, Tier: platform.Premium, Units: 2, Zones: []string{"1", "2"}, Zoneless: true, Network: platform.NetworkRequest{Location: "westus"}},
			bad, "zones",
			"The location 'westus' has no availability zones.",
		},
		{
			"a service at one location that is out of rotation",
			platform.Request{APIVersion: after, Tier: platform.Premium, Units: 1, Disabled: true},
			bad, "disableGateway",
			"'disableGateway' is for services at several locations: this one would have no gateway left.",
		},
		{
			"Premium v2 stops at 30",
			platform.Request{APIVersion: after, Tier: platform.PremiumV2, Units: 31},
			bad, "sku.capacity",
			"The value 31 of 'sku.capacity' is not valid for tier 'PremiumV2'. Allowed values: 1 to 30.",
		},
		{
			"Isolated before there was one",
			platform.Request{APIVersion: "2019-12-01", Versions: []arm.Version{"2020-06-01-preview", "2019-12-01"}, Tier: platform.Isolated, Units: 1},
			needsNewer, "sku.name",
			"Operation on Isolated SKU is only supported in the api-versions 2020-06-01-preview",
		},
		{
			"from classic to v2",
			platform.Request{APIVersion: after, Old: v2, Tier: platform.StandardV2, Units: 1},
			bad, "sku.name",
			"The tier cannot be changed from 'Developer' to 'StandardV2': a service of tier Developer can change to Basic, Standard, Premium only. Create a new service instead.",
		},
		{
			"to Premium v2",
			platform.Request{APIVersion: after, Old: &platform.Wish{Platform: platform.V2, Tier: platform.BasicV2, Units: 1}, Tier: platform.PremiumV2, Units: 1},
			bad, "sku.name",
			"The tier cannot be changed from 'BasicV2' to 'PremiumV2': a service of tier BasicV2 can change to StandardV2 only. Create a new service instead.",
		},
		{
			"from Isolated",
			platform.Request{APIVersion: after, Old: &platform.Wish{Platform: platform.STv2, Tier: platform.Isolated, Units: 1}, Tier: platform.Premium, Units: 1},
			bad, "sku.name",
			"The tier cannot be changed from 'Isolated' to 'Premium': a service of tier Isolated keeps it. Create a new service instead.",
		},
		{
			"migrate a v2 tier",
			platform.Request{APIVersion: after, Old: &platform.Wish{Platform: platform.V2, Tier: platform.BasicV2, Units: 1}, Migrate: true},
			bad, "sku.name",
			"A service of tier BasicV2 runs on platform version v2 and cannot be migrated to stv2. Tiers that can: Developer, Basic, Standard, Premium, Isolated.",
		},
		{
			"Developer has one unit",
			platform.Request{APIVersion: after, Tier: platform.Developer, Units: 2},
			bad, "sku.capacity",
			"The value 2 of 'sku.capacity' is not valid for tier 'Developer'. Allowed values: 1.",
		},
		{
			"Consumption has none",
			platform.Request{APIVersion: after, Tier: platform.Consumption, Units: 1},
			bad, "sku.capacity",
			"The value 1 of 'sku.capacity' is not valid for tier 'Consumption'. Allowed values: 0.",
		},
		{
			"Basic stops at 2",
			platform.Request{APIVersion: after, Tier: platform.Basic, Units: 3},
			bad, "sku.capacity",
			"The value 3 of 'sku.capacity' is not valid for tier 'Basic'. Allowed values: 1 to 2.",
		},
		{
			"Standard stops at 4",
			platform.Request{APIVersion: after, Tier: platform.Standard, Units: 5},
			bad, "sku.capacity",
			"The value 5 of 'sku.capacity' is not valid for tier 'Standard'. Allowed values: 1 to 4.",
		},
		{
			"Premium stops at 31",
			platform.Request{APIVersion: after, Tier: platform.Premium, Units: 32},
			bad, "sku.capacity",
			"The value 32 of 'sku.capacity' is not valid for tier 'Premium'. Allowed values: 1 to 31.",
		},
		{
			"a negative number",
			platform.Request{APIVersion: after, Tier: platform.Premium, Units: -3},
			bad, "sku.capacity",
			"The value -3 of 'sku.capacity' is not valid for tier 'Premium'. Allowed values: 1 to 31.",
		},
		{
			"zones need Premium",
			platform.Request{APIVersion: after, Tier: platform.Standard, Units: 2, Zones: []string{"1"}},
			bad, "zones",
			"The tier 'Standard' does not support 'zones'. Tiers that do: Premium, PremiumV2.",
		},
		{
			"unknown zone",
			platform.Request{APIVersion: after, Tier: platform.Premium, Units: 2, Zones: []string{"1", "4"}},
			unsupported, "zones",
			"The value '4' of 'zones' is not supported. Allowed values: 1, 2, 3.",
		},
		{
			"a zone twice",
			platform.Request{APIVersion: after, Tier: platform.Premium, Units: 2, Zones: []string{"1", "1"}},
			bad, "zones",
			"The value '1' of 'zones' is listed more than once.",
		},
		{
			"not a multiple",
			platform.Request{APIVersion: after, Tier: platform.Premium, Units: 4, Zones: []string{"1", "2", "3"}},
			bad, "sku.capacity",
			"The value 4 of 'sku.capacity' must be a multiple of the number of 'zones', which is 3.",
		},
		{
			"unknown network",
			platform.Request{APIVersion: after, Tier: platform.Premium, Units: 1, Network: platform.NetworkRequest{Type: "Outside"}},
			unsupported, "virtualNetworkType",
			"The value 'Outside' of 'virtualNetworkType' is not supported. Allowed values: None, External, Internal.",
		},
		{
			"networks need a tier",
			platform.Request{APIVersion: after, Tier: platform.Basic, Units: 1, Network: platform.NetworkRequest{Type: "External"}},
			bad, "virtualNetworkType",
			"The tier 'Basic' does not support 'virtualNetworkType' External. Tiers that do: Developer, Premium, Isolated, PremiumV2.",
		},
		{
			"an address without a network",
			platform.Request{APIVersion: after, Tier: platform.Premium, Units: 1, Network: platform.NetworkRequest{PublicIPID: pip}},
			bad, "publicIpAddressId",
			"'publicIpAddressId' needs 'virtualNetworkType' External or Internal.",
		},
		{
			"from Consumption",
			platform.Request{APIVersion: after, Old: serverless, Tier: platform.Developer, Units: 1},
			bad, "sku.name",
			"The tier cannot be changed from 'Consumption' to 'Developer': a service of tier Consumption keeps it. Create a new service instead.",
		},
		{
			"to Consumption",
			platform.Request{APIVersion: before, Old: v1, Tier: platform.Consumption},
			bad, "sku.name",
			"The tier cannot be changed from 'Developer' to 'Consumption': a service of tier Developer can change to Basic, Standard, Premium only. Create a new service instead.",
		},
		{
			"migrate stv2",
			platform.Request{APIVersion: after, Old: v2, Migrate: true},
			bad, "platformVersion",
			"The service is already on platform version stv2. Only a service on stv1 can be migrated to stv2.",
		},
		{
			"migrate Consumption",
			platform.Request{APIVersion: after, Old: serverless, Migrate: true},
			bad, "sku.name",
			"A service of tier Consumption runs on platform version mtv1 and cannot be migrated to stv2. Tiers that can: Developer, Basic, Standard, Premium, Isolated.",
		},
		{
			"migrate nothing",
			platform.Request{APIVersion: after, Migrate: true},
			bad, "platformVersion",
			"The service has no compute that could be migrated to platform version stv2.",
		},
		{
			"unknown mode",
			platform.Request{APIVersion: after, Old: v1, Migrate: true, Address: "KeepIp"},
			unsupported, "mode",
			"The value 'KeepIp' of 'mode' is not supported. Allowed values: PreserveIp, NewIP.",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wish, err := platform.Decide(tt.in)
			if err == nil {
				t.Fatalf("Decide(%+v) = %+v, want an error", tt.in, wish)
			}
			got := [4]any{err.Status, err.Code, err.Target, err.Message}
			if d := cmp.Diff([4]any{400, tt.code, tt.target, tt.message}, got); d != "" {
				t.Errorf("Decide(%+v) differs (-want +got):\n%s", tt.in, d)
			}
		})
	}
}

func TestDecide_ReportsEveryFinding(t *testing.T) {
	t.Parallel()
	_, err := platform.Decide(platform.Request{APIVersion: after, Tier: platform.Basic, Units: 9, Zones: []string{"1"}, Network: platform.NetworkRequest{Type: "External"}})
	var targets []string
	for _, d := range err.Details {
		targets = append(targets, d.Target)
	}
	if d := cmp.Diff([]string{"sku.capacity", "zones", "virtualNetworkType"}, targets); d != "" {
		t.Errorf("targets differ (-want +got):\n%s", d)
	}
}

func FuzzParseTier(f *testing.F) {
	f.Add("premium")
	f.Add("BASICV2")
	f.Fuzz(func(t *testing.T, s string) {
		tier, ok := platform.ParseTier(s)
		if ok != (tier.Facts().Tier != "") {
			t.Errorf("ParseTier(%q) = %q, %v", s, tier, ok)
		}
		if again, _ := platform.ParseTier(string(tier)); again != tier {
			t.Errorf("ParseTier(%q) = %q, then %q", s, tier, again)
		}
	})
}
