package ledger

import (
	"io/fs"
	"strings"
	"time"
)

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

// ParseStamp reads a time of a name; "-" is the zero time.
func ParseStamp(s string) (time.Time, bool) {
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

	Marked  bool      // it lies where it was, under a mark
	At      string    // its name in the trash
	Changed time.Time // the entry's own time of modification
}

// Ref is the object that it was.
func (e *Entry) Ref() Ref { return Ref{e.Repo, e.Kind, e.Name} }

// entryName is the name of an entry in its directory.
func entryName(o Ref, received, deleted, expires time.Time) string {
	expires = expires.Add(time.Second - 1) // rounded up
	return strings.Join([]string{
		o.Kind, o.Name, "r" + stamp(received, millis), "d" + stamp(deleted, micros), "e" + stamp(expires, stampLayout),
	}, "_")
}

// KeptName is where an object lies in the trash.
func KeptName(o Ref, received, deleted, expires time.Time) string {
	return repoDir(o.Repo) + "/" + dirKept + "/" + entryName(o, received, deleted, expires)
}

// parseEntry reads what lies in the directory dir of a repository's trash.
func parseEntry(repo, dir string, info fs.FileInfo) (Entry, bool) {
	parts := strings.Split(info.Name(), "_")
	if len(parts) != 5 {
		return Entry{}, false
	}
	e := Entry{
		Repo: repo, Kind: parts[0], Name: parts[1], Size: info.Size(),
		Marked: dir == dirMarks, At: repoDir(repo) + "/" + dir + "/" + info.Name(), Changed: info.ModTime(),
	}
	if e.Marked {
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
		if *part.to, ok = ParseStamp(text); !ok {
			return Entry{}, false
		}
	}
	_, valid := ParseRef(e.Ref().safePath())
	return e, valid && !e.Deleted.IsZero() && !e.Expires.IsZero()
}
