//go:build !linux

package e2e

import "net/http"

// networkScenarios need network namespaces.
var networkScenarios []scenario

// inside is a client in a namespace, of which there is none.
func inside(string) *http.Client { return nil }
