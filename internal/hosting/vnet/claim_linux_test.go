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
	second := next(all, netip.PrefixFrom(all.Addr(), 26))
	last := netip.PrefixFrom(netip.AddrFrom4([4]byte{raw[0], raw[1], raw[2], 192}), 26)

	root := t.TempDir()
	folder := func(name string) *Host {
		dir := filepath.Join(root, name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		return NewHost(dir)
	}
	t.Cleanup(func() {
		for p, first := second, true; first || p != second; p, first = next(all, p), false {
			_ = os.Remove(claim(p))
		}
	})
	claims := func(h *Host, preferred netip.Prefix, want string) {
		t.Helper()
		if got, err := h.Claim(all, preferred); err != nil || strings.TrimPrefix(got.String(), all.Addr().String()[:len(all.Addr().String())-1]) != want {
			t.Errorf("the claim is %v, %v; want %s of %s", got, err, want, all)
		}
	}
	a, b := folder("a"), folder("b")
	claims(a, last, "192/26")
	claims(b, last, "0/26") // behind the last comes the first
	claims(a, second, "192/26")
	claims(folder("c"), last, "64/26")
	claims(folder("d"), last, "128/26")
	if got, err := folder("e").Claim(all, last); err == nil || !strings.Contains(err.Error(), "claimed by other data folders") {
		t.Errorf("with no pool left the claim is %v, %v", got, err)
	}
	if err := os.Remove(b.dir); err != nil {
		t.Fatal(err)
	}
	claims(folder("e"), last, "0/26")
}
