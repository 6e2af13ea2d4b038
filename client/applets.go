package client

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/accounts"
	"github.com/rclone-gateway/rclone-gateway/client/backup"
	"github.com/rclone-gateway/rclone-gateway/client/destinations"
	"github.com/rclone-gateway/rclone-gateway/client/drill"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/keys"
	"github.com/rclone-gateway/rclone-gateway/client/notify"
	"github.com/rclone-gateway/rclone-gateway/client/points"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/restore"
	"github.com/rclone-gateway/rclone-gateway/client/runbackup"
	"github.com/rclone-gateway/rclone-gateway/client/runs"
	"github.com/rclone-gateway/rclone-gateway/client/scheduler"
	"github.com/rclone-gateway/rclone-gateway/client/schedules"
	"github.com/rclone-gateway/rclone-gateway/client/setup"
	"github.com/rclone-gateway/rclone-gateway/client/trash"
	"github.com/rclone-gateway/rclone-gateway/client/wrapper"
	"github.com/rclone-gateway/rclone-gateway/internal/docgen"
	"github.com/rclone-gateway/rclone-gateway/internal/version"
)

// program is the binary's own name, under which every applet is a subcommand.
const program = "gatewayctl"

// applets are the commands that have a name of their own.
var applets = []struct {
	name string
	new  func(*host.System) *cobra.Command
}{
	{"module-backup", backup.NewCommand},
	{"restore-module", restore.NewCommand},
	{"module-drill", drill.NewModuleCommand},
	{"redis-dump", keys.NewDump},
	{"redis-restore", keys.NewRestore},
	{"restic-wrapper", wrapper.NewCommand},
	{"destination", destinations.NewCommand},
}

func appletNames() []string {
	names := make([]string, len(applets))
	for i, a := range applets {
		names[i] = a.name
	}
	return names
}

// manual is the section of man pages for users' commands.
func manual() docgen.Manual {
	return docgen.Manual{Section: 1, Version: version.String(), Date: version.Date(), Alias: appletNames()}
}

// Main runs the applet that args[0] names, or else the one that args[1] names,
// and returns the process's exit status. SIGINT, SIGTERM and SIGHUP cancel the
// applet's context.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) > 1 && args[1] == restic.MountCommand {
		err := restic.RunMounted(args[2:])
		fmt.Fprintf(stderr, "restic cannot be started: %v\n", err)
		return int(exit.Failed)
	}
	ctx, stop := exit.CancelOnSignal(context.Background())
	defer stop()
	return execute(ctx, host.NewSystem(stdin, stdout, stderr), args)
}

func execute(ctx context.Context, sys *host.System, args []string) int {
	root := newRoot(sys, filepath.Base(args[0]))
	addGlobals(sys, root)
	root.SetArgs(args[1:])
	root.SetIn(sys.Stdin)
	root.SetOut(sys.Stdout)
	root.SetErr(sys.Stderr)
	// An error before an applet's body starts is an error of the command line.
	began := false
	prepare(root, &began)

	called, err := root.ExecuteContextC(ctx)
	if err == nil {
		return int(exit.OK)
	}
	if !began {
		err = exit.With(exit.Usage, fmt.Errorf("%w (see %s --help)", err, called.CommandPath()))
	}
	code := exit.CodeOf(ctx, err)
	if !exit.IsSilent(err) {
		fmt.Fprintf(sys.Stderr, "%s: %v\n", root.Name(), err)
	}
	return code
}

// newRoot returns the applet called name, or the command that holds all applets.
func newRoot(sys *host.System, name string) *cobra.Command {
	for _, a := range applets {
		if a.name == name {
			return a.new(sys)
		}
	}
	root := &cobra.Command{
		Use:   program,
		Short: "Back up and restore modules through the gateway",
		Long: `Back up and restore modules through the gateway.

Called by the name of one of its commands, as through a symbolic link, it is
that command.`,
		Example: `  # with NethServer 8, in the environment of a module
  gatewayctl module-backup 1
  gatewayctl restore-module --destination DESTINATION

  # without it, with a Redis of one's own, in this order
  gatewayctl node add --env-file node.env
  (set -a; . ./node.env; rclone-gateway serve) &
  NS8_AGENT_ENV=node.env gatewayctl destination add
  gatewayctl module add --dir /srv/myapp1 --env-file myapp1.env myapp1
  gatewayctl schedule add --destination DESTINATION myapp1
  gatewayctl --env-file myapp1.env module-backup 1`,
		Annotations: exit.Status(exit.OK, exit.Failed, exit.Usage),
		Args:        cobra.NoArgs,
	}
	// Cobra's own --version needs text/template, which adds half to the size of the binary:
	// it keeps the linker from dropping methods.
	asksVersion := root.Flags().Bool("version", false, "print the version")
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		if *asksVersion {
			return printVersion(cmd)
		}
		return cmd.Help()
	}
	for _, a := range applets {
		root.AddCommand(a.new(sys))
	}
	completion := docgen.NewCompletion(program, appletNames()...)
	completion.Annotations = exit.Status(exit.OK, exit.Failed, exit.Usage)
	root.AddCommand(runbackup.NewCommand(sys), runs.NewStatus(sys), runs.NewRuns(sys), notify.NewCommand(sys), setup.NewCommand(sys), accounts.NewNode(sys), accounts.NewAdmin(sys), accounts.NewModule(sys), schedules.NewCommand(sys), scheduler.NewCommand(sys), trash.NewCommand(sys), newRepository(sys), points.NewSnapshot(sys), drill.NewCommand(sys), wrapper.NewForget(sys),
		newInstallLinks(), newVersion(), completion, docgen.NewMan(manual()))
	return root
}

// prepare gives cmd and its subcommands a common style of help and errors. It sets began
// when a command's body starts.
func prepare(cmd *cobra.Command, began *bool) {
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetFlagErrorFunc(suggestFlag)
	if cmd.HasSubCommands() {
		cmd.Args = onlyCommands
	}
	cmd.SetHelpFunc(printHelp)
	cmd.Flags().SortFlags = false
	if body := cmd.RunE; body != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*began = true
			return body(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		prepare(sub, began)
	}
}

func newInstallLinks() *cobra.Command {
	return &cobra.Command{
		Use:   "install-links DIR",
		Short: "Make a symbolic link for each command",
		Long: `Make a symbolic link to this binary in DIR for each command, replacing links of
the same name. A file of the same name that is no link stays, and is an
error.`,
		Example:     `  gatewayctl install-links /usr/local/bin`,
		Annotations: exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Full),
		Args:        cobra.ExactArgs(1),
		RunE:        func(_ *cobra.Command, args []string) error { return installLinks(args[0]) },
	}
}

func installLinks(dir string) error {
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this binary: %w", err)
	}
	for _, a := range applets {
		link := filepath.Join(dir, a.name)
		if info, err := os.Lstat(link); err == nil && info.Mode().Type() != os.ModeSymlink {
			return fmt.Errorf("%s is no symbolic link: remove it first", link)
		}
		// The rename replaces an old link atomically.
		temporary := fmt.Sprintf("%s.%d", link, os.Getpid())
		if err := os.Symlink(binary, temporary); err != nil {
			return err
		}
		if err := os.Rename(temporary, link); err != nil {
			_ = os.Remove(temporary)
			return err
		}
	}
	return nil
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:         "version",
		Short:       "Print the version",
		Example:     `  gatewayctl version`,
		Annotations: exit.Status(exit.OK),
		Args:        cobra.NoArgs,
		RunE:        func(cmd *cobra.Command, _ []string) error { return printVersion(cmd) },
	}
}

func printVersion(cmd *cobra.Command) error {
	_, err := fmt.Fprintln(cmd.OutOrStdout(), program, version.String())
	return err
}
