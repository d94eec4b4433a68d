package wire

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting/fabric"
)

func connPair(t *testing.T) (a, b *Conn) {
	t.Helper()
	fa, fb, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	if a, err = NewConn(fa); err != nil {
		t.Fatal(err)
	}
	if b, err = NewConn(fb); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
	return a, b
}

func TestConn_CarriesMessagesAndDescriptors(t *testing.T) {
	t.Parallel()
	a, b := connPair(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // only a test's pipe
	kept, err := Take(w)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close() //nolint:errcheck // only a test's pipe
	want := []ToMachine{{Order: &Order{Gen: 1, VIPs: []string{"v"}}}, {Order: &Order{Gen: 2, Drain: true}}}
	if err := a.Send(want[0], time.Minute, kept); err != nil {
		t.Fatal(err)
	}
	if err := a.Send(want[1], time.Minute); err != nil {
		t.Fatal(err)
	}
	_, _ = w.Close(), kept.Close()
	got := make([]ToMachine, 2)
	files, err := b.Recv(&got[0])
	if err != nil || len(files) != 1 {
		t.Fatalf("first message: %d descriptors, %v", len(files), err)
	}
	passed := files[0].File()
	if _, err := io.WriteString(passed, "through"); err != nil {
		t.Fatal(err)
	}
	_ = passed.Close()
	if data, err := io.ReadAll(r); err != nil || string(data) != "through" {
		t.Errorf("pipe: %q, %v", data, err)
	}
	if files, err = b.Recv(&got[1]); err != nil || len(files) != 0 {
		t.Fatalf("second message: %d descriptors, %v", len(files), err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	_ = a.Close()
	if _, err := b.Recv(&got[0]); !errors.Is(err, io.EOF) {
		t.Errorf("after close: %v, want io.EOF", err)
	}
}

func TestConn_RefusesWhatItCannotSend(t *testing.T) {
	t.Parallel()
	a, b := connPair(t)
	closed, other, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = closed.Close(), other.Close()
	if err := a.Send(FromEdge{Gen: 1}, time.Minute, closed); err == nil {
		t.Error("a closed file was sent")
	}
	if err := a.Send(FromMachine{Refused: strings.Repeat("r", MaxMessage)}, time.Minute); err == nil {
		t.Error("a message beyond MaxMessage was sent")
	}
	for err = nil; err == nil; { // nobody reads
		err = a.Send(FromEdge{Gen: 1}, 20*time.Millisecond)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a full channel: %v, want os.ErrDeadlineExceeded", err)
	}
	var m FromEdge
	if _, err := b.Recv(&m); err != nil || m.Gen != 1 {
		t.Errorf("first message of a full channel: %+v, %v", m, err)
	}
}

func TestError_IsThatOfPackageFabric(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]error{CodeStaleLease: fabric.ErrStaleLease, CodeInvalid: fabric.ErrImpossible} {
		for _, err := range []error{fabric.ErrStaleLease, fabric.ErrImpossible} {
			if got := errors.Is(&Error{Code: code}, err); got != (err == want) {
				t.Errorf("code %s is %v: %v", code, err, got)
			}
		}
	}
}
