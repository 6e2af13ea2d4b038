package session

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// MarkLock is an exclusive lock on a file that is not empty while it is held, so
// that the next holder sees when one was interrupted. The kernel drops the lock
// with the process. Commands that we start do not inherit it, but for a native restic,
// which has it for as long as it lives: when we are killed, the next run does not begin
// before restic has ended.
type MarkLock struct {
	file *os.File
	// Interrupted reports whether the last holder did not clear the mark.
	Interrupted bool
}

var (
	// errHeld means that another process holds a lock.
	errHeld = errors.New("it is locked")
	// errReplaced means that the holder before has removed the file meanwhile.
	errReplaced = errors.New("it is not there any more")
)

// takeMarkLock takes the lock on the file called name, without waiting.
func takeMarkLock(name string) (*MarkLock, error) {
	file, err := openLocked(name, os.O_RDWR|os.O_CREATE, atOnce)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil {
		err = writeOver(file, fmt.Sprintln(os.Getpid()))
	}
	if err != nil {
		_ = file.Close()
		return nil, err // which names the file
	}
	return &MarkLock{file: file, Interrupted: info.Size() > 0}, nil
}

// writeOver replaces what is in the file, which is at no moment empty.
func writeOver(file *os.File, text string) error {
	n, err := file.WriteAt([]byte(text), 0)
	if err != nil {
		return err // what is there stays, such as on a full disk
	}
	return file.Truncate(int64(n))
}

// HandTo lets a native restic hold the lock too. One in a container is found by its
// label.
func (l *MarkLock) HandTo(invocation *restic.Invocation) {
	if invocation.Runtime == restic.Native {
		invocation.Files = append(invocation.Files, l.file)
	}
}

// Clear takes the mark away. One that stays does no harm: the next holder takes
// more care than needed.
func (l *MarkLock) Clear() { _ = l.file.Truncate(0) }

// Remove removes the file, while the lock is held.
func (l *MarkLock) Remove() error { return os.Remove(l.file.Name()) }

// Release drops the lock.
func (l *MarkLock) Release() { _ = l.file.Close() }

// Whether to wait for a lock that another process holds.
const (
	atOnce = unix.LOCK_NB
	inTurn = 0
)

// openLocked opens and locks the file called name, atOnce or inTurn.
func openLocked(name string, flags, when int) (*os.File, error) {
	for {
		file, err := os.OpenFile(name, flags, 0o600)
		if err != nil {
			return nil, err
		}
		if err = lockOpened(file, when); err == nil {
			return file, nil
		}
		_ = file.Close()
		if !errors.Is(err, errReplaced) {
			return nil, err
		}
	}
}

// lockOpened locks the file, if it is still the one of its name.
func lockOpened(file *os.File, when int) error {
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|when); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = errHeld
		}
		return fmt.Errorf("%s: %w", file.Name(), err)
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if current, err := os.Lstat(file.Name()); err != nil || !os.SameFile(info, current) {
		return errReplaced
	}
	return nil
}
