package session

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestMarkLock(t *testing.T) {
	name := filepath.Join(t.TempDir(), "mark")
	take := func(interrupted bool) *MarkLock {
		t.Helper()
		lock, err := takeMarkLock(name)
		must(t, err)
		if lock.Interrupted != interrupted {
			t.Errorf("interrupted is %v", lock.Interrupted)
		}
		return lock
	}
	lock := take(false)
	if _, err := takeMarkLock(name); !errors.Is(err, errHeld) {
		t.Errorf("a second holder got %v", err)
	}
	lock.Release() // as the kernel does
	lock = take(true)
	lock.Clear()
	lock.Release()
	lock = take(false)
	must(t, lock.Remove())
	lock.Release()
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
	must(t, first.Remove())
	first.Release()
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
	defer lock.Release()
	if text, err := os.ReadFile(name); string(text) != fmt.Sprintln(os.Getpid()) || !lock.Interrupted {
		t.Errorf("the mark is %q, %v, interrupted: %t", text, err, lock.Interrupted)
	}
}
