package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"path"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/object"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/backend"
	"github.com/rclone-gateway/rclone-gateway/gateway/remote/s3api"
)

// putFunc stores size bytes of body under name: all or nothing.
type putFunc = s3api.PutFunc

// putFor chooses the way that suits a backend. Those not known to publish by a PUT,
// and all that write straight into the file (local, sftp, smb, ftp, azurefiles,
// pcloud) or delete it when an upload fails (webdav), get a temporary name and a
// move.
func putFor(b *backend.Backend) putFunc {
	f := b.Fs
	direct := func(ctx context.Context, name string, size int64, body io.Reader) error {
		_, err := put(ctx, f, name, size, body)
		return err
	}
	if b.Has(backend.PublishesPut) {
		return direct
	}
	features := f.Features()
	switch {
	case features.Move != nil:
		return mover{f, features.Move, b.Has(backend.MovesWhole)}.put
	case features.Copy != nil:
		return mover{f, moveByCopy(features.Copy), false}.put
	default:
		// There is no better way, and none of these backends is a good place for
		// backups.
		return direct
	}
}

// put uploads to name as the backend does it.
func put(ctx context.Context, f fs.Fs, name string, size int64, body io.Reader) (fs.Object, error) {
	source := object.NewStaticObjectInfo(name, time.Now(), size, true, nil, nil)
	o, err := f.Put(ctx, body, source)
	if err != nil {
		return o, err
	}
	if got := o.Size(); got != size {
		return o, fmt.Errorf("the remote has %d bytes of %d", got, size)
	}
	return o, nil
}

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
	if isTemporary(path.Base(name)) {
		return false, fmt.Errorf("put %s, a name for temporary files: %w", name, iofs.ErrInvalid)
	}
	up := newUpload(ctx, body, size)
	if size == 0 {
		// Backends do not read a body of which they expect nothing.
		_, _ = up.Read(nil)
	}
	if up.failure() == nil {
		err = s.put(ctx, name, size, up)
	}
	if stayed = errors.Is(err, errStayed); stayed {
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

// moveFunc gives an object another name.
type moveFunc = func(ctx context.Context, src fs.Object, remote string) (fs.Object, error)

func moveByCopy(duplicate moveFunc) moveFunc {
	return func(ctx context.Context, src fs.Object, remote string) (fs.Object, error) {
		o, err := duplicate(ctx, src, remote)
		if err == nil {
			err = src.Remove(ctx)
		}
		return o, err
	}
}

// mover publishes with a move.
type mover struct {
	fs    fs.Fs
	move  moveFunc
	whole bool // see [backend.MovesWhole]
}

// tidyTimeout bounds what is still done for a request that failed.
const tidyTimeout = 15 * time.Second

func (m mover) put(ctx context.Context, name string, size int64, body io.Reader) error {
	temporary := path.Join(path.Dir(name), temporaryName(partialSuffix))
	o, err := put(ctx, m.fs, temporary, size, body)
	if err == nil {
		if err = m.replace(ctx, o, name); err == nil || errors.Is(err, errStayed) {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
	defer cancel()
	return errors.Join(err, m.discard(ctx, temporary))
}

// replace moves a complete upload to its name. What is there already with the same
// content stays: of one object of restic, uploaded twice, no reader ever misses the
// first. Not every remote replaces an object by a move: where it refuses, another one
// is moved aside first, and back if that does not help.
func (m mover) replace(ctx context.Context, upload fs.Object, name string) error {
	if !m.whole || keepsReceipt(name) {
		old, err := m.find(ctx, name)
		if err != nil {
			return err
		}
		if same, err := isSame(ctx, old, upload.Size(), name); err != nil || same {
			return withdraw(ctx, upload, err)
		}
	}
	_, err := m.move(ctx, upload, name)
	if err == nil || ctx.Err() != nil {
		return err
	}
	old, findErr := m.find(ctx, name)
	if old == nil || findErr != nil {
		return err // there is nothing in the way
	}
	if same, err := isSame(ctx, old, upload.Size(), name); err != nil || same {
		return withdraw(ctx, upload, err)
	}
	// From here on the name stands for nothing until one of the moves is done.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
	defer cancel()
	aside, asideErr := m.move(ctx, old, path.Join(path.Dir(name), temporaryName(replacedSuffix)))
	if asideErr != nil {
		return errors.Join(err, asideErr)
	}
	if _, err = m.move(ctx, upload, name); err != nil {
		_, backErr := m.move(ctx, aside, name)
		return errors.Join(err, backErr)
	}
	_ = aside.Remove(ctx) // what is left, if so, has a temporary name and no use
	return nil
}

// withdraw removes an upload that is not needed, since the same is there, or could not be
// compared with what is there.
func withdraw(ctx context.Context, upload fs.Object, err error) error {
	if err := errors.Join(err, upload.Remove(ctx)); err != nil {
		return err
	}
	return errStayed
}

// find returns the object of that name, or nil where there is none.
func (m mover) find(ctx context.Context, name string) (fs.Object, error) {
	o, err := m.fs.NewObject(ctx, name)
	if errors.Is(err, fs.ErrorObjectNotFound) || errors.Is(err, fs.ErrorDirNotFound) {
		return nil, nil
	}
	return o, err
}

// discard removes what a failed upload left.
func (m mover) discard(ctx context.Context, temporary string) error {
	o, err := m.find(ctx, temporary)
	if err == nil && o != nil {
		err = o.Remove(ctx)
	}
	if err == nil || errors.Is(err, fs.ErrorObjectNotFound) || errors.Is(err, fs.ErrorDirNotFound) {
		return nil
	}
	return fmt.Errorf("%s may be left: %w", temporary, err)
}
