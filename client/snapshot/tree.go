package snapshot

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// Tree is the cached tree of a snapshot.
type Tree struct {
	file     *os.File
	size     int64
	sections map[string][]section
	// Nodes counts files and directories, Bytes is their total size.
	Nodes, Bytes uint64

	at      int64 // offset of the pack in content
	content []byte
}

// WithTree calls do with the tree of a snapshot, by complete ID. If it is not cached, or
// the cached one is damaged, restic lists it.
func (c Cache) WithTree(ctx context.Context, from Source, id string, do func(*Tree) error) error {
	for again := false; ; again = true {
		tree, err := c.tree(ctx, from, id)
		if err != nil {
			return err
		}
		err = errors.Join(do(tree), tree.file.Close())
		c.trim(treesDir)
		path := c.path(treesDir, id)
		if !errors.Is(err, errBroken) || again || path == "" || os.Remove(path) != nil {
			return err
		}
	}
}

func (c Cache) tree(ctx context.Context, from Source, id string) (*Tree, error) {
	path := c.path(treesDir, id)
	if path == "" {
		return listTree(ctx, from, id, "")
	}
	var tree *Tree
	err := alone(path, func() (err error) {
		if tree, err = openTree(path); err == nil {
			used(path)
			return nil
		}
		tree, err = listTree(ctx, from, id, path)
		return err
	})
	if isOfDisk(err) {
		return listTree(ctx, from, id, "")
	}
	return tree, err
}

// isOfDisk reports whether an error comes from the cache's disk.
func isOfDisk(err error) bool {
	return slices.ContainsFunc([]error{unix.ENOSPC, unix.EDQUOT, unix.EROFS, unix.EACCES}, func(e error) bool { return errors.Is(err, e) })
}

// listTree lets restic list a tree into the file at path, or into an unnamed file if path
// is "".
func listTree(ctx context.Context, from Source, id, path string) (*Tree, error) {
	dir := ""
	if path != "" {
		dir = filepath.Dir(path)
	}
	file, err := os.CreateTemp(dir, temporary)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(file.Name()) }() // after a rename there is nothing to remove
	out := bufio.NewWriterSize(file, packSize)
	if err := errors.Join(list(ctx, from, id, &treeWriter{out: out}), out.Flush(), file.Close()); err != nil {
		return nil, err
	}
	tree, err := openTree(file.Name())
	if err == nil && path != "" {
		_ = os.Rename(file.Name(), path) // at worst it is listed again
	}
	return tree, err
}

// list lets restic list a tree. It takes no lock: it writes nothing, and must work on
// read-only storage.
func list(ctx context.Context, from Source, id string, w *treeWriter) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	lines := restic.NewLines(func(line []byte) {
		if n, ok := ParseNode(line); ok {
			if err := w.add(n); err != nil {
				stop(err)
			}
		}
	})
	if err := from.Run(ctx, lines, "ls", "--json", "--no-lock", id); err != nil {
		return err
	}
	lines.Flush()
	return w.finish()
}

// ParseNode parses a line of restic ls --json. It reports false for other lines.
func ParseNode(line []byte) (Node, bool) {
	var read struct {
		Kind  string      `json:"struct_type"`
		Path  string      `json:"path"`
		Type  string      `json:"type"`
		Size  uint64      `json:"size"`
		Mode  fs.FileMode `json:"mode"`
		UID   uint32      `json:"uid"`
		GID   uint32      `json:"gid"`
		MTime time.Time   `json:"mtime"`
	}
	if json.Unmarshal(line, &read) != nil || read.Kind != "node" || !strings.HasPrefix(read.Path, "/") || read.Path == "/" {
		return Node{}, false
	}
	return Node{
		Path: path.Clean(read.Path), Type: read.Type, Size: read.Size, Mode: read.Mode, UID: read.UID, GID: read.GID, MTime: read.MTime,
	}, true
}

func openTree(name string) (*Tree, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	t := &Tree{file: file, size: info.Size(), sections: map[string][]section{}, at: -1}
	index, err := readIndex(file, t.size)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	t.Nodes, t.Bytes = index.number(), index.number()
	for len(index.rest) > 0 {
		s := section{dir: index.text(), pack: int64(index.number()), offset: int(index.number()), size: int(index.number())}
		t.sections[s.dir] = append(t.sections[s.dir], s)
	}
	if index.err != nil {
		return nil, errors.Join(index.err, file.Close())
	}
	return t, nil
}

// ReadDir returns the entries of a directory, by name; none if it is empty or does not
// exist.
func (t *Tree) ReadDir(dir string) ([]Node, error) {
	var nodes []Node
	for _, s := range t.sections[path.Clean("/"+dir)] {
		found, err := t.read(s)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, found...)
	}
	slices.SortStableFunc(nodes, func(a, b Node) int { return cmp.Compare(a.Path, b.Path) })
	return nodes, nil
}

// Stat returns one node, or an error that is [fs.ErrNotExist].
func (t *Tree) Stat(name string) (Node, error) {
	name = path.Clean("/" + name)
	if name == "/" {
		return Node{Path: "/", Type: "dir", Mode: fs.ModeDir | 0o755}, nil
	}
	nodes, err := t.ReadDir(path.Dir(name))
	if err != nil {
		return Node{}, err
	}
	for _, n := range nodes {
		if n.Path == name {
			return n, nil
		}
	}
	return Node{}, fs.ErrNotExist
}

// Walk calls do for each node below a directory, in the order of ReadDir within each
// directory.
func (t *Tree) Walk(dir string, do func(Node) error) error {
	dir = path.Clean("/" + dir)
	var dirs []string
	for name := range t.sections {
		if within(name, dir) {
			dirs = append(dirs, name)
		}
	}
	// Order directories by pack, so that each pack is decompressed about once.
	slices.SortFunc(dirs, func(a, b string) int {
		x, y := t.sections[a][0], t.sections[b][0]
		return cmp.Or(cmp.Compare(x.pack, y.pack), cmp.Compare(x.offset, y.offset))
	})
	for _, name := range dirs {
		nodes, err := t.ReadDir(name)
		if err != nil {
			return err
		}
		for _, n := range nodes {
			if err := do(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// read reads one directory from its pack.
func (t *Tree) read(s section) ([]Node, error) {
	if t.at != s.pack {
		content, err := unpack(t.file, s.pack, t.size)
		if err != nil {
			return nil, err
		}
		t.at, t.content = s.pack, content
	}
	if s.offset < 0 || s.size < 0 || s.offset > len(t.content)-s.size {
		return nil, errBroken
	}
	f := fields{rest: t.content[s.offset : s.offset+s.size]}
	var nodes []Node
	for len(f.rest) > 0 {
		nodes = append(nodes, f.node(s.dir))
	}
	return nodes, f.err
}
