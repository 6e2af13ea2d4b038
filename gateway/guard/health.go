package guard

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"sync/atomic"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// health is what is known about a destination from its use. The zero value knows nothing.
type health struct {
	state     atomic.Int32 // of the last operation: 0 none yet
	unreached atomic.Bool  // the last failure was a failure to reach the storage
	errors    [refusal.NumClasses]atomic.Uint64
	snapshots atomic.Uint64 // saved
	latest    atomic.Int64  // time of the last one, in Unix time
}

const (
	stateWorks = iota + 1
	stateFails
)

// note records the result of one attempt at an operation.
func (h *health) note(ctx context.Context, err error) {
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), errSilent) {
		h.fail(refusal.Timeout) // ended by us, not by the client
		return
	}
	switch judge(ctx, err) {
	case refusal.Answered:
		h.state.Store(stateWorks)
		h.answered(err)
	case refusal.Failed:
		h.fail(refusal.ClassOf(err))
	case refusal.Undecided:
	}
}

// answered counts errors with which a working storage refuses something.
func (h *health) answered(err error) {
	if err == nil {
		return
	}
	if class := refusal.ClassOf(err); class == refusal.Full || class == refusal.Denied {
		h.errors[class].Add(1)
	}
}

func (h *health) fail(class refusal.Class) {
	h.errors[class].Add(1)
	h.unreached.Store(class == refusal.Unavailable || class == refusal.Timeout)
	h.state.Store(stateFails)
}

// noted is a store that records every attempt.
type noted struct {
	store  storage.Store
	health *health
}

var (
	_ storage.Store   = (*noted)(nil)
	_ storage.Creator = (*noted)(nil)
)

// Stat implements [storage.Store].
func (s *noted) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	info, err := s.store.Stat(ctx, name)
	s.health.note(ctx, err)
	return info, err
}

// Open implements [storage.Store]. It returns the store's own body, so that the kernel can
// still send a file.
func (s *noted) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error) {
	body, size, err := s.store.Open(ctx, name, off, n)
	s.health.note(ctx, err)
	return body, size, err
}

// Put implements [storage.Store].
func (s *noted) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	err := s.store.Put(ctx, name, size, body)
	s.health.note(ctx, err)
	return err
}

// Remove implements [storage.Store].
func (s *noted) Remove(ctx context.Context, name string) error {
	err := s.store.Remove(ctx, name)
	s.health.note(ctx, err)
	return err
}

// List implements [storage.Store]. An error of fn says nothing about the storage.
func (s *noted) List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	return s.listing(ctx, fn, func(fn func(fs.FileInfo) error) error { return s.store.List(ctx, dir, fn) })
}

// listing records how a listing ended, unless fn ended it.
func (s *noted) listing(ctx context.Context, fn func(fs.FileInfo) error, list func(func(fs.FileInfo) error) error) error {
	theirs := false
	err := list(func(info fs.FileInfo) error {
		err := fn(info)
		theirs = err != nil
		return err
	})
	if !theirs {
		s.health.note(ctx, err)
	}
	return err
}

// Create implements [storage.Creator].
func (s *noted) Create(ctx context.Context, dir string) error {
	err := storage.Create(ctx, s.store, dir)
	s.health.note(ctx, err)
	return err
}
