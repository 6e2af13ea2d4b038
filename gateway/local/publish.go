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

// An upload is a file that has no name yet, so that nobody sees it, and a crash takes it
// along; where the file system has no such files, it has a temporary name.
type upload struct {
	store *Store
	dir   dirFD
	fd    int
	temp  string // empty where it has none
}

// Write implements io.Writer. It knows neither deadlines nor other goroutines, as an
// [os.File] does, which asks the system how it was opened.
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

// newUpload makes an empty one in dir, that is to be closed.
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

// cannot reports whether a file system, or a kernel, does not know of nameless files.
func cannot(err error) bool {
	return errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS)
}

// close ends it. What has not got its name by then goes.
func (u *upload) close() {
	_ = unix.Close(u.fd) // it was synced, or is of no use
	if u.temp != "" {
		_ = u.dir.remove(u.temp) // if it fails, a list removes it
	}
}

// publish gives an upload its name. Of an object that is named by its hash, and is there
// with that content, only the upload goes: nobody gives what is old a new time. Anything
// else that has the name is replaced.
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

// name gives it a name that nothing has, else it is EEXIST.
func (u *upload) name(base string) error {
	if u.temp == "" {
		err := u.dir.link(u.fd, base)
		if cannotLink(err) {
			u.store.named.Store(true) // whoever tries again gets one with a name
		}
		return err
	}
	err := renameOverNothing(u.dir, u.temp, u.dir, base)
	if err == nil {
		u.temp = ""
	}
	return err
}

// cannotLink reports whether a nameless file cannot be given a name: there is no /proc, or
// a rule of the system forbids it.
func cannotLink(err error) bool {
	return cannot(err) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EXDEV)
}

// holds reports whether the file of a name that is a hash has the content of that hash.
// One that cannot be read has not.
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

// onlyReader has no WriteTo, with which [os.File] would choose a buffer of its own.
type onlyReader struct{ io.Reader }
