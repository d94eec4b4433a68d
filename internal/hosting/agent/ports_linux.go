package agent

import (
	"fmt"
	"net/netip"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// settleVIPPorts fixes the ports of every VIP. A port that is to be picked is one that is free on an address of the
// pool now.
func (a *agent) settleVIPPorts(k *kept) error {
	if a.opt.VIPHTTP < 0 || a.opt.VIPHTTP > 65535 || a.opt.VIPHTTPS < 0 || a.opt.VIPHTTPS > 65535 {
		return fmt.Errorf("VIP ports %d and %d: not ports", a.opt.VIPHTTP, a.opt.VIPHTTPS)
	}
	p := &a.ports
	p.vipHTTP, p.vipHTTPS = uint16(a.opt.VIPHTTP), uint16(a.opt.VIPHTTPS) //nolint:gosec // checked above
	for _, one := range []struct{ port, keep *uint16 }{{&p.vipHTTP, &k.VIPHTTP}, {&p.vipHTTPS, &k.VIPHTTPS}} {
		if *one.port != 0 {
			continue
		}
		if *one.keep == 0 {
			f, bound, err := listen(netip.AddrPortFrom(p.pool.Addr().Next(), 0))
			if err != nil {
				return fmt.Errorf("pick VIP port: %w", err)
			}
			defer f.Close() //nolint:errcheck // held until both are picked, so that they differ
			*one.keep = bound.Port()
		}
		*one.port = *one.keep
	}
	return nil
}

func (p *ports) poolText() string { return p.pool.String() }

func (p *ports) vipText() (plain, secure string) { return portText(p.vipHTTP), portText(p.vipHTTPS) }

// openVIP opens exactly this address.
func (p *ports) openVIP(address string) ([]*wire.Handle, error) {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return nil, fmt.Errorf("address %s: %w", address, err)
	}
	return p.openAddr(addr.Unmap())
}

func (p *ports) openAddr(addr netip.Addr) ([]*wire.Handle, error) {
	plain, _, err := listen(netip.AddrPortFrom(addr, p.vipHTTP))
	if err != nil {
		return nil, err
	}
	secure, _, err := listen(netip.AddrPortFrom(addr, p.vipHTTPS))
	if err != nil {
		_ = plain.Close()
		return nil, err
	}
	return []*wire.Handle{plain, secure}, nil
}

// openAnyVIP opens the next address of the pool that is neither to be skipped nor in use, behind the one that it gave
// last: a service that is deleted and made again has another address. The first address of a range, and those that end in
// 0 or 255, are left out: some programs take them for something else.
func (p *ports) openAnyVIP(skip map[string]bool) (string, []*wire.Handle, error) {
	const most = 16 // bits: how many addresses are tried
	addr := p.last
	for range 1 << min(most, p.pool.Addr().BitLen()-p.pool.Bits()) {
		if addr = addr.Next(); !p.pool.Contains(addr) {
			addr = p.pool.Addr().Next()
		}
		if last := addr.AsSlice()[addr.BitLen()/8-1]; last == 0 || last == 255 || skip[addr.String()] {
			continue
		}
		files, err := p.openAddr(addr)
		if err == nil {
			p.last = addr
			return addr.String(), files, nil
		}
		if !inUse(err) {
			return "", nil, err
		}
	}
	return "", nil, fmt.Errorf("pool %s: %w", p.pool, errExhausted)
}
