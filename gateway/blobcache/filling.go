package blobcache

import (
	"crypto/sha256"
	"hash"
	"io"
	"os"
	"path/filepath"
)

// filling is the body of an object that is added to the cache once all of it was read and
// it hashes to its name.
type filling struct {
	io.ReadCloser

	cache *Cache
	want  kept
	file  *os.File // nil if it is not cached
	hash  hash.Hash
	read  int64
}

// fill wraps body so that it is added to the cache.
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

// Read implements [io.Reader]. Errors of the cache's disk do not affect the reader.
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

// keep renames the file to its name, without a sync: a file damaged in a crash does not
// hash to its name.
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

// abandon deletes the incomplete file.
func (f *filling) abandon() {
	if f.file == nil {
		return
	}
	_ = f.file.Close()           // it may be closed
	_ = os.Remove(f.file.Name()) // otherwise the next start does
	f.file = nil
}
