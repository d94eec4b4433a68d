package e2e

import (
	"syscall"
	"testing"
)

// mountDisk puts a small disk of its own under a folder, where this user may.
func mountDisk(t testing.TB, dir, file string) *disk {
	t.Helper()
	err := syscall.Mount("portico", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "size=256m,mode=0700")
	t.Logf("mount of a small disk: %v", err)
	return &disk{dir: dir, file: file, mounted: err == nil}
}

func (d *disk) unmount(t testing.TB) {
	if !d.mounted {
		return
	}
	if err := syscall.Unmount(d.dir, 0); err != nil {
		t.Errorf("unmount: %v", err)
	}
}
