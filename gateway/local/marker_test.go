//go:build unix

package local

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

const destID = "76d73f29-7446-5baf-a700-3ad39be75475"

// memory is a Memory that can be told to fail.
type memory struct {
	roots sync.Map // mount points by root
	below string   // a mount point for all other roots
	err   error
}

func (m *memory) Seen(_, root string) (string, bool, error) {
	mountPoint, seen := m.roots.Load(root)
	if !seen {
		return m.below, false, m.err
	}
	text, _ := mountPoint.(string)
	return text, true, m.err
}

func (m *memory) Remember(_, root, mountPoint string) error {
	m.roots.Store(root, mountPoint)
	return m.err
}

func (m *memory) seen(root string) bool {
	_, seen := m.roots.Load(root)
	return seen
}

func openMarked(tb testing.TB, root string, m Memory) *Store {
	tb.Helper()
	s, err := OpenMarked(root, Mark{ID: destID, Memory: m, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func markerIn(t *testing.T, root string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, markerName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(content))
}

func TestMarkedStoreConforms(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storage.Store {
		t.Helper()
		return openMarked(t, t.TempDir(), &memory{})
	})
}

// wantDetached calls every method, each of which must say that the disk is away.
func wantDetached(t *testing.T, s *Store) {
	t.Helper()
	all := attempts(t, s, "app/uuid/data", pack)
	all["Create"] = s.Create(t.Context(), "app/uuid")
	for op, err := range all {
		if !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s without the disk = %v; want storage.ErrUnavailable", op, err)
		}
	}
}

func TestDirectoryIsMarkedAtItsFirstProvenUse(t *testing.T) {
	existing := func(t *testing.T) string {
		t.Helper()
		s := open(t)
		put(t, s, config, []byte("config"))
		put(t, s, "notes", []byte("of somebody"))
		return s.root
	}
	empty := func(t *testing.T) string { t.Helper(); return t.TempDir() }
	for _, c := range []struct {
		name   string
		root   func(t *testing.T) string
		use    func(t *testing.T, s *Store) error
		proven bool
	}{
		{"a config is found", existing, func(t *testing.T, s *Store) error {
			_, err := s.Stat(t.Context(), config)
			return err
		}, true},
		{"a config is read", existing, func(t *testing.T, s *Store) error {
			body, _, err := s.Open(t.Context(), config, 0, -1)
			if err == nil {
				body.Close()
			}
			return err
		}, true},
		{"a repository is created", empty, func(t *testing.T, s *Store) error {
			return s.Create(t.Context(), "app/uuid")
		}, true},
		{"an object is stored", empty, func(t *testing.T, s *Store) error {
			return s.Put(t.Context(), pack, 1, strings.NewReader("x"))
		}, true},
		{"a config is not found", empty, func(t *testing.T, s *Store) error {
			if _, err := s.Stat(t.Context(), config); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Stat = %v", err)
			}
			return nil
		}, false},
		{"a file in the root is found", existing, func(t *testing.T, s *Store) error {
			_, err := s.Stat(t.Context(), "notes")
			return err
		}, false},
		{"a file in the root is tried", empty, func(t *testing.T, s *Store) error {
			return s.Put(t.Context(), "trial", 1, strings.NewReader("x"))
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m memory
			root := c.root(t)
			s := openMarked(t, root, &m)
			if err := c.use(t, s); err != nil {
				t.Fatal(err)
			}
			want := ""
			if c.proven {
				want = destID
			}
			if got := markerIn(t, root); got != want || m.seen(root) != c.proven {
				t.Errorf("marker %q, remembered %v", got, m.seen(root))
			}
			names, err := list(t, s, ".")
			if err != nil || strings.Contains(strings.Join(names, " "), markerName) {
				t.Errorf("List = %v, %v; want no marker in it", names, err)
			}
		})
	}
}

func TestMarkerIsNoObject(t *testing.T) {
	s := openMarked(t, t.TempDir(), &memory{})
	put(t, s, config, []byte("config"))
	for op, err := range attempts(t, s, markerName, markerName) {
		if !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s(%s) = %v; want fs.ErrInvalid", op, markerName, err)
		}
	}
}

func TestWithoutMemoryNothingIsMarked(t *testing.T) {
	root := t.TempDir()
	put(t, openMarked(t, root, nil), pack, []byte("x"))
	if got := markerIn(t, root); got != "" {
		t.Errorf("marker %q", got)
	}
}

func TestSeenDirectoryWithoutItsMarkerIsUnavailable(t *testing.T) {
	var m memory
	root := t.TempDir()
	s := openMarked(t, root, &m)
	put(t, s, pack, []byte("x"))
	if err := os.Remove(filepath.Join(root, markerName)); err != nil {
		t.Fatal(err)
	}
	wantDetached(t, s)
	wantDetached(t, openMarked(t, root, &m))
	if err := os.WriteFile(filepath.Join(root, markerName), []byte(destID), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := read(t, s, pack); got != "x" {
		t.Errorf("read %q", got)
	}
}

func TestDestinationThatMovedIsNewInItsDirectory(t *testing.T) {
	var m memory
	before, after := t.TempDir(), t.TempDir()
	put(t, openMarked(t, before, &m), pack, []byte("x"))

	moved := openMarked(t, after, &m)
	if _, err := moved.Stat(t.Context(), config); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat in a directory that was never used = %v; want fs.ErrNotExist", err)
	}
	put(t, moved, pack, []byte("y"))
	if got := markerIn(t, after); got != destID {
		t.Errorf("marker %q", got)
	}
	// Both are remembered.
	for _, root := range []string{before, after} {
		if err := os.Remove(filepath.Join(root, markerName)); err != nil {
			t.Fatal(err)
		}
		wantDetached(t, openMarked(t, root, &m))
	}
}

func TestDestinationThatMovesOnADiskThatIsAwayIsNotEmpty(t *testing.T) {
	disk := t.TempDir() // on which nothing is mounted
	root := filepath.Join(disk, "new")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	wantDetached(t, openMarked(t, root, &memory{below: disk}))
	if _, err := openMarked(t, root, &memory{below: mountPointOf(root)}).Stat(t.Context(), config); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat on a disk that is mounted = %v; want fs.ErrNotExist", err)
	}
}

func TestMarkerFoundIsRemembered(t *testing.T) {
	root := t.TempDir()
	put(t, openMarked(t, root, &memory{}), pack, []byte("x"))
	var m memory // of a gateway that was reinstalled
	if got := read(t, openMarked(t, root, &m), pack); got != "x" || !m.seen(root) {
		t.Errorf("read %q, remembered %v", got, m.seen(root))
	}
}

func TestPlaceOfAnotherDestinationIsRefused(t *testing.T) {
	root := t.TempDir()
	const other = "b6f0639c-4276-5b7b-8752-eda8eda282db"
	if err := os.WriteFile(filepath.Join(root, markerName), []byte(other+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, m := range []Memory{nil, &memory{}} {
		s := openMarked(t, root, m)
		wantDetached(t, s)
		if _, err := s.Stat(t.Context(), config); !strings.Contains(err.Error(), other) || !strings.Contains(err.Error(), root) {
			t.Errorf("Stat = %v; want it to name the other destination and the file", err)
		}
	}
}

func TestForgetfulMemoryProvesNothing(t *testing.T) {
	wantDetached(t, openMarked(t, t.TempDir(), &memory{err: errors.New("input/output error")}))
}

func TestRootThatWasSeenAndIsGoneNamesItsMountPoint(t *testing.T) {
	var m memory
	root := filepath.Join(t.TempDir(), "absent")
	m.roots.Store(root, "/media/disk")
	_, err := OpenMarked(root, Mark{ID: destID, Memory: &m})
	if !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "/media/disk") {
		t.Errorf("OpenMarked = %v", err)
	}
}

func TestAbsenceIsLoggedOnceAndSoIsTheReturn(t *testing.T) {
	var m memory
	var lines bytes.Buffer
	root := t.TempDir()
	s, err := OpenMarked(root, Mark{ID: destID, Memory: &m, Log: slog.New(slog.NewTextHandler(&lines, nil))})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, pack, []byte("x"))
	lines.Reset()
	away := filepath.Join(t.TempDir(), "away")
	for range 2 {
		if err := os.Rename(filepath.Join(root, markerName), away); err != nil {
			t.Fatal(err)
		}
		wantDetached(t, s)
		if err := os.Rename(away, filepath.Join(root, markerName)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, s, pack); got != "x" {
			t.Errorf("read %q", got)
		}
	}
	if got := lines.String(); strings.Count(got, "is not mounted;") != 2 || strings.Count(got, "is back") != 2 ||
		!strings.Contains(got, "mount="+mountPointOf(root)) {
		t.Errorf("the log of a disk that went and came twice:\n%s", got)
	}
}

// markedMeanwhile is a memory in which another request has just noted, and marked,
// what it is asked for.
type markedMeanwhile struct{ memory }

func (m *markedMeanwhile) Seen(_, root string) (string, bool, error) {
	err := os.WriteFile(filepath.Join(root, markerName), []byte(destID+"\n"), 0o600)
	return "/", true, err
}

func TestTheFirstUseByTwoAtOnceIsNoMissingDisk(t *testing.T) {
	t.Parallel()
	s := openMarked(t, t.TempDir(), &markedMeanwhile{})
	if _, err := s.Stat(t.Context(), "repo/config"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat = %v, want that there is no such object", err)
	}
}
