package dav

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// layoutDepth is how many elements of a name [Target.PlaceOf] considers.
const layoutDepth = 3

// movable checks that neither the resource nor anything in it has a place in the caller's
// layout, at its present name and, unless to is empty, at its new name.
func (t *Target) movable(ctx context.Context, info fs.FileInfo, from, to string) error {
	if t.place(from) != Free {
		return fixed(from)
	}
	if to != "" && t.place(to) != Free {
		return fixed(to)
	}
	if !info.IsDir() || depth(from) >= layoutDepth && (to == "" || depth(to) >= layoutDepth) {
		return nil
	}
	entries, err := readDir(ctx, t.Store, from)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		toEntry := ""
		if to != "" {
			toEntry = path.Join(to, entry.Name())
		}
		if err := t.movable(ctx, entry, path.Join(from, entry.Name()), toEntry); err != nil {
			return err
		}
	}
	return nil
}

func depth(name string) int { return strings.Count(name, "/") + 1 }

// entry is an entry of a directory that may be kept.
type entry struct {
	dirInfo

	dir bool
}

func (e entry) IsDir() bool { return e.dir }

// readDir returns the entries of a directory.
func readDir(ctx context.Context, s Store, dir string) ([]entry, error) {
	var entries []entry
	err := s.ReadDir(ctx, dir, func(info fs.FileInfo) error {
		if info.Name() != "." {
			entries = append(entries, entry{dirInfo{name: info.Name()}, info.IsDir()})
		}
		return nil
	})
	return entries, err
}

// remove removes a file, or a directory from its leaves up. What vanishes meanwhile is not
// an error.
func remove(ctx context.Context, s Store, info fs.FileInfo, name string) error {
	if !info.IsDir() {
		return s.Remove(ctx, name)
	}
	entries, err := readDir(ctx, s, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		err := remove(ctx, s, entry, path.Join(name, entry.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	err = s.Rmdir(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%w: %s is not empty: %w", refusal.ErrConflict, name, err)
	}
	return err
}

// rename moves a file or a directory, entry by entry if the store cannot move a whole
// directory.
func rename(ctx context.Context, s Store, info fs.FileInfo, from, to string) error {
	err := s.Rename(ctx, from, to)
	if !info.IsDir() || !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	entries, err := readDir(ctx, s, from)
	if err != nil {
		return err
	}
	if err := s.Mkdir(ctx, to); err != nil {
		return err
	}
	for _, entry := range entries {
		if err := rename(ctx, s, entry, path.Join(from, entry.Name()), path.Join(to, entry.Name())); err != nil {
			return err
		}
	}
	return s.Rmdir(ctx, from)
}

// duplicate copies a file or a directory; if deep, with all its content.
func duplicate(ctx context.Context, s Store, info fs.FileInfo, from, to string, deep bool) error {
	if !info.IsDir() {
		return duplicateFile(ctx, s, from, to)
	}
	if err := s.Mkdir(ctx, to); err != nil || !deep {
		return err
	}
	entries, err := readDir(ctx, s, from)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := duplicate(ctx, s, entry, path.Join(from, entry.Name()), path.Join(to, entry.Name()), deep); err != nil {
			return err
		}
	}
	return nil
}

func duplicateFile(ctx context.Context, s Store, from, to string) error {
	body, size, err := s.Open(ctx, from, 0, -1)
	if err != nil {
		return err
	}
	defer body.Close()
	return s.Put(ctx, to, size, io.LimitReader(body, size))
}
