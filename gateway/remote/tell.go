package remote

import (
	"context"
	"time"

	"github.com/rclone/rclone/fs"
)

// Space says how many bytes of the remote's storage are free, used and there in
// all, as far as the remote does; what it does not tell is -1. Buckets tell
// nothing.
func (s *Store) Space(ctx context.Context) (free, used, total int64, err error) {
	about := s.fs.Features().About
	if about == nil {
		return -1, -1, -1, nil
	}
	usage, err := about(s.backend.Context(ctx))
	if err != nil {
		return -1, -1, -1, s.failed(ctx, "ask for space", s.backend.ID, err)
	}
	return told(usage.Free), told(usage.Used), told(usage.Total), nil
}

func told(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}

// Received returns when, by the storage's own clock, it received an object, and until
// when a retention keeps that, as far as the storage tells; what it does not tell is
// the zero time.
func (s *Store) Received(ctx context.Context, name string) (at, until time.Time, err error) {
	if !s.buckets {
		return at, until, nil // file servers take the client's time
	}
	ctx, err = s.begin(ctx, "stat", name)
	if err != nil {
		return at, until, err
	}
	object, err := s.fs.NewObject(ctx, name)
	if err != nil {
		return at, until, s.missing(ctx, "stat", name, err)
	}
	metadata, err := fs.GetMetadata(ctx, object)
	if err != nil {
		return at, until, s.missing(ctx, "stat", name, err)
	}
	if date, err := time.Parse(time.RFC3339Nano, metadata["object-lock-retain-until-date"]); err == nil {
		until = date
	}
	return object.ModTime(ctx), until, nil
}
