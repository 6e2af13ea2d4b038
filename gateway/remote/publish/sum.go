package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"

	"github.com/rclone/rclone/fs"
)

// sumOf is the hash that an object's name says its content has.
func sumOf(name string) (sum [sha256.Size]byte, known bool) {
	base := path.Base(name)
	if len(base) != hex.EncodedLen(len(sum)) {
		return sum, false
	}
	_, err := hex.Decode(sum[:], []byte(base))
	return sum, err == nil
}

// KeepsReceipt reports whether the time of an object of that name matters, and its
// content can be judged by the name.
func KeepsReceipt(name string) bool {
	_, known := sumOf(name)
	return known && path.Base(path.Dir(name)) != "locks"
}

// isSame reports whether old, unless it is nil, has that size and the content that its
// name says. Only of names that are hashes it is sure.
func isSame(ctx context.Context, old fs.Object, size int64, name string) (bool, error) {
	want, known := sumOf(name)
	if !known || old == nil || old.Size() != size {
		return false, nil
	}
	body, err := old.Open(ctx)
	if err != nil {
		return false, fmt.Errorf("read what is there already: %w", err)
	}
	defer body.Close()
	digest := sha256.New()
	if _, err = io.Copy(digest, body); err != nil {
		return false, fmt.Errorf("read what is there already: %w", err)
	}
	return [sha256.Size]byte(digest.Sum(nil)) == want, nil
}
