package service_test

import (
	"fmt"
	"testing"

	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
	"github.com/portico-dev/portico/internal/snapshot"
)

// BenchmarkCompile_OneOfManyAPIs changes one of 5,000 APIs of ten API operations.
func BenchmarkCompile_OneOfManyAPIs(b *testing.B) {
	snap := gatewaytest.Shop("http://127.0.0.1:9")
	template := snap.APIs[0]
	snap.APIs = nil
	for i := range 5000 {
		a := template
		a.ID, a.Name, a.Path = fmt.Sprintf("%s/apis/api-%05d", gatewaytest.ServiceID, i), fmt.Sprintf("api-%05d", i), fmt.Sprintf("a/%d", i)
		a.Operations = nil
		for j := range 10 {
			id := fmt.Sprintf("op-%d", j)
			a.Operations = append(a.Operations, snapshot.Operation{Name: id, Method: "GET", URLTemplate: fmt.Sprintf("/things/%d/{id}", j)})
		}
		snap.APIs = append(snap.APIs, a)
	}
	c := gatewaytest.Compiler(b)
	s, _, err := c.Compile(nil, snap.Bundle(b))
	if err != nil {
		b.Fatal(err)
	}
	bundle := snap.Bundle(b)
	snap.APIs[2500].DisplayName = "changed"
	next := snap.Bundle(b)
	change := snapshot.Diff(bundle.Manifest, next.Manifest)
	if s, _, err = c.Compile(s, bundle); err != nil {
		b.Fatal(err)
	}
	if next.Manifest, err = change.Apply(bundle.Manifest); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for b.Loop() {
		if _, _, err := c.Compile(s, next); err != nil {
			b.Fatal(err)
		}
	}
}
