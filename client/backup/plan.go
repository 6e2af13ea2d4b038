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

// The files that tell restic what to save, below the working directory. They lie
// in the state directory, so that those of a killed backup are written over by
// the next one.
const (
	includeFile = "state/.module-backup.include"
	excludeFile = "state/.module-backup.exclude"
)

// backupFacts are what a backup is planned from.
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
	includes []string          // the lines of includeFile
	excludes []string          // the lines of excludeFile
	warnings []string
	// missing are what is known before to be asked for and not saved.
	missing []string
	host    string
	tags    []string
	// scheduleName is what people call the schedule.
	scheduleName string

	dump, cleanUp state.Hook
	survey        backupSurvey
	// lenient makes a backup that lacks something a success with warnings, as
	// NethServer 8 has it.
	lenient bool
}

// planBackup is pure.
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
	// The cluster cannot restore a module without it.
	plan.excludes = append(plan.excludes, "!"+path.Join(root, "state/environment"))
	plan.survey = planSurvey(facts, plan.excludes, skip)
	return plan
}

// anchorPattern lets an exclude that names the place of the files in the container
// mean the same below root.
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

// backupRun is what is known only while a backup runs.
type backupRun struct {
	parent    string // a snapshot's ID, or ""
	dumps     []string
	scan      bool   // count the files first, so that progress has a total
	retryLock string // restic's option to wait for a lock to go, or ""
}

// args are restic's arguments.
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
