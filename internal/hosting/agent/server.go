package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// method carries out one call.
type method func(context.Context, wire.Call) (wire.Reply, error)

// kept makes a method write down what it was told before it returns.
func (a *agent) kept(m method) method { return a.keeps(m, true) }

// noted is kept for a method that only points names.
func (a *agent) noted(m method) method { return a.keeps(m, false) }

func (a *agent) keeps(m method, whole bool) method {
	return func(ctx context.Context, c wire.Call) (wire.Reply, error) {
		failpoint.Hit("agent.call.before")
		r, err := m(ctx, c)
		if err == nil {
			failpoint.Hit("agent.call.done")
			a.tryKeep(whole)
			failpoint.Hit("agent.call.after")
		}
		return r, err
	}
}

// methods are the agent's, by path.
func (a *agent) methods() map[string]method {
	return map[string]method{
		wire.PathApply: a.kept(func(_ context.Context, c wire.Call) (wire.Reply, error) {
			if c.Set == nil {
				return wire.Reply{}, invalid("apply needs a set")
			}
			return wire.Reply{}, a.apply(c.Lease, *c.Set)
		}),
		wire.PathDelete: a.kept(func(_ context.Context, c wire.Call) (wire.Reply, error) {
			return wire.Reply{}, a.deleteSet(c.Lease, c.ID)
		}),
		wire.PathReserve: a.kept(func(_ context.Context, c wire.Call) (wire.Reply, error) {
			addr, err := a.reserve(c.Lease, c.VIP, c.Avoid)
			return wire.Reply{Address: addr}, err
		}),
		wire.PathRoute: a.kept(func(_ context.Context, c wire.Call) (wire.Reply, error) {
			return wire.Reply{}, a.route(c.Lease, c.VIP)
		}),
		wire.PathRelease: a.kept(func(ctx context.Context, c wire.Call) (wire.Reply, error) {
			return wire.Reply{}, a.release(ctx, c.Lease, c.ID)
		}),
		wire.PathAttach: a.kept(func(_ context.Context, c wire.Call) (wire.Reply, error) {
			if c.Attachment == nil {
				return wire.Reply{}, invalid("attach needs an attachment")
			}
			return wire.Reply{}, a.attach(c.Lease, *c.Attachment, c.Avoid)
		}),
		wire.PathDetach: a.kept(func(_ context.Context, c wire.Call) (wire.Reply, error) {
			return wire.Reply{}, a.detach(c.Lease, c.ID)
		}),
		wire.PathProbe: func(ctx context.Context, c wire.Call) (wire.Reply, error) {
			if c.Probe == nil {
				return wire.Reply{}, invalid("probe needs a probe")
			}
			r := a.probe(ctx, *c.Probe)
			return wire.Reply{Reach: &r}, nil
		},
		wire.PathNetworks: func(context.Context, wire.Call) (wire.Reply, error) {
			n := a.networks()
			return wire.Reply{Networks: &n}, nil
		},
		wire.PathName: a.noted(func(ctx context.Context, c wire.Call) (wire.Reply, error) {
			return wire.Reply{}, a.name(ctx, c.Lease, c.Names)
		}),
		wire.PathKill: func(_ context.Context, c wire.Call) (wire.Reply, error) {
			return wire.Reply{}, a.killMachine(c.ID)
		},
		wire.PathZone: a.kept(func(_ context.Context, c wire.Call) (wire.Reply, error) {
			return wire.Reply{}, a.switchZone(c.ID, c.On)
		}),
		wire.PathObserve: func(_ context.Context, c wire.Call) (wire.Reply, error) {
			o := a.observe(c.Sets)
			return wire.Reply{Observation: &o}, nil
		},
		wire.PathInventory: func(context.Context, wire.Call) (wire.Reply, error) {
			inv := a.inventory()
			return wire.Reply{Inventory: &inv}, nil
		},
		wire.PathWait: func(ctx context.Context, c wire.Call) (wire.Reply, error) {
			return wire.Reply{Changes: a.wait(ctx, c.After)}, nil
		},
		wire.PathPing: func(context.Context, wire.Call) (wire.Reply, error) {
			i := a.info()
			return wire.Reply{Info: &i}, nil
		},
		wire.PathReplace: func(_ context.Context, c wire.Call) (wire.Reply, error) {
			return wire.Reply{}, a.replace(c.Program)
		},
		wire.PathStop: func(ctx context.Context, _ wire.Call) (wire.Reply, error) {
			a.stop()
			select {
			case <-a.done:
			case <-ctx.Done():
			}
			return wire.Reply{}, nil
		},
	}
}

// server answers calls on the agent's socket.
type server struct {
	http   *http.Server
	done   chan struct{}
	socket *wire.Handle
	path   string
}

// listenCalls opens the socket, or takes over the one of the program that this one replaced. This process holds the
// folder's lock, so that another socket that is there is a dead one's.
func (a *agent) listenCalls() (net.Listener, error) {
	if a.socket != nil {
		return a.socket.Listener()
	}
	path, err := a.opt.Layout.Socket(wire.AgentSocket)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	a.socket, err = wire.Take(l.(*net.UnixListener))
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// serve answers calls.
func (a *agent) serve() (*server, error) {
	l, err := a.listenCalls()
	if err != nil {
		return nil, fmt.Errorf("open agent socket: %w", err)
	}
	mux := http.NewServeMux()
	for path, m := range a.methods() {
		mux.Handle("POST "+path, a.handle(m))
	}
	s := &server{
		http: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn)},
		done: make(chan struct{}), socket: a.socket, path: l.Addr().String(),
	}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(ownListener{l, a.log}) // ends with close
	}()
	return s, nil
}

// close lets calls that are being answered finish, for a moment.
func (s *server) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close()
	}
	<-s.done
	_ = s.socket.Close()
	_ = os.Remove(s.path)
}

// ownListener accepts connections of this user only.
type ownListener struct {
	net.Listener
	log *slog.Logger
}

func (l ownListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, err := peerUID(c)
		if err == nil && uid == os.Getuid() {
			return c, nil
		}
		l.log.Warn("connection of another user refused", slog.Int("uid", uid), slog.Any("error", err))
		_ = c.Close()
	}
}

func (a *agent) handle(m method) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var c wire.Call
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, wire.MaxBody)).Decode(&c); err != nil {
			reply(w, http.StatusBadRequest, &wire.Error{Code: wire.CodeInvalid, Message: "decode call: " + err.Error()})
			return
		}
		answer, err := m(r.Context(), c)
		var e *wire.Error
		switch {
		case err == nil:
			reply(w, http.StatusOK, answer)
		case errors.As(err, &e):
			reply(w, http.StatusConflict, e)
		default:
			a.log.ErrorContext(r.Context(), "call failed", slog.String("path", r.URL.Path), slog.Any("error", err))
			reply(w, http.StatusInternalServerError, &wire.Error{Code: wire.CodeInternal, Message: err.Error()})
		}
	}
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a caller that went away asks again
}
