package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/restic"
)

// restoreData is the step 10restore: it runs restic restore.
func restoreData(ctx context.Context, sys *system, request restoreRequest, opts restoreOptions) error {
	m, err := sys.env.module()
	if err != nil {
		return err
	}
	in, err := moduleIncludes(sys)
	if err != nil {
		return err
	}
	repository, err := requestedRepository(ctx, sys, request)
	if err != nil {
		return err
	}
	base, err := opts.restic.newInvocation(ctx, sys, m)
	if err != nil {
		return err
	}
	base.Repository = repository
	snapshot, err := findSnapshot(ctx, base, request.Snapshot, opts.paths)
	if err != nil {
		return err
	}
	plan, err := planRestore(restoreFacts{
		module: m, rootfull: os.Geteuid() == 0, includes: in, base: base, snapshot: snapshot, opts: opts,
	})
	if err != nil {
		return err
	}
	for _, w := range plan.warnings {
		sys.warnf("%s", w)
	}
	if err := plan.makeDirs(); err != nil {
		return err
	}
	if err := plan.assist.clear(ctx, base, snapshot, opts.paths); err != nil {
		return fmt.Errorf("prepare the restore: %w", resticError(repository, err))
	}
	run := restoreRun{sys: sys, plan: plan}
	if opts.target != "" {
		return run.restore(ctx)
	}
	if !plan.partial {
		run.resultFile = filepath.Join(m.stateDir, "restic_restore.json")
	}
	return run.inPlace(ctx, m.stateDir)
}

// restoreMark is the file in the state directory that stands for a restore that
// has begun and was not completed.
const restoreMark = ".restore-module.incomplete"

// inPlace restores into the module's own directories.
func (r *restoreRun) inPlace(ctx context.Context, stateDir string) error {
	mark := filepath.Join(stateDir, restoreMark)
	if _, err := os.Lstat(mark); err == nil {
		r.sys.notef("the last restore was not completed")
		// Restic leaves no holes in a file that it finds half written.
		r.plan.assist.Sparse, r.plan.assist.finishes = true, true
	}
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		return fmt.Errorf("begin the restore: %w", err)
	}
	if err := keepingEnvironment(stateDir, func() error { return r.restore(ctx) }); err != nil {
		return err
	}
	return os.Remove(mark)
}

// keepingEnvironment calls restore and puts the module's own file environment
// back if it was written over: beside includes restic takes no exclude.
func keepingEnvironment(stateDir string, restore func() error) error {
	name := filepath.Join(stateDir, "environment")
	before, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return restore()
	}
	if err != nil {
		return fmt.Errorf("read the module's environment: %w", err)
	}
	err = restore()
	if after, readErr := os.ReadFile(name); readErr == nil && bytes.Equal(before, after) {
		return err
	}
	return errors.Join(err, os.WriteFile(name, before, 0o600))
}

func moduleIncludes(sys *system) (includes, error) {
	installDir, err := sys.env.installDir()
	if err != nil {
		return includes{}, err
	}
	return readIncludes(installDir)
}

func requestedRepository(ctx context.Context, sys *system, request restoreRequest) (restic.Repository, error) {
	rdb, err := sys.redis(ctx, localAgent)
	if err != nil {
		return restic.Repository{}, err
	}
	defer func() { _ = rdb.Close() }()
	return sys.openRepository(ctx, rdb, request.Repository, request.app(), request.uuid())
}

// restoreSource is a snapshot, as far as a restore must know it.
type restoreSource struct {
	id      string
	time    time.Time
	folder  string   // where state and volumes are in it, "" for its root
	volumes []string // the names below volumes, sorted
}

// findSnapshot looks into the snapshot called name, or the latest one. All of
// paths must be in it.
func findSnapshot(ctx context.Context, base restic.Invocation, name string, paths []string) (restoreSource, error) {
	name = cmp.Or(name, "latest")
	// Snapshots of absolute paths hold the whole way to them.
	folders := slices.Compact([]string{"", base.Dir, containerRoot})
	dirs := []string{"/"}
	for _, folder := range folders {
		dirs = append(dirs, path.Join("/", folder), path.Join("/", folder, "volumes"))
		for _, p := range paths {
			dirs = append(dirs, path.Join("/", folder, path.Dir(p)))
		}
	}
	slices.Sort(dirs)
	args := append([]string{"ls", "--json", "--no-lock", name}, slices.Compact(dirs)...)
	var found listing
	out := restic.NewLines(found.add)
	err := base.With(args...).Run(ctx, restic.Streams{Stdout: out})
	out.Flush()
	if err != nil {
		return restoreSource{}, snapshotError(base.Repository, name, err)
	}
	if found.snapshot.ID == "" {
		return restoreSource{}, fmt.Errorf("repository %s: restic ls does not tell the snapshot", base.Repository)
	}
	s := restoreSource{id: found.snapshot.ID, time: found.snapshot.Time}
	i := slices.IndexFunc(folders, func(f string) bool {
		return found.has(path.Join("/", f, "state")) || found.has(path.Join("/", f, "volumes"))
	})
	if i < 0 {
		return s, failf(exitNotFound, "snapshot %s holds neither state nor volumes: it is none of a module", s.id[:8])
	}
	s.folder = folders[i]
	for _, p := range paths {
		if !found.has(path.Join("/", s.folder, p)) {
			return s, failf(exitNotFound, "snapshot %s does not hold %s", s.id[:8], p)
		}
	}
	s.volumes = found.below(path.Join("/", s.folder, "volumes"))
	return s, nil
}

// snapshotError tells a snapshot that is not there from other failures.
func snapshotError(repository restic.Repository, name string, err error) error {
	failure, ok := errors.AsType[*restic.Failure](err)
	if ok && (strings.Contains(failure.Detail, "no matching ID found") || strings.Contains(failure.Detail, "no snapshot found")) {
		return failf(exitNotFound, "repository %s: there is no snapshot %s", repository, name)
	}
	return resticError(repository, err)
}

// listing is what restic ls --json says.
type listing struct {
	snapshot struct {
		ID   string    `json:"id"`
		Time time.Time `json:"time"`
	}
	paths map[string]bool
}

func (l *listing) add(line []byte) {
	var node struct {
		Kind string `json:"struct_type"`
		Path string `json:"path"`
	}
	if json.Unmarshal(line, &node) != nil {
		return
	}
	switch node.Kind {
	case "snapshot":
		_ = json.Unmarshal(line, &l.snapshot)
	case "node":
		if l.paths == nil {
			l.paths = map[string]bool{}
		}
		l.paths[node.Path] = true
	}
}

func (l *listing) has(p string) bool { return l.paths[p] }

// below returns the names directly in dir, sorted.
func (l *listing) below(dir string) []string {
	var names []string
	for p := range l.paths {
		if path.Dir(p) == dir {
			names = append(names, path.Base(p))
		}
	}
	slices.Sort(names)
	return names
}

// restoreFacts are what a restore is planned from.
type restoreFacts struct {
	module   module
	rootfull bool
	includes includes
	base     restic.Invocation
	snapshot restoreSource
	opts     restoreOptions
}

// restorePlan is what a restore will do.
type restorePlan struct {
	restic   restic.Invocation
	snapshot restoreSource
	partial  bool
	dirs     []string // to be made before
	assist   assistance
	warnings []string
}

// planRestore is pure.
func planRestore(f restoreFacts) (restorePlan, error) {
	plan := restorePlan{restic: f.base, snapshot: f.snapshot, partial: f.opts.partial(), warnings: f.includes.warnings}
	volumes, err := plan.volumes(f)
	if err != nil {
		return plan, err
	}
	plan.place(f, volumes)
	source := f.snapshot.id
	if f.snapshot.folder != "" {
		if !f.base.Version.Has(restic.SubfolderVersion) {
			return plan, failf(exitFailed, "snapshot %s holds the module below %s: restic before 0.16 cannot restore that", f.snapshot.id, f.snapshot.folder)
		}
		source += ":" + f.snapshot.folder
	}
	plan.restic.Args = append([]string{"restore", "--json", source, "--target", "."}, restoreFlags(f)...)
	plan.assist = planAssistance(f, volumes)
	return plan, nil
}

// volumes returns the volumes that state-include.conf or the snapshot name.
func (p *restorePlan) volumes(f restoreFacts) ([]volume, error) {
	names := slices.Concat(f.includes.volumeNames(), f.snapshot.volumes)
	slices.Sort(names)
	var volumes []volume
	for _, name := range slices.Compact(names) {
		if !volumePattern.MatchString(name) {
			p.warnings = append(p.warnings, fmt.Sprintf("the snapshot holds volumes/%q, which cannot be the name of a volume: not restored", name))
			continue
		}
		v, err := moduleVolume(f.module.id, f.rootfull, name)
		if err != nil {
			return nil, err
		}
		volumes = append(volumes, v)
	}
	return volumes, nil
}

// place shows restic where to write.
func (p *restorePlan) place(f restoreFacts, volumes []volume) {
	native := f.base.Runtime == restic.Native
	switch {
	case f.opts.target != "" && native:
		p.restic.Dir, p.dirs = f.opts.target, []string{f.opts.target}
	case f.opts.target != "":
		p.restic.Mounts = []restic.Mount{{Source: f.opts.target, Target: containerRoot}}
		p.dirs = []string{f.opts.target}
	case native:
		// Restic makes the directories of the snapshot itself.
	default:
		p.restic.Mounts = slices.Clone(f.base.Mounts)
		for _, v := range volumes {
			p.restic.Mounts = append(p.restic.Mounts, volumeMount(v))
		}
	}
}

func (p *restorePlan) makeDirs() error {
	for _, dir := range p.dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make the target directory: %w", err)
		}
	}
	return nil
}

// restoreFlags are the options of restic restore. Patterns begin with a slash: an
// application may have a state/environment of its own, deeper down.
func restoreFlags(f restoreFacts) []string {
	var flags []string
	for _, p := range f.opts.paths {
		flags = append(flags, "--include=/"+escapePattern(p))
	}
	for _, pattern := range f.opts.include {
		flags = append(flags, "--include="+pattern)
	}
	// Restic refuses excludes beside includes.
	if len(flags) == 0 && f.opts.target == "" {
		flags = append(flags, "--exclude=/state/environment")
	}
	if f.opts.verify {
		flags = append(flags, "--verify")
	}
	version := f.base.Version
	if version.Has(restic.ExcludeXattrVersion) {
		flags = append(flags, "--exclude-xattr=security.*")
	}
	if version.Has(restic.SparseVersion) {
		flags = append(flags, "--sparse")
	}
	if version.Has(restic.RetryLockVersion) {
		flags = append(flags, "--retry-lock=5m")
	}
	return flags
}

// restoreRun is one run of restic restore.
type restoreRun struct {
	sys        *system
	plan       restorePlan
	started    time.Time
	resultFile string // where restic's last message goes, "" for nowhere

	progress progress
	last     []byte // restic's last message
	summary  *restic.Summary
}

func (r *restoreRun) restore(ctx context.Context) error {
	r.started = time.Now()
	r.progress = r.sys.newProgress(false, 1, 100)
	out, errs := restic.NewLines(r.hear), restic.NewLines(r.hearError)
	err := r.plan.restic.Run(ctx, restic.Streams{Stdout: out, Stderr: errs})
	out.Flush()
	errs.Flush()
	if err == nil {
		err = r.finish(ctx)
	}
	r.progress.done()
	if saveErr := r.saveResult(); saveErr != nil {
		return errors.Join(err, saveErr)
	}
	if err != nil {
		return restoreError(r.plan.restic.Repository, err)
	}
	return r.conclude()
}

func (r *restoreRun) hear(line []byte) {
	if len(line) == 0 || line[0] != '{' || !json.Valid(line) {
		return
	}
	r.last = bytes.Clone(line)
	switch event := restic.ParseEvent(line).(type) {
	case *restic.Status:
		r.progress.update(*event)
	case *restic.Summary:
		r.summary = event
	}
}

// hearError passes on what restic says of single files; how it ended is told by
// the error of the run.
func (r *restoreRun) hearError(line []byte) {
	switch event := restic.ParseEvent(line).(type) {
	case *restic.FileError:
		r.progress.say("warning: " + event.Item + ": " + event.Message)
	case *restic.ExitMessage:
	default:
		r.progress.say(string(line))
	}
}

// finish does what an old restic cannot do itself.
func (r *restoreRun) finish(ctx context.Context) error {
	done, err := r.plan.assist.finish(ctx, r.started)
	if err != nil {
		return fmt.Errorf("finish the restore: %w", err)
	}
	for _, w := range done.Warnings {
		r.progress.say("warning: " + w)
	}
	if r.summary == nil {
		r.summary = &restic.Summary{FilesRestored: done.Files, BytesRestored: done.Bytes}
		r.last = fmt.Appendf(nil, `{"message_type":"summary","files_restored":%d,"bytes_restored":%d}`, done.Files, done.Bytes)
	}
	return nil
}

func (r *restoreRun) saveResult() error {
	if r.resultFile == "" || r.last == nil {
		return nil
	}
	if err := os.WriteFile(r.resultFile, append(r.last, '\n'), 0o600); err != nil {
		return fmt.Errorf("save restic's last message: %w", err)
	}
	return nil
}

func (r *restoreRun) conclude() error {
	if r.plan.partial && r.summary.FilesRestored == 0 {
		return failf(exitNotFound, "nothing in snapshot %s matches", r.plan.snapshot.id[:8])
	}
	if r.sys.env.taskID() != "" {
		r.sys.agent().setProgress(100)
	}
	r.sys.notef("restored %d files and directories, %s, in %v from snapshot %s of %s",
		r.summary.FilesRestored, formatBytes(r.summary.BytesRestored), time.Since(r.started).Round(time.Second),
		r.plan.snapshot.id[:8], r.plan.snapshot.time.Local().Format(time.DateTime))
	return nil
}

// restoreError is resticError with the words that fit a restore.
func restoreError(repository restic.Repository, err error) error {
	failure, ok := errors.AsType[*restic.Failure](err)
	if ok && failure.Reason == restic.Full {
		return failf(exitFull, "the disk is full: free space and run the restore again: %w", err)
	}
	return resticError(repository, err)
}
