package immutable

import (
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

type word string

func (w word) Hash() uint64 { return Hash(string(w)) }

// A number has the hash of several others.
type number int

func (n number) Hash() uint64 { return uint64(n%3) << 62 }

// A state is a map with what should be in it.
type state struct {
	m    Map[word, int]
	want map[word]int
}

func (s state) check(t *rapid.T) {
	if got := maps.Collect(s.m.All()); s.m.Len() != len(s.want) || !maps.Equal(s.want, got) {
		t.Fatalf("length %d, (-want +got):\n%s", s.m.Len(), cmp.Diff(s.want, got))
	}
	for key := range s.want {
		if got, ok := s.m.Get(key); !ok || got != s.want[key] {
			t.Fatalf("%s is %d, %v, want %d", key, got, ok, s.want[key])
		}
		if got, ok := s.m.Find(HashBytes([]byte(key)), func(k word) bool { return k == key }); !ok || got != s.want[key] {
			t.Fatalf("%s is found as %d, %v, want %d", key, got, ok, s.want[key])
		}
	}
	if got, ok := s.m.Get("nobody"); ok {
		t.Fatalf("nobody is %d", got)
	}
}

// Every state that a map went through stays what it was, and the difference of any two is exact.
func TestMap_KeepsAllItsStates(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		states := []state{{want: map[word]int{}}}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			last := states[len(states)-1]
			next := state{last.m, maps.Clone(last.want)}
			for range rapid.IntRange(1, 20).Draw(t, "edits") {
				key := word(fmt.Sprint("k", rapid.IntRange(0, 99).Draw(t, "key")))
				if rapid.IntRange(0, 2).Draw(t, "delete") == 0 {
					next.m = next.m.Delete(key)
					delete(next.want, key)
					continue
				}
				next.want[key] = rapid.IntRange(0, 3).Draw(t, "value")
				next.m = next.m.Set(key, next.want[key])
			}
			states = append(states, next)
		}
		for _, s := range states {
			s.check(t)
		}
		pick := rapid.IntRange(0, len(states)-1)
		from, to := states[pick.Draw(t, "from")], states[pick.Draw(t, "to")]
		got := maps.Clone(from.want)
		told := map[word]bool{}
		Diff(from.m, to.m, func(key word, before, after *int) {
			if told[key] {
				t.Fatalf("%s is told twice", key)
			}
			told[key] = true
			if was, had := from.want[key]; had != (before != nil) || had && was != *before {
				t.Fatalf("%s was %d, not %v", key, was, before)
			}
			if delete(got, key); after != nil {
				got[key] = *after
			}
		})
		if diff := cmp.Diff(to.want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Keys with the same hash, or the same beginning of one, live beside each other down to the last level.
func TestMap_SameHashes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var m Map[number, int]
		want := map[number]int{}
		for range rapid.IntRange(0, 40).Draw(t, "edits") {
			key := number(rapid.IntRange(0, 8).Draw(t, "key"))
			if rapid.IntRange(0, 2).Draw(t, "delete") == 0 {
				m = m.Delete(key)
				delete(want, key)
				continue
			}
			want[key]++
			m = m.Set(key, want[key])
		}
		if diff := cmp.Diff(want, maps.Collect(m.All())); diff != "" || m.Len() != len(want) {
			t.Fatalf("length %d, (-want +got):\n%s", m.Len(), diff)
		}
		for key := range number(9) {
			got, ok := m.Get(key)
			if value, had := want[key]; ok != had || got != value {
				t.Fatalf("%d is %d, %v", key, got, ok)
			}
		}
		if len(want) == 0 && m.root != nil {
			t.Fatal("an empty map has a node")
		}
	})
}

// What two maps share is not looked at.
func TestDiff_PassesOverWhatIsShared(t *testing.T) {
	t.Parallel()
	var m Map[word, int]
	for i := range 10_000 {
		m = m.Set(word(fmt.Sprint(i)), i)
	}
	told := 0
	Diff(m, m.Set("77", 1), func(word, *int, *int) { told++ })
	if told > 32 {
		t.Errorf("one change is told as %d", told)
	}
}

func TestFind_AllocatesNothing(t *testing.T) {
	var m Map[word, int]
	m = m.Set("a key that is longer than what fits in the small buffer of a function", 1)
	key := []byte("a key that is longer than what fits in the small buffer of a function")
	if got := testing.AllocsPerRun(100, func() {
		if _, ok := m.Find(HashBytes(key), func(k word) bool { return string(k) == string(key) }); !ok {
			t.Error("not found")
		}
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func BenchmarkSet(b *testing.B) {
	var m Map[word, int]
	keys := make([]word, 10_000)
	for i := range keys {
		keys[i] = word(fmt.Sprint("key ", i))
		m = m.Set(keys[i], i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Set(keys[i%len(keys)], i)
	}
}
