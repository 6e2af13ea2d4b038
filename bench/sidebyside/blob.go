package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"io"
	"math/rand/v2"
	"sync/atomic"
)

const (
	kiB = 1 << 10
	miB = 1 << 20
	giB = 1 << 30
)

// blobs makes blobs of one size that differ in their last eight bytes only, so
// that naming one costs next to nothing while the servers must hash it all.
type blobs struct {
	common []byte
	hashed hash.Cloner // of common
	next   atomic.Uint64
}

const tailSize = 8

func newBlobs(size int) *blobs {
	b := &blobs{common: make([]byte, size-tailSize)}
	// What the bytes are is of no matter; that no server could compress them is.
	_, _ = rand.NewChaCha8([32]byte{}).Read(b.common) // it never fails
	h := sha256.New()
	h.Write(b.common)
	b.hashed = h.(hash.Cloner)
	b.next.Store(rand.Uint64())
	return b
}

// A blob is one object: its content is common, then tail.
type blob struct {
	name   string // the SHA-256 of its content
	common []byte
	tail   [tailSize]byte
}

func (b *blobs) new() (*blob, error) {
	made := &blob{common: b.common}
	binary.LittleEndian.PutUint64(made.tail[:], b.next.Add(1))
	h, err := b.hashed.Clone()
	if err != nil {
		return nil, err
	}
	h.Write(made.tail[:])
	made.name = hex.EncodeToString(h.Sum(nil))
	return made, nil
}

func (b *blob) size() int64 { return int64(len(b.common) + tailSize) }

func (b *blob) reader() io.Reader {
	return io.MultiReader(bytes.NewReader(b.common), bytes.NewReader(b.tail[:]))
}
