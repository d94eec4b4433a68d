package load

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Held counts the accepted connections to addr that a process holds.
func Held(pid int, addr string) (int, error) {
	local, err := netip.ParseAddrPort(addr)
	if err != nil {
		return 0, err
	}
	inodes, err := accepted(local)
	if err != nil {
		return 0, err
	}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return 0, err
	}
	n := 0
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if inode, ok := strings.CutPrefix(target, "socket:["); err == nil && ok && inodes[strings.TrimSuffix(inode, "]")] {
			n++
		}
	}
	return n, nil
}

const listening = "0A" // state of a listening socket in /proc/net/tcp

// accepted lists the inodes of sockets whose local end is addr and that do not listen.
func accepted(local netip.AddrPort) (map[string]bool, error) {
	f, err := os.Open("/proc/net/tcp")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ip := local.Addr().As4()
	slices.Reverse(ip[:]) // the kernel prints the address as a little-endian word
	want := strings.ToUpper(hex.EncodeToString(ip[:])) + ":" + fmt.Sprintf("%04X", local.Port())
	inodes := map[string]bool{}
	for s := bufio.NewScanner(f); s.Scan(); {
		field := strings.Fields(s.Text())
		if len(field) < 10 || field[1] != want || field[3] == listening {
			continue
		}
		if n, err := strconv.Atoi(field[9]); err == nil && n != 0 {
			inodes[field[9]] = true
		}
	}
	return inodes, nil
}
