package cache_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/gateway/cache"
)

func keys(c *cache.Cache, all ...string) (found []string) {
	for _, k := range all {
		if v, _, ok := c.Get(k); ok {
			found = append(found, fmt.Sprint(k, "=", v))
		}
	}
	return found
}

func TestCache_ForgetsWhatWasNotUsedForLongest(t *testing.T) {
	t.Parallel()
	c := cache.New(10_000)
	for i := range 8 { // of 1,257 bytes each
		c.Put("o", fmt.Sprint(i), i, 1000, time.Minute)
		c.Get("0")
	}
	if diff := cmp.Diff([]string{"0=0", "2=2", "3=3", "4=4", "5=5", "6=6", "7=7"}, keys(c, "0", "1", "2", "3", "4", "5", "6", "7")); diff != "" {
		t.Error(diff)
	}
}

func TestCache_Expires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := cache.New(0)
		began := time.Now()
		c.Put("o", "a", 1, 10, time.Minute)
		c.Put("o", "b", 2, 10, time.Hour)
		if !c.Put("o", "b", 3, 10, 2*time.Minute) {
			t.Error("not kept")
		}
		time.Sleep(time.Minute - time.Nanosecond)
		if diff := cmp.Diff([]string{"a=1", "b=3"}, keys(c, "a", "b")); diff != "" {
			t.Error(diff)
		}
		time.Sleep(time.Nanosecond)
		if diff := cmp.Diff([]string{"b=3"}, keys(c, "a", "b")); diff != "" {
			t.Error(diff)
		}
		if _, until, _ := c.Get("b"); until.Sub(began) != 2*time.Minute {
			t.Errorf("expires after %v", until.Sub(began))
		}
		c.Remove("b")
		c.Remove("none")
		if got := keys(c, "a", "b"); got != nil {
			t.Error(got)
		}
	})
}

// TestCache_Refuses: the largest value leaves room for others, a value that is refused leaves nothing of its key.
func TestCache_Refuses(t *testing.T) {
	t.Parallel()
	c := cache.New(8000)
	c.Put("o", "a", "old", 10, time.Minute)
	c.Put("o", "b", "old", 10, time.Minute)
	if c.Put("o", "a", "new", c.Largest(), time.Minute) || c.Put("o", "b", "new", 10, 0) {
		t.Error("kept")
	}
	if got := keys(c, "a", "b"); got != nil {
		t.Error(got)
	}
	if !c.Put("o", "a", "new", c.Largest()-1, time.Minute) {
		t.Error("refused")
	}
}

// TestCache_Model compares with a list in the order of use.
func TestCache_Model(t *testing.T) {
	t.Parallel()
	const most = 10_000
	rapid.Check(t, func(t *rapid.T) {
		c := cache.New(most)
		type item struct {
			key  string
			n    int
			size int64
		}
		var model []item // the one used last at the end
		take := func(key string) (it item, ok bool) {
			for i := range model {
				if model[i].key == key {
					it = model[i]
					model = append(model[:i], model[i+1:]...)
					return it, true
				}
			}
			return it, false
		}
		for n := range 100 {
			key := rapid.StringMatching("[a-h]").Draw(t, "key")
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				c.Remove(key)
				take(key)
			case 1:
				got, _, ok := c.Get(key)
				want, found := take(key)
				if ok != found || ok && got != want.n {
					t.Fatalf("%s: got %v, %v, want %v, %v", key, got, ok, want.n, found)
				}
				if found {
					model = append(model, want)
				}
			default:
				size := rapid.Int64Range(0, most/6).Draw(t, "size")
				take(key)
				if c.Put("o", key, n, size, time.Hour) {
					model = append(model, item{key, n, size + 1 + 256})
				} else if size < c.Largest() {
					t.Fatalf("%d bytes refused", size)
				}
				total := int64(0)
				for _, it := range model {
					total += it.size
				}
				for total > most {
					total -= model[0].size
					model = model[1:]
				}
			}
		}
	})
}

func TestCache_Reserve(t *testing.T) {
	t.Parallel()
	c := cache.New(1000)
	var wg sync.WaitGroup
	got := make(chan bool, 20)
	for range 20 {
		wg.Go(func() { got <- c.Reserve("a", 100) })
	}
	wg.Wait()
	close(got)
	granted := 0
	for ok := range got {
		if ok {
			granted++
		}
	}
	if granted != 5 {
		t.Errorf("%d of 5 granted", granted)
	}
	for i, want := range []bool{true, true, false} { // who comes later finds half of what is left
		if got := c.Reserve("b", 125); got != want {
			t.Errorf("reservation %d of another owner: %v, want %v", i, got, want)
		}
	}
	c.Release("b", 250)
	c.Release("a", 300)
	if !c.Reserve("a", 300) || c.Reserve("a", 1) {
		t.Error("what was released is not there")
	}
}

func BenchmarkGet(b *testing.B) {
	c := cache.New(0)
	c.Put("o", "key", "value", 10, time.Hour)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.Get("key")
		}
	})
}

// Who has most makes room: a busy service pushes out its own entries, not those of its neighbours.
func TestCache_WhoHasMostMakesRoom(t *testing.T) {
	t.Parallel()
	c := cache.New(10 * (1000 + 256))
	for i := range 3 {
		c.Put("quiet", fmt.Sprint("quiet", i), i, 1000-6, time.Hour)
	}
	for i := range 100 {
		c.Put("noisy", fmt.Sprintf("noisy%02d", i), i, 1000-7, time.Hour)
	}
	for i := range 3 {
		if v, _, ok := c.Get(fmt.Sprint("quiet", i)); !ok || v != i {
			t.Errorf("value %d of the quiet service is %v", i, v)
		}
	}
	for i := range 100 {
		if _, _, ok := c.Get(fmt.Sprintf("noisy%02d", i)); ok != (i >= 93) {
			t.Errorf("value %d of the noisy service is there: %v", i, ok)
		}
	}
	for i := range 7 { // the quiet service gets its half
		c.Put("quiet", fmt.Sprint("quiet", i), i, 1000-6, time.Hour)
	}
	for i := range 7 {
		if _, _, ok := c.Get(fmt.Sprint("quiet", i)); ok != (i >= 2) {
			t.Errorf("value %d of the quiet service is there: %v", i, ok)
		}
	}
	for i := 93; i < 100; i++ {
		if _, _, ok := c.Get(fmt.Sprintf("noisy%02d", i)); ok != (i >= 95) {
			t.Errorf("value %d of the noisy service is there: %v", i, ok)
		}
	}
}
