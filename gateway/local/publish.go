//go:build unix

package local

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// An upload is a file without a name, so that nobody sees it and it vanishes in a crash. On
// file systems without such files it has a temporary name.
type upload struct {
	store *Store
	dir   dirFD
	fd    int
	temp  string // empty for an unnamed file
}

// Write implements io.Writer. Unlike an [os.File], it supports no deadlines and no
// concurrent use, and needs no system call to find out how it was opened.
func (u *upload) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		m := 0
		err = retry(func() (err error) {
			m, err = unix.Write(u.fd, p[n:])
			return err
		})
		n += max(m, 0)
		if m == 0 && err == nil {
			err = io.ErrShortWrite
		}
	}
	return n, err
}

// newUpload creates an empty upload in dir. It must be closed.
func (s *Store) newUpload(dir dirFD) (*upload, error) {
	up := &upload{store: s, dir: dir}
	err := error(unix.ENOTSUP)
	fd := -1
	if !s.named.Load() {
		fd, err = dir.nameless()
	}
	if cannot(err) {
		up.temp = tempName()
		fd, err = openat(int(dir), up.temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	}
	if err != nil {
		return nil, err
	}
	up.fd = fd
	return up, nil
}

// cannot reports whether a file system or a kernel does not support unnamed files.
func cannot(err error) bool {
	return errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS)
}

// close closes it. An unpublished upload is discarded.
func (u *upload) close() {
	_ = unix.Close(u.fd) // it was synced, or is discarded
	if u.temp != "" {
		_ = u.dir.remove(u.temp) // otherwise a list removes it
	}
}

// publish gives an upload its name. If an object whose name is its hash exists with the
// right content, it stays, and the upload is discarded: so the object's time does not
// change. Any other object is replaced.
func (u *upload) publish(base string) error {
	err := u.name(base)
	switch {
	case !errors.Is(err, unix.EEXIST):
		return err
	case u.dir.holds(base):
		return nil
	case u.temp == "":
		temp := tempName()
		if err := u.name(temp); err != nil {
			return err
		}
		u.temp = temp
	}
	if err := u.dir.rename(u.temp, base); err != nil {
		return err
	}
	u.temp = ""
	return nil
}

// name gives it an unused name; otherwise the error is EEXIST.
func (u *upload) name(base string) error {
	if u.temp == "" {
		err := u.dir.link(u.fd, base)
		if cannotLink(err) {
			u.store.named.Store(true) // the retry uses a temporary name
		}
		return err
	}
	err := renameOverNothing(u.dir, u.temp, u.dir, base)
	if err == nil {
		u.temp = ""
	}
	return err
}

// cannotLink reports whether an unnamed file cannot be given a name, because there is no
// /proc or a policy forbids it.
func cannotLink(err error) bool {
	return cannot(err) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EXDEV)
}

// holds reports whether the content of a file matches the hash that is its name. An
// unreadable file does not.
func (d dirFD) holds(base string) bool {
	sum, err := hex.DecodeString(base)
	if err != nil || len(sum) != sha256.Size {
		return false
	}
	fd, err := openat(int(d), base, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	file := os.NewFile(uintptr(fd), base)
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return false
	}
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	digest := sha256.New()
	if _, err := io.CopyBuffer(digest, onlyReader{file}, buf[:]); err != nil {
		return false
	}
	return bytes.Equal(digest.Sum(nil), sum)
}

// onlyReader hides WriteTo, with which [os.File] would use its own buffer.
type onlyReader struct{ io.Reader }
