package pipeline

import (
	"runtime"
	"syscall"
)

// yield lets others have the processor: goroutines of this process, and threads that the kernel has put behind this one.
func yield() {
	runtime.Gosched()
	_, _, _ = syscall.Syscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) // never fails
}
