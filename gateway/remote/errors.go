package remote

import (
	"context"
	"fmt"
	iofs "io/fs"
	"slices"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/backend"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// absent is the answer where it is proven that there is no such object.
func absent(op, name string) error {
	return &iofs.PathError{Op: op, Path: name, Err: iofs.ErrNotExist}
}

// failed turns an error of a backend into one of ours, as [backend.Backend.Describe]
// does, and says whether the storage denied the operation.
func (s *Store) failed(ctx context.Context, op, name string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s %s: %w", op, name, ctx.Err())
	}
	if denial := s.denial(ctx, op, err); denial != nil {
		return fmt.Errorf("%s %s: %w: %s", op, name, denial, s.backend.Scrub(err.Error()))
	}
	return s.backend.Describe(op+" "+name, err)
}

// changes are the operations that need more than to read.
var changes = []string{"put", "remove", "create", "mkdir", "rmdir", "rename"}

// denial returns the sentinel for an operation that the storage refuses to us, nil
// where that is not proven. Not all storages say by their codes whether they refuse
// us as such, or only this: whoever can read a list is accepted.
func (s *Store) denial(ctx context.Context, op string, err error) error {
	if !backend.IsDenial(err) {
		return nil
	}
	change := slices.Contains(changes, op)
	if !change && op != "open" {
		return nil
	}
	if letIn := s.probe(ctx, ".") == nil; !letIn {
		return nil
	}
	if change {
		return storage.ErrReadOnly
	}
	return storage.ErrDenied
}
