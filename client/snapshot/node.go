package snapshot

import (
	"io/fs"
	"path"
	"time"
)

// Node is a file, a directory or any other entry of a snapshot.
type Node struct {
	// Path is absolute in the snapshot. Restic replaces each byte that is not UTF-8 by
	// U+FFFD; [Lossy] reports whether that may have happened.
	Path  string
	Type  string // as in restic: file, dir, symlink, fifo, socket, dev, chardev
	Size  uint64
	Mode  fs.FileMode
	UID   uint32
	GID   uint32
	MTime time.Time
}

// Name is the last part of the path.
func (n Node) Name() string { return path.Base(n.Path) }

// IsDir reports whether the node is a directory.
func (n Node) IsDir() bool { return n.Type == "dir" }
