package storage

import (
	"context"
	"io"
)

// Preserver is implemented by a Store that does not renew the time of an object which
// is uploaded again.
type Preserver interface {
	// PutNew is [Store.Put]. Where an object that is named by its hash has this very
	// content already, it stays as it is, with the time of its first receipt, and stayed
	// is true. One that has other content is replaced.
	PutNew(ctx context.Context, name string, size int64, body io.Reader) (stayed bool, err error)
}

// PutNew is that of the store, or else its Put.
func PutNew(ctx context.Context, s Store, name string, size int64, body io.Reader) (stayed bool, err error) {
	if p, ok := s.(Preserver); ok {
		return p.PutNew(ctx, name, size, body)
	}
	return false, s.Put(ctx, name, size, body)
}
