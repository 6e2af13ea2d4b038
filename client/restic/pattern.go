package restic

import (
	"path"
	"strings"
)

// Exclude is a line of an exclude file: a pattern of files that restic leaves out or, after
// "!", does not leave out.
type Exclude struct {
	negated  bool
	anchored bool
	parts    []string
}

// ParseExclude parses a line. A pattern that begins with a slash is matched from the root,
// any other from every directory. A match includes everything below it. The parts between
// slashes are patterns of [path.Match]; ** matches any number of directories.
func ParseExclude(line string) Exclude {
	pattern, negated := strings.CutPrefix(line, "!")
	pattern = path.Clean(pattern)
	rest, anchored := strings.CutPrefix(pattern, "/")
	return Exclude{negated: negated, anchored: anchored, parts: strings.Split(rest, "/")}
}

// Matches reports whether the pattern, regardless of "!", matches a file or a directory
// above it. name is absolute.
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

// matchParts reports whether the pattern matches the names or a prefix of them.
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

// Excluded reports whether restic leaves out a file: the last matching pattern decides.
// name is absolute.
func Excluded(excludes []Exclude, name string) bool {
	excluded := false
	for _, e := range excludes {
		if excluded == e.negated && e.Matches(name) {
			excluded = !e.negated
		}
	}
	return excluded
}
