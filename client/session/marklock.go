package session

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// MarkLock is an exclusive lock on a file. The file is not empty while the lock is held,
// which shows the next holder that one was interrupted. The kernel drops the lock with the
// process. Commands that we start do not inherit it, except a native restic: if we are
// killed, the next run does not begin before restic has ended.
type MarkLock struct {
	file *os.File
	// Interrupted reports whether the previous holder was interrupted.
	Interrupted bool
}

var (
	// errHeld means that another process holds a lock.
	errHeld = errors.New("it is locked")
	// errReplaced means that the previous holder removed the file meanwhile.
	errReplaced = errors.New("it is not there any more")
)

// takeMarkLock takes the lock on a file, without waiting.
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
		return nil, err // it names the file
	}
	return &MarkLock{file: file, Interrupted: info.Size() > 0}, nil
}

// writeOver replaces the content without ever emptying the file.
func writeOver(file *os.File, text string) error {
	n, err := file.WriteAt([]byte(text), 0)
	if err != nil {
		return err // the old content stays, as on a full disk
	}
	return file.Truncate(int64(n))
}

// HandTo makes a native restic hold the lock too. One in a container is found by its label.
func (l *MarkLock) HandTo(invocation *restic.Invocation) {
	if invocation.Runtime == restic.Native {
		invocation.Files = append(invocation.Files, l.file)
	}
}

// Clear removes the mark. If that fails, the next holder only takes more care than needed.
func (l *MarkLock) Clear() { _ = l.file.Truncate(0) }

// Remove deletes the file, while the lock is held.
func (l *MarkLock) Remove() error { return os.Remove(l.file.Name()) }

// Release drops the lock.
func (l *MarkLock) Release() { _ = l.file.Close() }

// Whether to wait for a lock that another process holds.
const (
	atOnce = unix.LOCK_NB
	inTurn = 0
)

// openLocked opens and locks a file, atOnce or inTurn.
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

// lockOpened locks the file, and checks that its name still refers to it.
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
