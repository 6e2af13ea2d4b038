package remote

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strings"

	"github.com/rclone/rclone/fs"
)

// Remove implements [storage.Store]. S3 does not say if there was something
// to delete: there, and only there, removing what is absent succeeds.
func (s *Store) Remove(ctx context.Context, name string) error {
	ctx, err := s.begin(ctx, "remove", name)
	if err != nil {
		return err
	}
	err = errHides
	if !s.hides.Load() {
		err = removeFrom(ctx, s.fs, name)
	}
	if err != nil && s.hider != nil && mayHideOnly(err) {
		err = s.hide(ctx, name)
	}
	if err != nil {
		return s.missing(ctx, "remove", name, err)
	}
	return s.removeOlder(ctx, name)
}

// maxVersions bounds how many versions of an object are removed with it.
const maxVersions = 1000

// removeOlder removes what comes back once an object was removed. Of an object that
// is named by its hash that has the same content, and is not worth the question.
func (s *Store) removeOlder(ctx context.Context, name string) error {
	if !s.oneVersion || s.hides.Load() || len(path.Base(name)) == hex.EncodedLen(sha256.Size) {
		return nil
	}
	for range maxVersions {
		err := removeFrom(ctx, s.fs, name)
		if errors.Is(err, fs.ErrorObjectNotFound) || errors.Is(err, fs.ErrorDirNotFound) {
			return nil
		}
		if err != nil {
			return s.failed(ctx, "remove an older version of", name, err)
		}
	}
	return fmt.Errorf("remove %s: it has more than %d versions", name, maxVersions)
}

func removeFrom(ctx context.Context, f fs.Fs, name string) error {
	object, err := f.NewObject(ctx, name)
	if err != nil {
		return err
	}
	return object.Remove(ctx)
}

// errHides says that the key was found to be allowed no more than to hide.
var errHides = errors.New("the key may not delete")

// mayHideOnly reports whether B2 refused to delete a version of a file, as it does to
// a key without the capability deleteFiles. Such a key may hide files, which takes
// writeFiles: lists no longer have them, and the bucket's lifecycle deletes them. That
// is how a key is made that cannot destroy backups.
func mayHideOnly(err error) bool {
	return errors.Is(err, errHides) || strings.Contains(err.Error(), "(401 unauthorized)")
}

// hide removes an object from all lists.
func (s *Store) hide(ctx context.Context, name string) error {
	f, err := s.hider()
	if err == nil {
		err = removeFrom(ctx, f, name)
	}
	if err == nil && !s.hides.Swap(true) {
		slog.Warn("the key of a destination may not delete: deleted files are hidden", "dest", s.backend.ID,
			"hint", "what is hidden takes space until a lifecycle rule of the bucket deletes it; give the key deleteFiles if it should delete, or leave it so if it should not be able to destroy backups")
	}
	return err
}

// Hides reports whether the key was found to be allowed to hide objects and not to
// delete them.
func (s *Store) Hides() bool { return s.hides.Load() }
