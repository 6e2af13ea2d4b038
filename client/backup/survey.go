package backup

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/state"
)

// survey finds what a backup's patterns match, before restic runs.
type survey struct {
	Root     string        `json:"root"` // restic's working directory
	Places   []state.Place `json:"places"`
	Includes []string      `json:"includes"`
	Excludes []string      `json:"excludes"` // as passed to restic
	// Since is when the module's dump began; zero without a dump.
	Since time.Time `json:"since"`
	// Whole counts everything, and finds unused excludes. Otherwise one file per directory
	// is enough.
	Whole bool `json:"whole"`
	// Most ends a Whole survey after that many files and directories; 0 means never.
	Most int `json:"most"`
}

// findings is the result of a survey.
type findings struct {
	Includes []foundPattern `json:"includes"`
	// UsedExcludes reports for each exclude whether it matches anything. It is nil if the
	// survey ended early.
	UsedExcludes []bool `json:"used_excludes"`
}

// foundPattern describes what an include line matches.
type foundPattern struct {
	Pattern string `json:"pattern"`
	Matches int    `json:"matches"` // files and directories that it matches directly
	Files   uint64 `json:"files"`   // everything to be saved except directories
	Bytes   uint64 `json:"bytes"`
	// Excluded counts the files that excludes leave out.
	Excluded uint64 `json:"excluded"`
	// Links are matches that are symbolic links: the link is saved, not its target.
	Links []string `json:"links"`
	// Empty are files that a dump should have filled and did not.
	Empty []string `json:"empty"`
	// Unread counts the directories that cannot be read.
	Unread int `json:"unread"`
}

// surveyor performs a survey.
type surveyor struct {
	survey
	excludes []restic.Exclude
	used     []bool
	seen     int
}

// run scans the files.
func (s survey) run() findings {
	w := surveyor{survey: s, used: make([]bool, len(s.Excludes))}
	for _, line := range s.Excludes {
		w.excludes = append(w.excludes, restic.ParseExclude(line))
	}
	var found findings
	for _, pattern := range s.Includes {
		found.Includes = append(found.Includes, w.look(pattern))
	}
	if s.Whole && !w.tired() {
		found.UsedExcludes = w.used
	}
	return found
}

// tired reports whether the survey has seen enough.
func (w *surveyor) tired() bool { return w.Most > 0 && w.seen >= w.Most }

// look finds what one pattern matches.
func (w *surveyor) look(pattern string) foundPattern {
	found := foundPattern{Pattern: pattern}
	for _, name := range w.glob(pattern) {
		file, known := w.file(name)
		info, err := os.Lstat(file)
		if !known || err != nil {
			continue
		}
		found.Matches++
		if info.Mode().Type() == fs.ModeSymlink && !w.excluded(name) {
			found.Links = append(found.Links, name)
		}
		w.walk(&found, name, file, name == path.Clean(pattern))
	}
	return found
}

// walk adds a file, or the files of a directory. literal is false if a wildcard matched the
// path.
func (w *surveyor) walk(found *foundPattern, top, file string, literal bool) {
	_ = filepath.WalkDir(file, func(sub string, entry fs.DirEntry, err error) error {
		name := path.Join(top, filepath.ToSlash(strings.TrimPrefix(sub, file)))
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				found.Unread++
			}
			return nil
		}
		w.seen++
		if w.excluded(name) {
			found.Excluded++
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.IsDir() {
			w.count(found, name, entry, literal && sub == file)
		}
		if found.Files > 0 && (w.tired() || !w.Whole && !strings.HasPrefix(name, "state/")) {
			return fs.SkipAll
		}
		return nil
	})
}

func (w *surveyor) count(found *foundPattern, name string, entry fs.DirEntry, literal bool) {
	info, err := entry.Info()
	if err != nil {
		return // deleted meanwhile
	}
	found.Files++
	if !info.Mode().IsRegular() {
		return
	}
	found.Bytes += uint64(info.Size())
	if info.Size() == 0 && (literal || w.dumped(name, info)) {
		found.Empty = append(found.Empty, name)
	}
}

// dumped reports whether the file is where the module writes dumps and was written since
// the dump began. Volumes do not count: applications create empty files there all the time.
func (w *surveyor) dumped(name string, info fs.FileInfo) bool {
	return !w.Since.IsZero() && strings.HasPrefix(name, "state/") && state.ChangedSince(info, w.Since)
}

func (w *surveyor) excluded(name string) bool {
	absolute := path.Join(w.Root, name)
	if w.Whole {
		for i, e := range w.excludes {
			w.used[i] = w.used[i] || e.Matches(absolute)
		}
	}
	return restic.Excluded(w.excludes, absolute)
}

// glob returns the sorted names that a pattern matches, by restic's rules.
func (w *surveyor) glob(pattern string) []string {
	names := []string{""}
	for part := range strings.SplitSeq(path.Clean(pattern), "/") {
		var next []string
		for _, dir := range names {
			if !strings.ContainsAny(part, `*?[\`) {
				next = append(next, path.Join(dir, part))
				continue
			}
			for _, name := range w.names(dir) {
				if matched, err := path.Match(part, name); err == nil && matched {
					next = append(next, path.Join(dir, name))
				}
			}
		}
		names = next
	}
	return names
}

// names returns the sorted names in a directory.
func (w *surveyor) names(dir string) []string {
	var names []string
	if file, known := w.file(dir); known {
		entries, _ := os.ReadDir(file) // no entries, no matches
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
	}
	for _, p := range w.Places {
		if path.Dir(p.Path) == path.Clean(dir) {
			names = append(names, path.Base(p.Path))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// file returns the path of a name in the backup.
func (w *surveyor) file(name string) (file string, known bool) {
	longest := -1
	for _, p := range w.Places {
		rest, below := strings.CutPrefix(name+"/", p.Path+"/")
		if below && len(p.Path) > longest {
			longest, file = len(p.Path), filepath.Join(p.Dir, filepath.FromSlash(rest))
		}
	}
	return file, longest >= 0
}
