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
