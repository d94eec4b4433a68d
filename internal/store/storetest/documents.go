package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/portico-dev/portico/internal/store"
)

func getMissing(t *testing.T, st store.Store) {
	view(t, st, func(r store.Reader) error {
		_, err := r.Get("/a")
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Get of a missing document: got %v, want ErrNotFound", err)
		}
		return nil
	})
}

func putCreatesAndReplaces(t *testing.T, st store.Store) {
	seq, returned := put(t, st, store.Document{ID: "/a", Type: "x/y", Desired: json.RawMessage(`{"a":1}`), Status: json.RawMessage(`{"s":1}`)})
	want := store.Document{ID: "/a", Type: "x/y", ETag: store.ETagOf(1), Desired: json.RawMessage(`{"a":1}`), Status: json.RawMessage(`{"s":1}`), Seq: 1}
	same(t, "seq", int64(1), seq)
	same(t, "returned by Put", want, returned)
	got, _ := get(t, st, "/a")
	same(t, "Get", want, got)

	seq, returned = put(t, st, doc("/a", `{"a":2}`))
	want = store.Document{ID: "/a", Type: docType, ETag: store.ETagOf(2), Desired: json.RawMessage(`{"a":2}`), Seq: 2}
	same(t, "seq of the replacement", int64(2), seq)
	same(t, "returned by the second Put", want, returned)
	got, _ = get(t, st, "/a")
	same(t, "Get of the replacement", want, got)
}

func putIdentical(t *testing.T, st store.Store) {
	_, first := put(t, st, doc("/a", `1`))
	put(t, st, doc("/b", `1`))
	seq, again := put(t, st, doc("/A/", `1`))
	same(t, "seq of a Put that changes nothing is the newest", int64(2), seq)
	same(t, "the document keeps ETag and Seq", first, again)
	seq, _ = put(t, st, store.Document{ID: "/a", Type: "x/other", Desired: json.RawMessage(`1`)})
	same(t, "seq of a changed type", int64(3), seq)
	seq, _ = put(t, st, doc("/e", ``))
	same(t, "seq of an empty document", int64(4), seq)
	seq, _ = put(t, st, store.Document{ID: "/e", Type: docType, Desired: json.RawMessage{}, Status: json.RawMessage{}})
	same(t, "no body and an empty one are the same", int64(4), seq)
}

func putETag(t *testing.T, st store.Store) {
	put(t, st, doc("/a", `1`))
	seq, d := put(t, st, store.Document{ID: "/a", Type: docType, Desired: json.RawMessage(`1`), Status: json.RawMessage(`{"up":true}`)})
	same(t, "seq after a change of Status", int64(2), seq)
	same(t, "ETag after a change of Status", store.ETagOf(1), d.ETag)
	same(t, "Seq after a change of Status", int64(2), d.Seq)
	_, d = put(t, st, doc("/a", `2`))
	same(t, "ETag after a change of Desired", store.ETagOf(3), d.ETag)
	_, d = put(t, st, store.Document{ID: "/a", Type: "x/other", Desired: json.RawMessage(`2`)})
	same(t, "ETag after a change of Type", store.ETagOf(3), d.ETag)
	same(t, "form of an ETag", "AAAAAAAAB8o=", store.ETagOf(1994))
}

func putSpelling(t *testing.T, st store.Store) {
	put(t, st, doc("/Sub/ÄB", `1`))
	_, d := put(t, st, doc("/sUB/äb/", `2`))
	same(t, "ID", "/Sub/ÄB", d.ID)
	got, _ := get(t, st, "/SUB/äB")
	same(t, "Get in another spelling", d, got)
	same(t, "IDs", []string{"/Sub/ÄB"}, list(t, st, store.Query{}))
}

func putInvalid(t *testing.T, st store.Store) {
	for _, d := range []store.Document{
		{ID: "", Type: docType},
		{ID: "/", Type: docType},
		{ID: "a/b", Type: docType},
		{ID: "/a\x00b", Type: docType},
		{ID: "/a\xff", Type: docType},
		{ID: "/a\n", Type: docType},
		{ID: "/a"},
		{ID: "/a", Type: "Upper/Case"},
	} {
		seq, err := st.Update(t.Context(), func(tx store.Tx) error {
			_, err := tx.Put(d)
			return err
		})
		if err == nil {
			t.Errorf("Put(%+v) was accepted as %d", d, seq)
		}
	}
	same(t, "IDs", []string(nil), list(t, st, store.Query{}))
}

func putBodies(t *testing.T, st store.Store) {
	big := `"` + strings.Repeat("ä", 1<<20) + `"`
	for i, body := range []string{`{ "b" : 1,"a":2 }`, `null`, "\"a\x00b\"", big} {
		id := fmt.Sprintf("/a/%d", i)
		put(t, st, store.Document{ID: id, Type: docType, Desired: json.RawMessage(body), Status: json.RawMessage(body)})
		d, _ := get(t, st, id)
		if string(d.Desired) != body || string(d.Status) != body {
			t.Errorf("body %d of %d bytes was changed", i, len(body))
		}
	}
}

func deleteMissing(t *testing.T, st store.Store) {
	put(t, st, doc("/a", `1`))
	same(t, "seq", int64(1), remove(t, st, "/b", "/", "", "/a/b"))
	same(t, "changes", 1, len(changes(t, st, 0, 0)))
}

func deleteThenCreate(t *testing.T, st store.Store) {
	put(t, st, doc("/A", `1`))
	same(t, "seq of Delete", int64(2), remove(t, st, "/a/"))
	if _, ok := get(t, st, "/A"); ok {
		t.Error("the deleted document is there")
	}
	_, d := put(t, st, doc("/a", `1`))
	same(t, "created again", store.Document{ID: "/a", Type: docType, ETag: store.ETagOf(3), Desired: json.RawMessage(`1`), Seq: 3}, d)
	same(t, "changes", []store.Change{{Seq: 3, ID: "/a", Type: docType}}, changes(t, st, 0, 0))
}

func listFilters(t *testing.T, st store.Store) {
	typed := func(id, typ string) store.Document { return store.Document{ID: id, Type: typ} }
	put(t, st, typed("/s/c", "t/2"), typed("/S/B/1", "t/1"), typed("/s/a", "t/1"), typed("/s/b", "t/2"), typed("/r", "t/1"))
	for _, c := range []struct {
		q    store.Query
		want []string
	}{
		{store.Query{}, []string{"/r", "/s/a", "/s/b", "/S/B/1", "/s/c"}},
		{store.Query{Type: "t/1"}, []string{"/r", "/s/a", "/S/B/1"}},
		{store.Query{Prefix: "/S"}, []string{"/s/a", "/s/b", "/S/B/1", "/s/c"}},
		{store.Query{Prefix: "/s/", Type: "t/2"}, []string{"/s/b", "/s/c"}},
		{store.Query{Prefix: "/s", After: "/S/A"}, []string{"/s/b", "/S/B/1", "/s/c"}},
		{store.Query{Prefix: "/s", After: "/a"}, []string{"/s/a", "/s/b", "/S/B/1", "/s/c"}},
		{store.Query{Prefix: "/s", After: "/t"}, nil},
		{store.Query{After: "/s/b", Limit: 1}, []string{"/S/B/1"}},
		{store.Query{Type: "t/1", Limit: 2}, []string{"/r", "/s/a"}},
		{store.Query{Type: "t/1", Skip: 1, Limit: 1}, []string{"/s/a"}},
		{store.Query{Type: "t/3"}, nil},
		{store.Query{Prefix: "/"}, []string{"/r", "/s/a", "/s/b", "/S/B/1", "/s/c"}},
	} {
		same(t, fmt.Sprintf("%+v", c.q), c.want, list(t, st, c.q))
	}
}

// listPrefixEdges: bytes below and above the slash sort around it, and characters of patterns mean nothing.
func listPrefixEdges(t *testing.T, st store.Store) {
	ids := []string{"/a", "/a/b", "/a/b!", "/a/b-c", "/a/b.d/x", "/a/b/", "/a/b/c", "/a/b/c/d", "/a/b/é", "/a/b/\U0010ffff", "/a/b0", "/a/b0/x", "/a/bc", "/a/b%/x", "/a/b_/x", "/a/b*/x", "/a/[b]/x"}
	for _, id := range ids {
		put(t, st, doc(id, `1`))
	}
	same(t, "below /a/b", []string{"/a/b/c", "/a/b/c/d", "/a/b/é", "/a/b/\U0010ffff"}, list(t, st, store.Query{Prefix: "/A/B"}))
	same(t, "below /a/b/ after its first", []string{"/a/b/c/d"}, list(t, st, store.Query{Prefix: "/a/b/", After: "/a/b/c", Limit: 1}))
	same(t, "below /a/b%", []string{"/a/b%/x"}, list(t, st, store.Query{Prefix: "/a/b%"}))
	same(t, "below /a/b_", []string{"/a/b_/x"}, list(t, st, store.Query{Prefix: "/a/b_"}))
	same(t, "below /a/b*", []string{"/a/b*/x"}, list(t, st, store.Query{Prefix: "/a/b*"}))
	same(t, "below /a/[b]", []string{"/a/[b]/x"}, list(t, st, store.Query{Prefix: "/a/[b]"}))
	same(t, "below a leaf", []string(nil), list(t, st, store.Query{Prefix: "/a/b/c/d"}))
	same(t, "order of bytes", []string{
		"/a", "/a/[b]/x", "/a/b", "/a/b!", "/a/b%/x", "/a/b*/x", "/a/b-c", "/a/b.d/x", "/a/b/c", "/a/b/c/d",
		"/a/b/é", "/a/b/\U0010ffff", "/a/b0", "/a/b0/x", "/a/b_/x", "/a/bc",
	}, list(t, st, store.Query{}))
}

func listPages(t *testing.T, st store.Store) {
	var want []string
	update(t, st, func(tx store.Tx) error {
		for i := range 25 {
			want = append(want, fmt.Sprintf("/P/%02d", i))
			if _, err := tx.Put(doc(want[i], `1`)); err != nil {
				return err
			}
		}
		return nil
	})
	var got []string
	q := store.Query{Prefix: "/p", Limit: 7}
	for {
		page := list(t, st, q)
		got = append(got, page...)
		if len(page) < q.Limit {
			break
		}
		q.After = page[len(page)-1]
	}
	same(t, "all pages", want, got)
}
