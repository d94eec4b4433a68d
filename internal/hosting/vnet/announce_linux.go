package vnet

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// announce tells a subnet where an address is from now on. Whoever has reached it elsewhere would seek it there until
// that is found to be gone, which takes half a minute.
func (s *space) announce(a netip.Addr) error {
	l, err := s.nl.LinkByName(inSubnet)
	if err != nil {
		return err
	}
	err = s.within(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		to := &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_ARP), Ifindex: l.Attrs().Index, Halen: 6, Addr: [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}
		return unix.Sendto(fd, gratuitous(l.Attrs().HardwareAddr, a), 0, to)
	})
	if err != nil {
		return fmt.Errorf("announce %s: %w", a, err)
	}
	return nil
}

// gratuitous is a request of the address resolution protocol that asks for the address of who asks.
func gratuitous(hardware net.HardwareAddr, a netip.Addr) []byte {
	const ethernet, request = 1, 1
	var p []byte
	p = binary.BigEndian.AppendUint16(p, ethernet)
	p = binary.BigEndian.AppendUint16(p, unix.ETH_P_IP)
	p = append(p, 6, 4) // bytes of the two kinds of addresses
	p = binary.BigEndian.AppendUint16(p, request)
	p = append(append(p, hardware...), a.AsSlice()...)
	return append(append(p, make([]byte, 6)...), a.AsSlice()...)
}

func bigEndian(n uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n))
}
