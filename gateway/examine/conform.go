package examine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/conformance"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

const (
	// conformTimeout bounds a run of the conformance suite: some 2,000 requests.
	conformTimeout = 20 * time.Minute
	// sweepTimeout bounds the removal of what a test has left.
	sweepTimeout = 2 * time.Minute
	// hintLeftBehind is what to do about what a check leaves behind.
	hintLeftBehind = "delete it by hand: no backup is in it"
	// conformPrefix begins the name of the folder that the suite works in.
	conformPrefix = "rclone-gateway-conformance-"
)

// conform holds a store to the conformance suite, in a folder of its own, which
// is empty afterwards.
func conform(ctx context.Context, store storage.Store) []adminapi.Conformance {
	ctx, cancel := context.WithTimeout(ctx, conformTimeout)
	defer cancel()
	scratch := conformPrefix + strings.ToLower(rand.Text())
	recorder := conformance.NewRecorder(ctx)
	used := 0
	sweep := func() {}
	conformance.Run(recorder, func(conformance.T) storage.Store {
		sweep()
		used++
		folder := &folder{store: store, dir: fmt.Sprintf("%s/%d", scratch, used)}
		sweep = folder.sweep
		return folder
	}, traits(ctx, store, scratch)...)
	sweep()
	prune(store, scratch)

	var results []adminapi.Conformance
	for _, r := range recorder.Results() {
		result := adminapi.Conformance{Name: r.Name, Skipped: r.Skipped, Failures: r.Failures}
		if len(r.Failures) > 0 {
			result.Tolerated = tolerated[r.Name]
		}
		results = append(results, result)
	}
	if err := ctx.Err(); err != nil {
		results = append(results, adminapi.Conformance{Name: "the whole suite", Failures: []string{err.Error()}})
	}
	return results
}

// tolerated are the tests that a storage may fail anyway, because of what the
// gateway and restic do, and what such a failure means. The S3 server of rclone
// itself fails them.
var tolerated = map[string]string{
	"one object at once": "uploads of one object at the same moment disturb each other; a gateway makes them one after " +
		"the other, so see to it that no two nodes write into one repository at once",
	"replacements at once are never mixed": "whoever reads an object while it is being replaced gets a cut or mixed " +
		"answer; restic notices that and asks again, and what it names by its content never changes",
}

// prune removes the empty directories that the suite left, on storage that has any.
func prune(store storage.Store, dir string) {
	ctx, cancel := context.WithTimeout(context.Background(), sweepTimeout)
	defer cancel()
	pruner, ok := store.(interface {
		Prune(ctx context.Context, dir string) error
	})
	if !ok {
		return
	}
	if err := pruner.Prune(ctx, dir); err != nil {
		slog.Warn("a conformance check left directories behind", "obj", dir, "err", err, "hint", hintLeftBehind)
	}
}

// traits finds out which of the documented differences a store has, by asking it
// for what is not there.
func traits(ctx context.Context, store storage.Store, scratch string) []conformance.Option {
	var options []conformance.Option
	if err := store.List(ctx, scratch+"/absent", func(fs.FileInfo) error { return nil }); err == nil {
		options = append(options, conformance.WithoutDirectories())
	}
	if err := store.Remove(ctx, scratch+"/absent/object"); err == nil {
		options = append(options, conformance.BlindRemove())
	}
	return options
}

// folder is a store below a directory of another one. It notes what was put
// there, and whether the store took it, to remove it.
type folder struct {
	store storage.Store
	dir   string
	names sync.Map
}

// name passes invalid names on as they are, for the store to refuse.
func (f *folder) name(name string) string {
	if !fs.ValidPath(name) {
		return name
	}
	return path.Join(f.dir, name)
}

func (f *folder) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	return f.store.Stat(ctx, f.name(name))
}

func (f *folder) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, int64, error) {
	return f.store.Open(ctx, f.name(name), off, n)
}

func (f *folder) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	f.names.LoadOrStore(f.name(name), false)
	err := f.store.Put(ctx, f.name(name), size, body)
	if err == nil {
		f.names.Store(f.name(name), true)
	}
	return err
}

func (f *folder) Remove(ctx context.Context, name string) error {
	return f.store.Remove(ctx, f.name(name))
}

func (f *folder) List(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	return f.store.List(ctx, f.name(dir), fn)
}

// tree returns the directories of the store beneath.
func (f *folder) tree() (storage.Tree, error) {
	if tree, ok := f.store.(storage.Tree); ok {
		return tree, nil
	}
	return nil, fmt.Errorf("the storage shows no directories: %w", errors.ErrUnsupported)
}

func (f *folder) ReadDir(ctx context.Context, dir string, fn func(fs.FileInfo) error) error {
	tree, err := f.tree()
	if err != nil {
		return err
	}
	return tree.ReadDir(ctx, f.name(dir), fn)
}

func (f *folder) Mkdir(ctx context.Context, dir string) error {
	tree, err := f.tree()
	if err != nil {
		return err
	}
	return tree.Mkdir(ctx, f.name(dir))
}

func (f *folder) Rmdir(ctx context.Context, dir string) error {
	tree, err := f.tree()
	if err != nil {
		return err
	}
	return tree.Rmdir(ctx, f.name(dir))
}

// Rename notes what has another name afterwards, below a directory too.
func (f *folder) Rename(ctx context.Context, from, to string) error {
	tree, err := f.tree()
	if err != nil {
		return err
	}
	from, to = f.name(from), f.name(to)
	for name := range f.names.Range {
		name, _ := name.(string)
		if below, ok := strings.CutPrefix(name, from); ok && (below == "" || below[0] == '/') {
			f.names.Store(to+below, true)
		}
	}
	return tree.Rename(ctx, from, to)
}

func (f *folder) HasDirectories() bool {
	tree, err := f.tree()
	return err == nil && tree.HasDirectories()
}

// sweep removes what was put into the folder, even where the check was cancelled.
func (f *folder) sweep() {
	ctx, cancel := context.WithTimeout(context.Background(), sweepTimeout)
	defer cancel()
	var errs []error
	for name, stored := range f.names.Range {
		name, _ := name.(string)
		wasStored, _ := stored.(bool)
		// What was not stored may be a directory, or no name at all.
		if err := f.store.Remove(ctx, name); err != nil && !errors.Is(err, fs.ErrNotExist) && wasStored {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		slog.Warn("a conformance check left files behind", "obj", f.dir, "count", len(errs), "err", errs[0], "hint", hintLeftBehind)
	}
}
