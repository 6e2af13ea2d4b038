//nolint:thelper // these are tests, not helpers: a failure is told with their line
package conformance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// onTree makes a test of a store's directories. It is skipped for stores without them.
func onTree(run func(T, env, storage.Tree)) func(T, env) {
	return func(t T, e env) {
		tree, ok := e.store.(storage.Tree)
		if !ok {
			t.Skip("the store shows no directories")
		}
		run(t, e, tree)
	}
}

// wantDir reads a directory and compares its entries: directories have a slash after the
// name, objects their size.
func wantDir(t T, tree storage.Tree, dir string, want ...string) {
	t.Helper()
	got, err := readDir(t.Context(), tree, dir)
	if err != nil {
		t.Errorf("ReadDir(%s): %v", dir, err)
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("ReadDir(%s) = %q; want %q", dir, got, want)
	}
}

// readDir reads a directory, and fails unless the directory itself comes first and every
// name is unique.
func readDir(ctx context.Context, tree storage.Tree, dir string) ([]string, error) {
	entries := make(map[string]bool)
	begun := false
	err := tree.ReadDir(ctx, dir, func(info fs.FileInfo) error {
		if !begun {
			begun = true
			if info.Name() != "." || !info.IsDir() {
				return fmt.Errorf("begins with %s, a directory: %t", info.Name(), info.IsDir())
			}
			return nil
		}
		entry := fmt.Sprintf("%s %d", info.Name(), info.Size())
		if info.IsDir() {
			entry = info.Name() + "/"
		}
		if entries[entry] || strings.Contains(info.Name(), "/") || info.IsDir() != info.Mode().IsDir() {
			return fmt.Errorf("%q twice, or no name, or with mode %v", entry, info.Mode())
		}
		entries[entry] = true
		return nil
	})
	return slices.Sorted(maps.Keys(entries)), err
}

// wantNoTree checks that a directory is proven absent.
func wantNoTree(t T, tree storage.Tree, dir string) {
	t.Helper()
	entries, err := readDir(t.Context(), tree, dir)
	if !errors.Is(err, fs.ErrNotExist) || len(entries) > 0 {
		t.Errorf("ReadDir(%s) = %q, %v; want fs.ErrNotExist", dir, entries, err)
	}
}

func testReadDir(t T, e env, tree storage.Tree) {
	odd := object{name: Repo + "/näme with spaces & 'quotes' 100% #1", data: []byte("odd")}
	lock := blob(Repo, "locks", []byte("a lock"))
	pack := blob(Repo, "data", []byte("pack"))
	e.mustPut(t, odd, lock, pack, object{name: "mymodule/note.json", data: []byte("{}")})
	wantDir(t, tree, Repo, fmt.Sprintf("config %d", len("config of "+Repo)), "data/", "locks/", odd.base()+" 3")
	// A server may have created more shards than are in use.
	if entries, err := readDir(t.Context(), tree, Repo+"/data"); err != nil || !slices.Contains(entries, pack.base()[:2]+"/") {
		t.Errorf("ReadDir of the shards = %q, %v", entries, err)
	}
	wantDir(t, tree, Repo+"/data/"+pack.base()[:2], pack.base()+" 4")
	wantDir(t, tree, "mymodule", Repo[len("mymodule/"):]+"/", "note.json 2")
	// A destination that tests share may hold more.
	if entries, err := readDir(t.Context(), tree, "."); err != nil || !slices.Contains(entries, "mymodule/") {
		t.Errorf("ReadDir of the root = %q, %v", entries, err)
	}
}

func testReadNoDir(t T, _ env, tree storage.Tree) {
	for _, dir := range []string{Repo + "/absent", "absent/absent", Repo + "/config"} {
		wantNoTree(t, tree, dir)
	}
}

func testReadDirEnds(t T, e env, tree storage.Tree) {
	e.mustPut(t, numbered(Repo, "locks", 5)...)
	for after := range 3 {
		failure, calls := errors.New("of fn"), 0
		err := tree.ReadDir(t.Context(), Repo+"/locks", func(fs.FileInfo) error {
			if calls++; calls > after {
				return failure
			}
			return nil
		})
		if !errors.Is(err, failure) || calls != after+1 {
			t.Errorf("ReadDir whose fn failed after %d calls = %v after %d", after, err, calls)
		}
	}
}

func testReadDirDuringUpload(t T, e env, tree storage.Tree) {
	o := blob(Repo, "locks", random(1, 300<<10))
	e.mustPut(t, blob(Repo, "locks", []byte("another")))
	finish := e.upload(t, o)
	if entries, err := readDir(t.Context(), tree, Repo+"/locks"); err != nil || len(entries) != 1 {
		t.Errorf("ReadDir while something is uploaded = %q, %v", entries, err)
	}
	if err := finish(); err != nil {
		t.Fatal(err)
	}
	if entries, err := readDir(t.Context(), tree, Repo+"/locks"); err != nil || len(entries) != 2 {
		t.Errorf("ReadDir once it was uploaded = %q, %v", entries, err)
	}
}

func testMkdir(t T, _ env, tree storage.Tree) {
	if !tree.HasDirectories() {
		for _, err := range []error{tree.Mkdir(t.Context(), Repo+"/new"), tree.Rmdir(t.Context(), Repo+"/new")} {
			if err != nil {
				t.Errorf("a directory is nothing here, and to make or remove it = %v", err)
			}
		}
		return
	}
	for _, dir := range []string{Repo + "/new", Repo + "/new/er"} {
		if err := tree.Mkdir(t.Context(), dir); err != nil {
			t.Fatalf("Mkdir(%s): %v", dir, err)
		}
		wantDir(t, tree, dir)
	}
	for dir, want := range map[string]error{
		Repo + "/new":          fs.ErrExist,
		Repo + "/config":       fs.ErrExist,
		Repo + "/absent/new":   fs.ErrNotExist,
		Repo + "/config/below": fs.ErrNotExist,
	} {
		if err := tree.Mkdir(t.Context(), dir); !errors.Is(err, want) {
			t.Errorf("Mkdir(%s) = %v; want %v", dir, err, want)
		}
	}
	if err := tree.Rmdir(t.Context(), Repo+"/new"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Rmdir of a directory that is not empty = %v; want fs.ErrExist", err)
	}
	for _, dir := range []string{Repo + "/new/er", Repo + "/new"} {
		if err := tree.Rmdir(t.Context(), dir); err != nil {
			t.Errorf("Rmdir(%s): %v", dir, err)
		}
		wantNoTree(t, tree, dir)
	}
}

func testRenameObject(t T, e env, tree storage.Tree) {
	from, to := object{Repo + "/from", []byte("content")}, object{Repo + "/to", []byte("content")}
	e.mustPut(t, from)
	if err := tree.Rename(t.Context(), from.name, to.name); err != nil {
		t.Fatalf("Rename: %v", err)
	}
	e.wantAbsent(t, from)
	e.wantObject(t, to)
	from.data = []byte("other content")
	e.mustPut(t, from)
	if err := tree.Rename(t.Context(), from.name, to.name); err != nil {
		t.Fatalf("Rename to an object that is there: %v", err)
	}
	e.wantAbsent(t, from)
	e.wantObject(t, object{to.name, from.data})
	if err := tree.Rename(t.Context(), from.name, to.name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Rename of what is absent = %v; want fs.ErrNotExist", err)
	}
	e.wantObject(t, object{to.name, from.data})
	if !tree.HasDirectories() {
		return
	}
	if err := tree.Rename(t.Context(), to.name, Repo); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Rename to a directory that is there = %v; want fs.ErrExist", err)
	}
	e.wantObject(t, object{to.name, from.data})
}

func testRenameDir(t T, e env, tree storage.Tree) {
	o := object{Repo + "/from/deep/er", []byte("content")}
	taken := object{Repo + "/taken/object", []byte("taken")}
	e.mustPut(t, o, taken)
	err := tree.Rename(t.Context(), Repo+"/from", Repo+"/to")
	if errors.Is(err, errors.ErrUnsupported) {
		e.wantObject(t, o)
		wantNoTree(t, tree, Repo+"/to")
		return
	}
	if err != nil {
		t.Fatalf("Rename of a directory: %v", err)
	}
	wantNoTree(t, tree, Repo+"/from")
	e.wantObject(t, object{Repo + "/to/deep/er", o.data})
	if err := tree.Rename(t.Context(), Repo+"/to", Repo+"/taken"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Rename to a directory that is there = %v; want fs.ErrExist", err)
	}
	e.wantObject(t, taken)
	// A directory that was moved away can be created again.
	e.mustPut(t, o)
	e.wantObject(t, o)
}

func testCancelledTree(t T, e env, tree storage.Tree) {
	e.mustPut(t, object{Repo + "/from", []byte("content")})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{
		"ReadDir": tree.ReadDir(ctx, Repo, func(fs.FileInfo) error { return nil }),
		"Mkdir":   tree.Mkdir(ctx, Repo+"/new"),
		"Rmdir":   tree.Rmdir(ctx, Repo+"/new"),
		"Rename":  tree.Rename(ctx, Repo+"/from", Repo+"/to"),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context = %v", name, err)
		}
	}
}

func testInvalidTreeNames(t T, _ env, tree storage.Tree) {
	for _, name := range []string{"", "/", "a//b", "../a", "a/..", "./a", "a/"} {
		for op, err := range map[string]error{
			"ReadDir":     tree.ReadDir(t.Context(), name, func(fs.FileInfo) error { return nil }),
			"Mkdir":       tree.Mkdir(t.Context(), name),
			"Rmdir":       tree.Rmdir(t.Context(), name),
			"Rename":      tree.Rename(t.Context(), name, Repo+"/to"),
			"Rename onto": tree.Rename(t.Context(), Repo+"/config", name),
		} {
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%s(%q) = %v; want fs.ErrInvalid", op, name, err)
			}
		}
	}
}
