package vnet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// claimsFolder is where the data folders of this host note which addresses are whose: a link for each pool, to the folder
// that has it. It lives as long as networks do, which end with the host's run.
const claimsFolder = "/run/portico/pools"

// Claim returns the part of a range of IPv4 addresses that is this data folder's alone: the preferred one where nobody has
// it, else the next of that size that is free. It is the same until the folder is removed or the host is started anew.
func (h *Host) Claim(all, preferred netip.Prefix) (netip.Prefix, error) {
	if err := os.MkdirAll(claimsFolder, 0o700); err != nil {
		return netip.Prefix{}, err
	}
	lock, err := os.Open(claimsFolder)
	if err != nil {
		return netip.Prefix{}, err
	}
	defer lock.Close() //nolint:errcheck // only a lock
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("lock %s: %w", claimsFolder, err)
	}
	if mine, err := h.claimed(); err != nil || mine.IsValid() {
		return mine, err
	}
	for pool, first := preferred, true; first || pool != preferred; pool, first = next(all, pool), false {
		if err := os.Symlink(h.dir, claim(pool)); !errors.Is(err, os.ErrExist) {
			return pool, err
		}
	}
	return netip.Prefix{}, fmt.Errorf("all parts of %s are claimed by other data folders: `ls -l %s` lists them. Remove folders that are not used any more", all, claimsFolder)
}

// claimed is the pool that the folder has, if it has one. Claims of folders that are gone are removed.
func (h *Host) claimed() (mine netip.Prefix, err error) {
	entries, err := os.ReadDir(claimsFolder)
	if err != nil {
		return mine, err
	}
	for _, e := range entries {
		path := filepath.Join(claimsFolder, e.Name())
		dir, err := os.Readlink(path)
		if err != nil {
			return mine, err
		}
		if dir == h.dir {
			return netip.ParsePrefix(strings.ReplaceAll(e.Name(), "-", "/"))
		}
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			if err := os.Remove(path); err != nil {
				return mine, err
			}
		}
	}
	return mine, nil
}

// claim is the path of a pool's claim.
func claim(pool netip.Prefix) string {
	return filepath.Join(claimsFolder, strings.ReplaceAll(pool.String(), "/", "-"))
}

// next is the pool behind one, or the first of the range behind its last.
func next(all, pool netip.Prefix) netip.Prefix {
	raw := pool.Addr().As4()
	n := binary.BigEndian.Uint32(raw[:])
	binary.BigEndian.PutUint32(raw[:], n+1<<(32-pool.Bits()))
	if a := netip.AddrFrom4(raw); all.Contains(a) {
		return netip.PrefixFrom(a, pool.Bits())
	}
	return netip.PrefixFrom(all.Addr(), pool.Bits())
}
