package inproc_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/hosting/fabric/fabrictest"
	"github.com/portico-dev/portico/internal/hosting/fabric/inproc"
	"github.com/portico-dev/portico/internal/platform"
)

func TestFabric(t *testing.T) {
	t.Parallel()
	fabrictest.Run(t, func(t *testing.T) fabrictest.Fixture {
		f := inproc.New(inproc.Options{Handler: func(c fabric.MachineConfig) http.Handler { return fabrictest.Handler(c.Machine.ID) }})
		t.Cleanup(f.Close)
		return fabrictest.Fixture{
			Fabric: f,
			Dial:   func(ctx context.Context, address string) (net.Conn, error) { return f.DialContext(ctx, "tcp", address) },
			Kill:   func(id string) { f.Kill(id) },
		}
	})
}

func TestStart_FaultsAreSeen(t *testing.T) {
	t.Parallel()
	go1, go2 := make(chan struct{}), make(chan struct{})
	f := inproc.New(inproc.Options{Start: func(ctx context.Context, m fabric.MachineConfig) error {
		if m.Machine.ID == "refused" {
			select {
			case <-go1:
				return nil
			default:
				return errors.New("no room")
			}
		}
		select {
		case <-go2:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	t.Cleanup(f.Close)
	set := platform.Set{ID: "s", Machines: []platform.Machine{
		{ID: "refused", Mode: platform.Serving}, {ID: "slow", Mode: platform.Serving}, {ID: "never", Mode: platform.Serving},
	}}
	apply := func() {
		if err := f.Apply(t.Context(), fabric.Lease{}, set); err != nil {
			t.Fatal(err)
		}
	}
	apply()
	await(t, f, func(o platform.Observation) bool {
		m := o.Machines["refused"]
		return m.Restarts > 2 && m.Phase == platform.Exited && m.Error == "no room" && o.Machines["slow"].Phase == platform.Starting
	})
	set.Machines = set.Machines[:2] // a start that nobody waits for any more ends
	apply()
	await(t, f, func(o platform.Observation) bool { return len(o.Machines) == 2 })
	close(go1)
	close(go2)
	await(t, f, func(o platform.Observation) bool {
		return o.Machines["refused"].Phase == platform.Ready && o.Machines["slow"].Phase == platform.Ready
	})
}

func await(t *testing.T, f *inproc.Fabric, holds func(platform.Observation) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for after := int64(0); ; {
		n, err := f.Wait(ctx, after)
		o, _ := f.Observe(t.Context())
		if holds(o) {
			return
		}
		if err != nil {
			t.Fatalf("%v; observed %+v", err, o)
		}
		after = n
	}
}
