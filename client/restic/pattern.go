package restic

import (
	"path"
	"strings"
)

// Exclude is a line of an exclude file: a pattern by which restic leaves out files, or,
// with ! before it, does not.
type Exclude struct {
	negated  bool
	anchored bool
	parts    []string
}

// ParseExclude reads a line. A pattern that begins with a slash matches from the root
// on, any other one from each directory on; what it matches is matched with all below.
// The parts between slashes are as for [path.Match], and ** stands for any number of
// directories.
func ParseExclude(line string) Exclude {
	pattern, negated := strings.CutPrefix(line, "!")
	pattern = path.Clean(pattern)
	rest, anchored := strings.CutPrefix(pattern, "/")
	return Exclude{negated: negated, anchored: anchored, parts: strings.Split(rest, "/")}
}

// Matches reports whether the pattern, whatever stands before it, matches a file or a
// directory above it. Name is absolute.
func (e Exclude) Matches(name string) bool {
	names := strings.Split(strings.Trim(name, "/"), "/")
	if e.anchored {
		return matchParts(e.parts, names)
	}
	for i := range names {
		if matchParts(e.parts, names[i:]) {
			return true
		}
	}
	return false
}

// matchParts reports whether the pattern matches the names or the first of them.
func matchParts(parts, names []string) bool {
	for i, part := range parts {
		if part == "**" {
			for skipped := i; skipped <= len(names); skipped++ {
				if matchParts(parts[i+1:], names[skipped:]) {
					return true
				}
			}
			return false
		}
		if i >= len(names) {
			return false
		}
		if matched, err := path.Match(part, names[i]); err != nil || !matched {
			return false
		}
	}
	return true
}

// Excluded reports whether restic leaves a file out: the last pattern that matches
// decides. Name is absolute.
func Excluded(excludes []Exclude, name string) bool {
	excluded := false
	for _, e := range excludes {
		if excluded == e.negated && e.Matches(name) {
			excluded = !e.negated
		}
	}
	return excluded
}
