package storage

import (
	"errors"
	"fmt"
	"io/fs"
)

// Errors of the contract. Besides them stores return those of the standard
// library: fs.ErrNotExist, fs.ErrPermission, fs.ErrInvalid, syscall.ENOSPC,
// syscall.EDQUOT.
var (
	// ErrRange says that the range asked for lies outside the object.
	ErrRange = errors.New("range lies outside the object")
	// ErrCorrupt says that an uploaded body does not hash to its name.
	ErrCorrupt = errors.New("content does not hash to its name")
	// ErrShort says that an uploaded body ended before its announced length or
	// broke off; nothing of it was stored.
	ErrShort = errors.New("upload ended before its announced length")
	// ErrUnavailable says that the destination cannot serve now; the same request
	// may succeed later.
	ErrUnavailable = errors.New("destination unavailable")
	// ErrThrottled is an ErrUnavailable of a destination that works and asks for
	// fewer requests, or for the same one later.
	ErrThrottled = fmt.Errorf("%w: it asks to slow down", ErrUnavailable)
	// ErrCrowded is an ErrThrottled of a server that takes no more connections.
	ErrCrowded = fmt.Errorf("%w: it takes no more connections", ErrThrottled)
	// ErrNotMounted is an ErrUnavailable of a directory whose disk was there before
	// and is not now.
	ErrNotMounted = fmt.Errorf("%w: its disk is not mounted", ErrUnavailable)
	// ErrForeign is an ErrUnavailable of a directory that is marked as another
	// destination's.
	ErrForeign = fmt.Errorf("%w: it is marked as another destination's", ErrUnavailable)
	// ErrNoBucket says that the bucket or container is not there.
	ErrNoBucket = errors.New("the bucket, or container, is not there")
	// ErrDenied says that the storage let us in, and refuses us one kind of operation.
	ErrDenied = errors.New("the storage refuses this to the key or user")
	// ErrReadOnly is an ErrDenied of a change: reading works, and writing or deleting
	// will not before somebody changes permissions, or how it is mounted.
	ErrReadOnly = fmt.Errorf("%w: it can be read but not changed", ErrDenied)
	// ErrObscured says that the storage does not let us in, and that a password of the
	// section does not look as rclone writes it.
	ErrObscured = errors.New("a password in the section does not look obscured")
	// ErrHost says that the host of a section is more than a host.
	ErrHost = errors.New("the host of the section is not a name or an address alone")
	// ErrUnknownType says that the program knows no storage of the type of the
	// destination's section.
	ErrUnknownType = errors.New("no such remote type")
)

// IgnoreAbsent leaves out that something is not there.
func IgnoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
