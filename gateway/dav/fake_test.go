package dav_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/dav"
	"github.com/rclone-gateway/rclone-gateway/gateway/local"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

// errAbsent is an absence that a store tells.
var errAbsent = fmt.Errorf("planned: %w", fs.ErrNotExist)

var errUnsupported = errors.ErrUnsupported

// slow takes its time between any two entries of a directory.
type slow struct {
	*storetest.Mem

	pause time.Duration
}

func (s slow) ReadDir(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	return s.Mem.ReadDir(ctx, dir, func(info fs.FileInfo) error {
		err := fn(info)
		time.Sleep(s.pause)
		return err
	})
}

// bucket is a store without directories of their own.
type bucket struct{ *storetest.Mem }

func (bucket) HasDirectories() bool                { return false }
func (bucket) Mkdir(context.Context, string) error { return nil }
func (bucket) Rmdir(context.Context, string) error { return nil }

func (b bucket) ReadDir(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	objects := 0
	err := b.List(ctx, dir, func(fs.FileInfo) error { objects++; return nil })
	if err != nil || objects == 0 && dir != "." {
		return fmt.Errorf("read %s: %w", dir, fs.ErrNotExist)
	}
	return b.Mem.ReadDir(ctx, dir, fn)
}

// Rename knows objects only.
func (b bucket) Rename(ctx context.Context, from, to string) error {
	if _, err := b.Stat(ctx, from); err != nil {
		return fmt.Errorf("rename: %w", errUnsupported)
	}
	body, size, err := b.Open(ctx, from, 0, -1)
	if err != nil {
		return err
	}
	if err := b.Put(ctx, to, size, body); err != nil {
		return err
	}
	return b.Remove(ctx, from)
}

// copyOf reads from one store and writes to another.
type copyOf struct {
	dav.Store

	to *storetest.Mem
}

func (c copyOf) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	return c.to.Put(ctx, name, size, body)
}

// replacing calls before, once, in front of an Open.
type replacing struct {
	*local.Store

	before func()
}

func (r *replacing) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error) {
	if before := r.before; before != nil {
		r.before = nil
		before()
	}
	return r.Store.Open(ctx, name, off, n)
}
