package backup

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/client/state"
)

func TestPlanBackup(t *testing.T) {
	facts := backupFacts{
		module:   host.Module{ID: "app1", UUID: "uuid", App: "app", StateDir: "/home/app1/state"},
		schedule: schedule.Schedule{ID: "4"},
		base:     restic.Invocation{Runtime: restic.Podman, Dir: "/srv", Mounts: []restic.Mount{{Source: "/home/app1/state", Target: "/srv/state"}}},
		volumes:  []string{"data", "restic-cache"},
		includes: state.Includes{Patterns: []string{"volumes/data"}, Warnings: []string{"one"}},
		excludes: state.Excludes{Patterns: []string{"*.log"}, Warnings: []string{"two"}},
	}
	plan := planBackup(facts)
	if want := []string{"one", "two"}; !slices.Equal(plan.warnings, want) {
		t.Errorf("warnings = %q, want %q", plan.warnings, want)
	}
	if want := (restic.Mount{Source: "data", Target: "/srv/volumes/data"}); len(plan.restic.Mounts) != 2 || plan.restic.Mounts[1] != want {
		t.Errorf("mounts = %v, want the state and %v", plan.restic.Mounts, want)
	}

	facts.base = restic.Invocation{Runtime: restic.Native, Dir: "/tmp/a*b$HOME"}
	plan = planBackup(facts)
	if want := []string{`/tmp/a\*b[$]HOME/state/.module-backup.*`, `/tmp/a\*b[$]HOME/state/.restore-module.*`, `/tmp/a\*b[$]HOME/state/.restic-run.*`, "*.log", `!/tmp/a\*b[$]HOME/state/environment`}; !slices.Equal(plan.excludes, want) {
		t.Errorf("excludes = %q, want %q", plan.excludes, want)
	}
}

// TestExcludesNameTheContainersPlaces has patterns mean the same in a container
// and without one.
func TestExcludesNameTheContainersPlaces(t *testing.T) {
	patterns := map[string]string{
		"/srv/volumes/data/tmp":    "ROOT/volumes/data/tmp",
		"/srv/state/*/cache/**/x":  "ROOT/state/*/cache/**/x",
		"!/srv/volumes/data/[a-c]": "!ROOT/volumes/data/[a-c]",
		"/srvother/data":           "/srvother/data",
		"srv/data":                 "srv/data",
		"*.log":                    "*.log",
	}
	for pattern, want := range patterns {
		for _, root := range []string{"/srv", `/tmp/a\*b`} {
			if got := anchorPattern(pattern, root); got != strings.Replace(want, "ROOT", root, 1) {
				t.Errorf("%q below %s is %q", pattern, root, got)
			}
		}
	}
}

func TestBackupArguments(t *testing.T) {
	fixed := []string{"--host=uuid", "--tag=a", "--tag=b"}
	files := []string{"--files-from=" + includeFile, "--exclude-file=" + excludeFile, "state/environment"}
	tests := map[string]struct {
		version restic.Version
		execute backupRun
		before  []string
		after   []string
	}{
		"a first snapshot":            {restic.Version{0, 18, 0}, backupRun{scan: true}, nil, nil},
		"without a total":             {restic.Version{0, 18, 0}, backupRun{}, []string{"--no-scan"}, nil},
		"an old restic always scans":  {restic.Version{0, 14, 0}, backupRun{}, nil, nil},
		"the second try waits":        {restic.Version{0, 18, 0}, backupRun{scan: true, retryLock: "--retry-lock=5m"}, []string{"--retry-lock=5m"}, nil},
		"an old restic does not wait": {restic.Version{0, 14, 0}, backupRun{scan: true, retryLock: "--retry-lock=5m"}, nil, nil},
		"with label and note":         {restic.Version{0, 18, 0}, backupRun{scan: true, dumps: []string{"ui_name.dump"}}, nil, []string{"state/ui_name.dump"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			plan := backupPlan{host: "uuid", tags: []string{"a", "b"}, restic: restic.Invocation{Version: test.version}}
			want := slices.Concat([]string{"backup", "--json"}, test.before, fixed, files, test.after)
			if got := plan.args(test.execute); !slices.Equal(got, want) {
				t.Errorf("args\n got %q\nwant %q", got, want)
			}
		})
	}
}

func TestLatestParent(t *testing.T) {
	at := func(day int) time.Time { return time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC) }
	ours := []string{"/srv/state/environment", "/srv/volumes/data"}
	tests := map[string]struct {
		snapshots []listedSnapshot
		want      string
	}{
		"none":                     {nil, ""},
		"the newest, in any order": {[]listedSnapshot{{"b", at(2), ours}, {"a", at(1), ours}}, "b"},
		"none of other files":      {[]listedSnapshot{{"a", at(1), ours}, {"b", at(2), []string{"/etc"}}}, "a"},
		"made without a container": {[]listedSnapshot{{"a", at(1), []string{"/home/app1/.config/state/environment"}}}, "a"},
		"of the whole state":       {[]listedSnapshot{{"a", at(1), []string{"/srv/state"}}}, "a"},
		"only others' files":       {[]listedSnapshot{{"b", at(2), []string{"/etc"}}}, ""},
		"a file of a similar name": {[]listedSnapshot{{"b", at(2), []string{"/srv/state/environment.bak"}}}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := latestParent(test.snapshots); got != test.want {
				t.Errorf("latestParent = %q, want %q", got, test.want)
			}
		})
	}
}
