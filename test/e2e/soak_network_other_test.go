//go:build !linux

package e2e

// networkScenarios need network namespaces.
var networkScenarios []scenario
