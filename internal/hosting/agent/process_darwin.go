package agent

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// startTime identifies a process together with its number. It is empty for a process that does not run.
func startTime(pid int) string {
	const zombie = 5 // SZOMB of sys/proc.h
	k, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || k.Proc.P_stat == zombie {
		return ""
	}
	return fmt.Sprintf("%d.%06d", k.Proc.P_starttime.Sec, k.Proc.P_starttime.Usec)
}

func bootID() string {
	tv, err := unix.SysctlTimeval("kern.boottime")
	if err != nil {
		return ""
	}
	return fmt.Sprint(tv.Sec)
}
