package object

import (
	"crypto/sha256"
	"io/fs"
	"strings"
)

// nameLen is the length of an object's name: a SHA-256 in hexadecimal digits.
const nameLen = 2 * sha256.Size

// Type is a kind of object in a restic repository.
type Type uint8

// The types of the restic REST protocol. Root is the repository itself, which
// can only be created.
const (
	Root Type = iota
	Config
	Data
	Keys
	Locks
	Snapshots
	Index
)

var typeNames = [...]string{
	Root:      "root",
	Config:    "config",
	Data:      "data",
	Keys:      "keys",
	Locks:     "locks",
	Snapshots: "snapshots",
	Index:     "index",
}

// String returns the type as it stands in a URL; for [Root], which has no such
// name, "root".
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "unknown"
}

// Parse takes apart a slash-separated path inside a destination, by the
// grammar of restic's REST backend and nothing beside it:
//
//	app/uuid/             the repository itself, [Root]
//	app/uuid/config       [Config]
//	app/uuid/data/        the list of a type; so keys, locks, snapshots, index
//	app/uuid/data/<hex>   one object, named by 64 lowercase hex digits
//
// The repository is the first two segments; what they may be called is for the
// caller to judge, except for what [fs.ValidPath] refuses. The path is the decoded one,
// without a leading slash.
func Parse(path string) (repo string, typ Type, name string, ok bool) {
	app, rest, ok := strings.Cut(path, "/")
	if !ok {
		return "", Root, "", false
	}
	uuid, rest, ok := strings.Cut(rest, "/")
	if !ok {
		return "", Root, "", false
	}
	repo = path[:len(app)+1+len(uuid)]
	if !fs.ValidPath(repo) {
		return "", Root, "", false
	}
	if rest == "" {
		return repo, Root, "", true
	}
	if rest == Config.String() {
		return repo, Config, "", true
	}
	dir, name, ok := strings.Cut(rest, "/")
	if !ok || name != "" && !ValidName(name) {
		return "", Root, "", false
	}
	for typ := Data; typ <= Index; typ++ {
		if dir == typ.String() {
			return repo, typ, name, true
		}
	}
	return "", Root, "", false
}

// ValidName reports whether name is a SHA-256 in lowercase hex digits.
func ValidName(name string) bool {
	if len(name) != nameLen {
		return false
	}
	digits := true
	for i := range len(name) {
		digits = digits && hexDigits[name[i]]
	}
	return digits
}

// hexDigits has the lowercase hexadecimal digits. To ask it takes no decision that a
// processor would guess wrong for every other digit of a hash: lists ask for each.
var hexDigits = func() (digits [256]bool) {
	for _, c := range "0123456789abcdef" {
		digits[c] = true
	}
	return digits
}()

// isHex reports whether c is a lowercase hexadecimal digit.
func isHex(c byte) bool { return hexDigits[c] }
