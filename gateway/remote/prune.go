package remote

import (
	"context"

	"github.com/rclone/rclone/fs/operations"
)

// Prune removes dir and the directories below it, as far as they hold no file.
// Buckets have no directories.
func (s *Store) Prune(ctx context.Context, dir string) error {
	if !s.fs.Features().CanHaveEmptyDirectories {
		return nil
	}
	if err := operations.Rmdirs(s.with(ctx), s.fs, dir, false); err != nil {
		return s.failed(ctx, "prune", dir, err)
	}
	return nil
}
