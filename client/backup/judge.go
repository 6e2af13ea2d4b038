package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/state"
)

// backupSurvey looks for everything that a backup is to save.
type backupSurvey struct {
	survey

	asked   state.Includes
	skip    int            // the first excludes, which are our own
	own     []string       // patterns of the module
	volumes []state.Volume // volumes with directories known to Podman
	foreign bool           // files belong to users of Podman's user namespace
}

// mostSurveyed bounds the search for excludes that match nothing, so that a backup of
// millions of files is not scanned twice.
const mostSurveyed = 100_000

func planSurvey(facts backupFacts, excludes []string, skip int) backupSurvey {
	s := backupSurvey{
		survey: survey{Root: facts.base.Dir, Includes: facts.includes.Patterns, Excludes: excludes},
		asked:  facts.includes, skip: skip, own: facts.excludes.Patterns,
	}
	s.Places = []state.Place{{Path: "state", Dir: facts.module.StateDir}}
	if facts.base.Runtime == restic.Native {
		s.Places = append(s.Places, state.Place{Path: "volumes", Dir: filepath.Join(facts.base.Dir, "volumes")})
		s.Places = append(s.Places, state.Placed(facts.base)...)
		return s
	}
	s.Places = append(s.Places, state.Placed(facts.base)...)
	s.foreign = !facts.rootfull
	for _, v := range state.WithoutPlaced(state.ModuleVolumes(facts.module.ID, facts.rootfull, facts.volumes), facts.base) {
		if facts.includes.MayMean(v.Name) {
			s.volumes = append(s.volumes, v)
		}
	}
	return s
}

// run performs the survey in the way that how selects.
func (s backupSurvey) run(ctx context.Context, how survey) (findings, error) {
	look := s.survey
	look.Since, look.Whole, look.Most = how.Since, how.Whole, how.Most
	places, err := state.VolumeDirs(ctx, s.volumes)
	if err != nil {
		return findings{}, err
	}
	look.Places = slices.Concat(look.Places, places)
	if !s.foreign {
		return look.run(), nil
	}
	var found findings
	err = state.InPodmanNamespace(ctx, "module-backup", surveyFlag, look, &found)
	return found, err
}

// surveyFlag makes module-backup only perform a survey: the request comes on stdin, the
// findings go to stdout.
const surveyFlag = "survey"

func runSurvey(sys *host.System) error {
	var s survey
	if err := json.NewDecoder(sys.Stdin).Decode(&s); err != nil {
		return exit.With(exit.Usage, err)
	}
	return json.NewEncoder(sys.Stdout).Encode(s.run())
}

// look checks, after the module's dump that began at that time, which of the requested
// files are missing. If all are missing it fails: an empty snapshot would push out a useful
// one.
func (j *backupJob) look(ctx context.Context, began time.Time) error {
	how := survey{Whole: !j.plan.lenient, Most: mostSurveyed}
	if j.plan.dump.Path != "" {
		how.Since = began.Add(-state.ClockTolerance)
	}
	found, err := j.plan.survey.run(ctx, how)
	if err != nil {
		if ctx.Err() == nil && j.plan.lenient {
			j.sys.Warnf("cannot tell whether everything that state-include.conf names exists: %v", err)
			return nil
		}
		return err
	}
	j.plan.miss(j.sys, j.plan.survey.shortfalls(found))
	for _, idle := range j.plan.survey.idleExcludes(found) {
		j.sys.Warnf("%s", idle)
	}
	if !j.plan.lenient && !found.saved() {
		return exit.Failf(exit.Incomplete, "nothing that %s names exists: no snapshot is made", j.plan.survey.asked.File)
	}
	return nil
}

// miss adds missing items to the plan, and warns about them.
func (p *backupPlan) miss(sys *host.System, texts []string) {
	for _, text := range host.LimitWarnings(texts) {
		sys.Warnf("state-include.conf: %s", text)
	}
	p.missing = append(p.missing, texts...)
}

// judge returns the final error of a backup that made a snapshot; err is the error so far.
func (p *backupPlan) judge(err error) error {
	coded, partial := errors.AsType[*exit.Error](err)
	if p.lenient || len(p.missing) == 0 || err != nil && (!partial || coded.Code != exit.Partial) {
		return err
	}
	text := "the backup is incomplete: of what it was asked for %d are missing, see the warnings"
	if len(p.missing) == 1 {
		text = "the backup is incomplete: %d of what it was asked for is missing, see the warning"
	}
	if err != nil {
		return exit.Failf(exit.Incomplete, text+"; %w", len(p.missing), err)
	}
	return exit.Failf(exit.Incomplete, text, len(p.missing))
}

// String describes a pattern for a line of a dry run.
func (p foundPattern) String() string {
	if p.Matches == 0 {
		return "matches nothing now"
	}
	text := fmt.Sprintf("%d files, %s", p.Files, host.FormatBytes(p.Bytes))
	if p.Excluded > 0 {
		text += ", without what is excluded"
	}
	return text
}

// nativeVolumes returns the names of the volumes that restic finds without a container.
func nativeVolumes(base restic.Invocation) []string {
	var names []string
	for _, p := range state.Placed(base) {
		names = append(names, strings.TrimPrefix(p.Path, "volumes/"))
	}
	entries, _ := os.ReadDir(filepath.Join(base.Dir, "volumes")) // most modules have some
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
