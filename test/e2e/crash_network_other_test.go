//go:build !linux

package e2e

// networkLanes are those of hosts that make virtual networks.
func networkLanes() []lane { return nil }

// networkProcessLanes are those on which agent, edge and machines die.
func networkProcessLanes() []lane { return nil }
