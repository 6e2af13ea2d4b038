package state

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// maxPatternFile bounds the files of patterns: something larger is not one.
const maxPatternFile = 1 << 20

// readPatternFile returns the lines of a file of restic patterns: without the
// spaces around them, without comments and without blank lines. A file that does
// not exist has none.
func readPatternFile(name string) ([]string, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && info.Size() > maxPatternFile {
		err = fmt.Errorf("%s has %d bytes, too large for a file of patterns", name, info.Size())
	}
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return nil, fmt.Errorf("%s is not a text file", name)
	}
	var lines []string
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		text := string(bytes.TrimSpace(line))
		if text != "" && !strings.HasPrefix(text, "#") {
			lines = append(lines, text)
		}
	}
	return lines, nil
}

// Includes are the patterns of state-include.conf.
type Includes struct {
	File     string
	Patterns []string
	Warnings []string
	Ignored  []string // those of the warnings about lines which stand for nothing
	// Commented are, by the pattern that a whole line is, those of the line without what
	// may be a comment: one of the two is meant.
	Commented map[string]string
}

// ReadIncludes reads state-include.conf below the install directory.
func ReadIncludes(installDir string) (Includes, error) {
	name := filepath.Join(installDir, "etc", "state-include.conf")
	lines, err := readPatternFile(name)
	if err != nil {
		return Includes{}, fmt.Errorf("read the include file: %w", err)
	}
	in := parseIncludes(lines)
	in.File = name
	return in, nil
}

// parseIncludes keeps the patterns that lie in the state directory or in a
// volume, and warns of the others.
func parseIncludes(lines []string) Includes {
	var in Includes
	for _, line := range lines {
		if reason := refuseInclude(line); reason != "" {
			in.Ignored = append(in.Ignored, fmt.Sprintf("state-include.conf: %q %s: ignored", line, reason))
			in.Warnings = append(in.Warnings, in.Ignored[len(in.Ignored)-1])
			continue
		}
		in.Patterns = append(in.Patterns, line)
		// A name may hold " #", so the line counts as it stands too.
		if before, comment := cutComment(line); comment {
			in.Patterns = append(in.Patterns, before)
			if in.Commented == nil {
				in.Commented = map[string]string{}
			}
			in.Commented[line] = before
			in.Warnings = append(in.Warnings, fmt.Sprintf("state-include.conf: %q: a comment needs a line of its own", line))
		}
	}
	return in
}

func refuseInclude(pattern string) string {
	switch {
	case !strings.HasPrefix(pattern, "state/") && !strings.HasPrefix(pattern, "volumes/"):
		return "begins neither with state/ nor with volumes/"
	case slices.Contains(strings.Split(pattern, "/"), ".."):
		return "leaves its directory"
	case BadPattern(pattern):
		return "is not a valid pattern"
	default:
		return ""
	}
}

// BadPattern reports whether restic would refuse pattern.
func BadPattern(pattern string) bool {
	_, err := path.Match(pattern, "")
	return err != nil
}

var commentPattern = regexp.MustCompile(`\s+#`)

func cutComment(line string) (before string, found bool) {
	at := commentPattern.FindStringIndex(line)
	if at == nil {
		return line, false
	}
	return line[:at[0]], true
}

// VolumeNames are the names of the volumes that the patterns spell out, sorted.
// A wildcard instead of the name stands for none.
func (in Includes) VolumeNames() []string {
	var names []string
	for _, pattern := range in.Patterns {
		rest, ok := strings.CutPrefix(pattern, "volumes/")
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(rest, "/")
		if VolumePattern.MatchString(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Excludes are the patterns of state-exclude.conf.
type Excludes struct {
	Patterns []string
	Warnings []string
}

// ReadExcludes reads state-exclude.conf from both places where modules may have
// it: etc below the install directory, and the install directory itself.
func ReadExcludes(installDir string) (Excludes, error) {
	var ex Excludes
	for _, name := range []string{
		filepath.Join(installDir, "etc", "state-exclude.conf"),
		filepath.Join(installDir, "state-exclude.conf"),
	} {
		lines, err := readPatternFile(name)
		if err != nil {
			return Excludes{}, fmt.Errorf("read the exclude file: %w", err)
		}
		for _, line := range lines {
			if BadPattern(strings.TrimPrefix(line, "!")) {
				ex.Warnings = append(ex.Warnings, fmt.Sprintf("state-exclude.conf: %q is not a valid pattern: ignored", line))
				continue
			}
			ex.Patterns = append(ex.Patterns, line)
		}
	}
	return ex, nil
}

// EscapePattern makes a path match itself alone, in a file of patterns in which
// restic also replaces $VARIABLES.
func EscapePattern(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `$`, `[$]`).Replace(name)
}

// MayMean reports whether one of the patterns may be about the volume.
func (in Includes) MayMean(volume string) bool {
	return slices.ContainsFunc(in.Patterns, func(pattern string) bool {
		rest, ok := strings.CutPrefix(pattern, "volumes/")
		name, _, _ := strings.Cut(rest, "/")
		return ok && (name == volume || strings.ContainsAny(name, `*?[\`))
	})
}
