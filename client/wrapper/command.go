package wrapper

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/facts"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/locate"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
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
  --at TIME         the repository as it was at that time, read-only: as in RFC 3339,
                    or how long ago, such as 2h
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

// choice holds the options that select a repository.
func (w *wrapperArgs) choice() *locate.Choice {
	return &locate.Choice{Module: w.module, Backup: w.backup, Destination: w.destination, Repopath: w.repopath}
}

// wrapperInvocation returns the restic invocation for the options.
func wrapperInvocation(ctx context.Context, sys *host.System, w wrapperArgs) (restic.Invocation, error) {
	command, err := locate.Invocation(ctx, sys, w.podman...)
	return command.With(w.restic...), err
}

// wrappedRepository returns the repository that w selects. If something that it names does
// not exist, that is a usage error.
func wrappedRepository(ctx context.Context, sys *host.System, w *wrapperArgs) (restic.Repository, error) {
	repository, err := w.choice().Repository(ctx, sys, &w.wait)
	if err != nil || w.at == "" {
		return repository, names.WronglyNamed(err)
	}
	at, err := run.ParseTime("--at", w.at)
	if err != nil {
		return repository, err
	}
	return run.At(ctx, sys, repository, at)
}

// showBackups prints possible values for the options.
func showBackups(ctx context.Context, sys *host.System, w wrapperArgs) error {
	source, done, err := facts.Open(ctx, sys, &w.wait)
	if err != nil {
		return err
	}
	defer done()
	destinations, err := source.Destinations(ctx)
	if err != nil {
		return err
	}
	schedules, err := source.Schedules(ctx)
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(sys.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "DESTINATION\tNAME\tPROVIDER")
	for _, d := range destinations {
		fmt.Fprintf(out, "%s\t%s\t%s\n", d.ID, d.Name, d.Provider)
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
