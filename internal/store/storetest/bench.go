package storetest

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/portico-dev/portico/internal/store"
)

// Bench measures what a management request costs: reading one document among thousands, and writing one durably,
// alone and beside others that share the commit.
func Bench(b *testing.B, open Open) {
	b.Helper()
	body := `{"text":"` + strings.Repeat("x", 1000) + `"}`
	b.Run("Get", func(b *testing.B) {
		st := open(b)
		update(b, st, func(tx store.Tx) error {
			for i := range 5000 {
				if _, err := tx.Put(doc(fmt.Sprintf("/d/%d", i), body)); err != nil {
					return err
				}
			}
			return nil
		})
		n := 0
		for b.Loop() {
			n++
			if _, ok := get(b, st, fmt.Sprintf("/d/%d", n%5000)); !ok {
				b.Fatal("document is missing")
			}
		}
	})
	for _, writers := range []int{1, 16} {
		b.Run(fmt.Sprintf("Update/writers=%d", writers), func(b *testing.B) { benchUpdate(b, open(b), writers, body) })
	}
}

// benchUpdate divides b.N Updates among writers.
func benchUpdate(b *testing.B, st store.Store, writers int, body string) {
	var (
		wg   sync.WaitGroup
		next atomic.Int64
	)
	b.ResetTimer()
	for w := range writers {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				_, err := st.Update(b.Context(), func(tx store.Tx) error {
					_, err := tx.Put(doc(fmt.Sprintf("/w/%d/%d", w, i%100), fmt.Sprintf(`{"n":%d,"b":%s}`, i, body)))
					return err
				})
				if err != nil {
					b.Errorf("update: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
}
