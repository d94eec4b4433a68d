package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/hosting/fabric/inproc"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
	"github.com/portico-dev/portico/internal/store/sqlite"
)

const (
	restTime  = 5 * time.Second  // for which the processor is watched while nothing happens
	settleFor = 10 * time.Minute // to be there in
)

// A crowd is many single-tenant services on a fabric of this process, and the controller that looks after them.
type crowd struct {
	file  string
	st    *sqlite.Store
	f     *inproc.Fabric
	ctl   *hosting.Controller
	calls atomic.Int64 // of the controller to the fabric
	stop  func() error
}

// measureSingle makes many single-tenant services on the in-process fabric and measures what the controller costs: how
// long it takes to be in charge of all of them again, and what it does while nothing happens.
func measureSingle(services int) (rows []result, err error) {
	c, err := newCrowd()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	before := memory()
	if err := c.start(); err != nil {
		return nil, err
	}
	began := time.Now()
	if err := c.create(services); err != nil {
		return nil, err
	}
	if err := c.await(services); err != nil {
		return nil, err
	}
	made := float64(services) / time.Since(began).Seconds()
	each := float64(memory()-before) / 1024 / float64(services)
	rest, err := c.rest()
	if err != nil {
		return nil, err
	}
	start, err := c.restart(services)
	if err != nil {
		return nil, err
	}
	return []result{
		{name: fmt.Sprintf("create rate of %d Developer services in process", services), unit: "/s", samples: []float64{made}},
		{name: "memory of each, with its machine in process", unit: "KiB", samples: []float64{each}},
		{name: fmt.Sprintf("processor time at rest with %d services", services), unit: "% of a core", aim: "about 0", samples: []float64{rest}},
		{name: fmt.Sprintf("start of the control plane's hosting with %d services", services), unit: "ms", aim: "< 3000", samples: []float64{start}},
	}, nil
}

// newCrowd is one that has not started.
func newCrowd() (*crowd, error) {
	dir, err := os.MkdirTemp("", "portico-bench-")
	if err != nil {
		return nil, err
	}
	c := &crowd{file: filepath.Join(dir, "store.db")}
	c.f = inproc.New(inproc.Options{
		Seq:    func(fabric.MachineConfig) int64 { return 1 << 40 },
		Call:   func(string, string) error { c.calls.Add(1); return nil },
		Report: reportVersion,
	})
	return c, nil
}

// measureSingleRollout rolls a version of the gateway out over many single-tenant services.
func measureSingleRollout(services int) (rows []result, err error) {
	c, err := newCrowd()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	for _, do := range []func() error{c.start, func() error { return c.create(services) }, func() error { return c.await(services) }} {
		if err := do(); err != nil {
			return nil, err
		}
	}
	took, baking, err := c.rollOut()
	if err != nil {
		return nil, err
	}
	return []result{
		{name: fmt.Sprintf("a rollout over %d services in process, to the last", services), unit: "s", samples: []float64{took}},
		{name: "processor time while it bakes", unit: "% of a core", samples: []float64{baking}},
	}, nil
}

// start opens the store and lets a controller look after what is in it.
func (c *crowd) start() (err error) {
	ctx, cancel := context.WithCancel(context.Background())
	if c.st, err = sqlite.Open(ctx, c.file, sqlite.Options{}); err != nil {
		cancel()
		return err
	}
	c.ctl = hosting.New(c.st, c.f, slog.New(slog.DiscardHandler), hosting.Options{})
	ended := make(chan error, 1)
	go func() { ended <- c.ctl.Run(ctx) }()
	c.stop = func() error {
		cancel()
		err := <-ended
		c.stop = nil
		return errors.Join(err, c.st.Close())
	}
	return nil
}

func (c *crowd) close() error {
	defer c.f.Close()
	var err error
	if c.stop != nil {
		err = c.stop()
	}
	return errors.Join(err, os.RemoveAll(filepath.Dir(c.file)))
}

func single(i int) string {
	return fmt.Sprintf("/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/single-%05d", i)
}

// create asks for the services as the control plane does.
func (c *crowd) create(services int) error {
	wish := platform.Wish{Platform: platform.STv2, Tier: platform.Developer, Units: 1}
	for i := range services {
		_, err := c.st.Update(context.Background(), func(tx store.Tx) error {
			op, err := lro.Start(tx, lro.Operation{Kind: "service.create", Target: single(i), Started: time.Now()})
			if err != nil {
				return err
			}
			st := platform.ServiceStatus{ProvisioningState: "Created", TargetProvisioningState: "Activating", CreatedAt: time.Now(), Operation: op.Name}
			st.Name = "westeurope"
			st.Want(wish, nil)
			status, err := json.Marshal(st)
			if err != nil {
				return err
			}
			_, err = tx.Put(store.Document{ID: single(i), Type: "microsoft.apimanagement/service", Desired: json.RawMessage(`{"location":"West Europe"}`), Status: status})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// await waits until every service has ended its operation.
func (c *crowd) await(services int) error {
	ctx, cancel := context.WithTimeout(context.Background(), settleFor)
	defer cancel()
	seq := int64(-1)
	for {
		left := services
		err := c.st.View(ctx, func(r store.Reader) error {
			docs, err := r.List(store.Query{Type: "microsoft.apimanagement/service"})
			for _, d := range docs {
				var st platform.ServiceStatus
				if err := json.Unmarshal(d.Status, &st); err != nil {
					return err
				}
				if st.ProvisioningState == "Succeeded" {
					left--
				}
			}
			return err
		})
		if err != nil || left == 0 {
			return err
		}
		if seq, err = c.st.Wait(ctx, seq); err != nil {
			return fmt.Errorf("%d of %d services are not there: %w", left, services, err)
		}
		time.Sleep(100 * time.Millisecond) // a look costs as much as all of them
	}
}

// rest is how busy this process is while nothing happens, in percent of a core.
func (c *crowd) rest() (float64, error) {
	calls := c.calls.Load()
	for quiet := 0; quiet < 10; quiet++ { // what is left of the creation ends
		time.Sleep(100 * time.Millisecond)
		if n := c.calls.Load(); n != calls {
			calls, quiet = n, 0
		}
	}
	began, before := time.Now(), processorTime()
	time.Sleep(restTime)
	used := 100 * float64(processorTime()-before) / float64(time.Since(began))
	if n := c.calls.Load() - calls; n != 0 {
		return 0, fmt.Errorf("%d calls to the fabric while nothing happens", n)
	}
	return used, nil
}

// restart is how long a controller that comes next takes until it has told the fabric all of every service, in
// milliseconds.
func (c *crowd) restart(services int) (float64, error) {
	if err := c.stop(); err != nil {
		return 0, err
	}
	calls := c.calls.Load()
	began := time.Now()
	if err := c.start(); err != nil {
		return 0, err
	}
	want := calls + int64(services)*5 // reserve, apply, route, and two names
	for c.calls.Load() < want {
		if time.Since(began) > settleFor {
			return 0, fmt.Errorf("%d calls to the fabric, want %d", c.calls.Load()-calls, want-calls)
		}
		time.Sleep(time.Millisecond)
	}
	return float64(time.Since(began)) / float64(time.Millisecond), nil
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memory is what this process holds, in bytes.
func memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse) //nolint:gosec // far below
}
