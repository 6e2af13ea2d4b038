package backup

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/client/session"
	"github.com/rclone-gateway/rclone-gateway/client/state"
)

// The pattern files for restic, below the working directory. They are in the state
// directory, so that the next backup overwrites those of a killed one.
const (
	includeFile = "state/.module-backup.include"
	excludeFile = "state/.module-backup.exclude"
)

// backupFacts is the input of a plan.
type backupFacts struct {
	module     host.Module
	rootfull   bool
	schedule   schedule.Schedule
	repository restic.Repository
	base       restic.Invocation
	volumes    []string // as Podman knows them
	includes   state.Includes
	excludes   state.Excludes
	dump       state.Hook
	cleanUp    state.Hook
	onNS8      bool
}

// backupPlan is what a backup will do.
type backupPlan struct {
	restic   restic.Invocation // without arguments
	includes []string          // lines of includeFile
	excludes []string          // lines of excludeFile
	warnings []string
	// missing lists what is already known not to be saved.
	missing []string
	host    string
	tags    []string
	// scheduleName is the schedule's name for people.
	scheduleName string

	dump, cleanUp state.Hook
	survey        backupSurvey
	// lenient turns an incomplete backup into a success with warnings, as on NethServer 8.
	lenient bool
}

// planBackup computes the plan. It does no I/O.
func planBackup(facts backupFacts) backupPlan {
	plan := backupPlan{
		restic:   facts.base,
		includes: facts.includes.Patterns,
		warnings: slices.Concat(facts.includes.Warnings, facts.excludes.Warnings),
		host:     facts.module.UUID,
		tags:     []string{"module-backup", "schedule-" + facts.schedule.ID},

		scheduleName: facts.schedule.Name,
		missing:      slices.Concat(facts.includes.Ignored, facts.dump.Unusable),
		dump:         facts.dump, cleanUp: facts.cleanUp,
		lenient: facts.onNS8,
	}
	plan.restic.Repository = facts.repository
	if facts.base.Runtime == restic.Podman {
		for _, v := range state.WithoutPlaced(state.ModuleVolumes(facts.module.ID, facts.rootfull, facts.volumes), facts.base) {
			plan.restic.Mounts = append(plan.restic.Mounts, run.VolumeMount(v))
		}
	}
	root := state.EscapePattern(facts.base.Dir)
	plan.excludes = append(plan.excludes, path.Join(root, "state/.module-backup.*"), path.Join(root, "state/.restore-module.*"), path.Join(root, "state", session.RunNotePrefix+"*"))
	skip := len(plan.excludes)
	for _, pattern := range facts.excludes.Patterns {
		plan.excludes = append(plan.excludes, anchorPattern(pattern, root))
	}
	// The cluster cannot restore a module without this file.
	plan.excludes = append(plan.excludes, "!"+path.Join(root, "state/environment"))
	plan.survey = planSurvey(facts, plan.excludes, skip)
	return plan
}

// anchorPattern translates an exclude that uses the container's path of the files into the
// same path below root.
func anchorPattern(pattern, root string) string {
	rest, negated := strings.CutPrefix(pattern, "!")
	below, anchored := strings.CutPrefix(rest, run.ContainerRoot+"/")
	switch {
	case !anchored:
		return pattern
	case negated:
		return "!" + path.Join(root, below)
	default:
		return path.Join(root, below)
	}
}

// backupRun holds what is known only once a backup runs.
type backupRun struct {
	parent    string // snapshot ID, or ""
	dumps     []string
	scan      bool   // count files first, so that progress has a total
	retryLock string // restic's option to wait for a lock, or ""
}

// args returns restic's arguments.
func (p backupPlan) args(run backupRun) []string {
	args := []string{"backup", "--json"}
	if !run.scan && p.restic.Version.Has(restic.NoScanVersion) {
		args = append(args, "--no-scan")
	}
	if run.retryLock != "" && p.restic.Version.Has(restic.RetryLockVersion) {
		args = append(args, run.retryLock)
	}
	args = append(args, "--host="+p.host)
	for _, tag := range p.tags {
		args = append(args, "--tag="+tag)
	}
	if run.parent != "" {
		args = append(args, "--parent="+run.parent)
	}
	args = append(args, "--files-from="+includeFile, "--exclude-file="+excludeFile, "state/environment")
	for _, file := range run.dumps {
		args = append(args, filepath.Join("state", file))
	}
	return args
}
