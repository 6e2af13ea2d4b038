package storage

import (
	"context"
	"io/fs"
)

// Mover is implemented by a Store that can rename an object without reading it.
type Mover interface {
	// Renames reports whether the cost does not depend on the object's size, and the
	// modification time is preserved. Otherwise the storage copies the object and deletes
	// the original.
	Renames() bool

	// Move renames an object durably to the name that to returns for its description, and
	// creates parents. The new name must be unused: an existing object may be replaced. If
	// the object is proven absent, the error is [fs.ErrNotExist].
	Move(ctx context.Context, from string, to func(fs.FileInfo) string) error
}

// Copier is implemented by a Store whose storage may be able to copy an object.
type Copier interface {
	// Copies reports whether a copy passes no data through this process, and whether
	// copying an object and removing it with RemoveCopied needs no additional space. The
	// latter is false if the storage keeps, or may keep, what is deleted.
	Copies(ctx context.Context) (bool, error)

	// Copy copies from to to durably, and replaces an existing object. If the object is
	// proven absent, the error is [fs.ErrNotExist].
	Copy(ctx context.Context, from, to string) error

	// RemoveCopied is [Store.Remove] for an object that was copied: if the storage keeps
	// versions of deleted objects, and allows to delete them, no version of this object is
	// kept.
	RemoveCopied(ctx context.Context, name string) error
}
