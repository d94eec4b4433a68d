package guest

import "golang.org/x/sys/unix"

// backlog is how full the accept queue of a listening socket is, in percent.
func backlog(fd int) int {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil || info.Sacked == 0 {
		return 0
	}
	return int(min(100, 100*uint64(info.Unacked)/uint64(info.Sacked))) // of a listener: waiting, and how many may
}

// unread is how much of the room there is for them is taken by packets that nobody has read yet, in percent.
func unread(fd int) int {
	sent, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil {
		return 0
	}
	room, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
	if err != nil || room <= 0 {
		return 0
	}
	return min(100, 100*sent/room)
}
