package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	warmSamples  = 3000 // requests to each of two services, in turns
	quietSamples = 2000 // requests of a service, alone and beside a neighbour, and how long they may take
	quietTime    = 15 * time.Second
	noisyConns   = 16 // connections on which the neighbour asks for work
)

// noisyPolicy computes for as long as it may.
const noisyPolicy = `<policies><inbound><set-variable name="n" value="@{ var n = 0; for (var i = 0; i &lt; 400000; i++) { n += i % 7; } return n; }" />
		<return-response><set-header name="X-Mark"><value>noisy</value></set-header></return-response></inbound></policies>`

// measureNeighbours measures what the services of a pool feel of each other, and of the pool.
func measureNeighbours(bin string) (rows []result, err error) {
	ctx := context.Background()
	h, err := startWithGroup(ctx, bin)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.stop()) }()
	for _, s := range []struct {
		name, tier, policy string
		units              int
	}{{"quiet", "Consumption", quietPolicy, 0}, {"noisy", "Consumption", noisyPolicy, 0}, {"cheap", "Consumption", quietPolicy, 0}, {"alone", "Developer", quietPolicy, 1}} {
		if _, err := h.put(ctx, s.name, s.tier, s.units); err != nil {
			return nil, err
		}
		if err := h.addPlainAPI(ctx, s.name, s.policy); err != nil {
			return nil, err
		}
	}
	time.Sleep(2 * time.Second) // what follows the changes is over
	warm, err := h.overhead(ctx)
	if err != nil {
		return nil, err
	}
	beside, err := h.beside()
	return append(warm, beside...), err
}

// overhead compares a service of the pool with one that has a machine to itself: the same policy, kept connections, in
// turns.
func (h *host) overhead(ctx context.Context) ([]result, error) {
	address, err := h.put(ctx, "alone", "Developer", 1)
	if err != nil {
		return nil, err
	}
	alone, err := dial(address)
	if err != nil {
		return nil, err
	}
	defer alone.Close()
	shared, err := h.dialEdge("quiet")
	if err != nil {
		return nil, err
	}
	defer shared.Close()
	var a, s []float64
	for range warmSamples {
		for c, to := range map[*conn]*[]float64{alone: &a, shared: &s} {
			took, err := c.ask()
			if err != nil {
				return nil, err
			}
			*to = append(*to, 1000*took)
		}
	}
	return []result{
		{name: "request to a machine of its own", unit: "µs", samples: a},
		{name: "request to the pool", unit: "µs", samples: s},
		{name: "overhead of the pool, of medians", unit: "%", aim: "< 10", samples: []float64{100 * (median(s)/median(a) - 1)}},
	}, nil
}

// beside compares a service alone with the same service while a neighbour asks for all the work that it can get, and
// while one asks as often for none: that is what the asking itself costs where the clients are on the same processors.
func (h *host) beside() ([]result, error) {
	quiet, err := h.dialEdge("quiet")
	if err != nil {
		return nil, err
	}
	defer quiet.Close()
	sample := func() (out []float64, err error) {
		for begin := time.Now(); len(out) < quietSamples && time.Since(begin) < quietTime; {
			took, err := quiet.ask()
			if err != nil {
				return nil, err
			}
			out = append(out, took)
			time.Sleep(time.Millisecond)
		}
		slices.Sort(out)
		return out, nil
	}
	during := func(neighbour string, pause time.Duration) (samples []float64, answers int64, err error) {
		stop, done := h.noise(neighbour, pause)
		samples, err = sample()
		close(stop)
		return samples, <-done, err
	}
	alone, err := sample()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	noisy, answers, err := during("noisy", 0)
	if err != nil {
		return nil, err
	}
	pause := time.Since(begin) * noisyConns / time.Duration(max(answers, 1))
	cheap, _, err := during("cheap", pause)
	if err != nil {
		return nil, err
	}
	return []result{
		{name: "request of a service alone", unit: "ms", samples: alone},
		{name: "beside a neighbour that computes", unit: "ms", samples: noisy},
		{name: "beside one that is asked as often and computes nothing", unit: "ms", samples: cheap},
		{name: "p99 ratio beside a noisy neighbour", aim: "< 1.5", samples: []float64{at(noisy, 99) / at(alone, 99)}},
		{name: "answers of the neighbour meanwhile", samples: []float64{float64(answers)}},
	}, nil
}

// noise asks a service for work on many connections, with a pause after each answer, until stop is closed, and then says
// how often it was answered.
func (h *host) noise(service string, pause time.Duration) (stop chan struct{}, done chan int64) {
	stop, done = make(chan struct{}), make(chan int64, 1)
	var wg sync.WaitGroup
	var answers atomic.Int64
	for range noisyConns {
		wg.Go(func() {
			for {
				c, err := h.dialEdge(service)
				for err == nil {
					select {
					case <-stop:
						_ = c.Close()
						return
					default:
					}
					if _, _, err = c.get("/p/it"); err == nil {
						answers.Add(1)
					}
					time.Sleep(pause)
				}
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
				}
			}
		})
	}
	go func() {
		wg.Wait()
		done <- answers.Load()
	}()
	return stop, done
}
