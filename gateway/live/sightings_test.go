package live

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSightingsOutliveTheProcessThatHasAStateDirectory(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	for _, c := range []struct {
		name, dir string
		outlive   bool
	}{
		{"with a state directory", state, true},
		{"without one", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			first, err := newSightings(c.dir)
			if err != nil {
				t.Fatal(err)
			}
			if _, seen, err := first.Seen(destID, "/media/disk/repo"); seen || err != nil {
				t.Errorf("before: seen %v, %v", seen, err)
			}
			for _, mountPoint := range []string{"/media/old", "/media/disk", "/media/disk"} {
				if err := first.Remember(destID, "/media/disk/repo", mountPoint); err != nil {
					t.Fatal(err)
				}
			}
			second, err := newSightings(c.dir)
			if err != nil {
				t.Fatal(err)
			}
			for s, want := range map[*sightings]bool{first: true, second: c.outlive} {
				mountPoint, seen, err := s.Seen(destID, "/media/disk/repo")
				if err != nil || seen != want || seen && mountPoint != "/media/disk" {
					t.Errorf("Seen = %q, %v, %v; want seen %v", mountPoint, seen, err, want)
				}
			}
		})
	}
}

func TestLostStateDirectoryProvesNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	s, err := newSightings(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Seen(destID, "/media/disk/repo"); err == nil {
		t.Error("a destination passes for one that was never seen")
	}
	if err := s.Remember(destID, "/media/disk/repo", "/media/disk"); err == nil {
		t.Error("remembered nowhere, without an error")
	}
}

func TestStateDirectoryThatCannotBeMade(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newSightings(file); err == nil {
		t.Error("no error")
	}
}

func TestSightingsAreOfADirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	first, err := newSightings(dir)
	if err != nil {
		t.Fatal(err)
	}
	for root, mountPoint := range map[string]string{"/media/disk/repo": "/media/disk", "/media/disk/more/repo": "/media/disk/more", "/srv/repo": "/"} {
		if err := first.Remember(destID, root, mountPoint); err != nil {
			t.Fatal(err)
		}
	}
	second, err := newSightings(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*sightings{first, second} {
		for _, c := range []struct {
			id, root, mountPoint string
			seen                 bool
		}{
			{destID, "/media/disk/repo", "/media/disk", true},
			{destID, "/media/disk/more/repo", "/media/disk/more", true},
			{destID, "/srv/repo", "/", true},
			{destID, "/media/disk", "/media/disk", false},
			{destID, "/media/disk/other", "/media/disk", false},
			{destID, "/media/disk/more/other", "/media/disk/more", false},
			{destID, "/media/diskette", "", false},
			{destID, "/srv/other", "", false},
			{otherID, "/media/disk/repo", "", false},
		} {
			mountPoint, seen, err := s.Seen(c.id, c.root)
			if mountPoint != c.mountPoint || seen != c.seen || err != nil {
				t.Errorf("%s in %s: %q, %v, %v; want %q, %v", c.id, c.root, mountPoint, seen, err, c.mountPoint, c.seen)
			}
		}
	}
}

func TestDamagedSightingProvesNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	s, err := newSightings(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "seen", destID), []byte("/media/di"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Seen(destID, "/media/disk"); err == nil {
		t.Error("a destination passes for one that was never seen")
	}
	if _, seen, err := s.Seen(otherID, "/media/disk"); seen || err != nil {
		t.Errorf("another one: %v, %v", seen, err)
	}
}
