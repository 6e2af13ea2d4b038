package trash

import (
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Dir is the directory of a destination that holds its trash.
const Dir = "rclone-gateway-trash"

// The directories of one repository's trash.
const (
	dirKept  = "kept"
	dirMarks = "marks"
	dirNotes = "notes"
	dirSeen  = "seen"
)

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

// order returns the place of a kind among Kinds.
func order(kind string) int {
	return slices.Index(Kinds, kind)
}

// object is a name in a repository that the trash is for.
type object struct {
	repo, kind, name string
}

// parseObject takes the name of an object apart as it lies on the storage. Locks, and
// what no repository has, are not for the trash.
func parseObject(path string) (o object, ok bool) {
	parts := strings.Split(path, "/")
	if len(parts) < 3 {
		return object{}, false
	}
	o = object{repo: parts[0] + "/" + parts[1], kind: parts[2], name: parts[len(parts)-1]}
	switch o.kind {
	case Config:
		return o, len(parts) == 3
	case Keys, Index, Snapshots:
		return o, len(parts) == 4 && isHash(o.name)
	case Data:
		return o, len(parts) == 5 && len(parts[3]) == 2 && isHash(o.name) && strings.HasPrefix(o.name, parts[3])
	}
	return object{}, false
}

// path is where the object lies.
func (o object) path() string {
	switch o.kind {
	case Config:
		return o.repo + "/config"
	case Data:
		return o.repo + "/data/" + o.name[:2] + "/" + o.name
	}
	return o.repo + "/" + o.kind + "/" + o.name
}

func isHash(name string) bool {
	if len(name) != 64 {
		return false
	}
	return strings.Trim(name, "0123456789abcdef") == ""
}

// repoOf returns the repository that a directory is or lies in; what is above the
// repositories has none.
func repoOf(dir string) (repo, below string, ok bool) {
	parts := strings.SplitN(dir, "/", 3)
	if len(parts) < 2 {
		return "", "", false
	}
	if len(parts) == 3 {
		below = parts[2]
	}
	return parts[0] + "/" + parts[1], below, true
}

// isOurs reports whether a name is the trash or lies in it.
func isOurs(name string) bool {
	return name == Dir || strings.HasPrefix(name, Dir+"/")
}

func refuse(op, name string) error {
	return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
}

// stampLayout is that of the times in names, which may have a fraction of a second.
const stampLayout = "20060102T150405Z"

// The fractions: together they keep names below the 143 bytes that file systems have
// room for which encrypt them.
const (
	millis = "20060102T150405.000Z"
	micros = "20060102T150405.000000Z"
)

func stamp(t time.Time, layout string) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(layout)
}

func parseStamp(s string) (time.Time, bool) {
	if s == "-" {
		return time.Time{}, true
	}
	t, err := time.Parse(stampLayout, s)
	return t, err == nil
}

// Entry is one object in the trash.
type Entry struct {
	// Repo is "<app type>/<module UUID>", Kind one of Kinds, and Name 64 digits or
	// "config".
	Repo, Kind, Name string
	// Received is when the storage got the object first, as far as that is known,
	// Deleted when it was removed, and Expires when it may be purged.
	Received, Deleted, Expires time.Time
	// Size is in bytes; of a pack under a mark it is -1 where nobody looked.
	Size int64

	marked  bool      // it lies where it was
	at      string    // its name in the trash
	changed time.Time // the entry's own time of modification
}

func (e *Entry) object() object { return object{e.Repo, e.Kind, e.Name} }

// entryName is the name of an entry in its directory.
func entryName(o object, received, deleted, expires time.Time) string {
	expires = expires.Add(time.Second - 1) // rounded up
	return strings.Join([]string{
		o.kind, o.name, "r" + stamp(received, millis), "d" + stamp(deleted, micros), "e" + stamp(expires, stampLayout),
	}, "_")
}

// repoDir is the trash of a repository.
func repoDir(repo string) string { return Dir + "/" + repo }

// parseEntry reads what lies in the directory dir of a repository's trash.
func parseEntry(repo, dir string, info fs.FileInfo) (Entry, bool) {
	parts := strings.Split(info.Name(), "_")
	if len(parts) != 5 {
		return Entry{}, false
	}
	e := Entry{
		Repo: repo, Kind: parts[0], Name: parts[1], Size: info.Size(),
		marked: dir == dirMarks, at: repoDir(repo) + "/" + dir + "/" + info.Name(), changed: info.ModTime(),
	}
	if e.marked {
		e.Size = -1
	}
	for i, part := range []struct {
		letter string
		to     *time.Time
	}{{"r", &e.Received}, {"d", &e.Deleted}, {"e", &e.Expires}} {
		text, ok := strings.CutPrefix(parts[2+i], part.letter)
		if !ok {
			return Entry{}, false
		}
		if *part.to, ok = parseStamp(text); !ok {
			return Entry{}, false
		}
	}
	_, valid := parseObject(e.object().safePath())
	return e, valid && !e.Deleted.IsZero() && !e.Expires.IsZero()
}

// safePath is path for a name that may be too short for one.
func (o object) safePath() string {
	if o.kind == Data && len(o.name) < 2 {
		return ""
	}
	if o.kind == Config && o.name != Config {
		return ""
	}
	return o.path()
}
