//go:build !linux

package pipeline

import "runtime"

// yield lets others have the processor, as far as they are goroutines of this process.
func yield() { runtime.Gosched() }
