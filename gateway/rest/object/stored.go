package object

import (
	"slices"
	"strings"
)

// StoredName returns where an object lies on the storage, or a type of objects where
// the name is empty; it is [ParseStored]'s reverse. Packs are spread over 256 directories
// by their first two digits, as rest-server and "rclone serve restic" do, so that each can
// serve what another wrote.
func StoredName(repo string, typ Type, name string) string {
	switch {
	case typ == Root:
		return repo
	case typ == Config || name == "":
		return repo + "/" + typ.String()
	case typ == Data:
		return repo + "/data/" + name[:2] + "/" + name
	default:
		return repo + "/" + typ.String() + "/" + name
	}
}

// ParseStored takes apart the name that an object has on the storage, where packs
// lie in the directory that their first two digits name. A shard that does not fit
// its pack makes no object.
func ParseStored(path string) (repo string, typ Type, name string, ok bool) {
	dir, name := cutLast(path)
	parent, shard := cutLast(dir)
	if _, grandparent := cutLast(parent); grandparent != Data.String() || len(shard) != 2 {
		repo, typ, name, ok = Parse(path)
		if typ == Root || typ == Data || typ != Config && name == "" {
			return "", Root, "", false
		}
		return repo, typ, name, ok
	}
	if !strings.HasPrefix(name, shard) {
		return "", Root, "", false
	}
	repo, typ, name, ok = Parse(parent + "/" + name)
	if typ != Data || name == "" {
		return "", Root, "", false
	}
	return repo, typ, name, ok
}

// cutLast cuts the last element off a path.
func cutLast(path string) (dir, base string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

// A Part is what a name on the storage is to repositories.
type Part uint8

// The parts. Which one a name is shows in its first three elements, and in the
// fourth for the shards of packs.
const (
	// Outside is what belongs to no repository, though it may hold some.
	Outside Part = iota
	// Directory holds the objects of one type, or those of one shard.
	Directory
	// Inside is an object, or a name that no repository has room for.
	Inside
)

// PartOf returns what a name on the storage is to repositories.
func PartOf(path string) Part {
	elements := strings.SplitN(path, "/", 5)
	if len(elements) < 3 {
		return Outside
	}
	typ := elements[2]
	switch {
	case !slices.Contains(typeNames[Config:], typ):
		return Outside
	case typ != Config.String() && len(elements) == 3,
		typ == Data.String() && len(elements) == 4 && isShard(elements[3]):
		return Directory
	}
	return Inside
}

// isShard reports whether a directory of packs has that name.
func isShard(name string) bool {
	return len(name) == 2 && isHex(name[0]) && isHex(name[1])
}
