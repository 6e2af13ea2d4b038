package floor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// list answers with all objects below dir: it reads the directory, or those in it that packs
// lie in, asks for the size of each object, and writes.
func list(w http.ResponseWriter, dir string, packs bool) error {
	w.Header().Set("Content-Type", "application/vnd.x.restic.rest.v2")
	l := lister{w: w, out: []byte("[")}
	dirs := []string{dir}
	if packs {
		dirs = dirs[:0]
		for shard := range 256 {
			dirs = append(dirs, filepath.Join(dir, fmt.Sprintf("%02x", shard)))
		}
	}
	for _, dir := range dirs {
		if err := l.add(dir); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	_, err := w.Write(append(bytes.TrimSuffix(l.out, []byte(",")), ']'))
	return err
}

type lister struct {
	w    http.ResponseWriter
	out  []byte
	buf  [128 << 10]byte
	stat unix.Stat_t
}

func (l *lister) add(dir string) error {
	fd, err := open(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for {
		n, err := unix.Getdents(fd, l.buf[:])
		if n <= 0 || err != nil {
			return err
		}
		if err := l.entries(fd, l.buf[:n]); err != nil {
			return err
		}
	}
}

// entries writes those of linux_dirent64, getdents64(2).
func (l *lister) entries(fd int, buf []byte) error {
	const reclen, name, most = 16, 19, 32 << 10
	for len(buf) > 0 {
		size := binary.NativeEndian.Uint16(buf[reclen:])
		base, _, _ := bytes.Cut(buf[name:size], []byte{0})
		buf = buf[size:]
		if base[0] == '.' {
			continue
		}
		if err := unix.Fstatat(fd, string(base), &l.stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
		l.out = append(append(append(l.out, `{"name":"`...), base...), `","size":`...)
		l.out = append(strconv.AppendInt(l.out, l.stat.Size, 10), '}', ',')
		if len(l.out) < most {
			continue
		}
		if _, err := l.w.Write(l.out); err != nil {
			return err
		}
		l.out = l.out[:0]
	}
	return nil
}
