package trash

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

var errKilled = errors.New("the gateway was killed")

// life is how many operations a process still does on the storage before it is killed;
// below zero it lives on.
type life struct{ left int }

func (l *life) lives() error {
	if l.left == 0 {
		return errKilled
	}
	if l.left > 0 {
		l.left--
	}
	return nil
}

// mortalDisk is a disk on which a process works that may be killed.
type mortalDisk struct {
	storage.Store
	storage.Tree
	storage.Mover

	life *life
}

func newMortalDisk(disk interface {
	storage.Store
	storage.Tree
	storage.Mover
}, l *life,
) *mortalDisk {
	return &mortalDisk{disk, disk, disk, l}
}

func (m *mortalDisk) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	if err := m.life.lives(); err != nil {
		return err
	}
	return m.Store.Put(ctx, name, size, body)
}

func (m *mortalDisk) Remove(ctx context.Context, name string) error {
	if err := m.life.lives(); err != nil {
		return err
	}
	return m.Store.Remove(ctx, name)
}

func (m *mortalDisk) Move(ctx context.Context, from string, to func(fs.FileInfo) string) error {
	if err := m.life.lives(); err != nil {
		return err
	}
	return m.Mover.Move(ctx, from, to)
}

// mortalBucket is a bucket on which a process works that may be killed.
type mortalBucket struct {
	*storetest.Bucket

	life *life
	bulk int // how many objects one request removes
}

func (m *mortalBucket) Bulk() int { return m.bulk }

// RemoveAll removes one after the other, as a request does that is cut off.
func (m *mortalBucket) RemoveAll(ctx context.Context, names []string) error {
	for _, name := range names {
		if err := m.Remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (m *mortalBucket) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	_, err := m.PutNew(ctx, name, size, body)
	return err
}

func (m *mortalBucket) PutNew(ctx context.Context, name string, size int64, body io.Reader) (stayed bool, err error) {
	if err := m.life.lives(); err != nil {
		return false, err
	}
	return m.Bucket.PutNew(ctx, name, size, body)
}

func (m *mortalBucket) Remove(ctx context.Context, name string) error {
	if err := m.life.lives(); err != nil {
		return err
	}
	return m.Bucket.Remove(ctx, name)
}

func (m *mortalBucket) RemoveCopied(ctx context.Context, name string) error {
	return m.Remove(ctx, name)
}

func (m *mortalBucket) Copy(ctx context.Context, from, to string) error {
	if err := m.life.lives(); err != nil {
		return err
	}
	return m.Bucket.Copy(ctx, from, to)
}

func (m *mortalBucket) Move(ctx context.Context, from string, to func(fs.FileInfo) string) error {
	info, err := m.Stat(ctx, from)
	if err != nil {
		return err
	}
	if err := m.Copy(ctx, from, to(info)); err != nil {
		return err
	}
	return m.Remove(ctx, from)
}
