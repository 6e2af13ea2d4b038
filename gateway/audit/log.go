package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// Options configure a log.
type Options struct {
	// MaxSize is the size at which a new file begins, Keep the number of full files to
	// keep; zero keeps all.
	MaxSize int64
	Keep    int
	// Log receives errors of the audit log.
	Log *slog.Logger
}

// Log is an open audit log. A nil Log discards events. It is safe for concurrent use, and
// other processes may write to the same file.
type Log struct {
	path string
	opts Options

	mu    sync.Mutex
	file  *os.File
	size  int64 // size of the file after our last write
	head  Head
	flood flood
}

// Open opens or creates the log at that path.
func Open(path string, opts Options) (*Log, error) {
	l := &Log{path: path, opts: opts}
	if err := l.locked(func() error { return nil }); err != nil {
		return nil, fmt.Errorf("audit log %s: %w", path, err)
	}
	return l, nil
}

// Path returns the path of the current file.
func (l *Log) Path() string { return l.path }

// Write appends an event. Errors are logged, but do not prevent anything: a full disk must
// not stop backups.
func (l *Log) Write(e Event) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	events := l.flood.admit(e)
	if len(events) == 0 {
		return
	}
	err := l.locked(func() error {
		for _, e := range events {
			if err := l.append(e); err != nil {
				return err
			}
		}
		return l.rotate()
	})
	if err != nil {
		l.opts.Log.Error("the audit log cannot be written", "file", l.path, "what", e.What, "user", e.Who, "err", err,
			"hint", "what happened meanwhile is missing in it: check the disk and the directory's permissions")
	}
}

// Head syncs the log and returns its head.
func (l *Log) Head() (Head, error) {
	if l == nil {
		return Head{}, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.locked(func() error { return l.file.Sync() }); err != nil {
		return Head{}, err
	}
	return l.head, nil
}

// Close writes held-back events, and closes the log.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	left := l.flood.rest()
	err := l.locked(func() error {
		for _, e := range left {
			if err := l.append(e); err != nil {
				return err
			}
		}
		return l.file.Sync()
	})
	return errors.Join(err, l.file.Close())
}

// locked calls do with the present head while no other process writes to the log.
func (l *Log) locked(do func() error) error {
	for {
		if err := l.lock(); err != nil {
			return err
		}
		info, err := l.file.Stat()
		current, errCurrent := os.Stat(l.path)
		if err != nil || errCurrent != nil || !os.SameFile(info, current) {
			// Another process has begun the next file.
			if err := errors.Join(err, l.unlock(), l.file.Close()); err != nil {
				return err
			}
			l.file = nil
			continue
		}
		if info.Size() != l.size || l.size == 0 {
			if err := l.recover(info.Size()); err != nil {
				return errors.Join(err, l.unlock())
			}
		}
		return errors.Join(do(), l.unlock())
	}
}

// lock opens the file if necessary, and locks out other processes.
func (l *Log) lock() error {
	if l.file == nil {
		file, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		l.file, l.size = file, 0
	}
	return syscall.Flock(int(l.file.Fd()), syscall.LOCK_EX)
}

// unlock drops the lock, unless rotate has closed the file.
func (l *Log) unlock() error {
	if l.file == nil {
		return nil
	}
	return syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN)
}

// append writes one line.
func (l *Log) append(e Event) error {
	content, err := encode(l.head, e)
	if err != nil {
		return err
	}
	n, err := l.file.Write(append(content, '\n'))
	if err != nil {
		if n > 0 {
			err = errors.Join(err, l.file.Truncate(l.size))
		}
		return err
	}
	l.size += int64(n)
	l.head = l.head.after(content)
	return nil
}

// recover reads the head of a file that another process has written to, and cuts off a
// partial line.
func (l *Log) recover(size int64) error {
	if size == 0 {
		head, err := l.lastOfFull()
		if err != nil {
			return err
		}
		l.head, l.size = head, 0
		return nil
	}
	tail, err := readTail(l.file, size)
	if err != nil {
		return err
	}
	whole := tail[:bytes.LastIndexByte(tail, '\n')+1]
	part := tail[len(whole):]
	if len(whole) == 0 && int64(len(tail)) < size {
		return l.setAside()
	}
	var head Head
	if len(whole) == 0 {
		if head, err = l.lastOfFull(); err != nil {
			return err
		}
	} else {
		last := whole[bytes.LastIndexByte(whole[:len(whole)-1], '\n')+1 : len(whole)-1]
		read, err := decode(last)
		if err != nil {
			return l.setAside()
		}
		head = Head{Seq: read.Seq - 1}.after(last)
	}
	l.head, l.size = head, size-int64(len(part))
	if len(part) == 0 {
		return nil
	}
	if err := l.file.Truncate(l.size); err != nil {
		return err
	}
	return l.append(Event{What: "recovered", Detail: fmt.Sprintf("a line that was not finished was cut off: %d bytes", len(part))})
}

// setAside renames a file with a malformed last line, and begins a new chain.
func (l *Log) setAside() error {
	l.opts.Log.Error("the audit log was damaged, or changed by somebody", "file", l.path,
		"hint", "the file is kept with .damaged in its name, and a new chain was begun: rclone-gateway audit verify with a head that was kept elsewhere says what is missing")
	if err := os.Rename(l.path, freeName(l.path+".damaged")); err != nil {
		return err
	}
	if err := l.file.Close(); err != nil {
		return err
	}
	l.file = nil
	if err := l.lock(); err != nil {
		return err
	}
	l.head, l.size = genesis, 0
	return l.append(Event{What: "recovered", Detail: "the log was damaged, and its chain was begun again"})
}

// freeName returns an unused name.
func freeName(name string) string {
	for i := 1; ; i++ {
		free := fmt.Sprintf("%s.%d", name, i)
		if _, err := os.Lstat(free); errors.Is(err, fs.ErrNotExist) {
			return free
		}
	}
}

// readTail returns the end of a file with at least two lines, if it has them.
func readTail(file io.ReaderAt, size int64) ([]byte, error) {
	tail := make([]byte, min(size, 3*maxLine))
	if _, err := file.ReadAt(tail, size-int64(len(tail))); err != nil {
		return nil, err
	}
	return tail, nil
}

// lastOfFull returns the head of the newest full file.
func (l *Log) lastOfFull() (Head, error) {
	files, err := full(l.path)
	if err != nil || len(files) == 0 {
		return genesis, err
	}
	file, err := os.Open(files[len(files)-1])
	if err != nil {
		return genesis, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return genesis, err
	}
	tail, err := readTail(file, info.Size())
	if err != nil {
		return genesis, err
	}
	tail = bytes.TrimSuffix(tail, []byte{'\n'})
	last := tail[bytes.LastIndexByte(tail, '\n')+1:]
	read, err := decode(last)
	if err != nil {
		return genesis, nil // Verify reports it
	}
	return Head{Seq: read.Seq - 1}.after(last), nil
}

// rotate begins a new file if this one is full.
func (l *Log) rotate() error {
	if l.opts.MaxSize <= 0 || l.size < l.opts.MaxSize {
		return nil
	}
	if err := l.file.Sync(); err != nil {
		return err
	}
	if err := os.Rename(l.path, fullName(l.path, l.head.Seq)); err != nil {
		return err
	}
	if err := l.file.Close(); err != nil { // this drops the lock too
		return err
	}
	l.file = nil
	files, err := full(l.path)
	if err != nil || l.opts.Keep <= 0 || len(files) <= l.opts.Keep {
		return err
	}
	for _, old := range files[:len(files)-l.opts.Keep] {
		err = errors.Join(err, os.Remove(old))
	}
	return err
}

// fullName returns the name of a full file, which contains the number of its last line.
func fullName(path string, last uint64) string { return fmt.Sprintf("%s.%020d", path, last) }

// full returns the full files of a log, oldest first.
func full(path string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		var last uint64
		name := filepath.Join(filepath.Dir(path), entry.Name())
		if _, err := fmt.Sscanf(entry.Name(), filepath.Base(path)+".%020d", &last); err == nil && name == fullName(path, last) {
			files = append(files, name)
		}
	}
	slices.Sort(files)
	return files, nil
}
