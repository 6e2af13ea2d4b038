package storage

import (
	"errors"
	"fmt"
	"io/fs"
)

// Errors of the contract. Stores also return errors of the standard library:
// fs.ErrNotExist, fs.ErrPermission, fs.ErrInvalid, syscall.ENOSPC, syscall.EDQUOT.
var (
	// ErrRange says that the requested range is outside of the object.
	ErrRange = errors.New("range lies outside the object")
	// ErrCorrupt says that an uploaded body does not hash to its name.
	ErrCorrupt = errors.New("content does not hash to its name")
	// ErrShort says that an uploaded body ended before its announced length or
	// broke off; nothing of it was stored.
	ErrShort = errors.New("upload ended before its announced length")
	// ErrUnavailable says that the destination cannot serve now; the request may succeed
	// later.
	ErrUnavailable = errors.New("destination unavailable")
	// ErrThrottled is an ErrUnavailable of a working destination that asks for fewer or
	// later requests.
	ErrThrottled = fmt.Errorf("%w: it asks to slow down", ErrUnavailable)
	// ErrCrowded is an ErrThrottled of a server that accepts no more connections.
	ErrCrowded = fmt.Errorf("%w: it takes no more connections", ErrThrottled)
	// ErrNotMounted is an ErrUnavailable of a directory whose disk was mounted before and
	// is not now.
	ErrNotMounted = fmt.Errorf("%w: its disk is not mounted", ErrUnavailable)
	// ErrForeign is an ErrUnavailable of a directory with the marker of another
	// destination.
	ErrForeign = fmt.Errorf("%w: it is marked as another destination's", ErrUnavailable)
	// ErrNoBucket says that the bucket or container does not exist.
	ErrNoBucket = errors.New("the bucket, or container, is not there")
	// ErrDenied says that the storage accepts the credentials, but refuses one kind of
	// operation.
	ErrDenied = errors.New("the storage refuses this to the key or user")
	// ErrReadOnly is an ErrDenied of a change: reading works, and writing or deleting will
	// fail until somebody changes permissions or the mount.
	ErrReadOnly = fmt.Errorf("%w: it can be read but not changed", ErrDenied)
	// ErrObscured says that the storage refuses the credentials, and that a password in the
	// section is not in rclone's obscured form.
	ErrObscured = errors.New("a password in the section does not look obscured")
	// ErrHost says that the section's host contains more than a host name.
	ErrHost = errors.New("the host of the section is not a name or an address alone")
	// ErrUnknownType says that this program does not support the type of the destination's
	// section.
	ErrUnknownType = errors.New("no such remote type")
)

// IgnoreAbsent leaves out that something is not there.
func IgnoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
