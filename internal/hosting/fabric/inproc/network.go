package inproc

import (
	"context"
	"fmt"
	"maps"

	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
)

// Networks implements fabric.Networker: virtual networks of this fabric are notes.
func (f *Fabric) Networks(context.Context) (fabric.Networks, error) {
	return fabric.Networks{Pool: "198.18.0.0/22"}, nil
}

// Attach implements fabric.Networker.
func (f *Fabric) Attach(_ context.Context, l fabric.Lease, a platform.Attachment, _ []string) error {
	leave, err := f.enter(l, "attach", a.ID)
	if err != nil {
		return err
	}
	defer leave()
	f.attached[a.ID] = a
	f.bump()
	return nil
}

// Detach implements fabric.Networker.
func (f *Fabric) Detach(_ context.Context, l fabric.Lease, id string) error {
	leave, err := f.enter(l, "detach", id)
	if err != nil {
		return err
	}
	defer leave()
	delete(f.attached, id)
	f.bump()
	return nil
}

// Attached is what the fabric was told last of its virtual networks, by ID.
func (f *Fabric) Attached() map[string]platform.Attachment {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string]platform.Attachment{}
	maps.Copy(out, f.attached)
	return out
}

// injected is the address that a VIP has that leads into a virtual network; empty for one that does not. f.mu is held.
func (f *Fabric) injected(v platform.VIP) (string, error) {
	if v.Injection == "" {
		return "", nil
	}
	a, ok := f.attached[v.Injection]
	switch {
	case !ok:
		return "", fmt.Errorf("VIP %s leads into %s, which is not attached", v.ID, v.Injection)
	case v.Inside:
		addr := a.Prefix.Addr()
		for range 4 + len(f.vips) {
			addr = addr.Next()
		}
		return addr.String(), nil
	case v.Wanted != "":
		return v.Wanted, nil
	}
	return a.Address, nil
}
