package feed

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/snapshot"
)

func openTestCache(t *testing.T, dir string) *cache {
	t.Helper()
	c, err := openCache(dir, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestJournal_SaysWhatItWasTold: through any number of changes and new beginnings, what is read is what was kept last;
// where the end of the changes is lost, it is something that was kept before.
func TestJournal_SaysWhatItWasTold(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	rounds := 0
	rapid.Check(t, func(rt *rapid.T) {
		rounds++
		dir := filepath.Join(folder, fmt.Sprint(rounds))
		c := openTestCache(t, dir)
		now := saved{Manifest: snapshot.Manifest{Format: snapshot.Format, Service: "/s", Name: "s"}}
		var kept []saved
		read := func() (saved, bool) {
			c = openTestCache(t, dir)
			var all []saved
			err := c.manifests(func(s saved) { all = append(all, s) })
			if err != nil || len(all) > 1 {
				rt.Fatal(all, err)
			}
			if len(all) == 0 {
				return saved{}, false
			}
			return all[0], true
		}
		changes := filepath.Join(dir, "changes", journalFile("/s"))
		rt.Repeat(map[string]func(*rapid.T){
			"keep": func(rt *rapid.T) {
				ref := snapshot.PartRef{Kind: snapshot.KindAPI, ID: fmt.Sprint(rapid.IntRange(0, 5).Draw(rt, "id")), Digest: fmt.Sprint(rapid.IntRange(0, 9).Draw(rt, "digest"))}
				now.Manifest.Parts = now.Manifest.Parts.Without(ref.Key())
				if rapid.IntRange(0, 3).Draw(rt, "put") > 0 {
					now.Manifest.Parts = now.Manifest.Parts.With(ref)
				}
				if now.Good = nil; rapid.Bool().Draw(rt, "good") {
					now.Good = []snapshot.PartRef{ref}
				}
				if err := c.putManifest(now); err != nil {
					rt.Fatal(err)
				}
				kept = append(kept, now)
			},
			"grow": func(*rapid.T) {
				if j := c.journals[journalFile("/s")]; j != nil {
					j.changes = max(j.changes, wholeAgain) // the next change makes it too long
				}
			},
			"reopen": func(rt *rapid.T) {
				got, ok := read()
				if ok != (len(kept) > 0) {
					rt.Fatalf("there is a journal: %v", ok)
				}
				if diff := cmp.Diff(now, got); ok && diff != "" {
					rt.Fatalf("read (-want +got):\n%s", diff)
				}
			},
			"cut": func(rt *rapid.T) {
				info, err := os.Stat(changes)
				if err != nil {
					return
				}
				if err := os.Truncate(changes, rapid.Int64Range(0, info.Size()).Draw(rt, "size")); err != nil {
					rt.Fatal(err)
				}
				got, ok := read()
				if !ok || !slices.ContainsFunc(kept, func(s saved) bool { return cmp.Equal(s, got) }) {
					rt.Fatalf("read %+v, which never was", got)
				}
				now = got
			},
		})
	})
}
