//go:build !linux

package main

import "syscall"

// dependent are the attributes of a process in a group of its own. Nothing here ends it with this one: it ends by itself.
func dependent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
