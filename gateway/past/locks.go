package past

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/internal/lastused"
)

const (
	// locksExpire is how long a lock is kept that its client neither renews nor deletes:
	// restic renews it every five minutes, and considers it stale after thirty.
	locksExpire = 35 * time.Minute
	// locksMost bounds the locks of one client for one repository, lockSize the size of
	// each: restic's have some 200 bytes.
	locksMost = 32
	lockSize  = 16 << 10
	// spacesMost bounds the number of clients. Beyond that, the least recently used locks
	// are dropped: their clients renew them.
	spacesMost = 512
)

// Spaces holds the locks of all clients. The zero value is ready; it is safe for
// concurrent use.
type Spaces struct {
	spaces lastused.Map[spaceKey, *Locks]
}

type spaceKey struct{ destination, repo, user string }

// Of returns the locks of a client for a repository, or for a past state of it.
func (s *Spaces) Of(destination, repo, user string) *Locks {
	return s.spaces.Get(spaceKey{destination, repo, user}, lastused.Limits{Most: spacesMost, Unused: locksExpire}, func() *Locks {
		return &Locks{locks: map[string]lock{}}
	})
}

// Locks holds the locks of one client for one repository.
type Locks struct {
	mu    sync.Mutex
	locks map[string]lock
}

type lock struct {
	content []byte
	at      time.Time
}

// all returns the locks that have not expired. The caller holds mu.
func (l *Locks) all() map[string]lock {
	for name, held := range l.locks {
		if time.Since(held.at) >= locksExpire {
			delete(l.locks, name)
		}
	}
	return l.locks
}

func (l *Locks) get(name string) (lock, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	held, there := l.all()[name]
	return held, there
}

func (l *Locks) put(name string, content []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	locks := l.all()
	if _, there := locks[name]; !there && len(locks) >= locksMost {
		return fmt.Errorf("%w: %d locks of one client", refusal.ErrRate, locksMost)
	}
	locks[name] = lock{content, time.Now()}
	return nil
}

func (l *Locks) remove(name string) (there bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, there = l.all()[name]
	delete(l.locks, name)
	return there
}

// Overlay is a store with a client's own locks in one repository. Everything else,
// including other locks, is that of the store.
type Overlay struct {
	storage.Store

	dir   string
	locks *Locks
}

var _ storage.Store = (*Overlay)(nil)

// Over returns a store with the locks in a repository, or in a view.
func Over(store storage.Store, repo string, locks *Locks) *Overlay {
	return &Overlay{store, repo + "/locks", locks}
}

// own returns the name of a lock, "" for other objects.
func (o *Overlay) own(name string) string {
	if object, ok := strings.CutPrefix(name, o.dir+"/"); ok {
		return object
	}
	return ""
}

// Stat implements [storage.Store].
func (o *Overlay) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	if held, there := o.locks.get(o.own(name)); there {
		return lockInfo{path.Base(name), held}, nil
	}
	return o.Store.Stat(ctx, name)
}

// Open implements [storage.Store].
func (o *Overlay) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error) {
	held, there := o.locks.get(o.own(name))
	if !there {
		return o.Store.Open(ctx, name, off, n)
	}
	size := int64(len(held.content))
	if off < 0 || off > size || off == size && size > 0 {
		return nil, size, fmt.Errorf("open %s at %d: %w", name, off, storage.ErrRange)
	}
	end := size
	if n >= 0 && n < size-off {
		end = off + n
	}
	return io.NopCloser(bytes.NewReader(held.content[off:end])), size, nil
}

// List implements [storage.Store].
func (o *Overlay) List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	if dir != o.dir {
		return o.Store.List(ctx, dir, fn)
	}
	var held []lockInfo
	o.locks.mu.Lock()
	for name, l := range o.locks.all() {
		held = append(held, lockInfo{name, l})
	}
	o.locks.mu.Unlock()
	for _, info := range held {
		if err := fn(info); err != nil {
			return err
		}
	}
	err := o.Store.List(ctx, dir, fn)
	if len(held) > 0 && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Put implements [storage.Store].
func (o *Overlay) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	object := o.own(name)
	if object == "" {
		return o.Store.Put(ctx, name, size, body)
	}
	if size > lockSize {
		return fmt.Errorf("put %s of %d bytes: %w", name, size, refusal.ErrForm)
	}
	content := make([]byte, size)
	if _, err := io.ReadFull(body, content); err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	// The error of an extra byte must show too.
	switch n, err := io.Copy(io.Discard, body); {
	case err != nil:
		return fmt.Errorf("put %s: %w", name, err)
	case n > 0:
		return fmt.Errorf("put %s: %d bytes more than announced: %w", name, n, fs.ErrInvalid)
	}
	return o.locks.put(object, content)
}

// Remove implements [storage.Store].
func (o *Overlay) Remove(ctx context.Context, name string) error {
	object := o.own(name)
	if object == "" {
		return o.Store.Remove(ctx, name)
	}
	if !o.locks.remove(object) {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	return nil
}

// lockInfo describes a lock.
type lockInfo struct {
	name string
	lock lock
}

func (i lockInfo) Name() string       { return i.name }
func (i lockInfo) Size() int64        { return int64(len(i.lock.content)) }
func (lockInfo) Mode() fs.FileMode    { return 0o600 }
func (i lockInfo) ModTime() time.Time { return i.lock.at }
func (lockInfo) IsDir() bool          { return false }
func (lockInfo) Sys() any             { return nil }
