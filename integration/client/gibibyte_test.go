package client

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestGibibyteModule moves a module of a gibibyte, in a few large files and
// thousands of small ones, in a container of an ordinary user, where most is in the way.
// TestModuleLosesNothing has little in containers of each kind.
func TestGibibyteModule(t *testing.T) {
	if testing.Short() {
		t.Skip("a gibibyte takes a while")
	}
	onEach(t, []variant{{"0.18", "rootless"}}, func(t *testing.T, v variant) {
		world := newClientWorld(t)
		backup := world.newHost(t, v, savedModule)
		backup.fill(t)
		backup.addGibibyte(t)
		want := backup.tree(t)
		backup.backUp(t).succeed(t)

		restored := world.newHost(t, v, newModule)
		restored.request(t).succeed(t)
		restored.compare(t, want)
		restored.compareKeys(t)
	})
}

// addGibibyte adds files to the volume, in which nothing occurs twice.
func (h *clientHost) addGibibyte(t *testing.T) {
	t.Helper()
	const (
		large, largeSize = 6, 128 << 20
		small, smallSize = 4096, 64 << 10
	)
	block, err := aes.NewCipher(make([]byte, aes.BlockSize))
	h.check(t, err)
	source := cipher.NewCTR(block, make([]byte, aes.BlockSize)) // the race detector does not watch it
	buffer := make([]byte, 1<<20)
	dir := h.volume(t)
	save := func(path string, size int) {
		t.Helper()
		file, err := os.Create(path)
		h.check(t, err)
		for ; size > 0; size -= len(buffer) {
			chunk := buffer[:min(size, len(buffer))]
			source.XORKeyStream(chunk, chunk)
			_, err = file.Write(chunk)
			h.check(t, err)
		}
		h.check(t, errors.Join(file.Close(), h.own(path)))
	}
	for n := range large {
		save(filepath.Join(dir, fmt.Sprint("large", n)), largeSize)
	}
	for n := range small {
		folder := filepath.Join(dir, fmt.Sprint("folder", n/64))
		if n%64 == 0 {
			h.check(t, errors.Join(os.Mkdir(folder, 0o750), h.own(folder)))
		}
		save(filepath.Join(folder, fmt.Sprint("small", n)), smallSize)
	}
}
