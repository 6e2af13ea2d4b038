package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"math"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/hash"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Stat implements [storage.Store].
func (s *Store) Stat(ctx context.Context, name string) (iofs.FileInfo, error) {
	ctx, err := s.begin(ctx, "stat", name)
	if err != nil {
		return nil, err
	}
	if err := s.look(ctx, name); err != nil {
		return nil, s.missing(ctx, "stat", name, err)
	}
	asking, patience := s.await(ctx, name)
	defer patience.end()
	object, err := s.find(asking, name)
	if patience.gaveUp() {
		err = fs.ErrorObjectNotFound
	}
	if err != nil {
		return nil, s.missing(ctx, "stat", name, err)
	}
	return s.fileInfo(ctx, object), nil
}

// look returns an error for an object that cannot be asked for since its upload is under
// way.
func (s *Store) look(ctx context.Context, name string) error {
	hidden, err := s.stillUploaded(ctx, name)
	if hidden {
		return fs.ErrorObjectNotFound
	}
	return err
}

// find looks an object up on the remote.
func (s *Store) find(ctx context.Context, name string) (fs.Object, error) {
	object, err := s.fs.NewObject(ctx, name)
	if err != nil || !s.backend.OneRequest {
		return object, err
	}
	// Nothing was asked yet. To read metadata is rclone's only way to a HEAD
	// that reports its error.
	_, err = fs.GetMetadata(ctx, object)
	return object, err
}

// missing turns the error of looking for name into ours. That an object was not
// found counts only where it is certain that the remote was looked at.
func (s *Store) missing(ctx context.Context, op, name string, err error) error {
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, fs.ErrorIsDir):
		return absent(op, name)
	case errors.Is(err, fs.ErrorObjectNotFound), errors.Is(err, fs.ErrorDirNotFound):
		if s.buckets {
			// The same is said of a bucket that is gone.
			if err := s.probe(ctx, path.Dir(name)); err != nil {
				return s.failed(ctx, op, name, err)
			}
		}
		return absent(op, name)
	}
	return s.failed(ctx, op, name, err)
}

// Open implements [storage.Store].
func (s *Store) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error) {
	ctx, err := s.begin(ctx, "open", name)
	if err != nil {
		return nil, 0, err
	}
	if off < 0 {
		return nil, 0, fmt.Errorf("open %s at %d: %w", name, off, iofs.ErrInvalid)
	}
	if err := s.look(ctx, name); err != nil {
		return nil, 0, s.missing(ctx, "open", name, err)
	}
	asking, patience := s.await(ctx, name)
	body, size, err := s.openNow(asking, name, off, n)
	switch {
	case patience.gaveUp():
		if err == nil {
			_ = body.Close()
		}
		patience.end()
		return nil, 0, s.missing(ctx, "open", name, fs.ErrorObjectNotFound)
	case err != nil:
		patience.end()
		return nil, size, err
	case patience != nil:
		body = &awaitedBody{body, patience}
	}
	return body, size, nil
}

// openNow opens an object.
func (s *Store) openNow(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error) {
	if s.backend.OneRequest && n != 0 {
		return s.openBlind(ctx, name, off, n)
	}
	object, err := s.find(ctx, name)
	if err != nil {
		return nil, 0, s.missing(ctx, "open", name, err)
	}
	size := object.Size()
	if size < 0 {
		return nil, 0, fmt.Errorf("open %s: the remote does not know its size", name)
	}
	want, err := length(off, n, size)
	if err != nil {
		return nil, size, fmt.Errorf("open %s: %w", name, err)
	}
	if want == 0 {
		return http.NoBody, size, nil
	}
	options := []fs.OpenOption{&fs.HashesOption{Hashes: hash.Set(hash.None)}}
	if want < size {
		options = append(options, &fs.RangeOption{Start: off, End: off + want - 1})
	}
	body, err := object.Open(ctx, options...)
	if err != nil {
		return nil, 0, s.missing(ctx, "open", name, err)
	}
	return newDownload(body, want), size, nil
}

// openBlind opens an object that was not looked at: its size is in the answer.
func (s *Store) openBlind(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error) {
	object, err := s.fs.NewObject(ctx, name)
	if err != nil {
		return nil, 0, s.failed(ctx, "open", name, err)
	}
	var options []fs.OpenOption
	if off > 0 || n > 0 {
		// Of an object of unknown size rclone drops an fs.RangeOption.
		options = append(options, &fs.HTTPOption{Key: "Range", Value: httpRange(off, n)})
	}
	body, err := object.Open(ctx, options...)
	if response, ok := errors.AsType[*smithyhttp.ResponseError](err); ok &&
		response.HTTPStatusCode() == http.StatusRequestedRangeNotSatisfiable {
		return s.unsatisfied(ctx, name, off, response.Response)
	}
	if err != nil {
		return nil, 0, s.missing(ctx, "open", name, err)
	}
	size := object.Size()
	want, err := length(off, n, size)
	if err == nil && want == 0 {
		// An answer without Content-Length looks like that of an empty object.
		_, err = io.ReadFull(newDownload(body, 0), make([]byte, 1))
		if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err != nil {
		_ = body.Close() // what was read of it is of no use
		return nil, size, fmt.Errorf("open %s: %w", name, err)
	}
	return newDownload(body, want), size, nil
}

// unsatisfied answers for a server that refused a range. Of an empty object
// servers refuse every range, though from its beginning is none outside it.
func (s *Store) unsatisfied(ctx context.Context, name string, off int64, response *smithyhttp.Response) (io.ReadCloser, int64, error) {
	size, ok := totalSize(response)
	if !ok {
		object, err := s.find(ctx, name)
		if err != nil {
			return nil, 0, s.missing(ctx, "open", name, err)
		}
		size = object.Size()
	}
	if size == 0 && off == 0 {
		return http.NoBody, 0, nil
	}
	return nil, size, fmt.Errorf("open %s: %w", name, storage.ErrRange)
}

// totalSize reads the size from a Content-Range of the form "bytes */size".
func totalSize(response *smithyhttp.Response) (int64, bool) {
	if response == nil || response.Response == nil {
		return 0, false
	}
	total, ok := strings.CutPrefix(response.Header.Get("Content-Range"), "bytes */")
	if !ok {
		return 0, false
	}
	size, err := strconv.ParseInt(total, 10, 64)
	return size, err == nil && size >= 0
}

// length returns how many bytes of an object of that size a range covers.
func length(off, n, size int64) (int64, error) {
	if off > size || off == size && size > 0 {
		return 0, storage.ErrRange
	}
	if rest := size - off; n < 0 || n > rest {
		return rest, nil
	}
	return n, nil
}

// httpRange is the value of a Range header.
func httpRange(off, n int64) string {
	if n < 0 || n > math.MaxInt64-off {
		return fmt.Sprintf("bytes=%d-", off)
	}
	return fmt.Sprintf("bytes=%d-%d", off, off+n-1)
}

// fileInfo describes an object, valid as long as ctx. The time of modification
// is zero on remotes where to ask for it takes a request.
func (s *Store) fileInfo(ctx context.Context, object fs.Object) iofs.FileInfo {
	var modTime time.Time
	// Buckets know when they received the object, and tell so unasked.
	if features := s.fs.Features(); !features.SlowModTime || s.buckets {
		modTime = object.ModTime(ctx)
	}
	if s.buckets {
		// S3 tells milliseconds in a list and seconds in a HEAD.
		modTime = modTime.Truncate(time.Second)
	}
	return storage.ObjectInfo(path.Base(object.Remote()), object.Size(), modTime)
}
