package backup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/state"
)

// shortfalls returns one text for each requested item that will not be saved.
func (s backupSurvey) shortfalls(found findings) []string {
	files := map[string]uint64{}
	for _, p := range found.Includes {
		files[p.Pattern] += p.Files
	}
	// If a line contains a comment sign, either the whole line or the part before it is
	// meant.
	unmeant := map[string]bool{}
	for line, before := range s.asked.Commented {
		if files[line] > 0 && files[before] == 0 {
			unmeant[before] = true
		} else {
			unmeant[line] = true
		}
	}
	var texts []string
	for _, p := range found.Includes {
		if !unmeant[p.Pattern] {
			texts = append(texts, p.shortfalls()...)
		}
	}
	return texts
}

func (p foundPattern) shortfalls() []string {
	var texts []string
	switch {
	case p.Matches == 0:
		texts = append(texts, fmt.Sprintf("%q matches nothing", p.Pattern))
	case p.Files == 0 && p.Unread > 0:
		// Restic reports each of these itself.
	case p.Files == 0 && p.Excluded > 0:
		texts = append(texts, fmt.Sprintf("%q: state-exclude.conf leaves out all of it", p.Pattern))
	case p.Files == 0:
		texts = append(texts, fmt.Sprintf("%q holds no files: is it mounted? Where it may be empty, put a file such as .keep there", p.Pattern))
	}
	for _, name := range p.Links {
		texts = append(texts, name+" is a symbolic link: the link is saved, not what it leads to")
	}
	for _, name := range p.Empty {
		texts = append(texts, name+" is empty: it has 0 bytes")
	}
	return texts
}

// saved reports whether an include line matches any file at all.
func (s findings) saved() bool {
	return slices.ContainsFunc(s.Includes, func(p foundPattern) bool { return p.Files > 0 })
}

// idleExcludes returns warnings about excludes of the module that match nothing.
func (s backupSurvey) idleExcludes(found findings) []string {
	var texts []string
	if len(found.UsedExcludes) < s.skip+len(s.own) {
		return nil
	}
	for i, line := range s.own {
		if !found.UsedExcludes[s.skip+i] {
			texts = append(texts, fmt.Sprintf("state-exclude.conf: %q matches nothing", line))
		}
	}
	return texts
}

// noIncludes returns the error for a module that lists nothing to save. It shows how to fix
// that.
func noIncludes(file, installDir string, volumes []string) error {
	what := "has no line that counts"
	if _, err := os.Stat(file); err != nil {
		what = "does not exist"
	}
	lines := []string{"state/mydata.sql   # with a command " + filepath.Join(installDir, "bin", state.DumpHook) + " that writes it there"}
	example := "volumes/data"
	for i, name := range volumes {
		lines = append(lines, "volumes/"+name)
		if i == 0 {
			example = "volumes/" + name
		}
	}
	if len(volumes) == 0 {
		lines = append(lines, "volumes/data       # with gatewayctl module add --volume data=/where/it/is")
	}
	return exit.Failf(exit.Usage, "nothing says what to back up: %s %s: write one, with a line for each file or directory, such as\n  echo %s >> %s\nLines can be\n  %s",
		file, what, example, file, strings.Join(lines, "\n  "))
}
