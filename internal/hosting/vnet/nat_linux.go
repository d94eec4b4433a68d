package vnet

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// translate writes the rules of a virtual network, all at once: what its places send out by a NAT gateway has an address
// of that as its source, and nothing comes in there but answers.
func (s *space) translate(places []Place) error {
	c, err := nftables.New(nftables.WithNetNSFd(int(s.fd)))
	if err != nil {
		return fmt.Errorf("filter %s: %w", s.name, err)
	}
	translate(c, places)
	if err := c.Flush(); err != nil {
		return fmt.Errorf("filter %s: %w", s.name, err)
	}
	return nil
}

func translate(c *nftables.Conn, places []Place) {
	t := &nftables.Table{Family: nftables.TableFamilyIPv4, Name: "portico"}
	c.AddTable(t)
	c.DelTable(t)
	if !slices.ContainsFunc(places, func(p Place) bool { return len(p.NAT)+len(p.Peers) > 0 }) {
		return
	}
	c.AddTable(t)
	forward := &writer{c: c, table: t, chain: c.AddChain(&nftables.Chain{
		Name: "forward", Table: t, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter,
	})}
	forward.peers(places)
	if !slices.ContainsFunc(places, func(p Place) bool { return len(p.NAT) > 0 }) {
		return // nor need the kernel be able to translate
	}
	leave := &writer{c: c, table: t, chain: c.AddChain(&nftables.Chain{
		Name: "leave", Table: t, Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource,
	})}
	forward.add(append(link(expr.MetaKeyIIFNAME, natLink), established()...), expr.VerdictAccept)
	forward.add(link(expr.MetaKeyIIFNAME, natLink), expr.VerdictDrop)
	for _, p := range places {
		if len(p.NAT) == 0 {
			continue
		}
		out := append(link(expr.MetaKeyOIFNAME, natLink), address(source, netip.PrefixFrom(p.Address, 32), expr.CmpOpEq)...)
		forward.add(out, expr.VerdictAccept)
		for i, a := range p.NAT {
			leave.translate(append(append(matches{}, out...), oneIn(len(p.NAT)-i)...), a)
		}
	}
	forward.add(link(expr.MetaKeyOIFNAME, natLink), expr.VerdictDrop)
}

// established matches what belongs to something that was let through.
func established() matches {
	return matches{
		&expr.Ct{Register: 1, Key: expr.CtKeySTATE},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
}

// oneIn matches one connection in n.
func oneIn(n int) matches {
	if n == 1 {
		return nil
	}
	return matches{
		&expr.Numgen{Register: 1, Modulus: uint32(n), Type: unix.NFT_NG_RANDOM}, //nolint:gosec // a few addresses
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: make([]byte, 4)},
	}
}

// translate adds a rule that gives what matches an address as its source.
func (w *writer) translate(m matches, a netip.Addr) {
	m = append(m, &expr.Immediate{Register: 1, Data: a.AsSlice()}, &expr.NAT{Type: expr.NATTypeSourceNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1})
	w.c.AddRule(&nftables.Rule{Table: w.table, Chain: w.chain, Exprs: m})
}
