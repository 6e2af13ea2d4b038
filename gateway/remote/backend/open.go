package backend

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Backend is a backend of rclone, open for one destination.
type Backend struct {
	// ID is the destination's.
	ID string
	// Fs is the backend, with its root at the destination's base.
	Fs fs.Fs
	// OneRequest: an fs.Object knows nothing until it is asked; see tuning.go.
	OneRequest bool

	info    *fs.RegInfo
	config  context.Context // carries rclone's configuration of this remote
	connect func(overrides map[string]string) (fs.Fs, error)
	scrub   scrubber
	clear   bool // a password of the section does not look obscured
}

// Open opens the backend that the rclone section of one destination names; base is
// the path on the remote that becomes its root. It sends no request where the
// backend allows that: S3 and other buckets do, SFTP dials. The backend outlives
// ctx, which bounds opening alone. Errors name keys of the section, never values.
//
// Changed, unless nil, is called with what the backend stores in its section; it
// must not block, and several requests may call it at once.
func Open(ctx context.Context, id string, section map[string]string, base string, changed func(key, value string)) (*Backend, error) {
	setup()
	info, err := fs.Find(section["type"])
	if err != nil {
		return nil, fmt.Errorf("open destination %s: %w %q", id, storage.ErrUnknownType, section["type"])
	}
	if err := errors.Join(checkOptions(info, section), checkHost(info, section)); err != nil {
		return nil, fmt.Errorf("open destination %s: %w", id, err)
	}
	b := &Backend{
		ID:         id,
		OneRequest: takesOneRequest(section),
		info:       info,
		scrub:      newScrubber(section, info.Options),
		clear:      looksClear(section, info.Options),
	}
	var ci *fs.ConfigInfo
	b.config, ci = fs.AddConfig(context.WithoutCancel(ctx))
	configure(ci, section["type"])

	values := newSection(tuned(section), changed)
	var overrides map[string]string
	if b.OneRequest {
		overrides = oneRequest
		// A root that ends with a slash is no file, which needs no request to see.
		base = strings.TrimSuffix(base, "/") + "/"
	}
	b.connect = func(overrides map[string]string) (fs.Fs, error) {
		return info.NewFs(b.config, id, base, configMap(info, values, overrides))
	}
	if b.Fs, err = await(ctx, func() (fs.Fs, error) { return b.connect(overrides) }); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("open destination %s: %w", id, ctx.Err())
		}
		return nil, b.Describe("open destination "+id, err)
	}
	return b, nil
}

// Reopen opens the same backend once more, with other values for some keys of its
// section. It is not closed by Close.
func (b *Backend) Reopen(overrides map[string]string) (fs.Fs, error) { return b.connect(overrides) }

// await runs connect, but not for longer than ctx lasts: not every backend
// honours a context while it dials. A connection that comes too late is closed.
func await(ctx context.Context, connect func() (fs.Fs, error)) (fs.Fs, error) {
	type result struct {
		fs  fs.Fs
		err error
	}
	done := make(chan result, 1)
	go func() {
		f, err := connect()
		if errors.Is(err, fs.ErrorIsFile) {
			// Said of a file, and by some backends of what they could not look at.
			// The Fs beside it is that of the parent, which nobody asked for.
			_ = shutdown(f)
			err = errors.New("the base path is a file, or cannot be looked at")
		}
		done <- result{f, err}
	}()
	select {
	case r := <-done:
		return r.fs, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				_ = shutdown(r.fs)
			}
		}()
		return nil, ctx.Err()
	}
}

// shutdownTimeout bounds the farewell to a server that does not answer.
const shutdownTimeout = 10 * time.Second

// Close shuts the backend down. The caller has waited for the last request.
func (b *Backend) Close() error {
	if err := shutdown(b.Fs); err != nil {
		return b.Describe("close destination "+b.ID, err)
	}
	return nil
}

func shutdown(f fs.Fs) error {
	if f == nil || f.Features().Shutdown == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	return f.Features().Shutdown(ctx)
}

// Context gives rclone's functions, which look into the context for it, the
// configuration of this remote, and counts errors that they only log under the
// destination's name.
func (b *Backend) Context(ctx context.Context) context.Context {
	return accounting.WithStatsGroup(fs.CopyConfig(ctx, b.config), b.ID)
}
