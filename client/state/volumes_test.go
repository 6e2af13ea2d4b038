package state

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestModuleVolumes(t *testing.T) {
	podman := []string{"web", "restic-cache", "mymodule1-data", "mymodule1-", "mymodule10-data", "mymodule1--x", "a b", "--privileged", "mymodule1-restic-x"}
	tests := map[string]struct {
		rootfull bool
		want     []Volume
	}{
		"rootless: all names as they are, without restic's own": {false, []Volume{
			{"mymodule1-", "mymodule1-"}, {"mymodule1--x", "mymodule1--x"}, {"mymodule1-data", "mymodule1-data"},
			{"mymodule1-restic-x", "mymodule1-restic-x"}, {"mymodule10-data", "mymodule10-data"}, {"web", "web"},
		}},
		"rootfull: only those with the module's ID, which is cut off": {true, []Volume{
			{"data", "mymodule1-data"}, {"restic-x", "mymodule1-restic-x"},
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := ModuleVolumes("mymodule1", test.rootfull, podman); !slices.Equal(got, test.want) {
				t.Errorf("moduleVolumes\n got %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestModuleVolumeIsTheReverse(t *testing.T) {
	for _, rootfull := range []bool{false, true} {
		v, err := ModuleVolume("mymodule1", rootfull, "data")
		if err != nil {
			t.Fatal(err)
		}
		if got := ModuleVolumes("mymodule1", rootfull, []string{v.Podman}); !slices.Equal(got, []Volume{v}) {
			t.Errorf("rootfull %v: %v comes back as %v", rootfull, v, got)
		}
	}
	for _, name := range []string{"", "-v", "a b", "a:b", "../x", "*"} {
		if v, err := ModuleVolume("mymodule1", false, name); err == nil {
			t.Errorf("moduleVolume(%q) = %v, want an error", name, v)
		}
	}
}

func TestCheckNativeRoot(t *testing.T) {
	tests := map[string]struct {
		arrange func(t *testing.T, root string) (stateDir string)
		words   string // "" for success
	}{
		"the directory above the state directory": {
			func(_ *testing.T, root string) string { return filepath.Join(root, "state") }, "",
		},
		"a state directory that is mounted there has another name": {
			func(t *testing.T, root string) string {
				link := filepath.Join(t.TempDir(), "elsewhere")
				symlink(t, filepath.Join(root, "state"), link)
				return link
			}, "",
		},
		"another module's state directory": {
			func(t *testing.T, _ string) string { return t.TempDir() }, "is not the module's state directory",
		},
		"a link instead of a volume": {
			func(t *testing.T, root string) string {
				symlink(t, t.TempDir(), filepath.Join(root, "volumes", "data"))
				return filepath.Join(root, "state")
			}, "is a symbolic link",
		},
		"a link instead of the state": {
			func(t *testing.T, root string) string {
				behind := t.TempDir()
				if err := os.Remove(filepath.Join(root, "state")); err != nil {
					t.Fatal(err)
				}
				symlink(t, behind, filepath.Join(root, "state"))
				return behind
			}, "is not the module's state directory",
		},
		"no state directory": {
			func(t *testing.T, root string) string {
				if err := os.Remove(filepath.Join(root, "state")); err != nil {
					t.Fatal(err)
				}
				return filepath.Join(root, "state")
			}, "needs the state directory at",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for _, dir := range []string{"state", "volumes"} {
				if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			err := CheckNativeRoot(root, test.arrange(t, root))
			if (err == nil) != (test.words == "") || err != nil && !strings.Contains(err.Error(), test.words) {
				t.Errorf("checkNativeRoot = %v, want %q", err, test.words)
			}
		})
	}
}

func symlink(t *testing.T, target, link string) {
	t.Helper()
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
}
