package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/demo/bookshop"
)

func bookshopCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bookshop",
		Short: "run a small bookshop, a backend to try an API with",
		Long: `Runs the bookshop of the demo: an HTTP server that keeps its books in memory. Its
OpenAPI document is at /openapi.yaml.`,
		Args: takes(),
	}
	listen := cmd.Flags().String("listen", "127.0.0.1:9070", "address of the bookshop")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		l, err := net.Listen("tcp", *listen)
		if err != nil {
			return fmt.Errorf("--listen: %w (choose another address with --listen)", err)
		}
		return runBookshop(cmd.Context(), l, cmd.OutOrStdout())
	}
	return cmd
}

// runBookshop serves the shop and its document until ctx ends.
func runBookshop(ctx context.Context, l net.Listener, out io.Writer) error {
	origin := "http://" + l.Addr().String()
	mux := http.NewServeMux()
	mux.Handle("/", bookshop.New())
	mux.HandleFunc("GET /openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = io.WriteString(w, bookshop.OpenAPI(origin)) // a client that went away asks again
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stopped := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stopped()
	fmt.Fprintf(out, "bookshop at %[1]s, its document at %[1]s/openapi.yaml\n", origin)
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
