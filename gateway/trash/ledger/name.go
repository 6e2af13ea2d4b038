package ledger

import (
	"path"
	"slices"
	"strings"
)

// Dir is the directory of a destination that holds its trash.
const Dir = "rclone-gateway-trash"

// Kinds of what is kept.
const (
	Config    = "config"
	Keys      = "keys"
	Index     = "index"
	Snapshots = "snapshots"
	Data      = "data"
)

// Kinds are all of them, in the order in which they are purged: what points at others
// goes first, so that nothing is left that points at nothing.
var Kinds = []string{Index, Snapshots, Keys, Config, Data}

// Order returns the place of a kind among Kinds.
func Order(kind string) int {
	return slices.Index(Kinds, kind)
}

// Ref is a name in a repository that the trash is for.
type Ref struct {
	Repo, Kind, Name string
}

// Key is a Ref in a repository that is known.
type Key struct{ Kind, Name string }

// Key is the name in the repository.
func (o Ref) Key() Key { return Key{o.Kind, o.Name} }

// ParseRef takes the name of an object apart as it lies on the storage. Locks, and
// what no repository has, are not for the trash.
func ParseRef(path string) (o Ref, ok bool) {
	parts := strings.Split(path, "/")
	if len(parts) < 3 {
		return Ref{}, false
	}
	o = Ref{Repo: parts[0] + "/" + parts[1], Kind: parts[2], Name: parts[len(parts)-1]}
	switch o.Kind {
	case Config:
		return o, len(parts) == 3
	case Keys, Index, Snapshots:
		return o, len(parts) == 4 && IsHash(o.Name)
	case Data:
		return o, len(parts) == 5 && len(parts[3]) == 2 && IsHash(o.Name) && strings.HasPrefix(o.Name, parts[3])
	}
	return Ref{}, false
}

// Path is where the object lies.
func (o Ref) Path() string {
	switch o.Kind {
	case Config:
		return o.Repo + "/config"
	case Data:
		return o.Repo + "/data/" + o.Name[:2] + "/" + o.Name
	}
	return o.Repo + "/" + o.Kind + "/" + o.Name
}

// IsHash reports whether a name is a SHA-256 in lowercase hex digits.
func IsHash(name string) bool {
	if len(name) != 64 {
		return false
	}
	return strings.Trim(name, "0123456789abcdef") == ""
}

// safePath is path for a name that may be too short for one.
func (o Ref) safePath() string {
	if o.Kind == Data && len(o.Name) < 2 {
		return ""
	}
	if o.Kind == Config && o.Name != Config {
		return ""
	}
	return o.Path()
}

// Dir is the directory where the object lies.
func (o Ref) Dir() string { return path.Dir(o.Path()) }
