package snapshot_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/snapshot"
)

// manifest has parts by ascending ID with the given digests; 0 leaves the part out.
func manifest(seq int64, digests []int) snapshot.Manifest {
	m := snapshot.Manifest{Format: snapshot.Format, Service: "/s", Name: "s", Seq: seq}
	for i, d := range digests {
		if d > 0 {
			m.Parts = append(m.Parts, snapshot.PartRef{Kind: snapshot.KindAPI, ID: fmt.Sprint("/s/apis/", i), Digest: fmt.Sprint(d)})
		}
	}
	return m
}

func TestChange_MakesTheNewManifest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 12)
		from, to := manifest(1, list.Draw(t, "from")), manifest(2, list.Draw(t, "to"))
		c, ok := snapshot.Diff(from, to)
		if !ok {
			t.Fatal("parts in one order have no change")
		}
		got, err := c.Apply(from)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(to, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
		if _, err := c.Apply(manifest(1, append(list.Draw(t, "other"), 9))); !errors.Is(err, snapshot.ErrOtherBase) {
			t.Fatalf("another base: %v", err)
		}
	})
}

func TestChange_IsSmall(t *testing.T) {
	t.Parallel()
	digests := make([]int, 1000)
	for i := range digests {
		digests[i] = i + 1
	}
	from := manifest(1, digests)
	digests[500], digests[501] = 7777, 0
	c, _ := snapshot.Diff(from, manifest(2, digests))
	want := snapshot.Change{
		Service: "/s", Seq: 2, Base: c.Base, Digest: c.Digest, Gone: []int{500, 501},
		Put: []snapshot.Placed{{At: 500, PartRef: snapshot.PartRef{Kind: snapshot.KindAPI, ID: "/s/apis/500", Digest: "7777"}}},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	from.Parts[0], from.Parts[1] = from.Parts[1], from.Parts[0]
	if _, ok := snapshot.Diff(from, manifest(2, digests)); ok {
		t.Error("another order has a change")
	}
}
