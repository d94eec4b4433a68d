package load

import (
	"math/bits"
	"sync/atomic"
	"time"
)

const (
	fine    = 3          // bits after the first of a wait that are told apart: a bucket is at most an eighth of it wide
	buckets = 40 << fine // of microseconds
)

// Waits are how long answers took.
type Waits struct {
	Longest time.Duration
	counts  [buckets]int64
}

// Quantile is the time within which a share of the answers came, at most an eighth too long; 0 when there were none.
func (w *Waits) Quantile(q float64) time.Duration {
	total := int64(0)
	for _, n := range w.counts {
		total += n
	}
	rank := int64(q * float64(total))
	for i, n := range w.counts {
		if rank -= n; rank < 0 {
			return min(w.Longest, upTo(i))
		}
	}
	return w.Longest
}

// Add adds the waits of another time.
func (w *Waits) Add(v Waits) {
	w.Longest = max(w.Longest, v.Longest)
	for i, n := range v.counts {
		w.counts[i] += n
	}
}

// waits are Waits that many add to at once.
type waits struct {
	longest atomic.Int64 // ns
	counts  [buckets]atomic.Int64
}

func (w *waits) add(d time.Duration) {
	w.counts[bucket(d)].Add(1)
	for old := w.longest.Load(); int64(d) > old && !w.longest.CompareAndSwap(old, int64(d)); {
		old = w.longest.Load()
	}
}

func (w *waits) take() (all Waits) {
	all.Longest = time.Duration(w.longest.Swap(0))
	for i := range w.counts {
		all.counts[i] = w.counts[i].Swap(0)
	}
	return all
}

// bucket is where a wait is counted: by its power of two and the bits that follow the first.
func bucket(d time.Duration) int {
	us := uint64(max(0, d.Microseconds())) //nolint:gosec // not negative
	power := max(0, bits.Len64(us)-1-fine)
	return min(power<<fine+int(us>>power), buckets-1) //nolint:gosec // a few bits
}

// upTo is the end of a bucket.
func upTo(i int) time.Duration {
	power := max(0, i>>fine-1)
	return time.Duration((i-power<<fine+1)<<power) * time.Microsecond
}
