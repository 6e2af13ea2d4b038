package sizes

import (
	"encoding/hex"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// kind is a type of object.
type kind string

const (
	kindData      kind = "data"
	kindKeys      kind = "keys"
	kindSnapshots kind = "snapshots"
	kindIndex     kind = "index"
	kindReceipts  kind = "receipts" // receipts of snapshots, see storage.NodeReceipt
)

type digest [32]byte

// place is the location of an object.
type place struct {
	repo   string
	kind   kind
	digest digest
}

// parse splits the name of an object that may be remembered.
func parse(name string) (where place, ok bool) {
	slash := strings.LastIndexByte(name, '/')
	if slash < 0 {
		return where, false
	}
	dir, last := name[:slash], name[slash+1:]
	if of, receipt := strings.CutSuffix(name, "."+storage.SavedByNode); receipt && strings.HasSuffix(dir, "/"+string(kindReceipts)) {
		where.repo, where.kind = strings.TrimSuffix(dir, "/"+string(kindReceipts)), kindReceipts
		where.digest, ok = parseDigest(of[slash+1:])
		return where, ok && storage.NodeReceipt(where.repo, of[slash+1:]) == name
	}
	if where.digest, ok = parseDigest(last); !ok {
		return where, false
	}
	if above, sharded := strings.CutSuffix(dir, "/"+last[:2]); sharded && strings.HasSuffix(above, "/"+string(kindData)) {
		dir = above
	} else if strings.HasSuffix(dir, "/"+string(kindData)) {
		return where, false // restic's data is one directory deeper
	}
	where.repo, where.kind, ok = parseDir(dir)
	return where, ok
}

// parseDir splits the name of a directory of such objects.
func parseDir(dir string) (repo string, of kind, ok bool) {
	slash := strings.LastIndexByte(dir, '/')
	if slash < 0 || strings.Count(dir, "/") != 2 {
		return "", "", false
	}
	switch of = kind(dir[slash+1:]); of {
	case kindData, kindKeys, kindSnapshots, kindIndex:
		return dir[:slash], of, true
	}
	return "", "", false
}

func parseDigest(name string) (d digest, ok bool) {
	if len(name) != hex.EncodedLen(len(d)) || strings.ContainsAny(name, "ABCDEF") {
		return d, false
	}
	_, err := hex.Decode(d[:], []byte(name))
	return d, err == nil
}
