package client

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
		err = fmt.Errorf("%s has %d bytes, which no file of patterns has", name, info.Size())
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

// includes are the patterns of state-include.conf.
type includes struct {
	file     string
	patterns []string
	warnings []string
	ignored  []string // those of the warnings about lines which stand for nothing
	// commented are, by the pattern that a whole line is, those of the line without what
	// may be a comment: one of the two is meant.
	commented map[string]string
}

// readIncludes reads state-include.conf below the install directory.
func readIncludes(installDir string) (includes, error) {
	name := filepath.Join(installDir, "etc", "state-include.conf")
	lines, err := readPatternFile(name)
	if err != nil {
		return includes{}, fmt.Errorf("read the include file: %w", err)
	}
	in := parseIncludes(lines)
	in.file = name
	return in, nil
}

// parseIncludes keeps the patterns that lie in the state directory or in a
// volume, and warns of the others.
func parseIncludes(lines []string) includes {
	var in includes
	for _, line := range lines {
		if reason := refuseInclude(line); reason != "" {
			in.ignored = append(in.ignored, fmt.Sprintf("state-include.conf: %q %s: ignored", line, reason))
			in.warnings = append(in.warnings, in.ignored[len(in.ignored)-1])
			continue
		}
		in.patterns = append(in.patterns, line)
		// A name may hold " #", so the line counts as it stands too.
		if before, comment := cutComment(line); comment {
			in.patterns = append(in.patterns, before)
			if in.commented == nil {
				in.commented = map[string]string{}
			}
			in.commented[line] = before
			in.warnings = append(in.warnings, fmt.Sprintf("state-include.conf: %q: a comment needs a line of its own", line))
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
	case badPattern(pattern):
		return "is not a valid pattern"
	default:
		return ""
	}
}

// badPattern reports whether restic would refuse pattern.
func badPattern(pattern string) bool {
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

// volumeNames are the names of the volumes that the patterns spell out, sorted.
// A wildcard instead of the name stands for none.
func (in includes) volumeNames() []string {
	var names []string
	for _, pattern := range in.patterns {
		rest, ok := strings.CutPrefix(pattern, "volumes/")
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(rest, "/")
		if volumePattern.MatchString(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// excludes are the patterns of state-exclude.conf.
type excludes struct {
	patterns []string
	warnings []string
}

// readExcludes reads state-exclude.conf from both places where modules may have
// it: etc below the install directory, and the install directory itself.
func readExcludes(installDir string) (excludes, error) {
	var ex excludes
	for _, name := range []string{
		filepath.Join(installDir, "etc", "state-exclude.conf"),
		filepath.Join(installDir, "state-exclude.conf"),
	} {
		lines, err := readPatternFile(name)
		if err != nil {
			return excludes{}, fmt.Errorf("read the exclude file: %w", err)
		}
		for _, line := range lines {
			if badPattern(strings.TrimPrefix(line, "!")) {
				ex.warnings = append(ex.warnings, fmt.Sprintf("state-exclude.conf: %q is not a valid pattern: ignored", line))
				continue
			}
			ex.patterns = append(ex.patterns, line)
		}
	}
	return ex, nil
}

// escapePattern makes a path match itself alone, in a file of patterns in which
// restic also replaces $VARIABLES.
func escapePattern(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `$`, `[$]`).Replace(name)
}

// mayMean reports whether one of the patterns may be about the volume.
func (in includes) mayMean(volume string) bool {
	return slices.ContainsFunc(in.patterns, func(pattern string) bool {
		rest, ok := strings.CutPrefix(pattern, "volumes/")
		name, _, _ := strings.Cut(rest, "/")
		return ok && (name == volume || strings.ContainsAny(name, `*?[\`))
	})
}
