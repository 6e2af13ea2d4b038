package restore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/actioninput"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/facts"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/keys"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/naming"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/client/session"
	"github.com/rclone-gateway/rclone-gateway/client/state"
)

// NewCommand returns the command restore-module.
func NewCommand(sys *host.System) *cobra.Command {
	var opts restoreOptions
	cmd := &cobra.Command{
		Use:   "restore-module [flags]",
		Short: "Restore a module, or single files of it, from a backup",
		Long: `Restore a module from a backup: NethServer 8's action restore-module. The request
is the action's JSON on stdin,

  {"repository": DESTINATION, "path": "APP/UUID", "snapshot": ID or "" for the
   latest, "environment": {...}, "replace": false}

or comes from --destination, --repopath and --snapshot. What there is to restore
"restic-wrapper snapshots" and "restic-wrapper ls latest" tell.

The steps run in the order of their names, each with the request on stdin and in
the state directory: the built-in ones, and the programs in the module's directory
actions/restore-module, which replace built-in steps of the same name. Where the
request has no environment, they get the one of the snapshot (state/environment).
The first step that fails ends the restore with its exit status. Built in are 05replace (does
nothing), 10restore (the data), 20label and 20note (the module's label and note).

10restore writes over what is there, and can be repeated. The volumes that
state-include.conf or the snapshot name are created where they do not exist. Left
out are state/environment, which belongs to the new module, and security.*
attributes.

With --at the repository is read as it was at that time: snapshots that came since are
not there, and those that were deleted since are, as long as the gateway keeps them.

With --include, --path, --target or --archive only data is restored, and no other step
runs. Below --target DIR, and in an archive, it gets the names it has in the snapshot,
state/... and volumes/NAME/... "snapshot ls" and "snapshot find" show the paths; a "�" in
one, which stands for what is not UTF-8, matches any character.

With --metrics-dir the outcome is in a file for Prometheus there,
restore-module-MODULE.prom: module_restore_status is 1 after a complete restore and
0 after a failed one, and there are the times of the last run and success. Single
files do not count.`,
		Example: `  restore-module < request.json
  restore-module --step 10restore < request.json
  restore-module --destination DESTINATION --path volumes/data/docs/letter.odt
  restore-module --destination DESTINATION --path volumes/data/docs --archive zip > docs.zip
  restore-module --destination DESTINATION --include '*.odt' --target /tmp/found`,
		Annotations: exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Busy, exit.Unreachable, exit.Full, exit.Forbidden, exit.Redis,
			exit.NotFound, exit.Invalid, exit.Locked, exit.Password, exit.BadDump, exit.Signal),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opts.assist {
				return runAssist(sys)
			}
			record := run.NewRecord(sys, "restore-module")
			record.Partial = opts.partial()
			err := runRestoreModule(cmd.Context(), sys, &opts, record)
			opts.record.Finish(cmd.Context(), sys, record, err)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.step, "step", "", "run the built-in step `NAME` alone")
	flags.StringArrayVar(&opts.include, "include", nil, "restore only what matches restic's `PATTERN`; can be repeated")
	flags.StringArrayVar(&opts.paths, "path", nil, "restore only this file or directory: `PATH` is state/... or volumes/NAME/...; can be repeated")
	flags.StringVar(&opts.target, "target", "", "restore to `DIR` instead of the module's state and volumes")
	flags.StringVar(&opts.archive, "archive", "", "write to stdout instead, as an archive of this `FORM`: tar or zip")
	flags.BoolVar(&opts.verify, "verify", false, "read back what was written and compare it")
	flags.StringVar(&opts.destination, "destination", "", "restore from the destination with this `NAME` or ID, without a request on stdin")
	flags.StringVar(&opts.repopath, "repopath", "", "the repository's path, `APP/UUID`, with --destination (default: the module's own)")
	flags.StringVar(&opts.snapshot, "snapshot", "", "the snapshot's `ID`, with --destination (default: the latest one)")
	flags.StringVar(&opts.atText, "at", "", "restore from the repository as it was at this `TIME`: as in RFC 3339, such as 2026-11-29T20:00:00Z, or how long ago, such as 2h")
	names.CompleteFlag(cmd, "destination", names.Complete(sys, names.DestinationEntries, names.AnyNumber))
	names.CompleteFlag(cmd, "archive", names.OneOf(archiveTar, archiveZip))
	names.CompleteFlag(cmd, "step", names.OneOf(restoreStepNames()...))
	opts.restic.AddFlags(cmd)
	opts.record.AddFlags(cmd)
	opts.wait.AddFlag(flags)
	flags.BoolVar(&opts.assist, assistFlag, false, "")
	_ = flags.MarkHidden(assistFlag)
	return cmd
}

type restoreOptions struct {
	step           string
	include, paths []string
	target         string
	archive        string
	verify         bool

	destination, repopath, snapshot string

	atText string
	at     time.Time // zero: now

	restic run.ResticOptions
	record run.RecordOptions
	wait   run.Waiting
	assist bool
}

// partial reports whether only some files are restored, not the whole module.
func (o *restoreOptions) partial() bool {
	return len(o.include) > 0 || len(o.paths) > 0 || o.target != "" || o.archive != ""
}

// check refuses contradicting options, and converts paths to restic's form.
func (o *restoreOptions) check() error {
	if err := o.checkArchive(); err != nil {
		return err
	}
	if o.partial() && o.step != "" && o.step != restoreStep {
		return exit.Failf(exit.Usage, "--include, --path and --target are for step %s, not for %s", restoreStep, o.step)
	}
	if o.destination == "" && (o.repopath != "" || o.snapshot != "") {
		return exit.Failf(exit.Usage, "--repopath and --snapshot need --destination; otherwise the request on stdin names them")
	}
	at, err := run.ParseTime("--at", o.atText)
	if err != nil {
		return err
	}
	o.at = at
	paths := make([]string, len(o.paths))
	for i, p := range o.paths {
		paths[i] = path.Clean(strings.TrimPrefix(p, "/"))
		top, _, _ := strings.Cut(paths[i], "/")
		if top != "state" && top != "volumes" {
			return exit.Failf(exit.Usage, "--path %q is neither below state/ nor below volumes/", p)
		}
		if paths[i] == "state/environment" && o.target == "" && o.archive == "" {
			return exit.Failf(exit.Usage, "state/environment belongs to the module as it is now: restore it with --target")
		}
	}
	o.paths = paths
	for _, pattern := range o.include {
		if pattern == "" || state.BadPattern(pattern) {
			return exit.Failf(exit.Usage, "--include %q is not a valid pattern", pattern)
		}
	}
	if o.target == "" {
		return nil
	}
	o.target, err = filepath.Abs(o.target)
	return err
}

// resolveDestination replaces the name of a destination by its ID.
func (o *restoreOptions) resolveDestination(ctx context.Context, sys *host.System) error {
	if o.destination == "" {
		return nil
	}
	source, done, err := facts.Open(ctx, sys, &o.wait)
	if err != nil {
		return err
	}
	defer done()
	o.destination, err = facts.DestinationNamed(ctx, source, o.destination)
	return err
}

func runRestoreModule(ctx context.Context, sys *host.System, opts *restoreOptions, record *run.Record) error {
	if err := errors.Join(opts.check(), opts.wait.Check()); err != nil {
		return err
	}
	// The environment must be restored before anything reads it.
	if err := opts.wait.Retry(ctx, sys, func() error { return session.RecoverEnvironment(sys) }); err != nil && opts.target == "" && opts.archive == "" {
		return err
	}
	if err := opts.resolveDestination(ctx, sys); err != nil {
		return err
	}
	input, err := opts.input(sys)
	if err != nil {
		return err
	}
	request, err := parseRestoreRequest(input)
	if wrong, ok := errors.AsType[actioninput.Error](err); ok {
		return actioninput.Refuse(sys, wrong)
	}
	var repository restic.Repository
	gather := sync.OnceValues(func() (restoreFacts, error) {
		facts, err := gatherRestoreFacts(ctx, sys, request, opts)
		repository = facts.base.Repository
		return facts, err
	})
	steps := restoreSteps(sys, gather, opts, record)
	if opts.step != "" || opts.partial() {
		err = runBuiltIn(ctx, steps, opts.step, input)
	} else {
		err = runRestoreSteps(ctx, sys, steps, func() ([]byte, error) {
			if len(request.Environment) > 0 {
				return input, nil
			}
			complete, err := completeRequest(ctx, request, gather)
			if err != nil {
				return nil, err
			}
			return json.Marshal(complete)
		})
	}
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: the restore is incomplete, run it again", context.Cause(ctx))
	}
	return run.AskWhy(ctx, sys, repository, false, err)
}

// input returns the request in the form for the steps.
func (o *restoreOptions) input(sys *host.System) ([]byte, error) {
	if o.destination == "" {
		if sys.Prompter() != nil {
			return nil, exit.Failf(exit.Usage, "name a destination with --destination, or have the request on stdin")
		}
		data, err := io.ReadAll(sys.Stdin)
		if err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
		return data, nil
	}
	repopath := o.repopath
	if repopath == "" {
		m, err := sys.Env.Module()
		if err != nil {
			return nil, err
		}
		repopath = m.App + "/" + m.UUID
	}
	return json.Marshal(restoreRequest{
		Repository: o.destination, Path: repopath, Snapshot: o.snapshot, Environment: map[string]json.RawMessage{},
	})
}

// Two built-in steps: one does nothing, the other restores the data.
const (
	replaceStep = "05replace"
	restoreStep = "10restore"
)

// restoreStepNames are the names of the built-in steps.
func restoreStepNames() []string {
	names := []string{replaceStep, restoreStep}
	for _, dump := range keys.StateDumps {
		names = append(names, dump.Step)
	}
	return names
}

// restoreSteps returns the built-in steps of the action.
func restoreSteps(sys *host.System, gather func() (restoreFacts, error), opts *restoreOptions, record *run.Record) []step {
	steps := []step{
		{name: replaceStep},
		{name: restoreStep, weight: 4, run: func(ctx context.Context, _ []byte) error {
			if opts.archive != "" {
				return restoreArchive(ctx, sys, gather, opts, record)
			}
			return restoreData(ctx, sys, gather, opts, record)
		}},
	}
	for _, dump := range keys.StateDumps {
		steps = append(steps, step{name: dump.Step, run: func(ctx context.Context, _ []byte) error {
			return dump.Restore(ctx, sys)
		}})
	}
	return steps
}

// runBuiltIn runs one built-in step; "" stands for the one that restores the data.
func runBuiltIn(ctx context.Context, steps []step, name string, input []byte) error {
	if name == "" {
		name = restoreStep
	}
	i := slices.IndexFunc(steps, func(s step) bool { return s.name == name })
	switch {
	case i < 0:
		names := make([]string, len(steps))
		for i, s := range steps {
			names[i] = s.name
		}
		return exit.Failf(exit.Usage, "there is no built-in step %q%s: there are %s", name, naming.DidYouMean(name, names), strings.Join(names, ", "))
	case steps[i].run == nil:
		return nil
	default:
		return steps[i].run(ctx, input)
	}
}

// restoreAction is the action's name in NethServer 8.
const restoreAction = "restore-module"

// runRestoreSteps runs all steps. Only the module's steps read the request, so it is
// formatted only if there are any.
func runRestoreSteps(ctx context.Context, sys *host.System, builtIn []step, request func() ([]byte, error)) error {
	installDir, err := sys.Env.InstallDir()
	if err != nil {
		return err
	}
	stateDir, err := sys.Env.StateDir()
	if err != nil {
		return err
	}
	steps, err := withFiles(builtIn, filepath.Join(installDir, "actions", restoreAction), sys.Warnf)
	if err != nil {
		return err
	}
	var input []byte
	if moduleSteps(steps) {
		if input, err = request(); err != nil {
			return err
		}
	}
	for _, s := range builtIn {
		sys.Agent().SetWeight(s.name, s.weight)
	}
	return action{sys: sys, name: restoreAction, installDir: installDir, stateDir: stateDir, input: input}.run(ctx, steps)
}
