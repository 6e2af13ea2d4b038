package publish

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/backend"
)

// localMover returns a mover on an empty directory.
func localMover(t *testing.T) (m mover, dir string) {
	t.Helper()
	dir = t.TempDir()
	b, err := backend.Open(t.Context(), "mover", map[string]string{"type": "local"}, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return mover{b.Fs, b.Fs.Features().Move, true}, dir
}

// namesIn returns the names of what lies in dir.
func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

var errMove = errors.New("planned failure of a move")

// TestMoveThatDoesNotReplace publishes on a remote that refuses to move an object
// to a name that is taken, as SMB does.
func TestMoveThatDoesNotReplace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fails func(move int) bool // by the count of moves
		want  string              // content in the end
		err   bool
	}{
		{"all goes well", func(int) bool { return false }, "after", false},
		{"the old one does not move aside", func(n int) bool { return n == 2 }, "before", true},
		{"the new one does not move in", func(n int) bool { return n == 3 }, "before", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, dir := localMover(t)
			moves := 0
			move := m.move
			m.move = func(ctx context.Context, src fs.Object, remote string) (fs.Object, error) {
				moves++
				if _, err := os.Stat(filepath.Join(dir, remote)); err == nil || tt.fails(moves) {
					return nil, errMove
				}
				return move(ctx, src, remote)
			}
			put := func(content string) error {
				return m.put(t.Context(), "name", int64(len(content)), strings.NewReader(content))
			}
			if err := os.WriteFile(filepath.Join(dir, "name"), []byte("before"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := put("after"); (err != nil) != tt.err {
				t.Errorf("put = %v; want an error: %t", err, tt.err)
			}
			if got, err := os.ReadFile(filepath.Join(dir, "name")); string(got) != tt.want {
				t.Errorf("content %q, %v; want %q", got, err, tt.want)
			}
			if got := namesIn(t, dir); !slices.Equal(got, []string{"name"}) {
				t.Errorf("files %v; want the object alone", got)
			}
		})
	}
}

// TestUploadOfWhatIsThere uploads an object once more, to remotes whose move replaces
// in two steps, or refuses to: the object is not touched unless it has rotted.
func TestUploadOfWhatIsThere(t *testing.T) {
	t.Parallel()
	const content = "content"
	name := fmt.Sprintf("%x", sha256.Sum256([]byte(content)))
	for _, tt := range []struct {
		name  string
		whole bool
		there string
		kept  bool
	}{
		{"the same, where a move replaces in steps", false, content, true},
		{"the same, where a move refuses", true, content, true},
		{"as long and rotten, where a move replaces in steps", false, "c0ntent", false},
		{"as long and rotten, where a move refuses", true, "c0ntent", false},
		{"half of it, where a move replaces in steps", false, "cont", false},
		{"half of it, where a move refuses", true, "cont", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, dir := localMover(t)
			m.whole = tt.whole
			touched := false
			move := m.move
			m.move = func(ctx context.Context, src fs.Object, remote string) (fs.Object, error) {
				_, err := os.Stat(filepath.Join(dir, remote))
				if taken := err == nil; taken && tt.whole {
					return nil, errMove
				}
				touched = true
				return move(ctx, src, remote)
			}
			file := filepath.Join(dir, name)
			if err := os.WriteFile(file, []byte(tt.there), 0o600); err != nil {
				t.Fatal(err)
			}
			err := m.put(t.Context(), name, int64(len(content)), strings.NewReader(content))
			if stayed := errors.Is(err, ErrStayed); stayed != tt.kept || err != nil && !stayed {
				t.Errorf("put: %v", err)
			}
			if touched == tt.kept {
				t.Errorf("something was moved: %t", touched)
			}
			if got, err := os.ReadFile(file); string(got) != content {
				t.Errorf("content %q, %v; want %q", got, err, content)
			}
			if got := namesIn(t, dir); !slices.Equal(got, []string{name}) {
				t.Errorf("files %v; want the object alone", got)
			}
		})
	}
}

func TestFailedMoveLeavesNothing(t *testing.T) {
	t.Parallel()
	m, dir := localMover(t)
	m.move = func(context.Context, fs.Object, string) (fs.Object, error) { return nil, errMove }
	if err := m.put(t.Context(), "name", 4, strings.NewReader("pack")); !errors.Is(err, errMove) {
		t.Errorf("put = %v; want the error of the move", err)
	}
	if got := namesIn(t, dir); len(got) != 0 {
		t.Errorf("files %v are left", got)
	}
}

func TestCopyAndRemove(t *testing.T) {
	t.Parallel()
	m, dir := localMover(t)
	m.move = moveByCopy(func(ctx context.Context, src fs.Object, remote string) (fs.Object, error) {
		body, err := src.Open(ctx)
		if err != nil {
			return nil, err
		}
		defer body.Close()
		return put(ctx, m.fs, remote, src.Size(), body)
	})
	if err := m.put(t.Context(), "name", 4, strings.NewReader("pack")); err != nil {
		t.Fatal(err)
	}
	if got := namesIn(t, dir); !slices.Equal(got, []string{"name"}) {
		t.Errorf("files %v; want the object alone", got)
	}
}
