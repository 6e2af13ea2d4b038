package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/publish"
)

// MinIO locks the name of an object that must be new until its upload ends: whoever asks
// for it waits, at last for longer than MinIO waits for the upload. Its lists wait for
// nothing. So of what this process uploads the lists are asked ([Store.stillUploaded]); of what
// another gateway may upload, where the storage does not answer soon.

// soon is how long a storage is waited for before its lists are asked, too.
const soon = 3 * time.Second

// unlisted reports whether the lists do not have an object.
func (s *Store) unlisted(ctx context.Context, name string) (bool, error) {
	entries, err := s.fs.List(ctx, rcloneDir(path.Dir(name)))
	if errors.Is(err, fs.ErrorDirNotFound) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("list: %w", err)
	}
	return !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Remote() == name }), nil
}

// stillUploaded reports whether an object is not there yet, while this process uploads it.
func (s *Store) stillUploaded(ctx context.Context, name string) (bool, error) {
	if !s.publisher.UnderWay(name) {
		return false, nil
	}
	return s.unlisted(ctx, name)
}

// patience is that of a question about an object. Nil has no end.
type patience struct {
	cancel  context.CancelFunc
	decided atomic.Bool
	timer   *time.Timer
}

// await returns the context to ask for an object with. It ends when the storage does not
// answer soon and the lists do not have the object; gaveUp says so.
func (s *Store) await(ctx context.Context, name string) (context.Context, *patience) {
	if !s.publisher.InOneRequest() || !publish.KeepsReceipt(name) {
		return ctx, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &patience{cancel: cancel}
	p.timer = time.AfterFunc(s.soon, func() {
		absent, err := s.unlisted(ctx, name)
		if err == nil && absent && p.decided.CompareAndSwap(false, true) {
			cancel()
		}
	})
	return ctx, p
}

// gaveUp is called once the storage has answered, or has not: the question was given up
// since the object is not there yet.
func (p *patience) gaveUp() bool {
	if p == nil {
		return false
	}
	p.timer.Stop()
	return !p.decided.CompareAndSwap(false, true)
}

// end releases what is held; nothing may be read of the answer afterwards.
func (p *patience) end() {
	if p != nil {
		p.cancel()
	}
}

// awaitedBody ends the patience that it was opened with.
type awaitedBody struct {
	io.ReadCloser

	patience *patience
}

func (b *awaitedBody) Close() error {
	defer b.patience.end()
	return b.ReadCloser.Close()
}
