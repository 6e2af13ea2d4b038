package storage

import (
	"context"
	"io/fs"
)

// Tree is implemented by a Store with visible directories that can be changed. "." is the
// destination's root. The rules of [Store] apply: all methods are safe for concurrent use
// and honour the context, and absence is only reported if proven.
type Tree interface {
	// ReadDir calls fn first for dir itself, with the name ".", and then for each object
	// and each directory directly in it, in no particular order. The FileInfo is valid only
	// during the call. The ModTime of a directory is zero if unknown. The store's own
	// files, such as uploads in progress, are left out. If dir is proven absent, or is an
	// object, the error is [fs.ErrNotExist] and fn is not called. Every other error is an
	// error: a list that returned nil was complete. An error of fn ends the list and is
	// returned.
	ReadDir(ctx context.Context, dir string, fn func(fs.FileInfo) error) error

	// Mkdir creates a directory durably. The error is [fs.ErrExist] if the name is taken,
	// and [fs.ErrNotExist] if the parent is proven not to be a directory.
	Mkdir(ctx context.Context, dir string) error

	// Rmdir removes an empty directory; [fs.ErrExist] says that it is not empty.
	Rmdir(ctx context.Context, dir string) error

	// Rename durably renames an object, or a directory with everything below it. The new
	// parent must exist. An object replaces another one, as with [Store.Put]; otherwise a
	// taken name is [fs.ErrExist]. For a directory that the store cannot rename as a whole,
	// the error is [errors.ErrUnsupported], and nothing was changed.
	Rename(ctx context.Context, from, to string) error

	// HasDirectories reports whether directories exist by themselves. If not, as in
	// buckets, a directory exists while there is an object below it; then Mkdir and Rmdir
	// do nothing, and parents need not be created.
	HasDirectories() bool
}
