package vnet

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// filter writes the rules of a place, all at once.
func (s *space) filter(p Place) error {
	c, err := nftables.New(nftables.WithNetNSFd(int(s.fd)))
	if err != nil {
		return fmt.Errorf("filter %s: %w", s.name, err)
	}
	filter(c, p)
	if err := c.Flush(); err != nil {
		return fmt.Errorf("filter %s: %w", s.name, err)
	}
	return nil
}

// filter adds the change of the rules to what c sends: one transaction of the kernel.
func filter(c *nftables.Conn, p Place) {
	t := &nftables.Table{Family: nftables.TableFamilyIPv4, Name: "portico"}
	c.AddTable(t)
	c.DelTable(t)
	if !p.Filter {
		return
	}
	c.AddTable(t)
	drop := nftables.ChainPolicyDrop
	for _, inbound := range []bool{true, false} {
		chain := &nftables.Chain{Name: "outbound", Table: t, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityFilter, Policy: &drop}
		if inbound {
			chain.Name, chain.Hooknum = "inbound", nftables.ChainHookInput
		}
		c.AddChain(chain)
		w := &writer{c: c, table: t, chain: chain, place: p, inbound: inbound}
		w.always()
		for _, r := range p.Rules {
			if r.Inbound == inbound {
				w.rule(r)
			}
		}
	}
}

// writer adds the rules of one direction.
type writer struct {
	c       *nftables.Conn
	table   *nftables.Table
	chain   *nftables.Chain
	place   Place
	inbound bool
}

// matches are conditions, all of which must hold.
type matches []expr.Any

func (w *writer) add(m matches, verdict expr.VerdictKind) {
	w.c.AddRule(&nftables.Rule{Table: w.table, Chain: w.chain, Exprs: append(append(matches{}, m...), &expr.Verdict{Kind: verdict})})
}

// always lets through what is inside the place, and what belongs to something that was let through. What comes from the
// host and is for an address of the subnet came around the network: it is dropped.
func (w *writer) always() {
	device := expr.MetaKeyOIFNAME
	if w.inbound {
		device = expr.MetaKeyIIFNAME
	}
	w.add(link(device, "lo"), expr.VerdictAccept)
	w.add(established(), expr.VerdictAccept)
	if w.inbound {
		w.add(append(link(device, inHost), address(destination, w.place.Prefix, expr.CmpOpEq)...), expr.VerdictDrop)
	}
}

// rule adds a rule of a security group: one of the kernel for each combination of what it lists.
func (w *writer) rule(r Rule) {
	verdict := expr.VerdictDrop
	if r.Allow {
		verdict = expr.VerdictAccept
	}
	remote, local, remotePort, localPort := destination, source, destinationPort, sourcePort
	if w.inbound {
		remote, local, remotePort, localPort = source, destination, sourcePort, destinationPort
	}
	for _, protocol := range protocols(r) {
		for _, far := range w.remotes(r, remote) {
			for _, near := range addresses(local, r.Local) {
				for _, farPort := range ports(remotePort, r.RemotePorts, protocol) {
					for _, nearPort := range ports(localPort, r.LocalPorts, protocol) {
						var m matches
						for _, part := range []matches{protocol.match, far, near, farPort, nearPort} {
							m = append(m, part...)
						}
						w.add(m, verdict)
					}
				}
			}
		}
	}
}

type protocol struct {
	match    matches
	hasPorts bool
}

// protocols are those that a rule is about. A rule for all of them that lists ports is about those that have some.
func protocols(r Rule) []protocol {
	one := func(number byte, hasPorts bool) protocol {
		return protocol{matches{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{number}}}, hasPorts}
	}
	switch r.Protocol {
	case "tcp":
		return []protocol{one(unix.IPPROTO_TCP, true)}
	case "udp":
		return []protocol{one(unix.IPPROTO_UDP, true)}
	case "icmp":
		return []protocol{one(unix.IPPROTO_ICMP, false)}
	case "esp":
		return []protocol{one(unix.IPPROTO_ESP, false)}
	case "ah":
		return []protocol{one(unix.IPPROTO_AH, false)}
	}
	if len(r.RemotePorts) == 0 && len(r.LocalPorts) == 0 {
		return []protocol{{}}
	}
	return []protocol{one(unix.IPPROTO_TCP, true), one(unix.IPPROTO_UDP, true)}
}

// field is a part of a packet's heads.
type field struct {
	base        expr.PayloadBase
	offset, len uint32
}

var (
	source          = field{expr.PayloadBaseNetworkHeader, 12, 4}
	destination     = field{expr.PayloadBaseNetworkHeader, 16, 4}
	sourcePort      = field{expr.PayloadBaseTransportHeader, 0, 2}
	destinationPort = field{expr.PayloadBaseTransportHeader, 2, 2}
)

func (f field) load() expr.Any {
	return &expr.Payload{DestRegister: 1, Base: f.base, Offset: f.offset, Len: f.len}
}

func link(key expr.MetaKey, name string) matches {
	data := make([]byte, unix.IFNAMSIZ)
	copy(data, name)
	return matches{&expr.Meta{Key: key, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: data}}
}

// remotes are the far ends that a rule is about.
func (w *writer) remotes(r Rule, f field) []matches {
	if !r.Outside {
		return addresses(f, r.Remote)
	}
	var m matches
	for _, p := range w.place.around() {
		m = append(m, address(f, p, expr.CmpOpNeq)...)
	}
	return []matches{m}
}

func addresses(f field, prefixes []netip.Prefix) []matches {
	if len(prefixes) == 0 {
		return []matches{nil}
	}
	var out []matches
	for _, p := range prefixes {
		out = append(out, address(f, p, expr.CmpOpEq))
	}
	return out
}

func address(f field, p netip.Prefix, op expr.CmpOp) matches {
	if p.Bits() == 0 {
		return nil
	}
	mask := make([]byte, 4)
	binary.BigEndian.PutUint32(mask, ^uint32(0)<<(32-p.Bits()))
	return matches{
		f.load(),
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: mask, Xor: make([]byte, 4)},
		&expr.Cmp{Op: op, Register: 1, Data: p.Masked().Addr().AsSlice()},
	}
}

// ports are the ranges that a rule is about. A protocol without ports is in none of them.
func ports(f field, ranges []Ports, p protocol) []matches {
	if len(ranges) == 0 {
		return []matches{nil}
	}
	if !p.hasPorts {
		return nil
	}
	var out []matches
	for _, r := range ranges {
		out = append(out, matches{f.load(), &expr.Range{Op: expr.CmpOpEq, Register: 1, FromData: binaryutil.BigEndian.PutUint16(r.First), ToData: binaryutil.BigEndian.PutUint16(r.Last)}})
	}
	return out
}
