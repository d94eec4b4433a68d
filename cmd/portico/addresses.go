package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/store"
)

// An addressBook gives public IP address resources their addresses: from the upper half of the pool of virtual networks,
// or, on a host that makes none, of the VIP pool, which the fabric reaches last. They are held for their owners.
type addressBook struct {
	pool netip.Prefix
	st   store.Store
	// networks says what virtual networks there can be; nil for none.
	networks func() fabric.Networks
	held     hosting.Holdings

	mu       sync.Mutex // guards below
	promised map[netip.Addr]promise
}

// A promise holds an address between its choice and the transaction that records it.
type promise struct {
	owner string // key of the resource
	until time.Time
}

// promiseTime is far longer than a request takes.
const promiseTime = time.Minute

// newAddressBook reads the pool as the agent tells it: a prefix, or, where the loopback has one address, that address.
func newAddressBook(pool string, st store.Store) (*addressBook, error) {
	if !strings.Contains(pool, "/") {
		return &addressBook{}, nil
	}
	p, err := netip.ParsePrefix(pool)
	if err != nil {
		return nil, fmt.Errorf("pool of the agent: %w", err)
	}
	return &addressBook{pool: p.Masked(), st: st, promised: map[netip.Addr]promise{}}, nil
}

// allocate returns a free address. It begins at a place that depends on the resource, so that making it again after a
// refused request gives the same one.
func (b *addressBook) allocate(id string) (string, error) { return b.from(b.poolNow(), id) }

// prepare returns a free address of the VIP pool; none where there is no such pool.
func (b *addressBook) prepare(id string) (string, error) {
	if !b.pool.IsValid() {
		return "", nil
	}
	return b.from(b.pool, id)
}

func (b *addressBook) from(pool netip.Prefix, id string) (string, error) {
	if !pool.IsValid() {
		return "", errors.New("this system has no pool of addresses")
	}
	bits := 32 - pool.Bits()
	if bits < 2 {
		return "", fmt.Errorf("the pool %s is too small", pool)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now, key := time.Now(), store.Key(id)
	for a, p := range b.promised {
		if now.After(p.until) {
			delete(b.promised, a)
		}
	}
	taken, err := b.taken()
	if err != nil {
		return "", err
	}
	half := uint32(1) << (bits - 1)
	first := pool.Addr().As4()
	base := binary.BigEndian.Uint32(first[:]) + half
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	for i := range half - 1 { // the last address of a range is left out
		var raw [4]byte
		binary.BigEndian.PutUint32(raw[:], base+(h.Sum32()%(half-1)+i)%(half-1))
		a := netip.AddrFrom4(raw)
		if p, ok := b.promised[a]; taken[a.String()] || ok && p.owner != key {
			continue
		}
		b.promised[a] = promise{owner: key, until: now.Add(promiseTime)}
		return a.String(), nil
	}
	return "", fmt.Errorf("no address of %s is free", pool)
}

// poolNow is the pool of virtual networks where there are some.
func (b *addressBook) poolNow() netip.Prefix {
	if b.networks != nil {
		n := b.networks()
		if p, err := netip.ParsePrefix(n.Pool); err == nil && n.Trouble == "" {
			return p
		}
	}
	return b.pool
}

// taken lists the addresses that are somebody's.
func (b *addressBook) taken() (map[string]bool, error) {
	taken := map[string]bool{}
	err := b.st.View(context.Background(), func(r store.Reader) error {
		all, err := b.held.Addresses(r, "")
		for _, a := range all {
			taken[a] = true
		}
		return err
	})
	return taken, err
}
