package publish

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Services of a pool come, change, leave by tier and by deletion; after each poll the worker has those that there are, and
// another worker gets the same, however few of them the publisher keeps awake.
func TestPoll_WorkerFollowsItsPool(t *testing.T) {
	t.Parallel()
	const consumption = `{"location":"West Europe","sku":{"name":"Consumption"},"properties":{"n":"%d"}}`
	for seed := range uint64(5) {
		const awake = 2
		w := newWorld(t, Options{AnswerBytes: 2000, Awake: awake})
		rnd := rand.New(rand.NewPCG(seed, 7))
		m := w.machine("", "westeurope")
		there := map[string]bool{}
		for round := range 60 {
			there["round"] = true
			for range rnd.IntN(4) {
				name := string(rune('a' + rnd.IntN(8)))
				switch rnd.IntN(4) {
				case 0:
					w.put(group+name, premium)
					delete(there, name)
				case 1:
					if there[name] {
						w.remove(group + name)
						delete(there, name)
					}
				default:
					w.put(group+name, fmt.Sprintf(consumption, round))
					there[name] = true
				}
			}
			seq := w.put(group+"round", fmt.Sprintf(consumption, round)) // each round is news
			for m.poll(); m.req.Seq < seq; m.poll() {
			}
			var want, got []string
			for name := range there {
				want = append(want, name)
			}
			for id := range m.req.Have {
				got = append(got, strings.ToLower(lastSegment(id)))
			}
			slices.Sort(want)
			slices.Sort(got)
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("seed %d, round %d (-want +got):\n%s", seed, round, d)
			}
			w.pub.mu.Lock()
			if n := w.pub.awake.Len(); n > awake {
				t.Errorf("seed %d, round %d: %d services are awake, want %d at most", seed, round, n, awake)
			}
			w.pub.mu.Unlock()
			if round%10 != 0 {
				continue
			}
			other := w.machine("", "westeurope")
			for other.poll(); other.req.Seq < seq; other.poll() {
			}
			if d := cmp.Diff(m.req.Have, other.req.Have); d != "" {
				t.Fatalf("seed %d, round %d: another worker has (-want +got):\n%s", seed, round, d)
			}
		}
	}
}

// What a worker has been told of is not looked at again.
func TestPool_Since(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	const consumption = `{"location":"West Europe","sku":{"name":"Consumption"},"properties":{}}`
	w.put(group+"a", consumption, group+"b", consumption, group+"c", consumption)
	w.machine("", "westeurope").poll()
	w.put(group+"a", strings.Replace(consumption, "{}", `{"publisherName":"x"}`, 1))
	w.machine("", "westeurope").poll()
	w.pub.mu.Lock()
	defer w.pub.mu.Unlock()
	pool := w.pub.pools["westeurope"]
	changed, newest := pool.since(newest(pool) - 1)
	if len(changed) != 1 || changed[0].id != group+"a" || newest != changed[0].seq {
		t.Errorf("%d services changed, the newest at %d", len(changed), newest)
	}
	if changed, _ := pool.since(newest); len(changed) != 0 {
		t.Errorf("%d services changed since the newest change", len(changed))
	}
	if all, _ := pool.since(0); len(all) != 3 {
		t.Errorf("%d services in all, want 3", len(all))
	}
}

func newest(p *pool) int64 {
	_, seq := p.since(1 << 60)
	return seq
}
