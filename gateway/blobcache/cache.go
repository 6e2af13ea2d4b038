// Package blobcache keeps small objects of far storage on a local disk: index, snapshots and
// keys of repositories, which clients read again and again, and which never change.
//
// What is read from the disk must hash to its name, or it is thrown away and read from the
// storage. Whether an object is there the disk does not know: it is served only where the
// storage said so a moment ago (see [sizes.MaxAge]). What cannot be kept is not: a disk that
// is full or fails costs nothing but time. The objects are encrypted by restic.
package blobcache

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// maxObject is how large an object may be that is kept.
	maxObject = 32 << 20
	// block is what a file takes of a disk at least.
	block = 4 << 10
	// tempPrefix begins the names of what is being written.
	tempPrefix = "tmp-"
	// lockFile keeps other processes out.
	lockFile = "lock"
)

type digest [sha256.Size]byte

func (d digest) String() string { return hex.EncodeToString(d[:]) }

// Cache is a directory that holds at most a number of bytes. What was used last stays. It is
// safe for concurrent use.
type Cache struct {
	dir  string
	max  int64
	log  *slog.Logger
	lock *os.File

	mu     sync.Mutex
	size   int64
	use    *list.List // of *kept, the last used first
	kept   map[digest]*list.Element
	failed bool // the disk did not take the last object
}

type kept struct {
	digest digest
	size   int64
}

// Open makes the directory, and takes over what is in it. It belongs to one process.
func Open(dir string, most int64, log *slog.Logger) (*Cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cache directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cache directory: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("cache directory %s: another process uses it: %w", dir, err), lock.Close())
	}
	c := &Cache{dir: dir, max: most, log: log, lock: lock, use: list.New(), kept: map[digest]*list.Element{}}
	if err := c.takeOver(); err != nil {
		return nil, errors.Join(fmt.Errorf("cache directory: %w", err), lock.Close())
	}
	return c, nil
}

// Close lets another process use the directory.
func (c *Cache) Close() error { return c.lock.Close() }

// takeOver finds what an earlier process left, and removes what it had not written to its end.
func (c *Cache) takeOver() error {
	type found struct {
		kept
		used time.Time
	}
	var all []found
	err := filepath.WalkDir(c.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if strings.HasPrefix(entry.Name(), tempPrefix) {
			return os.Remove(path)
		}
		d, ok := parse(entry.Name())
		info, err := entry.Info()
		if ok && err == nil && path == c.path(d) {
			all = append(all, found{kept{d, info.Size()}, info.ModTime()})
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b found) int { return a.used.Compare(b.used) })
	for _, f := range all {
		c.note(f.kept)
	}
	return nil
}

func parse(name string) (d digest, ok bool) {
	if len(name) != hex.EncodedLen(len(d)) {
		return d, false
	}
	_, err := hex.Decode(d[:], []byte(name))
	return d, err == nil && d.String() == name
}

func (c *Cache) path(d digest) string {
	name := d.String()
	return filepath.Join(c.dir, name[:2], name)
}

// note takes an object that is on the disk into account, and removes those that have not
// been used for the longest time where there are too many.
func (c *Cache) note(k kept) {
	c.mu.Lock()
	if old := c.kept[k.digest]; old != nil {
		c.forget(old)
	}
	c.kept[k.digest] = c.use.PushFront(&k)
	c.size += onDisk(k.size)
	var gone []digest
	for c.size > c.max && c.use.Len() > 0 {
		oldest := c.use.Back()
		gone = append(gone, oldest.Value.(*kept).digest)
		c.forget(oldest)
	}
	c.mu.Unlock()
	for _, d := range gone {
		_ = os.Remove(c.path(d)) // else the next start finds it
	}
}

// forget runs with mu held.
func (c *Cache) forget(e *list.Element) {
	k := c.use.Remove(e).(*kept)
	delete(c.kept, k.digest)
	c.size -= onDisk(k.size)
}

func onDisk(size int64) int64 { return (size + block - 1) / block * block }

// open returns an object that is kept, after its content was compared with its name.
func (c *Cache) open(d digest, size int64) (*os.File, bool) {
	c.mu.Lock()
	e := c.kept[d]
	if e != nil {
		c.use.MoveToFront(e)
	}
	c.mu.Unlock()
	if e == nil {
		return nil, false
	}
	f, err := os.Open(c.path(d))
	if err != nil {
		c.drop(d)
		return nil, false
	}
	hash := sha256.New()
	n, err := io.Copy(hash, f)
	if err != nil || n != size || digest(hash.Sum(nil)) != d {
		_ = f.Close() // only read
		c.drop(d)
		return nil, false
	}
	now := time.Now()
	_ = os.Chtimes(f.Name(), now, now) // by which the next process knows what was used last
	return f, true
}

// drop removes an object.
func (c *Cache) drop(d digest) {
	c.mu.Lock()
	e := c.kept[d]
	if e != nil {
		c.forget(e)
	}
	c.mu.Unlock()
	if e != nil {
		_ = os.Remove(c.path(d)) // the next start finds it, and nobody is told that it is there
	}
}

// tell logs once that the disk takes nothing, and again once it did meanwhile.
func (c *Cache) tell(err error) {
	c.mu.Lock()
	first := err != nil && !c.failed
	c.failed = err != nil
	c.mu.Unlock()
	if first {
		c.log.Warn("cannot keep objects in the cache directory; they are read from the storage", "err", err,
			"hint", "make room on its disk, name another one with --cache-dir, or allow it less with --cache-size")
	}
}
