package storage

import (
	"context"
	"io/fs"
)

// Mover is implemented by a Store that gives an object another name without anybody
// reading it.
type Mover interface {
	// Renames reports whether that costs the same however large the object is, and
	// leaves its time of modification as it is. Where it does not, the storage
	// copies the object and deletes the first.
	Renames() bool

	// Move gives an object the name that to makes of its description, durably; its
	// parents are made. The new name must be free: what has it may be replaced. An
	// object that is proven absent is [fs.ErrNotExist].
	Move(ctx context.Context, from string, to func(fs.FileInfo) string) error
}

// Copier is implemented by a Store that may have its storage copy an object.
type Copier interface {
	// Copies reports whether a copy passes no byte through this process, and whether an
	// object that is copied and then deleted by RemoveCopied takes no more space than
	// before: not where the storage keeps what is deleted, or may do so unseen.
	Copies(ctx context.Context) (bool, error)

	// Copy makes the object to of from, durably; what has that name is replaced. An
	// object that is proven absent is [fs.ErrNotExist].
	Copy(ctx context.Context, from, to string) error

	// RemoveCopied is [Store.Remove] for an object that was copied: where the storage keeps
	// versions of what is deleted, and lets them be deleted, it keeps none of this one.
	RemoveCopied(ctx context.Context, name string) error
}
