package engine_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/gateway/engine"
	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// TestServer_CountsContent: statements learn at the end how many bytes of content came and went, held or streamed.
func TestServer_CountsContent(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	rec.Answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 70_000)) }
	snap := gatewaytest.Shop(rec.URL)
	snap.Service.Policy.XML = `<policies><inbound><probe /></inbound><backend><forward-request /></backend>
<outbound><choose><when condition="@(context.Request.Method == "PUT")"><set-body>held</set-body></when></choose></outbound></policies>`
	compiler := gatewaytest.Compiler(t)
	seen := make(chan string, 1)
	compiler.Builders["probe"] = func(*pipeline.Build, *policy.Statement) (pipeline.Step, error) {
		return func(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
			x.Defer(func() { seen <- fmt.Sprint(x.Received, " ", x.Sent) })
			return pipeline.Next, nil
		}, nil
	}
	_, addr := gatewaytest.Start(t, engine.Options{Compiler: compiler}, snap)
	var got []string
	for _, request := range []string{"GET %s HTTP/1.1", "POST %s HTTP/1.1\r\nContent-Length: 5", "PUT %s HTTP/1.1\r\nContent-Length: 5", "HEAD %s HTTP/1.1"} {
		body := ""
		if strings.Contains(request, "Length") {
			body = "12345"
		}
		exchange(t, addr, fmt.Sprintf(request, "/shop/x")+"\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"+body)
		got = append(got, <-seen)
	}
	if diff := cmp.Diff([]string{"0 70000", "5 70000", "5 4", "0 0"}, got); diff != "" {
		t.Error(diff)
	}
}
