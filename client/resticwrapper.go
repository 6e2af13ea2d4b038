package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/naming"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/docgen"
)

// newResticWrapper returns the command restic-wrapper.
func newResticWrapper(sys *system) *cobra.Command {
	return &cobra.Command{
		Use:   "restic-wrapper [option ...] COMMAND [argument ...]",
		Short: "Run restic on a module's repository, or on any other",
		Long: `Run restic on a module's repository, or on any other. Everything but the options
below goes to restic untouched and in order. Behind "--" all is restic's; where it
comes before restic's command, it only ends the options below.

  --module ID       the module whose repository it is (default: the module we are)
  --backup NAME     the schedule whose destination it is, by its name or ID
                    (default: the one with the lowest number that lists the module)
  --destination NAME
                    the destination, by its name or ID, in place of a schedule's
  --repopath PATH   the repository's path on it, APP/UUID, in place of a module's
  --podman ARG      one more argument for podman run; can be repeated
  --wait DURATION   wait up to DURATION, such as 30m, for a lock in the repository that
                    another process holds, and for a Redis that is away
  --show            list destinations, schedules and the repository; run nothing

Root on a node acts with the node's credentials, a module with its own, which open
its own repositories only. NS8_RESTIC_RUNTIME=native runs the restic of PATH in
place of a container.`,
		Example: `  runagent -m dokuwiki1 restic-wrapper snapshots
  restic-wrapper --module dokuwiki1 --backup 2 ls latest
  restic-wrapper --destination DESTINATION --repopath dokuwiki/UUID stats
  restic-wrapper --module dokuwiki1 --podman --volume=/mnt:/mnt restore latest --target /mnt
  restic-wrapper --show`,
		Annotations: map[string]string{docgen.ExitStatusAnnotation: exitStatus(exitOK, exitFailed, exitUsage, exitForbidden, exitRedis)[docgen.ExitStatusAnnotation] +
			"\n  other that of restic, or of podman run"},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return completeWrapper(cmd.Context(), sys, args, typed)
		},
		DisableFlagParsing:    true,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := splitWrapperArgs(args)
			switch {
			case err != nil:
				return err
			case w.help:
				return cmd.Help()
			case w.show:
				return showBackups(cmd.Context(), sys, w)
			case len(w.restic) == 0:
				return failf(exitUsage, "give restic a command, such as snapshots (see --help)")
			default:
				return runResticWrapper(cmd.Context(), sys, w)
			}
		},
	}
}

// runResticWrapper becomes restic: signals, terminal and exit status are its own.
func runResticWrapper(ctx context.Context, sys *system, w wrapperArgs) error {
	repository, err := wrappedRepository(ctx, sys, &w)
	if err != nil {
		return err
	}
	command, err := wrapperInvocation(ctx, sys, w)
	if err != nil {
		return err
	}
	command.Repository = repository
	command = waitForLock(sys, lockIfWritable(ctx, sys, command), &w.wait)
	argv := command.Argv()
	file, err := exec.LookPath(argv[0])
	if err != nil {
		return fmt.Errorf("%s is not on PATH", argv[0])
	}
	return syscall.Exec(file, argv, command.Environ(os.Environ()))
}

func wrapperInvocation(ctx context.Context, sys *system, w wrapperArgs) (restic.Invocation, error) {
	command := restic.Invocation{
		Runtime:    sys.env.resticRuntime(),
		PodmanArgs: w.podman,
		Args:       w.restic,
	}
	if command.Runtime != restic.Native {
		image, err := sys.env.resticImage()
		if err != nil {
			return command, err
		}
		command.Image, command.Name = image, fmt.Sprintf("restic-%s-%d", agentName(sys.env), os.Getpid())
	} else if len(w.podman) > 0 {
		return command, failf(exitUsage, "--podman has no meaning with the native runtime of restic: NS8_RESTIC_RUNTIME=podman sets the other one")
	}
	version, err := restic.Detect(ctx, command)
	if err != nil {
		return command, resticError(restic.Repository{}, err)
	}
	command.Version = version
	sys.env.reachGateway(&command)
	return command, sys.env.checkSocket(version)
}

// waitForLock has restic wait for a lock that another process holds.
func waitForLock(sys *system, command restic.Invocation, wait *waiting) restic.Invocation {
	switch {
	case wait.left() == 0:
	case !command.Version.Has(restic.RetryLockVersion):
		sys.warnf("restic before 0.16 does not wait for locks in the repository")
	default:
		command.Args = slices.Insert(slices.Clone(command.Args), 0, retryLockFlag(wait.left()))
	}
	return command
}

// agentName is who we are, fit for a container's name.
func agentName(e *environment) string {
	name := cmp.Or(e.get("MODULE_ID"), strings.ReplaceAll(e.get("AGENT_ID"), "/", ""))
	if !moduleIDPattern.MatchString(name) {
		return "wrapper"
	}
	return name
}

// wrappedRepository is the repository that w means.
func wrappedRepository(ctx context.Context, sys *system, w *wrapperArgs) (restic.Repository, error) {
	rdb, err := w.wait.redis(ctx, sys)
	if err != nil {
		return restic.Repository{}, err
	}
	defer func() { _ = rdb.Close() }()
	moduleID, err := w.moduleID(ctx, sys, rdb)
	if err != nil {
		return restic.Repository{}, wronglyNamed(err)
	}
	app, uuid, err := w.path(ctx, sys, rdb, moduleID)
	if err != nil {
		return restic.Repository{}, err
	}
	destination, err := w.where(ctx, rdb, moduleID)
	if err != nil {
		return restic.Repository{}, wronglyNamed(err)
	}
	repository, err := openRepository(ctx, sys, rdb, destination, app, uuid)
	return repository, wronglyNamed(err)
}

// moduleID is the module that is meant, or "" where none is needed. One that is not
// installed may still be in schedules.
func (w wrapperArgs) moduleID(ctx context.Context, sys *system, rdb *redis.Client) (string, error) {
	id := w.module
	if id == "" {
		id, _ = sys.env.moduleID()
	} else if w.repopath == "" {
		m, err := moduleNamed(ctx, rdb, id)
		if unknown, ok := errors.AsType[*naming.UnknownError](err); ok && len(unknown.Near) == 0 && moduleIDPattern.MatchString(id) {
			return id, nil
		}
		return m.ID, err
	}
	switch {
	case id != "" && !moduleIDPattern.MatchString(id):
		return "", failf(exitUsage, "%q is not a module ID", id)
	case id == "" && (w.repopath == "" || w.backup == "" && w.destination == ""):
		return "", failf(exitUsage, "name a repository: --module, or --destination and --repopath (see --show)")
	}
	return id, nil
}

// path is the repository's path on the destination.
func (w wrapperArgs) path(ctx context.Context, sys *system, rdb *redis.Client, moduleID string) (app, uuid string, err error) {
	if w.repopath != "" {
		if !repositoryPath.MatchString(w.repopath) {
			return "", "", failf(exitUsage, "--repopath %q is not of the form APP/UUID", w.repopath)
		}
		app, uuid, _ = strings.Cut(w.repopath, "/")
		return app, uuid, nil
	}
	if own, err := sys.env.module(); err == nil && own.id == moduleID {
		return own.app, own.uuid, nil
	}
	uuid, err = rdb.HGet(ctx, catalog.ModuleUUID, moduleID).Result()
	if errors.Is(err, redis.Nil) {
		return "", "", failf(exitUsage, "module %s is not installed: name its repository with --repopath", moduleID)
	}
	if err != nil {
		return "", "", readError(catalog.ModuleUUID, err)
	}
	image, err := rdb.HGet(ctx, catalog.ModuleEnvironmentKey(moduleID), catalog.FieldImageURL).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", "", readError(catalog.ModuleEnvironmentKey(moduleID), err)
	}
	app, err = appOfImage(image)
	return app, uuid, err
}

// where is the destination's ID.
func (w wrapperArgs) where(ctx context.Context, rdb *redis.Client, moduleID string) (string, error) {
	if w.destination != "" {
		return destinationNamed(ctx, rdb, w.destination)
	}
	if w.backup != "" {
		s, err := readSchedule(ctx, rdb, w.backup)
		return s.destination, err
	}
	schedules, err := allSchedules(ctx, rdb)
	if err != nil {
		return "", err
	}
	for _, s := range schedules {
		if s.lists(moduleID) && s.destination != "" {
			return s.destination, nil
		}
	}
	return "", failf(exitUsage, "no backup schedule lists module %s: name a destination with --destination (see --show)", moduleID)
}

// showBackups prints what the options can name.
func showBackups(ctx context.Context, sys *system, w wrapperArgs) error {
	rdb, err := w.wait.redis(ctx, sys)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	destinations, err := keysBelow(ctx, rdb, catalog.DestinationKey(""))
	if err != nil {
		return err
	}
	schedules, err := allSchedules(ctx, rdb)
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(sys.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "DESTINATION\tNAME\tPROVIDER")
	for _, id := range destinations {
		fields, err := rdb.HGetAll(ctx, catalog.DestinationKey(id)).Result()
		if err != nil {
			return readError(catalog.DestinationKey(id), err)
		}
		fmt.Fprintf(out, "%s\t%s\t%s\n", id, fields[catalog.FieldName], fields[catalog.FieldProvider])
	}
	fmt.Fprintln(out, "\nBACKUP\tDESTINATION\tMODULES")
	for _, s := range schedules {
		fmt.Fprintf(out, "%s\t%s\t%s\n", s.id, s.destination, strings.Join(s.modules, " "))
	}
	if repository, err := wrappedRepository(ctx, sys, &w); err == nil {
		fmt.Fprintf(out, "\nREPOSITORY\n%s\n", repository)
	}
	return out.Flush()
}
