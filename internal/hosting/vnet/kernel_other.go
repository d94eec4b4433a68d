//go:build !linux

package vnet

import "net/netip"

// Trouble says why this process cannot make virtual networks.
func Trouble() string { return "virtual networks are made of Linux's network namespaces." }

// Claim returns a pool of addresses that is the folder's alone.
func (h *Host) Claim(_, _ netip.Prefix) (netip.Prefix, error) { return netip.Prefix{}, ErrNotHere }

// Attach makes a place.
func (h *Host) Attach(Place, ...Place) error { return ErrNotHere }

// Publish routes a public address to a place.
func (h *Host) Publish(string, netip.Addr) error { return ErrNotHere }

// Settle gives a place one more address of its subnet.
func (h *Host) Settle(string, netip.Addr) error { return ErrNotHere }

// Withdraw takes an address off a place.
func (h *Host) Withdraw(string, netip.Addr) error { return ErrNotHere }

// Tidy takes all addresses off a place but those that are known.
func (h *Host) Tidy(string, ...netip.Addr) error { return ErrNotHere }

// Detach removes a place.
func (h *Host) Detach(string, string, ...Place) error { return nil }

// RemoveAll removes everything that the folder has, which is nothing.
func (h *Host) RemoveAll() error { return nil }

// Enter runs f in a place.
func (h *Host) Enter(string, func() error) error { return ErrNotHere }
