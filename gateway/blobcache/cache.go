// Package blobcache caches small objects of remote storage on a local disk: index,
// snapshots and keys of repositories, which clients read often and which never change.
//
// An object that does not hash to its name is deleted and read from the storage instead.
// The disk cannot know whether an object still exists, so it is used only if the storage
// confirmed that a moment ago (see [sizes.MaxAge]). A full or failing disk costs nothing
// but time. The objects are encrypted by restic.
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
	// maxObject is the maximum size of a cached object.
	maxObject = 32 << 20
	// block is the minimum space of a file on disk.
	block = 4 << 10
	// tempPrefix begins the names of incomplete files.
	tempPrefix = "tmp-"
	// lockFile keeps other processes out.
	lockFile = "lock"
)

type digest [sha256.Size]byte

func (d digest) String() string { return hex.EncodeToString(d[:]) }

// Cache is a directory with a maximum size. The least recently used objects are removed
// first. It is safe for concurrent use.
type Cache struct {
	dir  string
	max  int64
	log  *slog.Logger
	lock *os.File

	mu     sync.Mutex
	size   int64
	use    *list.List // of *kept, most recently used first
	kept   map[digest]*list.Element
	failed bool // the last write to disk failed
}

type kept struct {
	digest digest
	size   int64
}

// Open creates the directory, or takes over its content. The directory must belong to one
// process.
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

// Close releases the directory.
func (c *Cache) Close() error { return c.lock.Close() }

// takeOver registers the objects of an earlier process, and deletes incomplete ones.
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

// note registers an object on disk, and removes the least recently used ones if the cache
// is full.
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
		_ = os.Remove(c.path(d)) // otherwise the next start finds it
	}
}

// forget unregisters an object. The caller holds mu.
func (c *Cache) forget(e *list.Element) {
	k := c.use.Remove(e).(*kept)
	delete(c.kept, k.digest)
	c.size -= onDisk(k.size)
}

func onDisk(size int64) int64 { return (size + block - 1) / block * block }

// open returns a cached object whose content matches its name.
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
	_ = os.Chtimes(f.Name(), now, now) // tells the next process when it was used
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
		_ = os.Remove(c.path(d)) // the next start finds it; until then it is not used
	}
}

// tell logs the first of a series of write errors.
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
