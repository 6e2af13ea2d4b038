package client

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestGibibyteModule moves a module of a gibibyte, in a few large files and
// thousands of small ones, as an ordinary user's containers do.
func TestGibibyteModule(t *testing.T) {
	if testing.Short() {
		t.Skip("a gibibyte takes a while")
	}
	world := newClientWorld(t)
	backup := world.newHost(t, "0.18", "rootless", savedModule)
	backup.fill(t)
	const (
		large, largeSize = 6, 128 << 20
		small, smallSize = 4096, 64 << 10
	)
	source := rand.NewChaCha8([32]byte{1})
	buffer := make([]byte, largeSize)
	dir := backup.volume(t)
	own := func(path string, err error) {
		t.Helper()
		backup.check(t, errors.Join(err, os.Chown(path, int(backup.login.Uid), int(backup.login.Gid))))
	}
	save := func(path string, size int) {
		t.Helper()
		_, _ = source.Read(buffer[:size])
		own(path, os.WriteFile(path, buffer[:size], 0o640))
	}
	for n := range large {
		save(filepath.Join(dir, fmt.Sprint("large", n)), largeSize)
	}
	for n := range small {
		folder := filepath.Join(dir, fmt.Sprint("folder", n/64))
		if n%64 == 0 {
			own(folder, os.Mkdir(folder, 0o750))
		}
		save(filepath.Join(folder, fmt.Sprint("small", n)), smallSize)
	}
	want := backup.tree(t)
	backup.ctl(t, "module-backup", clientSchedule).succeed(t)

	restored := world.newHost(t, "0.18", "rootless", newModule)
	restored.request(t).succeed(t)
	restored.compare(t, want)
	restored.compareKeys(t)
}
