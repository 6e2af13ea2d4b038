package storetest

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

var _ storage.Tree = (*Mem)(nil)

// ReadDir implements [storage.Tree]. It lists what was there when it began.
func (m *Mem) ReadDir(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	if err := check(ctx, "read", dir); err != nil {
		return err
	}
	infos, err := m.in(dir)
	if err != nil {
		return err
	}
	for _, info := range infos {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read %s: %w", dir, err)
		}
		if err := fn(info); err != nil {
			return err
		}
	}
	return nil
}

func (m *Mem) in(dir string) ([]fs.FileInfo, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if !m.dirs[dir] {
		return nil, fmt.Errorf("read %s: %w", dir, fs.ErrNotExist)
	}
	infos := []fs.FileInfo{storage.DirInfo(".", time.Time{})}
	for name := range m.dirs {
		if name != "." && path.Dir(name) == dir {
			infos = append(infos, storage.DirInfo(path.Base(name), time.Time{}))
		}
	}
	for name, o := range m.objects {
		if path.Dir(name) == dir {
			infos = append(infos, o.info(name))
		}
	}
	return infos, nil
}

// Mkdir implements [storage.Tree].
func (m *Mem) Mkdir(ctx context.Context, dir string) error {
	if err := check(ctx, "mkdir", dir); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.taken(dir):
		return fmt.Errorf("mkdir %s: %w", dir, fs.ErrExist)
	case !m.dirs[path.Dir(dir)]:
		return fmt.Errorf("mkdir %s: no parent: %w", dir, fs.ErrNotExist)
	}
	m.dirs[dir] = true
	return nil
}

// Rmdir implements [storage.Tree].
func (m *Mem) Rmdir(ctx context.Context, dir string) error {
	if err := check(ctx, "rmdir", dir); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dirs[dir] {
		return fmt.Errorf("rmdir %s: %w", dir, fs.ErrNotExist)
	}
	if len(m.below(dir)) > 0 {
		return fmt.Errorf("rmdir %s: not empty: %w", dir, fs.ErrExist)
	}
	delete(m.dirs, dir)
	return nil
}

// Rename implements [storage.Tree].
func (m *Mem) Rename(ctx context.Context, from, to string) error {
	if err := check(ctx, "rename", from); err != nil {
		return err
	}
	if err := check(ctx, "rename", to); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	_, replaces := m.objects[to]
	object, isObject := m.objects[from]
	switch {
	case !m.taken(from):
		return fmt.Errorf("rename %s: %w", from, fs.ErrNotExist)
	case !m.dirs[path.Dir(to)]:
		return fmt.Errorf("rename to %s: no parent: %w", to, fs.ErrNotExist)
	case m.taken(to) && (!isObject || !replaces):
		return fmt.Errorf("rename to %s: %w", to, fs.ErrExist)
	}
	if isObject {
		delete(m.objects, from)
		m.objects[to] = object
		return nil
	}
	for _, name := range append(m.below(from), from) {
		moved := to + strings.TrimPrefix(name, from)
		if object, ok := m.objects[name]; ok {
			delete(m.objects, name)
			m.objects[moved] = object
			continue
		}
		delete(m.dirs, name)
		m.dirs[moved] = true
	}
	return nil
}

// HasDirectories implements [storage.Tree].
func (*Mem) HasDirectories() bool { return true }

// taken reports whether anything has that name; it runs with mu held.
func (m *Mem) taken(name string) bool {
	_, ok := m.objects[name]
	return ok || m.dirs[name]
}

// below returns the names of all that is below dir; it runs with mu held.
func (m *Mem) below(dir string) []string {
	var names []string
	for name := range m.dirs {
		if strings.HasPrefix(name, dir+"/") {
			names = append(names, name)
		}
	}
	for name := range m.objects {
		if strings.HasPrefix(name, dir+"/") {
			names = append(names, name)
		}
	}
	return names
}
