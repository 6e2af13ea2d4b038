package rest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// verifier passes an upload through while it hashes it, and keeps the last byte
// back until the SHA-256 equals the object's name. A Store that publishes
// nothing which it has not read to its end can thus not publish wrong content,
// whatever it writes to, and needs no second look at it.
//
// Wrong content is [storage.ErrCorrupt] and a body that ends early or breaks off is
// [storage.ErrShort], both as errors of Read.
type verifier struct {
	src  io.Reader
	left int64 // bytes that src still owes
	hash hash.Hash
	name string
	err  error // what was wrong; Read keeps returning it
}

// Verify returns src, of that size, so that it ends in an error instead of its last
// byte unless it hashes to an object's name. It is for uploads that somebody else
// stores.
func Verify(src io.Reader, size int64, name string) io.Reader { return newVerifier(src, size, name) }

// newVerifier expects size bytes from src that hash to name.
func newVerifier(src io.Reader, size int64, name string) *verifier {
	v := &verifier{src: src, left: size, hash: sha256.New(), name: name}
	if size == 0 {
		v.err = v.verdict()
	}
	return v
}

// Read implements io.Reader.
func (v *verifier) Read(p []byte) (int, error) {
	switch {
	case v.err != nil:
		return 0, v.err
	case v.left == 0:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	case int64(len(p)) > v.left:
		p = p[:v.left]
	}
	n, err := v.src.Read(p)
	v.hash.Write(p[:n]) // never fails
	v.left -= int64(n)
	switch {
	case v.left == 0:
		if v.err = v.verdict(); v.err != nil {
			n-- // the byte held back
		}
	case err != nil:
		v.err = shortErr(v.left, err)
	}
	return n, v.err
}

// failed says what was wrong with the upload, if anything was.
func (v *verifier) failed() error { return v.err }

// complete reports whether all of the upload was passed on and was right.
func (v *verifier) complete() bool { return v.left == 0 && v.err == nil }

// verdict compares the hash of all that was read with the name.
func (v *verifier) verdict() error {
	var sum [sha256.Size]byte
	var name [2 * sha256.Size]byte
	hex.Encode(name[:], v.hash.Sum(sum[:0]))
	if string(name[:]) != v.name {
		return fmt.Errorf("%w: it hashes to %s", storage.ErrCorrupt, name[:])
	}
	return nil
}

// shortErr says by how much an upload fell short, and why.
func shortErr(left int64, cause error) error {
	if errors.Is(cause, io.EOF) || errors.Is(cause, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %d bytes are missing", storage.ErrShort, left)
	}
	return fmt.Errorf("%w: %d bytes are missing: %w", storage.ErrShort, left, cause)
}
