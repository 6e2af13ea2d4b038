package dav

import (
	"errors"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Refusals of this package. Beside them the standard library's are used:
// fs.ErrNotExist, fs.ErrInvalid, and those of the store.
var (
	// ErrForbidden says that the name may not be changed in this way (403).
	ErrForbidden = errors.New("not allowed")
	// ErrInfiniteDepth says that PROPFIND of a whole tree is not served (403, with
	// the precondition propfind-finite-depth).
	ErrInfiniteDepth = errors.New("PROPFIND with Depth: infinity is not served")
	// ErrMethod says that the method does not exist for this resource (405).
	ErrMethod = errors.New("method not allowed here")
	// ErrConflict says that the collection which would hold the resource is missing,
	// or that a directory is not empty (409).
	ErrConflict = errors.New("the parent collection does not exist")
	// ErrRange says that the range asked for lies outside the file (416).
	ErrRange = storage.ErrRange
	// ErrShort says that an upload ended before its Content-Length or broke off;
	// nothing of it was stored (400).
	ErrShort = storage.ErrShort
	// ErrLength says that an upload announced no length (411).
	ErrLength = errors.New("upload without Content-Length")
	// ErrPrecondition says that a condition of the request does not hold (412).
	ErrPrecondition = errors.New("a condition of the request does not hold")
	// ErrTooLarge says that a body of XML is larger than any client's (413).
	ErrTooLarge = errors.New("request body is too large")
	// ErrMediaType says that a body was sent where none has a meaning (415).
	ErrMediaType = errors.New("request body is not understood")
	// ErrElsewhere says that MOVE or COPY would leave the destination (502).
	ErrElsewhere = errors.New("the Destination header names another server or destination")
)
