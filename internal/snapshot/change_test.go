package snapshot_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/snapshot"
)

// manifest has the parts /s/apis/0, /s/apis/1, … with the given digests; 0 leaves the part out.
func manifest(seq int64, digests []int) snapshot.Manifest {
	m := snapshot.Manifest{Format: snapshot.Format, Service: "/s", Name: "s", Seq: seq}
	for i, d := range digests {
		if d > 0 {
			m.Parts = m.Parts.With(snapshot.PartRef{Kind: snapshot.KindAPI, ID: fmt.Sprint("/s/apis/", i), Digest: fmt.Sprint(d)})
		}
	}
	return m
}

func TestChange_MakesTheNewManifest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 12)
		from, to := manifest(1, list.Draw(t, "from")), manifest(2, list.Draw(t, "to"))
		c := snapshot.Diff(from, to)
		got, err := c.Apply(from)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(to, got); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(to.Parts.List(), got.Parts.List()); diff != "" {
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
	c := snapshot.Diff(from, manifest(2, digests))
	want := snapshot.Change{
		Service: "/s", Seq: 2, Base: c.Base, Digest: c.Digest,
		Gone: []snapshot.PartKey{{Kind: snapshot.KindAPI, ID: "/s/apis/501"}},
		Put:  []snapshot.PartRef{{Kind: snapshot.KindAPI, ID: "/s/apis/500", Digest: "7777"}},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
}

// The digest depends on the content alone, not on the way to it.
func TestParts_Digest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.IntRange(0, 2), 0, 8)
		one, other := manifest(1, list.Draw(t, "one")), manifest(1, list.Draw(t, "other"))
		if (one.Digest() == other.Digest()) != one.Parts.Equal(other.Parts) {
			t.Fatalf("%v and %v have the digests %s and %s", one.Parts.List(), other.Parts.List(), one.Digest(), other.Digest())
		}
		data, err := json.Marshal(one)
		if err != nil {
			t.Fatal(err)
		}
		var again snapshot.Manifest
		if err := json.Unmarshal(data, &again); err != nil || again.Digest() != one.Digest() {
			t.Fatalf("%s is read with the digest %s, want %s: %v", data, again.Digest(), one.Digest(), err)
		}
	})
}
