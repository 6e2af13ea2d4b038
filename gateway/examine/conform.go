package examine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
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
	// sweepTimeout bounds the removal of a test's leftovers.
	sweepTimeout = 2 * time.Minute
	// hintLeftBehind is the advice about leftovers of a check.
	hintLeftBehind = "delete it by hand: no backup is in it"
	// conformPrefix begins the name of the suite's folder.
	conformPrefix = "rclone-gateway-conformance-"
)

// conform runs the conformance suite on a store, in its own folder, which is empty
// afterwards.
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
		folder := &folder{Folder: conformance.Folder{Store: store, Dir: fmt.Sprintf("%s/%d", scratch, used)}}
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

// tolerated lists the tests that a storage may fail, since the gateway and restic
// compensate for it, and what the failure means. Even rclone's own S3 server fails them.
var tolerated = map[string]string{
	"one object at once": "uploads of one object at the same moment disturb each other; a gateway makes them one after " +
		"the other, so see to it that no two nodes write into one repository at once",
	"replacements at once are never mixed": "whoever reads an object while it is being replaced gets a cut or mixed " +
		"answer; restic notices that and asks again, and what it names by its content never changes",
}

// prune removes the empty directories of the suite, on storage that has directories.
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

// traits finds out which of the documented differences a store has, by asking it for absent
// objects.
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

// folder is a store in a directory of another one. It remembers what was put there, whether
// or not the store reported success, to remove it.
type folder struct {
	conformance.Folder

	names sync.Map
}

func (f *folder) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	f.names.LoadOrStore(f.Name(name), false)
	err := f.Folder.Put(ctx, name, size, body)
	if err == nil {
		f.names.Store(f.Name(name), true)
	}
	return err
}

// Rename remembers the new names, also of the content of a directory.
func (f *folder) Rename(ctx context.Context, from, to string) error {
	for name := range f.names.Range {
		name, _ := name.(string)
		if below, ok := strings.CutPrefix(name, f.Name(from)); ok && (below == "" || below[0] == '/') {
			f.names.Store(f.Name(to)+below, true)
		}
	}
	return f.Folder.Rename(ctx, from, to)
}

// sweep removes what was put into the folder, even after a cancelled check.
func (f *folder) sweep() {
	ctx, cancel := context.WithTimeout(context.Background(), sweepTimeout)
	defer cancel()
	var errs []error
	for name, stored := range f.names.Range {
		name, _ := name.(string)
		wasStored, _ := stored.(bool)
		// A failed Put may have left a directory, or nothing.
		if err := f.Store.Remove(ctx, name); err != nil && !errors.Is(err, fs.ErrNotExist) && wasStored {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		slog.Warn("a conformance check left files behind", "obj", f.Dir, "count", len(errs), "err", errs[0], "hint", hintLeftBehind)
	}
}
