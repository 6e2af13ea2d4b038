package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/object"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/backend"
	"github.com/rclone-gateway/rclone-gateway/gateway/remote/s3api"
)

// putFunc stores size bytes of body under name: all or nothing.
type putFunc = s3api.PutFunc

// Publisher stores objects on one backend. It is safe for concurrent use.
type Publisher struct {
	put putFunc
	// conditional is that of put, where it is S3.
	conditional *conditional
}

// New returns the Publisher of a backend that was opened with that section; find looks an
// object up.
func New(b *backend.Backend, section map[string]string, find func(ctx context.Context, name string) (fs.Object, error)) *Publisher {
	put := s3api.WithChecksums(b.ID, b.Fs, section, putFor(b), sumOf)
	look := looking{put, func(ctx context.Context, name string) (fs.Object, error) {
		o, err := find(ctx, name)
		if errors.Is(err, fs.ErrorObjectNotFound) || errors.Is(err, fs.ErrorDirNotFound) {
			return nil, nil
		}
		return o, err
	}}
	switch {
	case movesIntoPlace(b):
		return &Publisher{put: put} // which looks itself
	case section["use_presigned_request"] == "true" || !s3api.Extend(b.Fs):
		return &Publisher{put: look.upload}
	}
	c := &conditional{looking: look, dest: b.ID}
	return &Publisher{put: c.upload, conditional: c}
}

// Put stores size bytes of body under name, all or nothing. It returns ErrStayed where an
// object is there with that content, and then may not have read the body to its end.
func (p *Publisher) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	return p.put(ctx, name, size, body)
}

// InOneRequest reports whether the storage refuses to replace an object in the request of
// the upload itself. It is known for sure only after the first small upload.
func (p *Publisher) InOneRequest() bool {
	return p.conditional != nil && p.conditional.state.Load() == enforced
}

// UnderWay reports whether this process is uploading an object of that name which must be
// new.
func (p *Publisher) UnderWay(name string) bool {
	return p.conditional != nil && p.conditional.isUnderWay(name)
}

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
	if move := MoveOf(f); move != nil {
		return mover{f, move, f.Features().Move != nil && b.Has(backend.MovesWhole)}.put
	}
	// There is no better way, and none of these backends is a good place for backups.
	return direct
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

// movesIntoPlace reports whether an upload becomes visible by a move.
func movesIntoPlace(b *backend.Backend) bool {
	return !b.Has(backend.PublishesPut) && MoveOf(b.Fs) != nil
}
