package storage

import (
	"errors"
	"fmt"
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
)
