package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
)

// A point is one reach of a failpoint: the hit-th one of a name, counted from the moment the test takes aim.
type point struct {
	name string
	hit  int
}

func (p point) String() string { return p.name + ":" + strconv.Itoa(p.hit) }

// A shot is a point in one kind of operation. Of every third one the start after the crash is aimed at, too.
type shot struct {
	kind  *crashKind
	point point
	again point
}

// TestCrash_EveryPoint kills the control plane at the failpoints of every kind of operation, starts it again and checks
// that nothing acknowledged is lost, that what was not acknowledged is there wholly or not at all, that every operation
// ends well, that gateways answered throughout, and that machines, sockets and addresses are those on record.
//
// PORTICO_CRASH=all takes every point; otherwise a sample is taken, with PORTICO_CRASH as its seed.
func TestCrash_EveryPoint(t *testing.T) {
	seed, every := crashMode(t)
	histogram := newHistogram()
	t.Run("hosts", func(t *testing.T) {
		for i, l := range append(lanes, networkLanes()...) {
			t.Run(l.name, func(t *testing.T) {
				t.Parallel()
				h := startLane(t, l)
				shots := h.plan(rand.New(rand.NewPCG(seed, uint64(i))), l.kinds)
				histogram.expect(shots)
				if n := sampleSize(l); !every && len(shots) > n {
					shots = shots[:n]
				}
				for _, s := range shots {
					histogram.enter(s, h.round(s))
				}
				h.finish(l.kinds[0])
			})
		}
	})
	fmt.Fprintf(os.Stdout, "crash test, PORTICO_CRASH=%s: points reached in a run without a crash, and what became of taking aim at them\n%s", os.Getenv("PORTICO_CRASH"), histogram)
	if !t.Failed() && histogram.kills() == 0 {
		t.Error("no point killed anything")
	}
}

// crashMode reads what PORTICO_CRASH asks for.
func crashMode(t *testing.T) (seed uint64, every bool) {
	text := os.Getenv("PORTICO_CRASH")
	if text == "" || text == "all" {
		return 1, text == "all"
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("PORTICO_CRASH=%q is neither all nor a number", text)
	}
	return seed, false
}

func sampleSize(l lane) int {
	if testing.Short() {
		return len(l.kinds)
	}
	return l.sample
}

// relapses are the points at which starts after a crash die. Every start reaches some of them, others only one that has work left.
var relapses = []point{
	{"hosting.lease.before", 1},
	{"hosting.lease.after", 1},
	{"store.commit.before", 1},
	{"store.commit.after", 1},
	{"hosting.reserve.before", 1},
	{"hosting.apply.before", 1},
	{"hosting.apply.after", 2},
	{"hosting.route.after", 1},
	{"hosting.name.after", 1},
	{"hosting.delete.before", 1},
	{"hosting.release.before", 1},
	{"hosting.commit.before", 1},
	{"hosting.commit.after", 1},
	{"hosting.commit.after", 2},
}

// plan runs each kind once without a crash and lists all its points, shuffled. The kinds take turns, so that one leaves
// what the next needs, and a beginning of the list is a fair sample.
func (h *crashHost) plan(rnd *rand.Rand, kinds []*crashKind) []shot {
	h.t.Helper()
	queues := make([][]shot, len(kinds))
	for i, k := range kinds {
		for name, hits := range h.record(k, false) {
			for hit := range hits {
				queues[i] = append(queues[i], shot{kind: k, point: point{name, hit + 1}})
			}
		}
		slices.SortFunc(queues[i], func(a, b shot) int { return strings.Compare(a.point.String(), b.point.String()) })
		rnd.Shuffle(len(queues[i]), func(a, b int) { queues[i][a], queues[i][b] = queues[i][b], queues[i][a] })
		for n := 0; n < len(queues[i]); n += 3 {
			queues[i][n].again = relapses[rnd.IntN(len(relapses))]
		}
	}
	return inTurns(queues)
}

// inTurns takes one shot of each queue after another.
func inTurns(queues [][]shot) (shots []shot) {
	for left := true; left; {
		left = false
		for i, q := range queues {
			if len(q) > 0 {
				shots, queues[i], left = append(shots, q[0]), q[1:], true
			}
		}
	}
	return shots
}

// result is what came of a shot.
type result struct {
	killed   bool // the control plane died there
	answered bool // the client had its answer
	applied  bool // what it asked for is there
}

// A histogram counts what became of shots, by kind of operation and name of the point.
type histogram struct {
	mu   sync.Mutex // guards below
	rows map[[2]string]*tally
	kept int // kills of requests that were not answered and yet carried out
	lost int // kills of requests that were not answered and left no trace
}

type tally struct{ points, killed, missed int }

func newHistogram() *histogram { return &histogram{rows: map[[2]string]*tally{}} }

func (h *histogram) row(s shot) *tally {
	key := [2]string{s.kind.name, s.point.name}
	if h.rows[key] == nil {
		h.rows[key] = &tally{}
	}
	return h.rows[key]
}

func (h *histogram) expect(shots []shot) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range shots {
		h.row(s).points++
	}
}

func (h *histogram) enter(s shot, r result) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch row := h.row(s); {
	case !r.killed:
		row.missed++
	case r.answered:
		row.killed++
	case r.applied:
		row.killed++
		h.kept++
	default:
		row.killed++
		h.lost++
	}
}

func (h *histogram) kills() (n int) {
	for _, row := range h.rows {
		n += row.killed
	}
	return n
}

// String is a table by point, then one by kind of operation.
func (h *histogram) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for part, title := range []string{"operation", "point"} {
		sum, all := map[string]*tally{}, tally{}
		for key, row := range h.rows {
			if sum[key[part]] == nil {
				sum[key[part]] = &tally{}
			}
			sum[key[part]].add(*row)
			all.add(*row)
		}
		fmt.Fprintf(w, "%s\tpoints\tkilled there\tnot reached\n", title)
		for _, name := range slices.Sorted(maps.Keys(sum)) {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\n", name, sum[name].points, sum[name].killed, sum[name].missed)
		}
		fmt.Fprintf(w, "all\t%d\t%d\t%d\n\n", all.points, all.killed, all.missed)
	}
	w.Flush()
	fmt.Fprintf(&b, "requests without an answer: %d carried out, %d without a trace\n", h.kept, h.lost)
	return b.String()
}

func (t *tally) add(o tally) {
	t.points += o.points
	t.killed += o.killed
	t.missed += o.missed
}
