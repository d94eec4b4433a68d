package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting/fabric"
)

// Notes are read as if the whole had been written after each; one that was cut off was never promised.
func TestTold_NotesFollowTheWhole(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "told.json")
	var k keeper
	whole := told{
		Boot: "b", Epochs: map[string]int64{"/a": 1}, Changes: 5,
		Inventory: fabric.Inventory{Hosts: map[string][]string{"old.example": {"s"}, "stays.example": {"s"}}},
	}
	if err := k.write(path, whole); err != nil {
		t.Fatal(err)
	}
	for i, n := range []fabric.Names{{Hosts: []string{"New.example"}, Sets: []string{"s", "t"}}, {Hosts: []string{"old.example"}}} {
		if err := k.add(path, []note{{fabric.Lease{Service: "/A", Epoch: int64(i + 2)}, n, int64(i + 6)}}); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = fmt.Fprint(f, `{"lease":{"Service":"/A"`)
	}
	if err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	want := whole
	want.Epochs, want.Changes = map[string]int64{"/a": 3}, 7
	want.Inventory.Hosts = map[string][]string{"new.example": {"s", "t"}, "stays.example": {"s"}}
	got, err := readTold(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&want, got, cmp.AllowUnexported(told{})); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if k.whole == 0 || k.notes == 0 {
		t.Errorf("the file has %d bytes and %d of notes", k.whole, k.notes)
	}
}
