package vnet

import (
	"crypto/rand"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each data folder has a pool of its own, also where paths pick the same, and keeps it for as long as it is there.
func TestClaim_PoolsOfFoldersAreApart(t *testing.T) {
	t.Parallel()
	capable(t)
	var raw [4]byte
	_, _ = rand.Read(raw[:])
	raw[0] = 240 // where no other test or program claims anything
	all := netip.PrefixFrom(netip.AddrFrom4(raw), 24).Masked()
	var pools [4]netip.Prefix
	for i := range pools {
		pools[i] = netip.PrefixFrom(netip.AddrFrom4([4]byte{raw[0], raw[1], raw[2], byte(i << 6)}), 26)
		t.Cleanup(func() { _ = os.Remove(claim(pools[i])) })
	}
	root := t.TempDir()
	folder := func(name string) *Host {
		dir := filepath.Join(root, name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		return NewHost(dir)
	}
	claims := func(h *Host, preferred, want int) {
		t.Helper()
		if got, err := h.Claim(all, pools[preferred]); err != nil || got != pools[want] {
			t.Errorf("the claim is %v, %v; want %v", got, err, pools[want])
		}
	}
	a, b := folder("a"), folder("b")
	claims(a, 3, 3)
	claims(b, 3, 0) // behind the last comes the first
	claims(a, 1, 3)
	claims(folder("c"), 3, 1)
	claims(folder("d"), 3, 2)
	if got, err := folder("e").Claim(all, pools[3]); err == nil || !strings.Contains(err.Error(), "claimed by other data folders") {
		t.Errorf("with no pool left the claim is %v, %v", got, err)
	}
	if err := os.Remove(b.dir); err != nil {
		t.Fatal(err)
	}
	claims(folder("e"), 3, 0)
}
