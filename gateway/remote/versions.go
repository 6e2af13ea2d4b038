package remote

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"net/http"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/rclone/rclone/fs"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/backend"
	"github.com/rclone-gateway/rclone-gateway/gateway/remote/publish"
	"github.com/rclone-gateway/rclone-gateway/gateway/remote/s3api"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

var _ storage.Copier = (*Store)(nil)

// versioning is whether a bucket keeps versions of what is deleted, once that is known.
type versioning struct {
	mu    sync.Mutex
	known bool
	keeps bool
	// tried is whether it is known that the key deletes them.
	tried, deletes bool
}

// Versioned reports whether the storage keeps the versions of what is deleted or
// replaced. Only S3 can be asked; of all others it is [errors.ErrUnsupported].
func (s *Store) Versioned(ctx context.Context) (bool, error) {
	f := s.lowest()
	if s.backend.NameOf(f) != "s3" || f.Features().Command == nil {
		return false, fmt.Errorf("ask whether %s keeps versions: %w", s.backend.ID, errors.ErrUnsupported)
	}
	s.versions.mu.Lock()
	defer s.versions.mu.Unlock()
	if s.versions.known {
		return s.versions.keeps, nil
	}
	answer, err := f.Features().Command(s.backend.Context(ctx), "versioning", nil, nil)
	if err != nil {
		return false, s.failed(ctx, "ask for versions", s.backend.ID, err)
	}
	status, ok := answer.(types.BucketVersioningStatus)
	if !ok {
		return false, fmt.Errorf("ask whether %s keeps versions: %w", s.backend.ID, errors.ErrUnsupported)
	}
	// Once they were suspended, those from before are still kept.
	s.versions.known, s.versions.keeps = true, status != "Unversioned"
	return s.versions.keeps, nil
}

// lowest is the backend below those that wrap it.
func (s *Store) lowest() fs.Fs {
	f := s.fs
	for f.Features().UnWrap != nil {
		f = f.Features().UnWrap()
	}
	return f
}

// DeletesVersions tries whether the storage's key may delete the versions of an object
// that was deleted, which nobody can bring back then. It is for S3 with versions; name
// is that of an object that may go for good.
func (s *Store) DeletesVersions(ctx context.Context, name string) (bool, error) {
	ctx, err := s.begin(ctx, "look for versions of", name)
	if err != nil {
		return false, err
	}
	versions := s3api.VersionsOf(s.fs, name)
	if versions == nil {
		return false, fmt.Errorf("look for versions of %s: %w", name, errors.ErrUnsupported)
	}
	id, found, err := versions.Any(ctx)
	switch {
	case err != nil:
		return false, s.failed(ctx, "look for versions of", name, err)
	case !found:
		return false, &iofs.PathError{Op: "look for versions of", Path: name, Err: iofs.ErrNotExist}
	}
	err = versions.Delete(ctx, id)
	switch {
	case err == nil:
		return true, nil
	case backend.IsDenial(err), s3api.HasStatus(err, http.StatusBadRequest): // so MinIO, of what a retention keeps
		return false, nil
	}
	return false, s.failed(ctx, "delete a version of", name, err)
}

// Copies implements [storage.Copier]. What is not known to keep nothing of what is
// deleted counts as keeping it, unless the key deletes versions.
func (s *Store) Copies(ctx context.Context) (bool, error) {
	features := s.fs.Features()
	switch {
	case features.Move != nil || features.Copy == nil || !s.backend.Has(backend.DeletesForGood) || s.hides.Load():
		return false, nil
	case s.backend.NameOf(s.lowest()) != "s3":
		return true, nil
	}
	versioned, err := s.Versioned(ctx)
	if err != nil || !versioned {
		return err == nil, err
	}
	return s.tryVersions(ctx)
}

// tryVersions tries, once, whether the key may delete versions: those of an empty object
// that nobody needs.
func (s *Store) tryVersions(ctx context.Context) (bool, error) {
	s.versions.mu.Lock()
	defer s.versions.mu.Unlock()
	if s.versions.tried || s.bulk == nil { // nil: names may be others there
		return s.versions.deletes, nil
	}
	name := publish.TemporaryName()
	if err := s.publisher.Put(s.backend.Context(ctx), name, 0, http.NoBody); err != nil {
		return false, s.failed(ctx, "put", name, err)
	}
	deletes, err := s.DeletesVersions(ctx, name)
	switch {
	case errors.Is(err, iofs.ErrNotExist), errors.Is(err, errors.ErrUnsupported):
		deletes = false
	case err != nil:
		return false, err
	}
	if !deletes {
		if err := s.Remove(ctx, name); err != nil && !errors.Is(err, iofs.ErrNotExist) {
			return false, err
		}
	}
	s.versions.tried, s.versions.deletes = true, deletes
	return deletes, nil
}

// RemoveCopied implements [storage.Copier].
func (s *Store) RemoveCopied(ctx context.Context, name string) error {
	s.versions.mu.Lock()
	deletes := s.versions.tried && s.versions.deletes
	s.versions.mu.Unlock()
	if deletes {
		if there, err := s.removeVersion(ctx, name); err != nil || !there {
			return err
		}
	}
	return s.Remove(ctx, name)
}

// removeVersion removes the newest version of an object, and reports whether there is an
// older one.
func (s *Store) removeVersion(ctx context.Context, name string) (older bool, err error) {
	ctx, err = s.begin(ctx, "remove", name)
	if err != nil {
		return false, err
	}
	versions := s3api.VersionsOf(s.fs, name)
	id, err := versions.Newest(ctx)
	if err != nil {
		return false, s.failed(ctx, "remove", name, err)
	}
	if id == nil {
		return true, nil // removed as any other
	}
	if err := versions.Delete(ctx, id); err != nil {
		return false, s.failed(ctx, "remove", name, err)
	}
	_, err = s.find(ctx, name)
	switch {
	case errors.Is(err, fs.ErrorObjectNotFound):
		return false, nil
	case err != nil:
		return false, s.failed(ctx, "remove", name, err)
	}
	return true, nil
}

// Copy implements [storage.Copier].
func (s *Store) Copy(ctx context.Context, from, to string) error {
	ctx, err := s.begin(ctx, "copy", from)
	if err != nil {
		return err
	}
	if _, err := s.begin(ctx, "copy", to); err != nil {
		return err
	}
	f, err := s.creator() // its objects know what they are
	if err != nil {
		return s.failed(ctx, "copy", from, err)
	}
	duplicate := f.Features().Copy
	if duplicate == nil {
		return fmt.Errorf("copy %s: %w", from, errors.ErrUnsupported)
	}
	source, err := f.NewObject(ctx, from)
	if err != nil {
		return s.missing(ctx, "copy", from, err)
	}
	if _, err := duplicate(ctx, source, to); err != nil {
		return s.failed(ctx, "copy", from, err)
	}
	return nil
}
