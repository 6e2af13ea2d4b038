package past

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash"
	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
)

// separator separates the repository from the time in the name of a view.
const separator = "@"

// layout is the format of the time: RFC 3339, in UTC, whole seconds.
const layout = "2006-01-02T15:04:05Z"

// Name returns the name of a past state of a repository: "<app type>/<module UUID>@<time>".
func Name(repo string, at time.Time) string { return repo + separator + at.UTC().Format(layout) }

// Split splits a path below a destination into repository, time and rest. view is false for
// other paths; a name may contain an @. valid is false if what should be the time is
// malformed.
func Split(path string) (repo, below string, at time.Time, view, valid bool) {
	app, rest, ok := strings.Cut(path, "/")
	if !ok {
		return "", "", at, false, false
	}
	segment, below, deeper := strings.Cut(rest, "/")
	uuid, text, view := strings.Cut(segment, separator)
	if !view || len(text) < len("2006-") || strings.Trim(text[:4], "0123456789") != "" || text[4] != '-' {
		return "", "", at, false, false
	}
	if deeper {
		below = "/" + below
	}
	at, err := time.Parse(layout, text)
	// Parse also accepts fractions of seconds.
	return app + "/" + uuid, below, at, true, err == nil && at.Format(layout) == text
}

// View is a [storage.Store] with the state of one repository at a time.
type View struct {
	store storage.Store // the present state
	past  *trash.Past
	repo  string
	name  string
}

var _ storage.Store = (*View)(nil)

// Open returns a view of a repository at a time.
func Open(kept *trash.Store, repo string, at time.Time) *View {
	return &View{store: kept, past: kept.Past(repo, at), repo: repo, name: Name(repo, at)}
}

// place splits the name of an object into kind and name. For anything that is not a restic
// object, it returns the present name as current.
func (v *View) place(op, name string) (kind, object, current string, err error) {
	below, ok := strings.CutPrefix(name, v.name+"/")
	if !ok {
		return "", "", "", &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	kind, object, deeper := strings.Cut(below, "/")
	switch kind {
	case ledger.Config:
		if !deeper {
			return kind, ledger.Config, "", nil
		}
	case ledger.Data:
		return kind, object[strings.IndexByte(object, '/')+1:], "", nil
	case ledger.Keys, ledger.Index, ledger.Snapshots:
		return kind, object, "", nil
	}
	return "", "", v.repo + "/" + below, nil
}

// Stat implements [storage.Store].
func (v *View) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	kind, object, current, err := v.place("stat", name)
	switch {
	case err != nil:
		return nil, err
	case current != "":
		return v.store.Stat(ctx, current)
	}
	return v.past.Stat(ctx, kind, object)
}

// Open implements [storage.Store].
func (v *View) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error) {
	kind, object, current, err := v.place("open", name)
	switch {
	case err != nil:
		return nil, 0, err
	case current != "":
		return nil, 0, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return v.past.Open(ctx, kind, object, off, n)
}

// List implements [storage.Store]. A view has no locks.
func (v *View) List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	kind, object, current, err := v.place("list", dir)
	switch {
	case err != nil:
		return err
	case current != "" || object != "" || kind == ledger.Config:
		return &fs.PathError{Op: "list", Path: dir, Err: fs.ErrNotExist}
	}
	return v.past.List(ctx, kind, fn)
}

// Put implements [storage.Store]: it refuses.
func (v *View) Put(_ context.Context, name string, _ int64, _ io.Reader) error {
	return fmt.Errorf("put %s: %w", name, refusal.ErrPast)
}

// Remove implements [storage.Store]: it refuses.
func (v *View) Remove(_ context.Context, name string) error {
	return fmt.Errorf("remove %s: %w", name, refusal.ErrPast)
}
