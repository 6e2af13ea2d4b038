package rest

import "errors"

// Refusals of the protocol. Those of a store are in package storage.
var (
	// ErrForbidden says that the protocol's rules refuse the request: config is
	// there with other content, a whole repository would be deleted (403). It is
	// not fs.ErrPermission, which a file system returns when it refuses *us*.
	ErrForbidden = errors.New("not allowed")
	// ErrLength says that an upload announced no length (411).
	ErrLength = errors.New("upload without Content-Length")
	// ErrMethod says that the method does not exist for this kind of object (405).
	ErrMethod = errors.New("method not allowed here")
)
