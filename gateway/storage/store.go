package storage

import (
	"context"
	"io"
	"io/fs"
)

// Store is where the objects of one destination live.
//
// Names are slash-separated, valid for [fs.ValidPath], and relative to the
// destination's base. All methods are safe for concurrent use and honour the
// context. An error that is not one of the sentinels below is the remote's
// fault and is answered 502: an implementation never turns "I could not find
// out" into "it is not there".
type Store interface {
	// Stat describes one object. It returns an error that wraps
	// [fs.ErrNotExist] only when the absence is proven.
	Stat(ctx context.Context, name string) (fs.FileInfo, error)

	// Open reads n bytes from offset off; n < 0 means to the end, and n is cut
	// at the end of the object. Size is that of the whole object, so that a GET
	// needs no Stat before it. Errors: [fs.ErrNotExist] when proven absent,
	// [ErrRange] (together with the size, where it is known) when off lies
	// at or behind the end of a non-empty object or behind that of an empty one.
	// The body yields exactly the bytes asked for or fails.
	Open(ctx context.Context, name string, off, n int64) (body io.ReadCloser, size int64, err error)

	// Put stores size bytes read from body under name: all or nothing, and
	// durable when it returns nil. Parents are made. What was there before is
	// replaced atomically, and stays untouched when Put fails. A read error of
	// body is returned wrapped. Full storage is [syscall.ENOSPC] or
	// [syscall.EDQUOT]; one that can be read and not be changed is [ErrReadOnly] or
	// [syscall.EROFS], also for Remove.
	Put(ctx context.Context, name string, size int64, body io.Reader) error

	// Remove deletes one object, durably. Removing what is proven absent
	// returns an error that wraps [fs.ErrNotExist].
	Remove(ctx context.Context, name string) error

	// List calls fn for every object below dir, at any depth, in no particular
	// order; the FileInfo's Name is the object's base name and the FileInfo is
	// valid only during the call. Every error is an error: a list that returned
	// nil was complete. A dir that is proven absent is [fs.ErrNotExist], or, on
	// stores without directories, an empty list. An error of fn ends the list
	// and is returned.
	List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error
}

// Creator is implemented by a Store that must make something (a bucket, a
// container) before the first object can be put below dir. Create is idempotent
// and is called for each request that creates a repository.
type Creator interface {
	Create(ctx context.Context, dir string) error
}

// Create makes what a store needs before its first object below dir, where it
// needs anything.
func Create(ctx context.Context, s Store, dir string) error {
	if c, ok := s.(Creator); ok {
		return c.Create(ctx, dir)
	}
	return nil
}

// Spacer is implemented by a Store that may know how full its storage is, in bytes,
// with all that others keep there. What it does not know is -1.
type Spacer interface {
	Space(ctx context.Context) (free, used, total int64, err error)
}
