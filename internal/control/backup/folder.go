package backup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// A folder stands in for a storage account. No name leads out of it: it is opened as a root.
type folder string

// open opens the folder of a container, which must exist.
func (f folder) open(container string) (*os.Root, error) {
	root, err := os.OpenRoot(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoContainer
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	c, err := root.OpenRoot(container)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoContainer
	}
	return c, err
}

// put writes a file beside the one that it replaces and renames it.
func (f folder) put(p Place, data []byte) error {
	root, err := f.open(p.Container)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.MkdirAll(path.Dir(p.Name), 0o700); err != nil {
		return fmt.Errorf("make the folder of %s: %w", p.Name, err)
	}
	part := path.Join(path.Dir(p.Name), "."+path.Base(p.Name)+".part")
	out, err := root.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = out.Write(data)
	if err = errors.Join(err, out.Sync(), out.Close()); err == nil {
		err = root.Rename(part, p.Name)
	}
	if err != nil {
		return errors.Join(err, root.Remove(part))
	}
	return nil
}

func (f folder) get(p Place) ([]byte, error) {
	root, err := f.open(p.Container)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	in, err := root.Open(p.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoBackup
	}
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return readBounded(in)
}

// readBounded reads to the end, or to the bound of an archive.
func readBounded(in io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxArchive+1))
	if len(data) > maxArchive {
		return nil, ErrTooLarge
	}
	return data, err
}
