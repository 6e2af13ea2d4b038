package wrapper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/naming"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/docgen"
)

// NewCommand returns the command restic-wrapper.
func NewCommand(sys *host.System) *cobra.Command {
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
		Annotations: map[string]string{docgen.ExitStatusAnnotation: exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Forbidden, exit.Redis)[docgen.ExitStatusAnnotation] +
			"\n  other that of restic, or of podman run"},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return names.CompleteWrapper(cmd.Context(), sys, args, typed)
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
				return exit.Failf(exit.Usage, "give restic a command, such as snapshots (see --help)")
			default:
				return runResticWrapper(cmd.Context(), sys, w)
			}
		},
	}
}

func wrapperInvocation(ctx context.Context, sys *host.System, w wrapperArgs) (restic.Invocation, error) {
	command := restic.Invocation{
		Runtime:    sys.Env.ResticRuntime(),
		PodmanArgs: w.podman,
		Args:       w.restic,
	}
	if command.Runtime != restic.Native {
		image, err := sys.Env.ResticImage()
		if err != nil {
			return command, err
		}
		command.Image, command.Name = image, fmt.Sprintf("restic-%s-%d", agentName(sys.Env), os.Getpid())
	} else if len(w.podman) > 0 {
		return command, exit.Failf(exit.Usage, "--podman has no meaning with the native runtime of restic: NS8_RESTIC_RUNTIME=podman sets the other one")
	}
	version, err := restic.Detect(ctx, command)
	if err != nil {
		return command, run.ResticError(restic.Repository{}, err)
	}
	command.Version = version
	sys.Env.ReachGateway(&command)
	return command, sys.Env.CheckSocket(version)
}

// agentName is who we are, fit for a container's name.
func agentName(e *host.Environment) string {
	name := cmp.Or(e.Get("MODULE_ID"), strings.ReplaceAll(e.Get("AGENT_ID"), "/", ""))
	if !host.ModuleIDPattern.MatchString(name) {
		return "wrapper"
	}
	return name
}

// wrappedRepository is the repository that w means.
func wrappedRepository(ctx context.Context, sys *host.System, w *wrapperArgs) (restic.Repository, error) {
	rdb, err := w.wait.Redis(ctx, sys)
	if err != nil {
		return restic.Repository{}, err
	}
	defer func() { _ = rdb.Close() }()
	moduleID, err := w.moduleID(ctx, sys, rdb)
	if err != nil {
		return restic.Repository{}, names.WronglyNamed(err)
	}
	app, uuid, err := w.path(ctx, sys, rdb, moduleID)
	if err != nil {
		return restic.Repository{}, err
	}
	destination, err := w.where(ctx, rdb, moduleID)
	if err != nil {
		return restic.Repository{}, names.WronglyNamed(err)
	}
	repository, err := run.OpenRepository(ctx, sys, rdb, destination, app, uuid)
	return repository, names.WronglyNamed(err)
}

// ModuleID is the module that is meant, or "" where none is needed. One that is not
// installed may still be in schedules.
func (w wrapperArgs) moduleID(ctx context.Context, sys *host.System, rdb *redis.Client) (string, error) {
	id := w.module
	if id == "" {
		id, _ = sys.Env.ModuleID()
	} else if w.repopath == "" {
		m, err := names.ModuleNamed(ctx, rdb, id)
		if unknown, ok := errors.AsType[*naming.UnknownError](err); ok && len(unknown.Near) == 0 && host.ModuleIDPattern.MatchString(id) {
			return id, nil
		}
		return m.ID, err
	}
	switch {
	case id != "" && !host.ModuleIDPattern.MatchString(id):
		return "", exit.Failf(exit.Usage, "%q is not a module ID", id)
	case id == "" && (w.repopath == "" || w.backup == "" && w.destination == ""):
		return "", exit.Failf(exit.Usage, "name a repository: --module, or --destination and --repopath (see --show)")
	}
	return id, nil
}

// path is the repository's path on the destination.
func (w wrapperArgs) path(ctx context.Context, sys *host.System, rdb *redis.Client, moduleID string) (app, uuid string, err error) {
	if w.repopath != "" {
		if !host.RepositoryPath.MatchString(w.repopath) {
			return "", "", exit.Failf(exit.Usage, "--repopath %q is not of the form APP/UUID", w.repopath)
		}
		app, uuid, _ = strings.Cut(w.repopath, "/")
		return app, uuid, nil
	}
	if own, err := sys.Env.Module(); err == nil && own.ID == moduleID {
		return own.App, own.UUID, nil
	}
	uuid, err = rdb.HGet(ctx, catalog.ModuleUUID, moduleID).Result()
	if errors.Is(err, redis.Nil) {
		return "", "", exit.Failf(exit.Usage, "module %s is not installed: name its repository with --repopath", moduleID)
	}
	if err != nil {
		return "", "", host.ReadError(catalog.ModuleUUID, err)
	}
	image, err := rdb.HGet(ctx, catalog.ModuleEnvironmentKey(moduleID), catalog.FieldImageURL).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", "", host.ReadError(catalog.ModuleEnvironmentKey(moduleID), err)
	}
	app, err = host.AppOfImage(image)
	return app, uuid, err
}

// where is the destination's ID.
func (w wrapperArgs) where(ctx context.Context, rdb *redis.Client, moduleID string) (string, error) {
	if w.destination != "" {
		return names.DestinationNamed(ctx, rdb, w.destination)
	}
	if w.backup != "" {
		s, err := schedule.Read(ctx, rdb, w.backup)
		return s.Destination, err
	}
	schedules, err := schedule.All(ctx, rdb)
	if err != nil {
		return "", err
	}
	for _, s := range schedules {
		if s.Lists(moduleID) && s.Destination != "" {
			return s.Destination, nil
		}
	}
	return "", exit.Failf(exit.Usage, "no backup schedule lists module %s: name a destination with --destination (see --show)", moduleID)
}

// showBackups prints what the options can name.
func showBackups(ctx context.Context, sys *host.System, w wrapperArgs) error {
	rdb, err := w.wait.Redis(ctx, sys)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	destinations, err := host.KeysBelow(ctx, rdb, catalog.DestinationKey(""))
	if err != nil {
		return err
	}
	schedules, err := schedule.All(ctx, rdb)
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(sys.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "DESTINATION\tNAME\tPROVIDER")
	for _, id := range destinations {
		fields, err := rdb.HGetAll(ctx, catalog.DestinationKey(id)).Result()
		if err != nil {
			return host.ReadError(catalog.DestinationKey(id), err)
		}
		fmt.Fprintf(out, "%s\t%s\t%s\n", id, fields[catalog.FieldName], fields[catalog.FieldProvider])
	}
	fmt.Fprintln(out, "\nBACKUP\tDESTINATION\tMODULES")
	for _, s := range schedules {
		fmt.Fprintf(out, "%s\t%s\t%s\n", s.ID, s.Destination, strings.Join(s.Modules, " "))
	}
	if repository, err := wrappedRepository(ctx, sys, &w); err == nil {
		fmt.Fprintf(out, "\nREPOSITORY\n%s\n", repository)
	}
	return out.Flush()
}
