package counters

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The head of a file: what it is, how large its parts are, and the seed of its keys. Numbers are little-endian, as
// every machine's memory is that this runs on. Another format is another extension, so that two versions of the gateway
// beside each other do not meet in one file.
const (
	headWords = 8
	format    = 1
	magic     = uint64('P') | 'o'<<8 | 'r'<<16 | 't'<<24 | 'C'<<32 | 't'<<40 | 'r'<<48 | format<<56
	extension = ".counters" + string('0'+format)
	newFile   = ".new"
	badFile   = ".bad"
)

// ErrDamaged is returned for a file that is no table of this format. It is set aside; another Open makes a new one.
var ErrDamaged = errors.New("the file of counters is damaged")

// size is the number of buckets of both parts.
type size struct{ rates, quotas int }

func sizeFor(opt Options) size {
	if opt.Keys <= 0 {
		opt.Keys = DefaultKeys
	}
	n := max(2, (opt.Keys+ways-1)/ways) // a key has a home bucket and the next one
	return size{n, n}
}

func (s size) words() int {
	return headWords + s.rates*rateShape.stride() + s.quotas*quotaShape.stride()
}

// A Folder has the files of the services at a location.
type Folder struct {
	Dir      string
	Location string
	Options
}

// Open maps the file of a service, by its resource ID.
func (f Folder) Open(service string) (*Table, error) {
	service = strings.ToLower(service)
	sum := sha256.Sum256([]byte(service + "\n" + strings.ToLower(f.Location)))
	name := plain(service[strings.LastIndexByte(service, '/')+1:]) + "-" + hex.EncodeToString(sum[:8])
	return Open(filepath.Join(f.Dir, name+extension), f.Options)
}

// plain keeps of a name what may stand in that of a file.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return -1
	}, name[:min(len(name), 60)])
}

// Open maps a file, which is made when there is none. It is unmapped when nobody can reach the table any more.
func Open(path string, opt Options) (*Table, error) {
	for {
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			if err = create(path, opt); err == nil {
				continue
			}
		}
		if err != nil {
			return nil, fmt.Errorf("open counters: %w", err)
		}
		t, err := open(file)
		if err == nil {
			return t, nil
		}
		_ = file.Close()
		if !errors.Is(err, errGone) {
			return nil, fmt.Errorf("open counters %s: %w", path, err)
		}
	}
}

// errGone is returned for a file that was removed while it was being opened.
var errGone = errors.New("the file was removed")

// open maps a file that is open. The lock on it, which goes with the process, tells that it is in use.
func open(file *os.File) (*Table, error) {
	if err := flock(file, unix.LOCK_SH); err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		return nil, err
	}
	if st.Nlink == 0 {
		return nil, errGone
	}
	s, seed, err := readHead(file, st.Size)
	if err != nil {
		if flock(file, unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = os.Rename(file.Name(), file.Name()+badFile)
		}
		return nil, err
	}
	mem, err := unix.Mmap(int(file.Fd()), 0, int(st.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map: %w", err)
	}
	t := newTable(unsafe.Slice((*atomic.Uint64)(unsafe.Pointer(unsafe.SliceData(mem))), len(mem)/8), s)
	t.seed = seed
	runtime.AddCleanup(t, func(file *os.File) {
		_ = unix.Munmap(mem)
		_ = file.Close()
	}, file)
	return t, nil
}

func readHead(file *os.File, length int64) (s size, seed [16]byte, err error) {
	var head [headWords * 8]byte
	if _, err := file.ReadAt(head[:], 0); err != nil {
		return s, seed, ErrDamaged
	}
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(head[8*i:]) }
	const most = 1 << 24
	if word(0) != magic || word(1)-1 >= most || word(2)-1 >= most {
		return s, seed, ErrDamaged
	}
	s = size{int(word(1)), int(word(2))} //nolint:gosec // small
	if int64(s.words())*8 != length {
		return s, seed, ErrDamaged
	}
	return s, [16]byte(head[24:40]), nil
}

// create makes a file, all at once: it is complete and on disk before it has its name. Every block of it is written,
// for a mapped page that the disk has no room for would end the process that writes to it.
func create(path string, opt Options) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*"+newFile)
	if err != nil {
		return err
	}
	defer file.Close()           //nolint:errcheck // synced
	defer os.Remove(file.Name()) //nolint:errcheck // Sweep does
	if err := flock(file, unix.LOCK_EX); err != nil {
		return err
	}
	s := sizeFor(opt)
	head := make([]byte, headWords*8)
	for i, w := range []uint64{magic, uint64(s.rates), uint64(s.quotas)} { //nolint:gosec // small
		binary.LittleEndian.PutUint64(head[8*i:], w)
	}
	_, _ = rand.Read(head[24:40]) // never fails
	if _, err := file.Write(head); err != nil {
		return err
	}
	zeros := make([]byte, 1<<16)
	for left := (s.words() - headWords) * 8; left > 0; left -= len(zeros) {
		if _, err := file.Write(zeros[:min(left, len(zeros))]); err != nil {
			return err
		}
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// flock locks, again after a signal.
func flock(file *os.File, how int) error {
	for {
		if err := unix.Flock(int(file.Fd()), how); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Sync writes what was counted in a folder to disk, so that a crash of the host loses little of it.
func Sync(dir string) error {
	var errs []error
	for _, path := range list(dir) {
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		switch {
		case err == nil:
			errs = append(errs, file.Sync(), file.Close())
		case !errors.Is(err, fs.ErrNotExist): // swept meanwhile
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Sweep removes from a folder what counts nothing any more and nobody has open, and what was left unfinished.
func Sweep(dir string, log *slog.Logger) {
	for _, path := range list(dir) {
		if err := sweep(path); err != nil {
			log.Warn("counters not swept", slog.String("file", path), slog.Any("error", err))
		}
	}
}

// list gives the files of a folder that are this package's.
func list(dir string) (paths []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // there is none yet
	}
	for _, e := range entries {
		if n := e.Name(); strings.Contains(n, ".counters") && !strings.HasSuffix(n, badFile) {
			paths = append(paths, filepath.Join(dir, n))
		}
	}
	return paths
}

func sweep(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read
	switch err := flock(file, unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil // in use
	case err != nil:
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if strings.HasSuffix(path, newFile) {
		if time.Since(info.ModTime()) < time.Minute {
			return nil // somebody is about to lock it
		}
		return os.Remove(path)
	}
	s, _, err := readHead(file, info.Size())
	if err != nil {
		return nil //nolint:nilerr // Open sets it aside, or it is of another format
	}
	mem, err := unix.Mmap(int(file.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	defer unix.Munmap(mem) //nolint:errcheck // it was mapped
	t := newTable(unsafe.Slice((*atomic.Uint64)(unsafe.Pointer(unsafe.SliceData(mem))), len(mem)/8), s)
	if now := unitOf(t.clock.now().wall); t.rates.idleSince(now) && t.quotas.idleSince(now) {
		return os.Remove(path)
	}
	return nil
}
