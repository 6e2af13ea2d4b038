// Package version says which version of this project a binary was built from.
package version

import (
	"cmp"
	"runtime/debug"
	"strings"
)

// version is set by the Makefile: go build -ldflags "-X …/internal/version.version=v1.2.3".
var version string

// String returns the version in the form of git describe, "v1.2.3-4-gabcdef0-dirty". For a
// binary built without the Makefile it is what the go command recorded: the module's
// version, or the commit.
func String() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return cmp.Or(version, "unknown")
	}
	return cmp.Or(version, fromBuild(info))
}

// Date returns the day of the binary's commit, "2006-01-02", or "" if the go command did
// not record it.
func Date() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return dateOf(info)
}

func dateOf(info *debug.BuildInfo) string {
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			day, _, _ := strings.Cut(s.Value, "T")
			return day
		}
	}
	return ""
}

func fromBuild(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	settings := make(map[string]string, len(info.Settings))
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	revision := settings["vcs.revision"]
	if revision == "" {
		return "devel"
	}
	revision = revision[:min(len(revision), 12)]
	if settings["vcs.modified"] == "true" {
		revision += "-dirty"
	}
	return "devel-" + revision
}
