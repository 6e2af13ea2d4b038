package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"path"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/publish"
)

// Put implements [storage.Store].
func (s *Store) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	_, err := s.PutNew(ctx, name, size, body)
	return err
}

// PutNew implements [storage.Preserver].
func (s *Store) PutNew(ctx context.Context, name string, size int64, body io.Reader) (stayed bool, err error) {
	if ctx, err = s.begin(ctx, "put", name); err != nil {
		return false, err
	}
	if size < 0 {
		return false, fmt.Errorf("put %s of unknown size: %w", name, iofs.ErrInvalid)
	}
	if publish.IsTemporary(path.Base(name)) {
		return false, fmt.Errorf("put %s, a name for temporary files: %w", name, iofs.ErrInvalid)
	}
	up := newUpload(ctx, body, size)
	if size == 0 {
		// Backends do not read a body of which they expect nothing.
		_, _ = up.Read(nil)
	}
	if up.failure() == nil {
		err = s.publisher.Put(ctx, name, size, up)
	}
	if stayed = errors.Is(err, publish.ErrStayed); stayed {
		// The client is heard to its end: what it sends must be what it says, too.
		_, err = io.Copy(io.Discard, up)
	}
	switch failure := up.failure(); {
	case failure != nil && ctx.Err() == nil:
		return false, fmt.Errorf("put %s: read the body: %w", name, failure)
	case failure != nil:
		return false, fmt.Errorf("put %s: %w: read the body: %w", name, ctx.Err(), failure)
	case err != nil:
		return false, s.failed(ctx, "put", name, err)
	case !up.complete():
		return false, fmt.Errorf("put %s: the remote took %d of %d bytes", name, size-up.owed.Load(), size)
	}
	return stayed, nil
}

// Preserves reports how the store keeps the times of objects that are uploaded again:
// in the request of the upload itself, or by a look at what is there before it. It is
// known for sure only after the first small upload.
func (s *Store) Preserves() (inOneRequest bool) {
	return s.publisher.InOneRequest()
}
