package local

import (
	"bytes"
	"encoding/binary"
	"iter"
	"strconv"

	"golang.org/x/sys/unix"
)

// resolverFor returns how to open paths below the root: by one system call that refuses
// symbolic links, if the kernel (5.6) and the container's seccomp filter support it.
func resolverFor(root dirFD) resolver {
	if fd, err := openat2(int(root), ".", directory); err == nil {
		dirFD(fd).close()
		return openat2
	}
	return walk
}

// pathOnly opens something only to stat it, and to open entries below it.
const pathOnly = unix.O_PATH

func openat2(root int, name string, flags int) (fd int, err error) {
	return openResolved(root, name, flags, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS)
}

func openResolved(at int, name string, flags int, resolve uint64) (fd int, err error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: resolve}
	err = retry(func() error {
		fd, err = unix.Openat2(at, name, &how)
		return err
	})
	return fd, err
}

// directFor returns a function that opens a path below the root's, abs, without following
// symbolic links anywhere; nil if the kernel does not support that, or abs contains a link.
func directFor(abs string) func(path string, flags int) (int, error) {
	direct := func(path string, flags int) (int, error) {
		return openResolved(unix.AT_FDCWD, path, flags, unix.RESOLVE_NO_SYMLINKS)
	}
	fd, err := direct(abs, directory)
	if err != nil {
		return nil
	}
	dirFD(fd).close()
	return direct
}

func fsync(fd int) error {
	return retry(func() error { return unix.Fsync(fd) })
}

// nameless opens a new file without a name.
func (d dirFD) nameless() (int, error) {
	return openat(int(d), ".", unix.O_WRONLY|unix.O_TMPFILE, 0o600)
}

// link gives an unnamed open file a name, unless that is taken. Using its path in /proc,
// that needs no privilege.
func (d dirFD) link(fd int, base string) error {
	return retry(func() error {
		return unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(fd), int(d), base, unix.AT_SYMLINK_FOLLOW)
	})
}

// Offsets in struct linux_dirent64, getdents64(2).
const (
	direntReclen = 16
	direntType   = 18
	direntName   = 19
)

// entries reads the directory through buf, which may be reused after the loop.
// [os.File.ReadDir] reads only 8 KiB at a time and allocates more.
func (d dirFD) entries(buf []byte) iter.Seq2[dirEntry, error] {
	return func(yield func(dirEntry, error) bool) {
		for {
			n, err := d.getdents(buf)
			if err != nil {
				yield(dirEntry{}, err)
				return
			}
			if n == 0 {
				return
			}
			if !parseDirents(buf[:n], yield) {
				return
			}
		}
	}
}

func (d dirFD) getdents(buf []byte) (n int, err error) {
	err = retry(func() error {
		n, err = unix.Getdents(int(d), buf)
		return err
	})
	return n, err
}

// parseDirents yields the entries in buf, and reports whether to continue.
func parseDirents(buf []byte, yield func(dirEntry, error) bool) bool {
	for len(buf) > 0 {
		reclen := int(binary.NativeEndian.Uint16(buf[direntReclen:]))
		name, _, _ := bytes.Cut(buf[direntName:reclen], []byte{0})
		isDir := buf[direntType] == unix.DT_DIR
		buf = buf[reclen:]
		if string(name) == "." || string(name) == ".." {
			continue
		}
		if !yield(dirEntry{name: string(name), isDir: isDir}, nil) {
			return false
		}
	}
	return true
}

// renameOverNothing renames a directory unless the name is taken, even by an empty
// directory.
func renameOverNothing(source dirFD, from string, target dirFD, to string) error {
	err := retry(func() error { return unix.Renameat2(int(source), from, int(target), to, unix.RENAME_NOREPLACE) })
	if err == unix.EINVAL || err == unix.ENOSYS { //nolint:errorlint // bare errnos
		return renameSlowly(source, from, target, to) // NFS, FUSE and old kernels
	}
	return err
}
