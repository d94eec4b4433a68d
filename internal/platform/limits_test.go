package platform_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/platform"
)

func TestEra_Limit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		era  platform.Era
		tier platform.Tier
		path string
		want int
	}{
		{platform.Era2024, platform.Consumption, "service/apis", 50},
		{platform.Era2024, platform.Consumption, "service/apis/operations", 1000},
		{platform.Era2024, platform.Consumption, "service/subscriptions", 500},
		{platform.Era2024, platform.Consumption, "service/certificates", 50},
		{platform.Era2024, platform.Premium, "service/apis", 0},
		{platform.Era2024, platform.BasicV2, "service/apis", 150},
		{platform.Era2024, platform.StandardV2, "service/apis", 500},
		{platform.Era2024, platform.StandardV2, "service/namedValues", 100},
		{platform.Era2024, platform.PremiumV2, "service/products", 0},
		{platform.Era2026, platform.Developer, "service/apis/operations", 3000},
		{platform.Era2026, platform.Basic, "SERVICE/APIS/OPERATIONS", 10000},
		{platform.Era2026, platform.StandardV2, "service/apis/operations", 50000},
		{platform.Era2026, platform.Isolated, "service/apis/operations", 75000},
		{platform.Era2026, platform.Premium, "service/tags", 15000},
		{platform.Era2026, platform.Standard, "service/loggers", 200},
		{platform.Era2026, platform.PremiumV2, "service/subscriptions", 75000},
		{platform.Era2026, platform.Consumption, "service/apis", 50},
		{platform.Era2026, platform.Developer, "service/apis", 0},
		{platform.Unlimited, platform.Consumption, "service/apis", 0},
		{"", platform.Consumption, "service/apis", 0},
	} {
		if got := c.era.Limit(c.tier, c.path); got != c.want {
			t.Errorf("%s %s %s: %d, want %d", c.era, c.tier, c.path, got, c.want)
		}
	}
	for _, c := range []struct {
		era                      platform.Era
		tier                     platform.Tier
		services, tags, document int
	}{
		{platform.Era2024, platform.Consumption, 20, 15, 16 << 10},
		{platform.Era2024, platform.Developer, 0, 15, 256 << 10},
		{platform.Era2026, platform.Consumption, 20, 15, 16 << 10},
		{platform.Era2026, platform.Premium, 0, 15, 256 << 10},
		{platform.Unlimited, platform.Consumption, 0, 0, 0},
	} {
		got := [3]int{c.era.Services(c.tier), c.era.ServiceTags(), c.era.Policy(c.tier)}
		if want := [3]int{c.services, c.tags, c.document}; got != want {
			t.Errorf("%s %s: %v, want %v", c.era, c.tier, got, want)
		}
	}
}

func TestGrandfather(t *testing.T) {
	t.Parallel()
	held := map[string]int{"service/products": 100, "service/loggers": 101, "service/tags": 1600, "service/backends": 9000}
	want := &platform.Grandfathered{Era: platform.Era2026, Tier: platform.Developer, Most: map[string]int{"service/loggers": 112, "service/tags": 1760}}
	got := platform.Era2026.Grandfather(platform.Developer, held)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, none := range []*platform.Grandfathered{
		platform.Era2026.Grandfather(platform.Consumption, held), platform.Era2026.Grandfather(platform.BasicV2, held), platform.Era2024.Grandfather(platform.Developer, held), platform.Era2026.Grandfather(platform.Premium, held),
	} {
		if none != nil {
			t.Errorf("got %+v", none)
		}
	}
	for _, c := range []struct {
		era  platform.Era
		tier platform.Tier
		path string
		want int
	}{
		{platform.Era2026, platform.Developer, "service/loggers", 112},
		{platform.Era2026, platform.Developer, "service/products", 100},
		{platform.Era2026, platform.Basic, "service/loggers", 100},
		{platform.Era2026, platform.Developer, "service/backends", 0},
		{platform.Era2024, platform.Developer, "service/loggers", 0},
	} {
		if n := c.era.LimitFor(c.tier, c.path, got); n != c.want {
			t.Errorf("%s %s %s: %d, want %d", c.era, c.tier, c.path, n, c.want)
		}
	}
}
