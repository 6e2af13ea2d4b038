package storage

import (
	"context"
	"io/fs"
)

// Tree is implemented by a Store whose directories can be seen and changed. "." is
// the destination's root. What holds for [Store] holds here: all methods are safe
// for concurrent use and honour the context, and absence is only told where it is
// proven.
type Tree interface {
	// ReadDir calls fn first for dir itself, by the name ".", and then for each
	// object and each directory directly in it, in no particular order. The
	// FileInfo is valid only during the call. The ModTime of a directory is zero
	// where it is not known. What is the store's own, such as uploads under way, is
	// left out. A dir that is proven absent, or is an object, is [fs.ErrNotExist],
	// and fn is not called. Every other error is an error: a list that returned nil
	// was complete. An error of fn ends the list and is returned.
	ReadDir(ctx context.Context, dir string, fn func(fs.FileInfo) error) error

	// Mkdir makes a directory, durably. It returns [fs.ErrExist] where the name is
	// taken, and [fs.ErrNotExist] where the parent is proven not to be a directory.
	Mkdir(ctx context.Context, dir string) error

	// Rmdir removes a directory that is empty; [fs.ErrExist] says that it is not.
	Rmdir(ctx context.Context, dir string) error

	// Rename gives an object, or a directory with all that is below it, another
	// name, durably. The parent of that must be there. An object replaces another
	// one as [Store.Put] does; where else the name is taken it is [fs.ErrExist]. A
	// directory that the store cannot rename as a whole is [errors.ErrUnsupported],
	// and nothing was done.
	Rename(ctx context.Context, from, to string) error

	// HasDirectories reports whether directories exist by themselves. Where they do
	// not, as in buckets, one is there as long as there is an object below it: then
	// Mkdir and Rmdir do nothing, and no parent needs to be made.
	HasDirectories() bool
}
