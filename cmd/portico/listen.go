package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/portico-dev/portico/internal/config"
)

// inheritEnv names the descriptors that a control plane hands to the one that replaces it: "arm=5,publish=6,…".
const inheritEnv = "PORTICO_INHERIT"

// inherited maps names to descriptors that this process got from the one it replaced. It is called once: each
// descriptor has one owner.
func inherited() map[string]*os.File {
	defer os.Unsetenv(inheritEnv)
	files := map[string]*os.File{}
	for pair := range strings.SplitSeq(os.Getenv(inheritEnv), ",") {
		name, number, ok := strings.Cut(pair, "=")
		if fd, err := strconv.Atoi(number); ok && err == nil {
			unix.CloseOnExec(fd)
			files[name] = os.NewFile(uintptr(fd), name)
		}
	}
	return files
}

// listeners are the sockets of the control plane.
type listeners struct {
	arm, armTLS, publish net.Listener
}

// picked is the file of addresses that were picked for port 0, by setting.
const picked = "listen.json"

// listen opens the sockets, or takes them over from the process that this one replaces.
func listen(layout config.Layout, cfg config.Up, files map[string]*os.File) (l listeners, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	kept, err := readPicked(layout)
	if err != nil {
		return l, err
	}
	if l.arm, err = listenTCP(files["arm"], "arm", cfg.ARM, kept); err != nil {
		return l, err
	}
	if l.armTLS, err = listenTCP(files["armTls"], "arm-tls", cfg.ARMTLS, kept); err != nil {
		return l, err
	}
	if l.publish, err = listenUnix(files["publish"], layout); err != nil {
		return l, err
	}
	return l, writePicked(layout, kept)
}

func (l listeners) close() error {
	var errs []error
	for _, x := range []net.Listener{l.arm, l.armTLS, l.publish} {
		if x != nil {
			errs = append(errs, x.Close())
		}
	}
	return errors.Join(errs...)
}

// listenTCP listens on address. For port 0 it takes the port that kept remembers, and notes the one it gets.
func listenTCP(f *os.File, setting, address string, kept map[string]string) (net.Listener, error) {
	if f != nil {
		defer f.Close()
		return net.FileListener(f)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	before := kept[setting]
	if h, _, err := net.SplitHostPort(before); port == "0" && err == nil && h == host {
		address = before
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w (choose another address with --%s)", setting, err, setting)
	}
	if port == "0" {
		kept[setting] = l.Addr().String()
	}
	return l, nil
}

func listenUnix(f *os.File, layout config.Layout) (net.Listener, error) {
	if f != nil {
		defer f.Close()
		return net.FileListener(f)
	}
	path, err := layout.Socket(publishSocket)
	if err != nil {
		return nil, err
	}
	// Only the holder of the folder's lock gets here: a socket that is there belongs to nobody any more.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(path, 0o600)
}

func readPicked(layout config.Layout) (map[string]string, error) {
	kept := map[string]string{}
	data, err := os.ReadFile(filepath.Join(layout.Dir, picked))
	if errors.Is(err, fs.ErrNotExist) {
		return kept, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &kept); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(layout.Dir, picked), err)
	}
	return kept, nil
}

func writePicked(layout config.Layout, kept map[string]string) error {
	if len(kept) == 0 {
		return nil
	}
	before, err := readPicked(layout)
	if err != nil {
		return err
	}
	if fmt.Sprint(before) == fmt.Sprint(kept) {
		return nil
	}
	data, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(layout.Dir, picked), data)
}

// withTLS speaks TLS 1.2 or newer on a listener.
func withTLS(l net.Listener, certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) net.Listener {
	return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: certificate})
}

// A successor collects the descriptors that the next process gets.
type successor struct {
	files []*os.File
	names []string
}

// add keeps a duplicate of a descriptor for the next process. What waits in a listener's queue waits on.
func (s *successor) add(name string, from interface{ File() (*os.File, error) }) error {
	f, err := from.File()
	if err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	s.files = append(s.files, f)
	s.names = append(s.names, name)
	return nil
}

// exec replaces this process by a program, with the same arguments; by the same program when there is none. It may be told
// why another one is not there.
func (s *successor) exec(program, failed string) error {
	if program == "" {
		var err error
		if program, err = os.Executable(); err != nil {
			return err
		}
	}
	var pairs []string
	for i, f := range s.files {
		fd := f.Fd()
		if _, err := unix.FcntlInt(fd, unix.F_SETFD, 0); err != nil {
			return fmt.Errorf("keep %s: %w", s.names[i], err)
		}
		pairs = append(pairs, fmt.Sprintf("%s=%d", s.names[i], fd))
	}
	env := append(environment(), inheritEnv+"="+strings.Join(pairs, ","))
	if failed != "" {
		env = append(env, failedEnv+"="+failed)
	}
	return fmt.Errorf("replace the control plane: %w", syscall.Exec(program, os.Args, env)) //nolint:gosec // this program, or one that an operator has put there
}
