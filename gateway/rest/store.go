package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Store is where the objects of one destination live.
//
// Names are slash-separated, valid for [fs.ValidPath], and relative to the
// destination's base. All methods are safe for concurrent use and honour the
// context. An error that is none of the sentinels named below is the remote's
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
	// [syscall.EDQUOT].
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

// Sentinels of this package. Beside them the standard library's are used:
// fs.ErrNotExist, fs.ErrPermission, fs.ErrInvalid, fs.ErrExist, syscall.ENOSPC.
var (
	// ErrRange says that the range asked for lies outside the object (416).
	ErrRange = errors.New("range lies outside the object")
	// ErrCorrupt says that an uploaded body does not hash to its name (400).
	ErrCorrupt = errors.New("content does not hash to its name")
	// ErrShort says that an uploaded body ended before its Content-Length or
	// broke off; nothing of it was stored (400).
	ErrShort = errors.New("upload ended before its announced length")
	// ErrForbidden says that the protocol's rules refuse the request: config is
	// there with other content, a whole repository would be deleted (403). It is
	// not fs.ErrPermission, which a file system returns when it refuses *us*.
	ErrForbidden = errors.New("not allowed")
	// ErrLength says that an upload announced no length (411).
	ErrLength = errors.New("upload without Content-Length")
	// ErrMethod says that the method does not exist for this kind of object (405).
	ErrMethod = errors.New("method not allowed here")
	// ErrUnavailable says that the destination cannot serve just now (503).
	ErrUnavailable = errors.New("destination unavailable")
	// ErrThrottled is an ErrUnavailable of a destination that works, and asks to
	// be asked less often or a little later (503).
	ErrThrottled = fmt.Errorf("%w: it asks to slow down", ErrUnavailable)
)
