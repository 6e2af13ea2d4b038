//go:build unix

package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Without support for unnamed files, uploads have a name that no object can have, since it
// is neither "config" nor 64 hexadecimal digits. A crash during an upload leaves such a
// file; a list removes it once nobody has written to it for a day.
const (
	tempPrefix  = ".rclone-gateway-upload-"
	tempExpires = 24 * time.Hour
)

func tempName() string { return tempPrefix + strconv.FormatUint(rand.Uint64(), 36) }

func isTemp(base string) bool { return strings.HasPrefix(base, tempPrefix) }

// Put implements [storage.Store]. An existing object whose name is its hash stays
// unchanged, with the time of its first receipt, if its content is right. The order is that
// of every durable replacement: write an invisible file, sync it, name it, sync the
// directory. If that last sync fails, the new object is already visible.
func (s *Store) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	if err := check(ctx, "put", name); err != nil {
		return err
	}
	dir, err := s.makeDir(path.Dir(name))
	if err != nil {
		return s.wrapPut(name, err)
	}
	defer dir.close()
	if err := s.store(ctx, dir, path.Base(name), size, body); err != nil {
		return s.wrapPut(name, err)
	}
	if err := s.sync(int(dir)); err != nil {
		return s.wrapPut(name, err)
	}
	s.adopt(name)
	return nil
}

// wrapPut is wrap for Put: if the directory was removed meanwhile, that is a failure and
// does not prove any absence.
func (s *Store) wrapPut(name string, err error) error {
	if errors.Is(err, unix.ENOENT) {
		err = fmt.Errorf("%w: %v", storage.ErrUnavailable, err) //nolint:errorlint // must not count as fs.ErrNotExist
	}
	return s.wrap("put", name, err)
}

// store writes exactly size bytes to a file in dir, durably, under the name base.
func (s *Store) store(ctx context.Context, dir dirFD, base string, size int64, body io.Reader) error {
	up, err := s.newUpload(dir)
	if err != nil {
		return err
	}
	defer up.close()
	if err := copyExactly(ctx, up, size, body); err != nil {
		return err
	}
	if err := s.sync(up.fd); err != nil {
		return err
	}
	return up.publish(base)
}

// copyExactly copies size bytes from body, which must end there, in pieces as large as the
// buffer.
func copyExactly(ctx context.Context, file io.Writer, size int64, body io.Reader) error {
	buf, release := uploadBuffer()
	defer release()
	for left := size; left > 0; {
		n, err := io.ReadFull(body, buf[:min(left, int64(len(buf)))])
		left -= int64(n)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("%w: %d bytes are missing", storage.ErrShort, left)
		case err != nil:
			return err
		}
		if _, err := file.Write(buf[:n]); err != nil {
			return err
		}
	}
	switch n, err := io.ReadFull(body, buf[:1]); {
	case n > 0:
		return errors.New("body is longer than announced")
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

// makeDir opens a directory, and makes it durable unless that is known: otherwise a power
// failure could lose it with the object.
func (s *Store) makeDir(name string) (dirFD, error) {
	if _, ok := s.durable.Load(name); ok {
		dir, err := s.openDir(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return dir, err
		}
	}
	at, err := s.openRoot()
	if err != nil || name == "." {
		return at, err
	}
	end := 0
	for step := range strings.SplitSeq(name, "/") {
		end += len(step)
		next, err := s.makeEntry(at, step, name[:end])
		at.close()
		if err != nil {
			return -1, err
		}
		at = next
		end++ // the slash
	}
	return at, nil
}

// makeEntry creates and opens the directory step in at; name is its full name. An existing
// one may have been created a moment ago, by another call or before a crash, and not be
// durable yet; a durable one may be gone if somebody removed the tree.
func (s *Store) makeEntry(at dirFD, step, name string) (dirFD, error) {
	if _, ok := s.durable.Load(name); ok {
		dir, err := at.open(step)
		if !errors.Is(err, fs.ErrNotExist) {
			return dir, err
		}
	}
	if err := at.make(step); err != nil {
		return -1, err
	}
	if err := s.sync(int(at)); err != nil {
		return -1, err
	}
	s.durable.Store(name, nil)
	return at.open(step)
}
