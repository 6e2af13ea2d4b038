package snapshot

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"
)

// A tree file consists of packs, an index and a footer. A pack is a gzip stream with the
// contents of some directories. The index, another gzip stream, says for each directory
// which pack its content is in, and where. The footer says where the index is. So reading a
// directory decompresses little more than the directory itself.

// packSize is the size of a pack before compression.
const packSize = 128 << 10

// footerMagic ends a complete file. A new format needs another magic.
const footerMagic = "gctltre1"

// footerSize is the size of the index's offset and the magic.
const footerSize = 8 + len(footerMagic)

// section is the location of a directory's content.
type section struct {
	dir    string
	pack   int64 // offset of the pack in the file
	offset int   // in the decompressed pack
	size   int   // decompressed
}

// treeWriter writes the tree of a snapshot. Nodes must come in the order of restic ls: each
// directory before its entries.
type treeWriter struct {
	out     io.Writer
	written int64
	open    []*openDir
	pack    bytes.Buffer
	waiting []section // sections in the unwritten pack
	index   []section
	nodes   uint64
	bytes   uint64
}

// openDir is an incomplete directory.
type openDir struct {
	path    string
	content []byte
}

// add adds a node.
func (w *treeWriter) add(n Node) error {
	dir := path.Dir(n.Path)
	for len(w.open) > 0 && !within(dir, w.open[len(w.open)-1].path) {
		if err := w.closeDir(); err != nil {
			return err
		}
	}
	if len(w.open) == 0 || w.open[len(w.open)-1].path != dir {
		w.open = append(w.open, &openDir{path: dir})
	}
	top := w.open[len(w.open)-1]
	top.content = appendNode(top.content, n)
	w.nodes++
	w.bytes += n.Size
	return nil
}

// within reports whether a directory is equal to or below another one.
func within(dir, other string) bool {
	return dir == other || other == "/" || len(dir) > len(other) && dir[len(other)] == '/' && dir[:len(other)] == other
}

// closeDir writes the innermost open directory to the pack.
func (w *treeWriter) closeDir() error {
	top := w.open[len(w.open)-1]
	w.open = w.open[:len(w.open)-1]
	w.waiting = append(w.waiting, section{dir: top.path, offset: w.pack.Len(), size: len(top.content)})
	w.pack.Write(top.content)
	if w.pack.Len() < packSize {
		return nil
	}
	return w.flush()
}

// flush writes the pack.
func (w *treeWriter) flush() error {
	for i := range w.waiting {
		w.waiting[i].pack = w.written
	}
	w.index = append(w.index, w.waiting...)
	w.waiting = w.waiting[:0]
	err := w.compress(w.pack.Bytes())
	w.pack.Reset()
	return err
}

func (w *treeWriter) compress(content []byte) error {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write(content)
	if err := errors.Join(err, z.Close()); err != nil {
		return err
	}
	n, err := w.out.Write(packed.Bytes())
	w.written += int64(n)
	return err
}

// finish writes the rest. Without it the file is incomplete.
func (w *treeWriter) finish() error {
	for len(w.open) > 0 {
		if err := w.closeDir(); err != nil {
			return err
		}
	}
	if err := w.flush(); err != nil {
		return err
	}
	at := w.written
	index := binary.AppendUvarint(nil, w.nodes)
	index = binary.AppendUvarint(index, w.bytes)
	for _, s := range w.index {
		index = appendString(index, s.dir)
		index = binary.AppendUvarint(index, uint64(s.pack))
		index = binary.AppendUvarint(index, uint64(s.offset))
		index = binary.AppendUvarint(index, uint64(s.size))
	}
	if err := w.compress(index); err != nil {
		return err
	}
	footer := binary.BigEndian.AppendUint64(nil, uint64(at))
	_, err := w.out.Write(append(footer, footerMagic...))
	return err
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendNode appends a node without its directory.
func appendNode(b []byte, n Node) []byte {
	b = appendString(b, n.Name())
	b = appendString(b, n.Type)
	b = binary.AppendUvarint(b, n.Size)
	b = binary.AppendUvarint(b, uint64(n.Mode))
	b = binary.AppendUvarint(b, uint64(n.UID))
	b = binary.AppendUvarint(b, uint64(n.GID))
	b = binary.AppendVarint(b, n.MTime.Unix())
	return binary.AppendUvarint(b, uint64(n.MTime.Nanosecond()))
}

// errBroken says that a file is damaged.
var errBroken = errors.New("the cached tree is damaged")

// fields decodes what the functions above encode. Its first error stays.
type fields struct {
	rest []byte
	err  error
}

func (f *fields) number() uint64 {
	v, n := binary.Uvarint(f.rest)
	if n <= 0 {
		f.err, f.rest = errBroken, nil
		return 0
	}
	f.rest = f.rest[n:]
	return v
}

func (f *fields) signed() int64 {
	v, n := binary.Varint(f.rest)
	if n <= 0 {
		f.err, f.rest = errBroken, nil
		return 0
	}
	f.rest = f.rest[n:]
	return v
}

func (f *fields) text() string {
	n := f.number()
	if n > uint64(len(f.rest)) {
		f.err, f.rest = errBroken, nil
		return ""
	}
	s := string(f.rest[:n])
	f.rest = f.rest[n:]
	return s
}

// node reads a node of a directory.
func (f *fields) node(dir string) Node {
	n := Node{Path: path.Join(dir, f.text()), Type: f.text(), Size: f.number()}
	n.Mode = fs.FileMode(f.number()) //nolint:gosec // it was written as one
	n.UID, n.GID = uint32(f.number()), uint32(f.number())
	seconds := f.signed()
	n.MTime = time.Unix(seconds, int64(f.number()))
	return n
}

// readIndex reads the index of a file.
func readIndex(r io.ReaderAt, size int64) (*fields, error) {
	if size < int64(footerSize) {
		return nil, errBroken
	}
	footer := make([]byte, footerSize)
	if _, err := r.ReadAt(footer, size-int64(footerSize)); err != nil {
		return nil, err
	}
	at := binary.BigEndian.Uint64(footer)
	if string(footer[8:]) != footerMagic || at > uint64(size) {
		return nil, errBroken
	}
	index, err := unpack(r, int64(at), size)
	return &fields{rest: index}, err
}

// unpack reads a pack.
func unpack(r io.ReaderAt, at, size int64) ([]byte, error) {
	z, err := gzip.NewReader(io.NewSectionReader(r, at, size-at))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBroken, err)
	}
	z.Multistream(false)
	content, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBroken, err)
	}
	return content, nil
}
