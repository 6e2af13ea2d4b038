//go:build unix

package local

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

const (
	config = "app/uuid/config"
	shard  = "app/uuid/data/ab"
	pack   = shard + "/ab00000000000000000000000000000000000000000000000000000000000000"
)

func open(tb testing.TB) *Store {
	tb.Helper()
	s, err := Open(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func put(tb testing.TB, s *Store, name string, data []byte) {
	tb.Helper()
	if err := s.Put(tb.Context(), name, int64(len(data)), bytes.NewReader(data)); err != nil {
		tb.Fatalf("Put(%s): %v", name, err)
	}
}

func read(t *testing.T, s *Store, name string) string {
	t.Helper()
	body, _, err := s.Open(t.Context(), name, 0, -1)
	if err != nil {
		t.Fatalf("Open(%s): %v", name, err)
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	return string(data)
}

func list(t *testing.T, s *Store, dir string) (names []string, err error) {
	t.Helper()
	err = s.List(t.Context(), dir, func(info fs.FileInfo) error {
		names = append(names, info.Name())
		return nil
	})
	return names, err
}

// attempts calls every method on what should be the object name in dir.
func attempts(t *testing.T, s *Store, dir, name string) map[string]error {
	t.Helper()
	_, statErr := s.Stat(t.Context(), name)
	body, _, openErr := s.Open(t.Context(), name, 0, -1)
	if openErr == nil {
		body.Close()
	}
	_, listErr := list(t, s, dir)
	return map[string]error{
		"Stat":   statErr,
		"Open":   openErr,
		"List":   listErr,
		"Put":    s.Put(t.Context(), name, 1, strings.NewReader("x")),
		"Remove": s.Remove(t.Context(), name),
	}
}

func TestConforms(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storage.Store {
		t.Helper()
		return open(t)
	})
}

func TestConformsWithoutOpenat2(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storage.Store {
		t.Helper()
		s := open(t)
		s.resolve, s.direct = walk, nil
		return s
	})
}

func TestOpenNeedsARoot(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of an absent directory = %v; want fs.ErrNotExist", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("Open of a file = %v; want ENOTDIR", err)
	}
}

func TestBodyIsAFileThatStandsAtTheOffset(t *testing.T) {
	s := open(t)
	put(t, s, pack, []byte("0123456789"))
	body, size, err := s.Open(t.Context(), pack, 4, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	file, ok := body.(*os.File)
	if !ok {
		t.Fatalf("body is a %T, which net/http cannot send with sendfile", body)
	}
	data, err := io.ReadAll(file)
	if err != nil || string(data) != "456789" || size != 10 {
		t.Errorf("body gave %q of %d bytes, %v; want all from the offset on", data, size, err)
	}
}

func TestModes(t *testing.T) {
	old := unix.Umask(0o027)
	defer unix.Umask(old)
	s := open(t)
	put(t, s, pack, nil)
	for name, want := range map[string]fs.FileMode{
		pack:  0o600,
		shard: 0o700 | fs.ModeDir,
		"app": 0o700 | fs.ModeDir,
	} {
		info, err := os.Stat(s.path(name))
		if err != nil || info.Mode() != want {
			t.Errorf("mode of %s is %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
}

func TestWithoutTheRootNothingIsAbsent(t *testing.T) {
	s := open(t)
	put(t, s, pack, []byte("pack"))
	if err := os.Rename(s.root, s.root+".unmounted"); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(s.root + ".unmounted")
	for op, err := range attempts(t, s, shard, pack) {
		if !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s without the root = %v; want storage.ErrUnavailable", op, err)
		}
	}
	if err := os.Rename(s.root+".unmounted", s.root); err != nil {
		t.Fatal(err)
	}
	if got := read(t, s, pack); got != "pack" {
		t.Errorf("read %q after the root came back", got)
	}
}

func TestTheRootMayBeASymbolicLink(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	s, err := Open(link)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, pack, []byte("pack"))
	if got := read(t, s, pack); got != "pack" {
		t.Errorf("read %q behind a linked root", got)
	}
}

func TestNoLinkBelowTheRootIsFollowed(t *testing.T) {
	for _, tt := range []struct {
		name, link string // the link that replaces what is there
		target     string // seen from the link
		remove     bool   // Remove may take the link itself away
	}{
		{"an object outside", pack, "../../../../../outside/file", true},
		{"an object inside", pack, "../../config", true},
		{"nothing", pack, "nowhere", true},
		{"a directory outside", shard, "../../../../outside", false},
		{"a directory inside", shard, "../keys", false},
	} {
		for about, resolve := range map[string]resolver{
			"as the system can": nil, "below the root": openat2OrWalk(t), "step by step": walk,
		} {
			t.Run(tt.name+", "+about, func(t *testing.T) {
				base := t.TempDir()
				s, outside := linkedTree(t, base, tt.link, tt.target)
				if resolve != nil {
					s.resolve, s.direct = resolve, nil
				}
				for op, err := range attempts(t, s, "app/uuid/data", pack) {
					switch {
					case tt.remove && (op == "Put" || op == "Remove"):
						continue // they replace or remove the link itself
					case err == nil, errors.Is(err, fs.ErrNotExist):
						t.Errorf("%s through a link = %v; want an error other than fs.ErrNotExist", op, err)
					case tt.remove && !errors.Is(err, errIrregular):
						t.Errorf("%s of a link = %v; want an error that tells so", op, err)
					}
				}
				data, err := os.ReadFile(outside)
				if err != nil || string(data) != "outside" {
					t.Errorf("the file outside holds %q, %v", data, err)
				}
			})
		}
	}
}

// openat2OrWalk is what a store takes here for what it does not open by its whole path.
func openat2OrWalk(t *testing.T) resolver {
	t.Helper()
	return open(t).resolve
}

// TestARootThatBecomesALinkIsSeenAtOnce is for what is opened by its whole path.
func TestARootThatBecomesALinkIsSeenAtOnce(t *testing.T) {
	base := t.TempDir()
	root, other := filepath.Join(base, "root"), filepath.Join(base, "other")
	if err := errors.Join(os.Mkdir(root, 0o700), os.Mkdir(other, 0o700)); err != nil {
		t.Fatal(err)
	}
	s, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, config, []byte("first"))
	if err := errors.Join(os.Rename(root, root+" moved"), os.Symlink(other, root)); err != nil {
		t.Fatal(err)
	}
	if info, err := s.Stat(t.Context(), config); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat = %v, %v; want nothing in the new root", info, err)
	}
	put(t, s, config, []byte("the second"))
	if info, err := s.Stat(t.Context(), config); err != nil || info.Size() != int64(len("the second")) {
		t.Errorf("Stat = %v, %v; want what is in the new root", info, err)
	}
}

// linkedTree makes a store with a link in it, and a file outside of it.
func linkedTree(t *testing.T, base, link, target string) (s *Store, outside string) {
	t.Helper()
	outside = filepath.Join(base, "outside", "file")
	root := filepath.Join(base, "root")
	if err := errors.Join(os.Mkdir(filepath.Dir(outside), 0o700), os.Mkdir(root, 0o700),
		os.WriteFile(outside, []byte("outside"), 0o600)); err != nil {
		t.Fatal(err)
	}
	s, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, config, []byte("config"))
	put(t, s, "app/uuid/keys/"+filepath.Base(pack), []byte("key"))
	put(t, s, pack, []byte("pack"))
	if err := errors.Join(os.RemoveAll(s.path(link)), os.Symlink(target, s.path(link))); err != nil {
		t.Fatal(err)
	}
	return s, outside
}

func TestTemporaryNamesAreNoObjects(t *testing.T) {
	s := open(t)
	for op, err := range attempts(t, s, shard+"/"+tempName(), shard+"/"+tempName()) {
		if !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s of a temporary name = %v; want fs.ErrInvalid", op, err)
		}
	}
}

func TestListRemovesLeftoversAfterADay(t *testing.T) {
	s := open(t)
	put(t, s, pack, []byte("pack"))
	fresh, stale := s.path(shard+"/"+tempName()), s.path(shard+"/"+tempName())
	for path, age := range map[string]time.Duration{
		fresh:        tempExpires - time.Hour,
		stale:        tempExpires + time.Hour,
		s.path(pack): 100 * tempExpires,
	} {
		if err := errors.Join(os.WriteFile(path, []byte("pack"), 0o600),
			os.Chtimes(path, time.Time{}, time.Now().Add(-age))); err != nil {
			t.Fatal(err)
		}
	}
	names, err := list(t, s, "app/uuid/data")
	if err != nil || !slices.Equal(names, []string{filepath.Base(pack)}) {
		t.Errorf("List = %v, %v; want the pack alone", names, err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("an upload that may be under way: %v", err)
	}
	if _, err := os.Stat(stale); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a leftover of more than a day is still there: %v", err)
	}
}

func TestATreeMayBeRemovedAndMadeAgain(t *testing.T) {
	s := open(t)
	for _, name := range []string{pack, config, pack} {
		put(t, s, name, []byte("content"))
		if err := os.RemoveAll(s.path("app")); err != nil {
			t.Fatal(err)
		}
		put(t, s, "app/uuid/locks/"+filepath.Base(pack), []byte("lock"))
	}
}

// A directory that goes in the middle of an upload proves no absence.
func TestATreeMayBeRemovedUnderAnUpload(t *testing.T) {
	s := open(t)
	body := io.MultiReader(strings.NewReader("pa"), readerFunc(func([]byte) (int, error) {
		return 0, cmp.Or(os.RemoveAll(s.path("app")), io.EOF)
	}), strings.NewReader("ck"))
	if err := s.Put(t.Context(), pack, 4, body); !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Put = %v; want storage.ErrUnavailable", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestAShardMayBeRemovedUnderAList(t *testing.T) {
	s := open(t)
	other := strings.ReplaceAll(pack, "ab", "cd")
	put(t, s, pack, nil)
	put(t, s, other, nil)
	n := 0
	err := s.List(t.Context(), "app/uuid/data", func(info fs.FileInfo) error {
		n++
		if info.Name() == filepath.Base(pack) {
			return os.RemoveAll(s.path(filepath.Dir(other)))
		}
		return os.RemoveAll(s.path(shard))
	})
	if err != nil || n != 1 {
		t.Errorf("List = %d objects, %v; want the one that was not removed", n, err)
	}
}

func TestAListEndsWithItsContext(t *testing.T) {
	s := open(t)
	put(t, s, pack, nil)
	put(t, s, config, nil)
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := s.List(ctx, ".", func(fs.FileInfo) error { n++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || n != 1 {
		t.Errorf("List = %d objects, %v; want context.Canceled after the first", n, err)
	}
}

func TestADirectoryIsNotReplacedByAnObject(t *testing.T) {
	s := open(t)
	put(t, s, pack, []byte("pack"))
	if err := s.Put(t.Context(), shard, 1, strings.NewReader("x")); err == nil {
		t.Error("Put over a directory succeeded")
	}
	if entries, err := os.ReadDir(s.path("app/uuid/data")); err != nil || len(entries) != 1 {
		t.Errorf("the directory holds %v, %v; want its one shard", entries, err)
	}
	if got := read(t, s, pack); got != "pack" {
		t.Errorf("read %q", got)
	}
}
