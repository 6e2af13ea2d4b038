package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Bucket is a [Mem] with the behaviour of buckets: it copies instead of renaming, removing
// an absent object succeeds, and a repeated upload preserves the time.
type Bucket struct{ *Mem }

var (
	_ storage.Preserver = (*Bucket)(nil)
	_ storage.Copier    = (*Bucket)(nil)
	_ storage.Mover     = (*Bucket)(nil)
)

// NewBucket returns an empty store.
func NewBucket() *Bucket { return &Bucket{NewMem()} }

// Remove implements [storage.Store].
func (b *Bucket) Remove(ctx context.Context, name string) error {
	err := b.Mem.Remove(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Put implements [storage.Store].
func (b *Bucket) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	_, err := b.PutNew(ctx, name, size, body)
	return err
}

// PutNew implements [storage.Preserver].
func (b *Bucket) PutNew(ctx context.Context, name string, size int64, body io.Reader) (stayed bool, err error) {
	before, errBefore := b.get(ctx, "put", name)
	if err := b.Mem.Put(ctx, name, size, body); err != nil || errBefore != nil {
		return false, err
	}
	sum := sha256.Sum256(before.data)
	b.mu.Lock()
	defer b.mu.Unlock()
	if hex.EncodeToString(sum[:]) != path.Base(name) || !bytes.Equal(before.data, b.objects[name].data) {
		return false, nil
	}
	b.objects[name] = before
	return true, nil
}

// Copies implements [storage.Copier].
func (*Bucket) Copies(context.Context) (bool, error) { return true, nil }

// Copy implements [storage.Copier].
func (b *Bucket) Copy(ctx context.Context, from, to string) error {
	o, err := b.get(ctx, "copy", from)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.makeParents(to)
	b.objects[to] = memObject{data: o.data, modTime: time.Now()}
	return nil
}

// RemoveCopied implements [storage.Copier].
func (b *Bucket) RemoveCopied(ctx context.Context, name string) error { return b.Remove(ctx, name) }

// Renames implements [storage.Mover].
func (*Bucket) Renames() bool { return false }

// Move implements [storage.Mover].
func (b *Bucket) Move(ctx context.Context, from string, to func(fs.FileInfo) string) error {
	info, err := b.Stat(ctx, from)
	if err != nil {
		return err
	}
	if err := b.Copy(ctx, from, to(info)); err != nil {
		return fmt.Errorf("move: %w", err)
	}
	return b.Remove(ctx, from)
}
