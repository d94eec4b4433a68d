package counters

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"golang.org/x/sys/unix"
)

// The tests of this file count in one file from several processes: this program, started again with a job.

const jobVariable = "COUNTERS_TEST_JOB"

// A job is what a process does.
type job struct {
	Path    string
	Calls   int // of the limit
	Millis  int // its period
	Quota   bool
	Keys    int
	Workers int
	Ops     int // of each worker; 0: until it is killed
	Seed    uint64
}

// An op is one call as its process saw it. Call and Return are nanoseconds of the host's clock.
type op struct {
	Key          int
	Call, Return int64
	Allowed      bool
	At           int64 // millisecond at which an allowed call was counted
}

func TestMain(m *testing.M) {
	if text := os.Getenv(jobVariable); text != "" {
		if err := runJob(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func runJob(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	table, err := Open(j.Path, Options{Keys: 1})
	if err != nil {
		return err
	}
	out := make(chan op, 1024)
	failed := make(chan error, j.Workers)
	var wg sync.WaitGroup
	for i := range j.Workers {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(j.Seed, uint64(i)))
			for n := 0; n < j.Ops || j.Ops == 0; n++ {
				o, err := j.do(table, rnd.IntN(j.Keys))
				if err != nil {
					failed <- err
					return
				}
				out <- o
				for range rnd.IntN(200) {
					runtime.Gosched()
				}
			}
		})
	}
	go func() { wg.Wait(); close(out) }()
	w := json.NewEncoder(os.Stdout)
	for o := range out {
		if err := w.Encode(o); err != nil {
			return err
		}
	}
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func (j job) limit(key int) Limit {
	return Limit{Name: NameOf("l"), Of: strconv.Itoa(key), Calls: j.Calls, Period: time.Duration(j.Millis) * time.Millisecond}
}

func (j job) quota(key int) Quota {
	return Quota{Name: NameOf("q"), Of: strconv.Itoa(key), Calls: int64(j.Calls)}
}

func (j job) do(table *Table, key int) (o op, err error) {
	defer table.alive()
	o = op{Key: key, Call: hostTime()}
	if j.Quota {
		q := j.quota(key)
		c, _ := table.calls(&q)
		o.Allowed, _, err = c.spend(1)
	} else {
		l := j.limit(key)
		var r Result
		var p took
		r, p, err = table.take(&l)
		o.Allowed, o.At = r.Allowed, p.ends-int64(j.Millis)
	}
	o.Return = hostTime()
	return o, err
}

func hostTime() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(hostClock, &ts); err != nil {
		panic(err)
	}
	return ts.Nano()
}

// start runs a job in a process of its own.
func start(t *testing.T, j job) (*exec.Cmd, io.Reader) {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), jobVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

// read collects what a process reports until it ends. The last line of one that was killed may be cut.
func read(t *testing.T, r io.Reader) []op {
	var ops []op
	s := bufio.NewScanner(r)
	for s.Scan() {
		var o op
		if err := json.Unmarshal(s.Bytes(), &o); err != nil {
			break
		}
		ops = append(ops, o)
	}
	_, _ = io.Copy(io.Discard, r)
	return ops
}

// together runs a job in several processes at once and returns all that happened.
func together(t *testing.T, j job, processes int) []op {
	t.Helper()
	results := make([][]op, processes)
	var wg sync.WaitGroup
	for i := range processes {
		j.Seed = uint64(i)
		cmd, out := start(t, j)
		wg.Go(func() {
			results[i] = read(t, out)
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	all := slices.Concat(results...)
	if want := processes * j.Workers * j.Ops; len(all) != want {
		t.Fatalf("%d operations, want %d", len(all), want)
	}
	return all
}

// check says whether a history can have happened one call after the other.
func check(t *testing.T, m porcupine.Model, ops []op) {
	t.Helper()
	var history []porcupine.Operation
	allowed := 0
	for _, o := range ops {
		history = append(history, porcupine.Operation{Input: o, Call: o.Call, Output: o, Return: o.Return})
		if o.Allowed {
			allowed++
		}
	}
	m.Partition = func(all []porcupine.Operation) [][]porcupine.Operation {
		parts := map[int][]porcupine.Operation{}
		for _, o := range all {
			key := o.Input.(op).Key
			parts[key] = append(parts[key], o)
		}
		var out [][]porcupine.Operation
		for _, p := range parts {
			out = append(out, p)
		}
		return out
	}
	t.Logf("%d calls, %d allowed", len(ops), allowed)
	if allowed == 0 || allowed == len(ops) {
		t.Errorf("%d of %d calls allowed: nothing was tried", allowed, len(ops))
	}
	if got := porcupine.CheckOperationsTimeout(m, history, time.Minute); got != porcupine.Ok {
		t.Errorf("not linearizable: %v", got)
	}
}

// slidingWindow is the limit as it should be: a list of calls.
func slidingWindow(j job) porcupine.Model {
	period := int64(j.Millis)
	live := func(calls []int64, now int64) (n int) {
		for _, c := range calls {
			if now-c <= period {
				n++
			}
		}
		return n
	}
	return porcupine.Model{
		Init: func() any { return []int64(nil) },
		Step: func(state, _, output any) (bool, any) {
			calls, o := state.([]int64), output.(op)
			last := int64(0)
			if len(calls) > 0 {
				last = calls[len(calls)-1]
			}
			if !o.Allowed { // at the earliest moment that the order leaves for it
				return live(calls, max(last, o.Call/1e6)) >= j.Calls, state
			}
			// Two processes read the clock a few nanoseconds apart; that may be a boundary of milliseconds.
			if o.At < last-1 {
				return false, state
			}
			at := max(o.At, last)
			next := append(slices.Clone(calls), at)
			return live(calls, at) < j.Calls, next[max(0, len(next)-j.Calls):]
		},
		Equal: func(a, b any) bool { return slices.Equal(a.([]int64), b.([]int64)) },
	}
}

// budget is a quota as it should be: a number.
func budget(j job) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return 0 },
		Step: func(state, _, output any) (bool, any) {
			n := state.(int)
			if output.(op).Allowed {
				return n < j.Calls, n + 1
			}
			return n >= j.Calls, n
		},
	}
}

func TestRate_LinearizableOverProcesses(t *testing.T) {
	t.Parallel()
	j := job{Path: filepath.Join(t.TempDir(), "f"), Calls: 8, Millis: 2, Keys: 2, Workers: 3, Ops: 1500}
	check(t, slidingWindow(j), together(t, j, 4))
}

func TestQuota_LinearizableOverProcesses(t *testing.T) {
	t.Parallel()
	j := job{Path: filepath.Join(t.TempDir(), "f"), Calls: 200, Quota: true, Keys: 3, Workers: 3, Ops: 300}
	check(t, budget(j), together(t, j, 4))
}

// TestRate_LargeLimitOverProcesses: no order of calls is needed to see that there were never too many.
func TestRate_LargeLimitOverProcesses(t *testing.T) {
	t.Parallel()
	j := job{Path: filepath.Join(t.TempDir(), "f"), Calls: 150, Millis: 5, Keys: 1, Workers: 3, Ops: 3000}
	neverTooMany(t, j, together(t, j, 4))
}

// neverTooMany looks at every period.
func neverTooMany(t *testing.T, j job, ops []op) {
	t.Helper()
	times := map[int][]int64{}
	for _, o := range ops {
		if o.Allowed {
			times[o.Key] = append(times[o.Key], o.At)
		}
	}
	for key, at := range times {
		slices.Sort(at)
		for i := j.Calls; i < len(at); i++ {
			if d := at[i] - at[i-j.Calls]; d <= int64(j.Millis) {
				t.Fatalf("key %d: %d calls within %d ms", key, j.Calls+1, d)
			}
		}
	}
}

// TestTable_ProcessesAreKilled kills processes in the middle of what they do. What the others see must go on being
// right, and afterwards nothing is lost: every key can be used to the full.
func TestTable_ProcessesAreKilled(t *testing.T) {
	t.Parallel()
	for _, quota := range []bool{false, true} {
		j := job{Path: filepath.Join(t.TempDir(), "f"), Calls: 5, Millis: 30, Quota: quota, Keys: 20, Workers: 3}
		var ops []op
		rnd := rand.New(rand.NewPCG(1, 2))
		for round := range 6 {
			j.Seed = uint64(round)
			var wg sync.WaitGroup
			var mu sync.Mutex
			for range 3 {
				cmd, out := start(t, j)
				first := make([]byte, 1)
				if _, err := io.ReadFull(out, first); err != nil {
					t.Fatal(err)
				}
				kill := time.AfterFunc(time.Duration(rnd.IntN(40))*time.Millisecond, func() { _ = cmd.Process.Kill() })
				wg.Go(func() {
					defer kill.Stop()
					got := read(t, io.MultiReader(bytes.NewReader(first), out))
					_ = cmd.Wait() // killed
					mu.Lock()
					defer mu.Unlock()
					ops = append(ops, got...)
				})
			}
			wg.Wait()
		}
		t.Logf("%d calls", len(ops))
		if !quota {
			neverTooMany(t, j, ops)
		}
		afterwards(t, j, ops)
	}
}

// afterwards uses every key to the full.
func afterwards(t *testing.T, j job, ops []op) {
	t.Helper()
	table, err := Open(j.Path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	unique(t, &table.rates)
	unique(t, &table.quotas)
	for key := range j.Keys {
		used := 0
		for _, o := range ops {
			if o.Key == key && o.Allowed {
				used++
			}
		}
		if j.Quota {
			q := j.quota(key)
			c, _ := table.calls(&q)
			if full, _ := c.full(); !full || used > j.Calls {
				t.Errorf("quota %d: full %v after %d calls", key, full, used)
			}
			continue
		}
		l := j.limit(key)
		p := newPlaces(l)
		p.lines[0] = table.rates.peek(table.rates.place(table.key(l.Name, l.Of), 0))
		later := table.clock.now().mono + int64(j.Millis) + 1
		if got := p.look(&table.clock, later, int64(j.Millis)); got.at == nil || got.used != 0 {
			t.Errorf("key %d: %d calls never end", key, got.used)
		}
	}
}

// unique makes sure that no key has two lines where it may have one.
func unique(t *testing.T, r *region) {
	t.Helper()
	for home := range r.buckets {
		seen := map[uint64]bool{}
		for i := range 2 * ways {
			fp := r.tag(home, i).Load() >> leaseBits
			if fp != 0 && seen[fp] {
				t.Errorf("bucket %d has two lines for %x", home, fp)
			}
			seen[fp] = true
		}
	}
}
