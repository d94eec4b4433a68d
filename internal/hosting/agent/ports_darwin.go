package agent

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// The loopback interface of darwin has one address, so that a VIP is a pair of ports of it: the one in its address
// and, for TLS, the next one.

// settleVIPPorts refuses what cannot be had here.
func (a *agent) settleVIPPorts(*kept) error {
	if a.opt.Pool.IsValid() {
		return errors.New("a pool of VIP addresses: not on this system, whose loopback has one address")
	}
	return nil
}

func (p *ports) poolText() string { return "127.0.0.1" }

func (p *ports) vipText() (plain, secure string) { return "", "" }

// openVIP opens exactly this address, "127.0.0.1:port".
func (p *ports) openVIP(address string) ([]*wire.Handle, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("address %s: %w", address, err)
	}
	plain, at, err := listen(at)
	if err != nil {
		return nil, err
	}
	secure, _, err := listen(netip.AddrPortFrom(at.Addr(), at.Port()+1))
	if err != nil {
		_ = plain.Close()
		return nil, err
	}
	return []*wire.Handle{plain, secure}, nil
}

// openAnyVIP opens a free pair of ports.
func (p *ports) openAnyVIP(skip map[string]bool) (string, []*wire.Handle, error) {
	const most = 100 // pairs tried
	for range most {
		f, at, err := listen(netip.MustParseAddrPort("127.0.0.1:0"))
		if err != nil {
			return "", nil, err
		}
		if !skip[at.String()] && at.Port() < 65535 {
			second, _, err := listen(netip.AddrPortFrom(at.Addr(), at.Port()+1))
			if err == nil {
				return at.String(), []*wire.Handle{f, second}, nil
			}
			if !inUse(err) {
				_ = f.Close()
				return "", nil, err
			}
		}
		_ = f.Close()
	}
	return "", nil, fmt.Errorf("pairs of ports on 127.0.0.1: %w", errExhausted)
}
