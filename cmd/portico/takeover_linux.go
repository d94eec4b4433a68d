package main

import "syscall"

// dependent are the attributes of a process in a group of its own that ends with this one.
func dependent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
