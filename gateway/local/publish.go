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

// publish gives an upload its name. Of an object that is named by its hash, and is there
// with that content, only the upload goes: nobody gives what is old a new time. Anything
// else that has the name is replaced.
func (d dirFD) publish(temp, base string) error {
	sum, err := hex.DecodeString(base)
	if err != nil || len(sum) != sha256.Size {
		return d.rename(temp, base)
	}
	err = d.renameNew(temp, base)
	if !errors.Is(err, unix.EEXIST) {
		return err
	}
	if !d.holds(base, sum) {
		return d.rename(temp, base)
	}
	return d.remove(temp)
}

// renameNew renames a file to a name that nothing has, else it is EEXIST.
func (d dirFD) renameNew(from, to string) error { return renameOverNothing(d, from, d, to) }

// holds reports whether a file has the content of that hash. One that cannot be read
// has not.
func (d dirFD) holds(base string, sum []byte) bool {
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
