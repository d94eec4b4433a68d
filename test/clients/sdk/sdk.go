// Package sdk sets the Azure SDK for Go up for a Portico: TLS by the local authority, a client secret, no instance
// discovery. It also holds what tests say about the outcome of calls.
package sdk

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/test/clients/host"
)

// Object is decoded JSON.
type Object = map[string]any

// Options returns what every client is made with: a credential, and options that lead to the host.
func Options(t *testing.T, h *host.Host) (azcore.TokenCredential, *arm.ClientOptions) {
	t.Helper()
	pem, err := os.ReadFile(h.Endpoints.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("%s holds no certificate", h.Endpoints.CAFile)
	}
	// HTTP/2, as with the SDK's own transport.
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	base := h.Endpoints.ARMTLS
	options := policy.ClientOptions{
		Cloud: cloud.Configuration{
			ActiveDirectoryAuthorityHost: base + "/",
			Services:                     map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {Endpoint: base, Audience: base}},
		},
		Transport: &http.Client{Transport: transport},
	}
	c := h.Credentials
	credential, err := azidentity.NewClientSecretCredential(c.TenantID, c.ClientID, c.ClientSecret, &azidentity.ClientSecretCredentialOptions{
		ClientOptions: options, DisableInstanceDiscovery: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return credential, &arm.ClientOptions{ClientOptions: options}
}

// An Outcome is what a call returned.
type Outcome[T any] struct {
	value T
	err   error
}

// Of holds what a call returned.
func Of[T any](value T, err error) Outcome[T] { return Outcome[T]{value, err} }

// pollEvery is how often a long-running operation is asked after.
const pollEvery = 100 * time.Millisecond

// Ended waits for the end of a long-running operation.
func Ended[T any](p *runtime.Poller[T], err error) Outcome[T] {
	if err != nil {
		return Outcome[T]{err: err}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return Of(p.PollUntilDone(ctx, &runtime.PollUntilDoneOptions{Frequency: pollEvery}))
}

// Must returns the value of a call that must succeed.
func (o Outcome[T]) Must(t *testing.T) T {
	t.Helper()
	if o.err != nil {
		t.Fatal(o.err)
	}
	return o.value
}

// Fails checks the status and the code of the error that a call returned.
func (o Outcome[T]) Fails(t *testing.T, status int, code string) {
	t.Helper()
	var e *azcore.ResponseError
	if !errors.As(o.err, &e) {
		t.Fatalf("got error %v, want %d %s", o.err, status, code)
	}
	if e.StatusCode != status || e.ErrorCode != code {
		t.Fatalf("got %d %s, want %d %s\n%v", e.StatusCode, e.ErrorCode, status, code, o.err)
	}
}

// Pages reads a list to its end; one inner slice is the names of a page.
func Pages[T any](t *testing.T, p *runtime.Pager[T], names func(T) []string) [][]string {
	t.Helper()
	var pages [][]string
	for p.More() {
		page, err := p.NextPage(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, names(page))
	}
	return pages
}

// Names are those of the items of a page.
func Names[T any](items []*T, name func(*T) *string) []string {
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = *name(item)
	}
	return out
}

// Equal compares a value with what is wanted of it.
func Equal[T any](t *testing.T, want, got T) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("-want +got:\n%s", d)
	}
}

// EqualJSON compares a model of the SDK, as JSON, with what is wanted of it.
func EqualJSON(t *testing.T, want Object, model json.Marshaler) {
	t.Helper()
	Equal(t, decoded(t, want), decoded(t, model))
}

func decoded(t *testing.T, v any) Object {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var o Object
	if err := json.Unmarshal(data, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// Unauthenticated checks that no token was given, and why.
func Unauthenticated(t *testing.T, err error, why string) {
	t.Helper()
	var e *azidentity.AuthenticationFailedError
	if !errors.As(err, &e) || !strings.Contains(err.Error(), why) {
		t.Fatalf("got error %v, want a refused token: %s", err, why)
	}
}
