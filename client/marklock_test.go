package client

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestMarkLock(t *testing.T) {
	name := filepath.Join(t.TempDir(), "mark")
	take := func(interrupted bool) *markLock {
		t.Helper()
		lock, err := takeMarkLock(name)
		must(t, err)
		if lock.interrupted != interrupted {
			t.Errorf("interrupted is %v", lock.interrupted)
		}
		return lock
	}
	lock := take(false)
	if _, err := takeMarkLock(name); !errors.Is(err, errHeld) {
		t.Errorf("a second holder got %v", err)
	}
	lock.release() // as the kernel does
	lock = take(true)
	lock.clear()
	lock.release()
	lock = take(false)
	must(t, lock.remove())
	lock.release()
	if _, err := os.Stat(name); err == nil {
		t.Error("the file stays")
	}
	if _, err := takeMarkLock(name + "/of/no/directory"); err == nil || errors.Is(err, errHeld) {
		t.Errorf("without a directory there is a lock, or %v", err)
	}
}

// TestMarkLockOnARemovedFile has two find the file, of whom one removes it before
// the other locks it.
func TestMarkLockOnARemovedFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "mark")
	first, err := takeMarkLock(name)
	must(t, err)
	file, err := os.Open(name)
	must(t, err)
	defer func() { _ = file.Close() }()
	must(t, first.remove())
	first.release()
	if err := lockOpened(file, atOnce); !errors.Is(err, errReplaced) {
		t.Errorf("a lock on a file that is gone, or %v", err)
	}
}

// TestMarkOfAShorterProcessID has the mark of a killed holder, which is longer.
func TestMarkOfAShorterProcessID(t *testing.T) {
	name := filepath.Join(t.TempDir(), "mark")
	writeFile(t, name, "12345678901234567890\n", 0o600)
	lock, err := takeMarkLock(name)
	must(t, err)
	defer lock.release()
	if text, err := os.ReadFile(name); string(text) != fmt.Sprintln(os.Getpid()) || !lock.interrupted {
		t.Errorf("the mark is %q, %v, interrupted: %t", text, err, lock.interrupted)
	}
}
