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

// maxPatternFile bounds the size of a file of patterns.
const maxPatternFile = 1 << 20

// readPatternFile returns the lines of a file of restic patterns, without surrounding
// spaces, comments and blank lines. A missing file has no lines.
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
	Ignored  []string // the warnings about lines without effect
	// Commented maps the pattern of a complete line to the pattern of the part before a
	// possible comment: one of the two is meant.
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

// parseIncludes keeps the patterns in the state directory or in a volume, and warns about
// the others.
func parseIncludes(lines []string) Includes {
	var in Includes
	for _, line := range lines {
		if reason := refuseInclude(line); reason != "" {
			in.Ignored = append(in.Ignored, fmt.Sprintf("state-include.conf: %q %s: ignored", line, reason))
			in.Warnings = append(in.Warnings, in.Ignored[len(in.Ignored)-1])
			continue
		}
		in.Patterns = append(in.Patterns, line)
		// A name may contain " #", so the complete line counts too.
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

// VolumeNames returns the sorted names of the volumes that the patterns spell out. It skips
// names with wildcards.
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

// ReadExcludes reads state-exclude.conf from both possible places: etc below the install
// directory, and the install directory itself.
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

// EscapePattern returns a pattern that matches only a path. It is for pattern files in
// which restic also expands $VARIABLES.
func EscapePattern(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `$`, `[$]`).Replace(name)
}

// MayMean reports whether any of the patterns may concern the volume.
func (in Includes) MayMean(volume string) bool {
	return slices.ContainsFunc(in.Patterns, func(pattern string) bool {
		rest, ok := strings.CutPrefix(pattern, "volumes/")
		name, _, _ := strings.Cut(rest, "/")
		return ok && (name == volume || strings.ContainsAny(name, `*?[\`))
	})
}
