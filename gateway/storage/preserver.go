package storage

import (
	"context"
	"io"
)

// Preserver is implemented by a Store that preserves the time of an object that is uploaded
// again.
type Preserver interface {
	// PutNew is [Store.Put], except that an object whose name is its hash and that already
	// has this content stays unchanged, with the time of its first receipt; then stayed is
	// true. An object with other content is replaced.
	PutNew(ctx context.Context, name string, size int64, body io.Reader) (stayed bool, err error)
}

// PutNew uses the store's PutNew, or its Put.
func PutNew(ctx context.Context, s Store, name string, size int64, body io.Reader) (stayed bool, err error) {
	if p, ok := s.(Preserver); ok {
		return p.PutNew(ctx, name, size, body)
	}
	return false, s.Put(ctx, name, size, body)
}
