package feed_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/gateway/feed"
	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
	"github.com/portico-dev/portico/internal/gateway/service"
	"github.com/portico-dev/portico/internal/snapshot"
)

// script answers polls one after the other and hands out the requests.
type script struct {
	answers  chan snapshot.PollResponse
	requests chan snapshot.PollRequest
}

func (s script) RoundTrip(r *http.Request) (*http.Response, error) {
	var req snapshot.PollRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		return nil, err
	}
	select {
	case s.requests <- req:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	select {
	case a := <-s.answers:
		data, err := json.Marshal(a)
		return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(string(data)))}, err
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// TestFeed_Sessions: what was taken is not told again; a change makes a manifest of the one before; one that belongs to
// another manifest, and a session that is not known, make the machine tell everything.
func TestFeed_Sessions(t *testing.T) {
	t.Parallel()
	shop := gatewaytest.Shop("http://127.0.0.1:1")
	first := shop.Bundle(t)
	shop.APIs[0].DisplayName = "Second"
	second := shop.Bundle(t)
	change := snapshot.Diff(first.Manifest, second.Manifest)
	change.Seq = 2
	parts := map[string][]byte{}
	for _, p := range append(first.Manifest.Parts.List(), second.Manifest.Parts.List()...) {
		data, err := first.Load(p.Digest)
		if err != nil {
			data, err = second.Load(p.Digest)
		}
		if err != nil {
			t.Fatal(err)
		}
		parts[p.Digest] = data
	}

	s := script{make(chan snapshot.PollResponse), make(chan snapshot.PollRequest)}
	var applied []string
	f, err := feed.New(feed.Options{
		Machine: "m", Service: gatewaytest.ServiceID, Client: &http.Client{Transport: s},
		Apply: func(b service.Bundle) ([]snapshot.Refusal, error) {
			applied = append(applied, b.Manifest.Digest())
			return nil, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()

	full := map[string]string{gatewaytest.ServiceID: second.Manifest.Digest()}
	for i, step := range []struct {
		session string            // in the request
		have    map[string]string // in the request
		answer  snapshot.PollResponse
	}{
		{"", map[string]string{}, snapshot.PollResponse{Seq: 1, Session: "a", Manifests: []snapshot.Manifest{first.Manifest}, Parts: parts}},
		{"a", nil, snapshot.PollResponse{Seq: 2, Session: "b", Changes: []snapshot.Change{change}, Parts: parts}},
		{"b", nil, snapshot.PollResponse{Seq: 3, Session: "c", Changes: []snapshot.Change{change}}}, // already made
		{"", full, snapshot.PollResponse{Seq: 4, Session: "d"}},
		{"d", nil, snapshot.PollResponse{Resync: true}},
		{"", full, snapshot.PollResponse{Seq: 5, Session: "e"}},
	} {
		req := <-s.requests
		if req.Session != step.session {
			t.Errorf("poll %d: session %q, want %q", i, req.Session, step.session)
		}
		if len(step.have) > 0 || len(req.Have) > 0 {
			if diff := cmp.Diff(step.have, req.Have); diff != "" {
				t.Errorf("poll %d: have (-want +got):\n%s", i, diff)
			}
		}
		s.answers <- step.answer
	}
	<-s.requests
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{first.Manifest.Digest(), second.Manifest.Digest()}, applied); diff != "" {
		t.Error(diff)
	}
}
