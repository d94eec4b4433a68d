package main

import (
	"errors"
	"testing"
)

// Why a program ended is said by the line that begins its last words, not by the stack or the log below or above it.
func TestEnding_SaysWhyAProgramCrashed(t *testing.T) {
	t.Parallel()
	killed := errors.New("signal: killed")
	for said, want := range map[string]string{
		"time=1 level=INFO msg=\"service moves\"\n":                                             "signal: killed",
		"time=1 level=INFO\npanic: runtime error: index out of range\n\ngoroutine 7:\nmain.f()": "panic: runtime error: index out of range",
		"fatal error: concurrent map writes\n":                                                  "fatal error: concurrent map writes",
		"time=1 level=INFO\nportico: hosting: the lease was lost\n":                             "hosting: the lease was lost",
	} {
		e := &ending{}
		if _, err := e.Write([]byte(said)); err != nil {
			t.Fatal(err)
		}
		if got := e.crash(killed); got != want {
			t.Errorf("%q: %q, want %q", said, got, want)
		}
	}
	if got, want := (&ending{}).crash(nil), "nobody had asked it to"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
