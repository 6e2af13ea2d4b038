package remote

import (
	"context"
	"errors"
	"log/slog"
	"strings"
)

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
		slog.Warn("the key of a destination may not delete: deleted files are hidden", "dest", s.id,
			"hint", "what is hidden takes space until a lifecycle rule of the bucket deletes it; give the key deleteFiles if it shall delete, or leave it so if it shall not be able to destroy backups")
	}
	return err
}

// Hides reports whether the key was found to be allowed to hide objects and not to
// delete them.
func (s *Store) Hides() bool { return s.hides.Load() }
