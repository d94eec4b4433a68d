package platform_test

import (
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/platform"
)

func TestTakes_IsWhatIsDocumented(t *testing.T) {
	t.Parallel()
	wish := func(v platform.Version, tier platform.Tier, units int, a platform.AddressMode) *platform.Wish {
		return &platform.Wish{Platform: v, Tier: tier, Units: units, Address: a}
	}
	in := func(w *platform.Wish, subnet string) *platform.Wish {
		w.Injection = &platform.Injection{ID: subnet, Subnet: subnet, Mode: platform.External}
		return w
	}
	v1 := wish(platform.STv1, platform.Developer, 1, "")
	for _, tt := range []struct {
		what      string
		old, wish *platform.Wish
		want      time.Duration
	}{
		{"create", nil, v1, 30 * time.Minute},
		{"create again after a failure", &platform.Wish{Gone: true}, v1, 30 * time.Minute},
		{"create Consumption", nil, wish(platform.MTv1, platform.Consumption, 0, ""), 2 * time.Minute},
		{"create a v2 tier", nil, wish(platform.V2, platform.BasicV2, 1, ""), 2 * time.Minute},
		{"scale", wish(platform.STv2, platform.Basic, 1, ""), wish(platform.STv2, platform.Basic, 2, ""), 15 * time.Minute},
		{"migrate and preserve", v1, wish(platform.STv2, platform.Developer, 1, platform.PreserveIP), 45 * time.Minute},
		{"migrate by an update", v1, wish(platform.STv2, platform.Developer, 1, ""), 45 * time.Minute},
		{"migrate to a new address", v1, wish(platform.STv2, platform.Developer, 1, platform.NewIP), 30 * time.Minute},
		{"change the subnet", in(wish(platform.STv2, platform.Premium, 1, ""), "a"), in(wish(platform.STv2, platform.Premium, 1, platform.NewIP), "b"), 30 * time.Minute},
		{"join a network", wish(platform.STv2, platform.Premium, 1, ""), in(wish(platform.STv2, platform.Premium, 1, platform.NewIP), "b"), 15 * time.Minute},
		{"delete", v1, &platform.Wish{Gone: true}, 0},
	} {
		if got := platform.Takes(tt.old, *tt.wish); got != tt.want {
			t.Errorf("%s takes %v, want %v", tt.what, got, tt.want)
		}
	}
}
