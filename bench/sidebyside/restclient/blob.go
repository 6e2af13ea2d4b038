package restclient

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"io"
	"math/rand/v2"
	"slices"
	"sync/atomic"
)

// Blobs makes blobs of one size that differ in their last eight bytes only, so
// that naming one costs next to nothing while the servers must hash it all.
type Blobs struct {
	common []byte
	hashed hash.Cloner // of common
	next   atomic.Uint64
}

const tailSize = 8

// NewBlobs makes blobs of that size.
func NewBlobs(size int) *Blobs {
	b := &Blobs{common: make([]byte, size-tailSize)}
	// What the bytes are is of no matter; that no server could compress them is.
	_, _ = rand.NewChaCha8([32]byte{}).Read(b.common) // it never fails
	h := sha256.New()
	h.Write(b.common)
	b.hashed = h.(hash.Cloner)
	b.next.Store(rand.Uint64())
	return b
}

// A Blob is one object: its content is common, then tail.
type Blob struct {
	Name   string // the SHA-256 of its content
	common []byte
	tail   [tailSize]byte
}

// New makes one that there was never before.
func (b *Blobs) New() (*Blob, error) {
	made := &Blob{common: b.common}
	binary.LittleEndian.PutUint64(made.tail[:], b.next.Add(1))
	h, err := b.hashed.Clone()
	if err != nil {
		return nil, err
	}
	h.Write(made.tail[:])
	made.Name = hex.EncodeToString(h.Sum(nil))
	return made, nil
}

// Size is how many bytes it has.
func (b *Blob) Size() int64 { return int64(len(b.common) + tailSize) }

func (b *Blob) reader() io.Reader {
	return io.MultiReader(bytes.NewReader(b.common), bytes.NewReader(b.tail[:]))
}

// Content is all of it.
func (b *Blob) Content() []byte { return slices.Concat(b.common, b.tail[:]) }
