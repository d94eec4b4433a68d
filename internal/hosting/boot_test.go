package hosting_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
)

// rebooted is a fabric that can claim to be another run of itself.
type rebooted struct {
	fabric.Fabric
	boot atomic.Value
}

func (r *rebooted) Observe(ctx context.Context, sets ...string) (platform.Observation, error) {
	obs, err := r.Fabric.Observe(ctx, sets...)
	obs.Boot = r.boot.Load().(string)
	return obs, err
}

// A fabric that started over between two looks never failed a call: its new name alone tells.
func TestFabricStartedOver_IsToldEverythingAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{})
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	f := &rebooted{Fabric: w.f}
	f.boot.Store("first")
	ctl := hosting.New(w.st, f, slog.New(slog.NewTextHandler(testWriter{t}, nil)), w.opt)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- ctl.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	w.create("shop", v2)
	before := map[string]int{}
	for _, method := range []string{"reserve", "apply", "route", "name"} {
		before[method] = w.callCount(method)
	}
	f.boot.Store("second")
	w.f.Changed()
	for method, n := range before {
		w.until(method+" was called again", func() bool { return w.callCount(method) > n })
	}
	w.settled("shop")
}
