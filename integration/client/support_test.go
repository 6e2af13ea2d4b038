package client

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

// publicDir is a temporary directory that other users may enter, with a name so
// short that Podman is content.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "gw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// writeFile writes a file that may be a program. A process that is started in the
// meantime would hold the file open, and running it would fail.
func writeFile(name string, data []byte, mode fs.FileMode) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return errors.Join(os.WriteFile(name, data, mode), os.Chmod(name, mode))
}

func copyFile(t *testing.T, from, to string, mode fs.FileMode) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), writeFile(to, data, mode))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// patience is for what takes a moment where nothing else is going on.
const patience = 3 * time.Minute

// waitUntil waits for something that other processes do.
func waitUntil(t *testing.T, what string, reached func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(25 * time.Millisecond) // a look at all processes takes some of it
	defer tick.Stop()
	for !reached() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Errorf("waited %v until %s", patience, what)
			return
		}
	}
}

// program is a program of ours, as make builds it.
func program(t *testing.T, variable, built string) string {
	t.Helper()
	return existing(t, variable, built, "make build")
}

func resticBinary(t *testing.T, version string) string {
	t.Helper()
	return existing(t, "RESTIC_"+strings.ReplaceAll(version, ".", "_"), ".cache/restic/"+version+"/restic", "make deps")
}

func existing(t *testing.T, variable, preset, remedy string) string {
	t.Helper()
	name := os.Getenv(variable)
	if name == "" {
		name = filepath.Join("..", "..", filepath.FromSlash(preset))
	}
	name, err := filepath.Abs(name)
	if err == nil {
		_, err = os.Stat(name)
	}
	if err != nil {
		testenv.Missing(t, "%s: %v (%s)", variable, err, remedy)
	}
	return name
}
