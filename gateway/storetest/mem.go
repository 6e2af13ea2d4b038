package storetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Mem is a [storage.Store] in memory. Like a file system it has directories: they are
// created with the first object in them, and stay after the last one. The zero value is not
// usable; call [NewMem].
type Mem struct {
	mu      sync.RWMutex
	objects map[string]memObject
	dirs    map[string]bool
}

// memObject is immutable, so open readers are not affected when it is replaced.
type memObject struct {
	data    []byte
	modTime time.Time
}

var _ storage.Store = (*Mem)(nil)

// NewMem returns an empty store.
func NewMem() *Mem {
	return &Mem{
		objects: make(map[string]memObject),
		dirs:    map[string]bool{".": true},
	}
}

// Stat implements [storage.Store].
func (m *Mem) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	o, err := m.get(ctx, "stat", name)
	if err != nil {
		return nil, err
	}
	return o.info(name), nil
}

// Open implements [storage.Store].
func (m *Mem) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error) {
	o, err := m.get(ctx, "open", name)
	if err != nil {
		return nil, 0, err
	}
	size := int64(len(o.data))
	if off < 0 || off > size || off == size && size > 0 {
		return nil, size, fmt.Errorf("open %s at %d: %w", name, off, storage.ErrRange)
	}
	end := size
	if n >= 0 && n < size-off {
		end = off + n
	}
	return io.NopCloser(bytes.NewReader(o.data[off:end])), size, nil
}

// Put implements [storage.Store].
func (m *Mem) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	if err := check(ctx, "put", name); err != nil {
		return err
	}
	// One extra byte reveals a body that is too long.
	data, err := io.ReadAll(io.LimitReader(body, size+1))
	switch {
	case err != nil:
		return fmt.Errorf("put %s: %w", name, err)
	case ctx.Err() != nil:
		return fmt.Errorf("put %s: %w", name, ctx.Err())
	case int64(len(data)) < size:
		return fmt.Errorf("put %s: %w", name, storage.ErrShort)
	case int64(len(data)) > size:
		return fmt.Errorf("put %s: body is longer than %d bytes", name, size)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.makeParents(name)
	m.objects[name] = memObject{data: data, modTime: time.Now()}
	return nil
}

// makeParents runs with mu held.
func (m *Mem) makeParents(name string) {
	for dir := path.Dir(name); !m.dirs[dir]; dir = path.Dir(dir) {
		m.dirs[dir] = true
	}
}

// Remove implements [storage.Store].
func (m *Mem) Remove(ctx context.Context, name string) error {
	if _, err := m.get(ctx, "remove", name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, name)
	return nil
}

// List implements [storage.Store]. It lists what was there when it began.
func (m *Mem) List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	if err := check(ctx, "list", dir); err != nil {
		return err
	}
	infos, err := m.listed(dir)
	if err != nil {
		return err
	}
	for _, info := range infos {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("list %s: %w", dir, err)
		}
		if err := fn(info); err != nil {
			return err
		}
	}
	return nil
}

func (m *Mem) listed(dir string) ([]fs.FileInfo, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if !m.dirs[dir] {
		return nil, fmt.Errorf("list %s: %w", dir, fs.ErrNotExist)
	}
	var infos []fs.FileInfo
	for name, o := range m.objects {
		if dir == "." || strings.HasPrefix(name, dir+"/") {
			infos = append(infos, o.info(name))
		}
	}
	return infos, nil
}

func (m *Mem) get(ctx context.Context, op, name string) (memObject, error) {
	if err := check(ctx, op, name); err != nil {
		return memObject{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	o, ok := m.objects[name]
	if !ok {
		return memObject{}, fmt.Errorf("%s %s: %w", op, name, fs.ErrNotExist)
	}
	return o, nil
}

// check says why a call must not even begin.
func check(ctx context.Context, op, name string) error {
	if !fs.ValidPath(name) {
		return fmt.Errorf("%s %q: %w", op, name, fs.ErrInvalid)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s %s: %w", op, name, err)
	}
	return nil
}

func (o memObject) info(name string) fs.FileInfo {
	return storage.ObjectInfo(path.Base(name), int64(len(o.data)), o.modTime)
}
