package agent

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// loopbackRange is where the pools of folders lie. It is far from the addresses that other programs use.
var loopbackRange = netip.MustParsePrefix("127.64.0.0/10")

// poolBits is the size of a folder's pool: 1,022 addresses.
const poolBits = 22

// ports knows the addresses that this folder serves on.
type ports struct {
	pool              netip.Prefix
	last              netip.Addr // of the pool that was given to a VIP; zero for none since the start
	vipHTTP, vipHTTPS uint16
	edgeHTTP, edgeTLS string // host:port
}

// kept is what ports.json holds: the ports that were picked because 0 was asked for.
type kept struct {
	VIPHTTP  uint16 `json:"vipHttp,omitempty"`
	VIPHTTPS uint16 `json:"vipHttps,omitempty"`
	EdgeHTTP uint16 `json:"edgeHttp,omitempty"`
	EdgeTLS  uint16 `json:"edgeTls,omitempty"`
}

// poolOf derives a folder's pool from its path.
func poolOf(dir string) netip.Prefix { return poolIn(loopbackRange, dir) }

// poolIn derives a folder's part of a range from its path.
func poolIn(all netip.Prefix, dir string) netip.Prefix {
	sum := sha256.Sum256([]byte(dir))
	base := all.Addr().As4()
	n := binary.BigEndian.Uint32(base[:])
	n |= binary.BigEndian.Uint32(sum[:4]) << (32 - poolBits) & (1<<(32-all.Bits()) - 1)
	binary.BigEndian.PutUint32(base[:], n)
	return netip.PrefixFrom(netip.AddrFrom4(base), poolBits)
}

// openPorts settles all ports and opens the listeners of the edge.
func (a *agent) openPorts() error {
	k, err := readKept(a.opt.Layout.Ports())
	if err != nil {
		return err
	}
	old := k
	p := &a.ports
	if p.pool = a.opt.Pool.Masked(); !a.opt.Pool.IsValid() {
		p.pool = poolOf(a.opt.Layout.Dir)
	}
	if err := a.openEdge(&k); err != nil {
		return err
	}
	if err := a.settleVIPPorts(&k); err != nil {
		return err
	}
	if k == old {
		return nil
	}
	return writeJSON(a.opt.Layout.Ports(), k)
}

// openEdge opens the listeners of the edge, unless they are there already.
func (a *agent) openEdge(k *kept) (err error) {
	p := &a.ports
	if l := a.edge.listeners; l != nil {
		if p.edgeHTTP, err = boundTo(l[0]); err != nil {
			return err
		}
		p.edgeTLS, err = boundTo(l[1])
		return err
	}
	plain, at, err := listenKept(a.opt.EdgeHTTP, &k.EdgeHTTP)
	if err != nil {
		return fmt.Errorf("--edge: %w (choose another address with --edge)", err)
	}
	secure, atTLS, err := listenKept(a.opt.EdgeTLS, &k.EdgeTLS)
	if err != nil {
		_ = plain.Close()
		return fmt.Errorf("--edge-tls: %w (choose another address with --edge-tls)", err)
	}
	p.edgeHTTP, p.edgeTLS, a.edge.listeners = at, atTLS, []*wire.Handle{plain, secure}
	return nil
}

// boundTo is the address of a listening socket.
func boundTo(h *wire.Handle) (address string, err error) {
	err = h.Use(func(fd int) error {
		sa, err := unix.Getsockname(fd)
		switch s := sa.(type) {
		case *unix.SockaddrInet4:
			address = netip.AddrPortFrom(netip.AddrFrom4(s.Addr), uint16(s.Port)).String() //nolint:gosec // a port
		case *unix.SockaddrInet6:
			address = netip.AddrPortFrom(netip.AddrFrom16(s.Addr), uint16(s.Port)).String() //nolint:gosec // a port
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("address of the edge: %w", err)
	}
	return address, nil
}

// keptTime is how long a port that was kept is waited for: what was killed a moment ago may still have it.
const keptTime = 2 * time.Second

// listenKept listens on an address. For port 0 it takes the port that was kept, or, when there is none or somebody
// else has it now, a free one, which it keeps.
func listenKept(address string, keep *uint16) (*wire.Handle, string, error) {
	at, err := resolve(address)
	if err != nil {
		return nil, "", err
	}
	if at.Port() != 0 {
		f, bound, err := listen(at)
		return f, bound.String(), err
	}
	for until := time.Now().Add(keptTime); *keep != 0; time.Sleep(keptTime / 100) {
		f, bound, err := listen(netip.AddrPortFrom(at.Addr(), *keep))
		if err == nil {
			return f, bound.String(), nil
		}
		if !inUse(err) || time.Now().After(until) {
			break
		}
	}
	f, bound, err := listen(at)
	if err != nil {
		return nil, "", err
	}
	*keep = bound.Port()
	return f, bound.String(), nil
}

// resolve reads host:port. An empty host is every IPv4 address; names are resolved to one address.
func resolve(address string) (netip.AddrPort, error) {
	ta, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("address %s: %w", address, err)
	}
	at := ta.AddrPort()
	if !at.Addr().IsValid() {
		return netip.AddrPortFrom(netip.IPv4Unspecified(), at.Port()), nil
	}
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), nil
}

// errExhausted is returned when every address of the pool is taken.
var errExhausted = errors.New("no address is free")

// inUse reports that an address could be had, if nobody else had it.
func inUse(err error) bool { return errors.Is(err, unix.EADDRINUSE) }

func readKept(path string) (kept, error) {
	var k kept
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return k, fmt.Errorf("read kept ports: %w", err)
	}
	if err := json.Unmarshal(data, &k); err != nil {
		return k, fmt.Errorf("read kept ports %s: %w", path, err)
	}
	return k, nil
}

// writeJSON replaces a file as a whole, readable for its owner.
func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	if err := failpoint.Full(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func portText(p uint16) string { return strconv.Itoa(int(p)) }
