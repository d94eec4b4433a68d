package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A deadline ends as the context of the standard library does that it stands for.
func TestDeadline_EndsLikeAnyOther(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	for name, end := range map[string]func(parent, own context.CancelFunc){
		"in time": func(_, _ context.CancelFunc) { time.Sleep(2 * time.Second) },
		"parent":  func(parent, _ context.CancelFunc) { parent() },
		"own":     func(_, own context.CancelFunc) { own() },
	} {
		for _, waits := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				outcome := func(with func(context.Context, time.Time, error) (context.Context, context.CancelFunc)) (error, error) {
					parent, cancelParent := context.WithCancel(t.Context())
					defer cancelParent()
					ctx, cancel := with(parent, time.Now().Add(time.Second), cause)
					defer cancel()
					if err := ctx.Err(); err != nil {
						t.Errorf("%s: it begins with %v", name, err)
					}
					if waits {
						ended := make(chan struct{})
						go func() { end(cancelParent, cancel); close(ended) }()
						<-ctx.Done()
						<-ended
					} else {
						end(cancelParent, cancel)
					}
					return ctx.Err(), context.Cause(ctx)
				}
				wantErr, wantCause := outcome(context.WithDeadlineCause)
				gotErr, gotCause := outcome(withDeadline)
				if !errors.Is(gotErr, wantErr) || !errors.Is(gotCause, wantCause) {
					t.Errorf("%s, waited for: %v: %v, %v, want %v, %v", name, waits, gotErr, gotCause, wantErr, wantCause)
				}
			})
		}
	}
}

func TestDeadline_EndsWhatIsDerived(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("cause")
		ctx, cancel := withDeadline(t.Context(), time.Now().Add(time.Second), cause)
		defer cancel()
		child, stop := context.WithCancel(ctx)
		defer stop()
		<-child.Done()
		if err := context.Cause(child); !errors.Is(err, cause) {
			t.Errorf("a child ends with %v, want %v", err, cause)
		}
	})
}
