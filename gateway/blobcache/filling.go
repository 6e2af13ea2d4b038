package blobcache

import (
	"crypto/sha256"
	"hash"
	"io"
	"os"
	"path/filepath"
)

// filling is the body of an object that is kept as soon as all of it was read and it hashes
// to its name.
type filling struct {
	io.ReadCloser

	cache *Cache
	want  kept
	file  *os.File // nil once nothing is to be kept
	hash  hash.Hash
	read  int64
}

// fill returns body so that it is kept.
func (c *Cache) fill(d digest, size int64, body io.ReadCloser) io.ReadCloser {
	if size > maxObject || onDisk(size) > c.max {
		return body
	}
	file, err := os.CreateTemp(c.dir, tempPrefix)
	if err != nil {
		c.tell(err)
		return body
	}
	return &filling{ReadCloser: body, cache: c, want: kept{d, size}, file: file, hash: sha256.New()}
}

// Read implements [io.Reader]. That the disk fails does not matter to the reader.
func (f *filling) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if f.file == nil || n == 0 {
		return n, err
	}
	f.hash.Write(p[:n])
	f.read += int64(n)
	if _, errWrite := f.file.Write(p[:n]); errWrite != nil {
		f.cache.tell(errWrite)
		f.abandon()
	}
	return n, err
}

// Close implements [io.Closer].
func (f *filling) Close() error {
	if f.file != nil && f.read == f.want.size && digest(f.hash.Sum(nil)) == f.want.digest {
		f.cache.tell(f.keep())
	}
	f.abandon()
	return f.ReadCloser.Close()
}

// keep gives the file its name. It is not synced: what a crash damages does not hash to it.
func (f *filling) keep() error {
	to := f.cache.path(f.want.digest)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if err := f.file.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.file.Name(), to); err != nil {
		return err
	}
	f.file = nil
	f.cache.note(f.want)
	return nil
}

// abandon removes what was written, where that was not kept.
func (f *filling) abandon() {
	if f.file == nil {
		return
	}
	_ = f.file.Close()           // it may be closed
	_ = os.Remove(f.file.Name()) // else the next start does
	f.file = nil
}
