// Package load measures how much of a machine its process uses: processor time, memory, and places for connections.
// It leaves what becomes of the figures to others. Start reading at Meter.Read.
package load

import (
	"runtime/metrics"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portico-dev/portico/internal/platform"
)

// Bounds are what a machine is meant to use.
type Bounds struct {
	Cores  float64 // processors
	Memory int64   // bytes
	Conns  int     // open connections
}

// readings is over how many readings processor time is averaged: one alone says little.
const readings = 10

// A Meter measures its own process. It is not safe for concurrent use.
type Meter struct {
	bounds Bounds
	memory []metrics.Sample
	past   []reading // the oldest first
}

type reading struct {
	at  time.Time
	cpu time.Duration // used since the process began
}

// NewMeter returns a meter. Its first reading knows nothing of processor time.
func NewMeter(b Bounds) *Meter {
	return &Meter{bounds: b, memory: []metrics.Sample{
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
	}}
}

// Read is the load since ten readings ago, with so many open connections. It is meant to be called in regular turns.
func (m *Meter) Read(conns int) platform.Load {
	now := reading{time.Now(), used()}
	m.past = append(m.past, now)
	if len(m.past) > readings+1 {
		m.past = m.past[1:]
	}
	first := m.past[0]
	metrics.Read(m.memory)
	held := m.memory[0].Value.Uint64() - m.memory[1].Value.Uint64()
	return platform.Load{
		CPU:    percent((now.cpu - first.cpu).Seconds(), m.bounds.Cores*now.at.Sub(first.at).Seconds()),
		Memory: max(1, percent(float64(held), float64(m.bounds.Memory))),
		Queue:  percent(float64(conns), float64(m.bounds.Conns)),
	}
}

// percent is a part of a whole, at most all of it.
func percent(part, whole float64) int {
	if whole <= 0 {
		return 0
	}
	return int(min(100, 100*part/whole))
}

// used is the processor time that the process has used.
func used() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
