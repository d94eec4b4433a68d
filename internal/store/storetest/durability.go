package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/portico-dev/portico/internal/store"
)

// durabilityPlace tells the child process of Durability where its store is.
const durabilityPlace = "STORETEST_DURABILITY_PLACE"

// Durability kills a process that writes, again and again, at moments chosen at random, and checks that every
// acknowledged write is there afterwards, that no transaction is there by half, and that the change log agrees.
//
// The process is the test binary itself, run for the calling test alone; reopen opens the store at a place (that of
// the first call is made by Durability in a temporary folder) and is called in both processes. The caller is a
// top-level test.
func Durability(t *testing.T, reopen func(t *testing.T, place string) store.Store) {
	t.Helper()
	if place := os.Getenv(durabilityPlace); place != "" {
		writeUntilKilled(t, reopen(t, place))
		return
	}
	place := t.TempDir()
	acknowledged := map[string]int{} // newest acknowledged value by writer
	for round := range 5 {
		killedWriter(t, place, 1+rand.IntN(60*(round+1)), acknowledged)
		st := reopen(t, place)
		checkSurvivors(t, st, acknowledged)
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// durableWriters is the number of goroutines that write in the child.
const durableWriters = 4

// writeUntilKilled writes ever larger numbers, each in a pair of documents, and prints "writer number" once it is
// acknowledged.
func writeUntilKilled(t *testing.T, st store.Store) {
	var wg sync.WaitGroup
	for w := range durableWriters {
		wg.Go(func() {
			for n := valueOf(t, st, w) + 1; ; n++ {
				body := strconv.Itoa(n)
				_, err := st.Update(context.Background(), func(tx store.Tx) error {
					_, err1 := tx.Put(doc(fmt.Sprintf("/w/%d/a", w), body))
					_, err2 := tx.Put(doc(fmt.Sprintf("/w/%d/b", w), body))
					return errors.Join(err1, err2)
				})
				if err != nil {
					t.Errorf("update: %v", err)
					return
				}
				if _, err := fmt.Printf("ack %d %d\n", w, n); err != nil {
					return // the parent is gone
				}
			}
		})
	}
	wg.Wait()
}

func valueOf(t *testing.T, st store.Store, writer int) int {
	d, ok := get(t, st, fmt.Sprintf("/w/%d/a", writer))
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(string(d.Desired))
	if err != nil {
		t.Errorf("writer %d: %v", writer, err)
	}
	return n
}

// killedWriter runs the child until it has acknowledged acks writes, kills it, and enters all that it acknowledged.
func killedWriter(t *testing.T, place string, acks int, acknowledged map[string]int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=60s") //nolint:gosec // the test itself
	cmd.Env = append(os.Environ(), durabilityPlace+"="+place)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen, other := readAcks(out, acknowledged, func(seen int) {
		if seen == acks {
			if err := cmd.Process.Kill(); err != nil {
				t.Errorf("kill: %v", err)
			}
		}
	})
	err = cmd.Wait()
	if seen < acks {
		t.Fatalf("the writing process ended after %d acknowledgements (%v):\n%s", seen, err, other)
	}
}

// readAcks reads to the end of the pipe: what was acknowledged before the kill counts, too.
func readAcks(r io.Reader, acknowledged map[string]int, each func(seen int)) (seen int, other string) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 || fields[0] != "ack" {
			other += lines.Text() + "\n"
			continue
		}
		n, err := strconv.Atoi(fields[2])
		if err != nil {
			continue
		}
		seen++
		acknowledged[fields[1]] = n
		each(seen)
	}
	return seen, other
}

func checkSurvivors(t *testing.T, st store.Store, acknowledged map[string]int) {
	t.Helper()
	newest := map[string]int64{}
	for w := range durableWriters {
		a, okA := get(t, st, fmt.Sprintf("/w/%d/a", w))
		b, okB := get(t, st, fmt.Sprintf("/w/%d/b", w))
		if okA != okB || string(a.Desired) != string(b.Desired) || a.Seq != b.Seq {
			t.Errorf("writer %d: half a transaction: %s at %d and %s at %d", w, a.Desired, a.Seq, b.Desired, b.Seq)
		}
		if got, want := valueOf(t, st, w), acknowledged[strconv.Itoa(w)]; got < want {
			t.Errorf("writer %d: %d is there, %d was acknowledged", w, got, want)
		}
		if okA {
			newest[a.ID], newest[b.ID] = a.Seq, b.Seq
		}
	}
	logged := map[string]int64{}
	for _, c := range changes(t, st, 0, 0) {
		logged[c.ID] = c.Seq
	}
	same(t, "change log after a crash", newest, logged)
}
