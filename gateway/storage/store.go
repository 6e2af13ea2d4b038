package storage

import (
	"context"
	"io"
	"io/fs"
)

// Store holds the objects of one destination.
//
// Names are slash-separated, valid for [fs.ValidPath], and relative to the destination's
// base. All methods are safe for concurrent use and honour the context. An error other than
// the sentinels below is the remote's fault and is answered 502: an implementation never
// turns "I could not find out" into "it does not exist".
type Store interface {
	// Stat describes one object. It returns an error that wraps [fs.ErrNotExist] only if
	// the absence is proven.
	Stat(ctx context.Context, name string) (fs.FileInfo, error)

	// Open reads n bytes from offset off; n < 0 means to the end, and n is cut at the end
	// of the object. size is that of the whole object, so that a GET needs no Stat before
	// it. Errors: [fs.ErrNotExist] if proven absent, [ErrRange] (with the size, if known)
	// if off is at or after the end of a non-empty object, or after that of an empty one.
	// The body yields exactly the requested bytes or fails.
	Open(ctx context.Context, name string, off, n int64) (body io.ReadCloser, size int64, err error)

	// Put stores size bytes read from body under name: all or nothing, and durable when it
	// returns nil. It creates parents. An existing object is replaced atomically, and stays
	// unchanged if Put fails. A read error of body is returned wrapped. Full storage is
	// [syscall.ENOSPC] or [syscall.EDQUOT]; read-only storage is [ErrReadOnly] or
	// [syscall.EROFS], also for Remove.
	Put(ctx context.Context, name string, size int64, body io.Reader) error

	// Remove deletes one object durably. If the object is proven absent, the error wraps
	// [fs.ErrNotExist].
	Remove(ctx context.Context, name string) error

	// List calls fn for every object below dir, at any depth, in no particular
	// order; the FileInfo's Name is the object's base name and the FileInfo is
	// valid only during the call. Every error is an error: a list that returned
	// nil was complete. A dir that is proven absent is [fs.ErrNotExist], or, on
	// stores without directories, an empty list. An error of fn ends the list
	// and is returned.
	List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error
}

// Creator is implemented by a Store that must create something (a bucket, a container)
// before the first object below dir can be stored. Create is idempotent, and is called for
// each request that creates a repository.
type Creator interface {
	Create(ctx context.Context, dir string) error
}

// Create uses the store's Create, if it has one.
func Create(ctx context.Context, s Store, dir string) error {
	if c, ok := s.(Creator); ok {
		return c.Create(ctx, dir)
	}
	return nil
}

// Spacer is implemented by a Store that may know how full its storage is, in bytes,
// including other data there. Unknown values are -1.
type Spacer interface {
	Space(ctx context.Context) (free, used, total int64, err error)
}
