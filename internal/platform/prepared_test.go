package platform_test

import (
	"testing"

	"github.com/portico-dev/portico/internal/platform"
)

// The address that was prepared is the one after a migration that gives a new address, and after nothing else.
func TestNext_GivesThePreparedAddress(t *testing.T) {
	t.Parallel()
	first := platform.Wish{Platform: platform.STv1, Tier: platform.Premium, Units: 1, Prepared: "127.9.9.9"}
	migrated := func(mode platform.AddressMode) platform.Wish {
		w := first
		w.Platform, w.Address = platform.STv2, mode
		return w
	}
	wanted := func(s *sim) (list []string) {
		for _, v := range s.state.VIPs {
			list = append(list, v.Wanted)
		}
		return list
	}
	s := newSim(1, false)
	calm(t, s, first)
	if got := wanted(s); len(got) != 1 || got[0] != "" {
		t.Errorf("on stv1 the address wanted is %q", got)
	}
	calm(t, s, migrated(platform.NewIP))
	if got := wanted(s); len(got) != 1 || got[0] != "127.9.9.9" {
		t.Errorf("after the migration the address wanted is %q", got)
	}
	zoned := migrated(platform.NewIP)
	zoned.Units, zoned.Zones = 2, []string{"1", "2"}
	calm(t, s, zoned)
	if got := wanted(s); len(got) != 1 || got[0] != "" {
		t.Errorf("in other zones the address wanted is %q", got)
	}

	s = newSim(1, false)
	calm(t, s, first)
	calm(t, s, migrated(platform.PreserveIP))
	if got := wanted(s); len(got) != 1 || got[0] != "" {
		t.Errorf("after a migration that keeps the address, the one wanted is %q", got)
	}
}
