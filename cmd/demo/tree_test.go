package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// plant makes a small tree.
func plant(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	long := time.Date(2020, 1, 2, 3, 4, 5, 6, time.UTC)
	for _, name := range []string{"a", "b/c", "b/d"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("content of "+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a", "b/c", "b/d", "b", "."} {
		if err := os.Chtimes(filepath.Join(dir, name), long, long); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCompareSeesEveryDifference(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spoil func(dir string) error
		want  int
	}{
		{"equal trees", func(string) error { return nil }, 0},
		{"a byte", func(dir string) error {
			info, err := os.Stat(filepath.Join(dir, "a"))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, "a"), []byte("Content of a"), 0o644); err != nil {
				return err
			}
			return os.Chtimes(filepath.Join(dir, "a"), info.ModTime(), info.ModTime())
		}, 1},
		{"a mode", func(dir string) error { return os.Chmod(filepath.Join(dir, "b/c"), 0o600) }, 1},
		{"a time", func(dir string) error { return os.Chtimes(filepath.Join(dir, "a"), time.Now(), time.Now()) }, 1},
		// The directory's time changes with it.
		{"a missing file", func(dir string) error { return os.Remove(filepath.Join(dir, "b/c")) }, 2},
		{"a file too many", func(dir string) error { return os.WriteFile(filepath.Join(dir, "b/e"), nil, 0o644) }, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, b := plant(t), plant(t)
			if err := c.spoil(b); err != nil {
				t.Fatal(err)
			}
			differences, err := compare(a, b)
			if err != nil {
				t.Fatal(err)
			}
			if len(differences) != c.want {
				t.Errorf("%d differences, want %d: %v", len(differences), c.want, differences)
			}
		})
	}
}

func TestMeasureCountsFiles(t *testing.T) {
	t.Parallel()
	got, err := measure(plant(t))
	if want := (tree{files: 3, bytes: 12 + 14 + 14}); err != nil || got != want {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}
