package form

import (
	"fmt"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

const (
	// sealing is the overhead of restic's encryption: a nonce and a MAC of 16 bytes each.
	sealing = 16 + 16
	// minSealed is the size of the smallest encrypted JSON object.
	minSealed = sealing + len("{}")
	// MaxKey bounds a key, the only unencrypted file. Restic's have some 450 bytes.
	MaxKey = 16 << 10
)

// bounds are the accepted sizes by type, with wide margins. Packs have no bounds: no size
// of theirs does harm.
var bounds = map[string]struct{ least, most int64 }{
	"config":    {int64(minSealed), 1 << 20},   // some 150 bytes
	"keys":      {1, MaxKey},                   // some 450 bytes
	"locks":     {int64(minSealed), 64 << 10},  // some 200 bytes
	"snapshots": {int64(minSealed), 64 << 20},  // some 300 bytes, plus the paths that were given
	"index":     {int64(minSealed), 256 << 20}, // 50,000 blobs in up to 8 MiB
}

// Size returns an error that wraps [refusal.ErrForm] if no file of that type, named as in a
// repository, can have so many bytes.
func Size(typ string, size int64) error {
	b, bounded := bounds[typ]
	switch {
	case !bounded:
		return nil
	case size < b.least:
		return fmt.Errorf("%w: %s of %d bytes, encrypted it has at least %d", refusal.ErrForm, typ, size, b.least)
	case size > b.most:
		return fmt.Errorf("%w: %s of %d bytes, at most %d are taken", refusal.ErrForm, typ, size, b.most)
	}
	return nil
}
