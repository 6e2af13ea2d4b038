package remote

import (
	"context"
	"fmt"
	iofs "io/fs"
	"path"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/publish"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

var _ storage.Mover = (*Store)(nil)

// Renames implements [storage.Mover]. Buckets copy, but for those that rclone knows a
// rename of.
func (s *Store) Renames() bool { return s.fs.Features().Move != nil }

// Move implements [storage.Mover]. Where the storage can neither rename nor copy, the
// object passes through this process.
func (s *Store) Move(ctx context.Context, from string, to func(iofs.FileInfo) string) error {
	ctx, err := s.begin(ctx, "move", from)
	if err != nil {
		return err
	}
	f, err := s.creator() // its objects know what they are
	if err != nil {
		return s.failed(ctx, "move", from, err)
	}
	source, err := f.NewObject(ctx, from)
	if err != nil {
		return s.missing(ctx, "move", from, err)
	}
	name := to(s.fileInfo(ctx, source))
	if _, err := s.begin(ctx, "move", name); err != nil {
		return err
	}
	if publish.IsTemporary(path.Base(name)) {
		return fmt.Errorf("move to %s, a name for temporary files: %w", name, iofs.ErrInvalid)
	}
	move := publish.MoveOf(f)
	if move == nil {
		return s.carry(ctx, from, name)
	}
	if _, err = move(ctx, source, name); err != nil {
		return s.failed(ctx, "move", from, err)
	}
	return s.removeOlder(ctx, from)
}
