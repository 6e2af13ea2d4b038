package setup

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// NewCommand returns the command setup.
func NewCommand(sys *host.System) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "setup [flags]",
		Short: "Take a machine with nothing to a running gateway with a first backup",
		Long: `Take a machine with nothing to a running gateway with a first backup: a Redis of the
gateway's own on a private socket, a node, the gateway, a destination that is tested,
modules, which are directories here, a schedule, and a first backup of which the restore
is tested. redis-server, restic and rclone-gateway must be installed.

On a terminal it asks for what no option gives. Each step shows the commands that it runs,
and how to undo it. Run it again at any time: what is there stays as it is, and what is
missing is made.

As root on a host with systemd it uses the system's directories and services:
rclone-gateway-redis.service, rclone-gateway.service and a timer for the schedule. With
--dir all is below one directory and belongs to who runs this; DIR/start starts Redis, the
gateway and the scheduler, and DIR/stop stops them. Nothing does that at boot by itself.

Commands for later take DIR/admin.env, or /etc/rclone-gateway/admin.env:

  gatewayctl --env-file /etc/rclone-gateway/admin.env destination list`,
		Example: `  gatewayctl setup --dry-run --module wiki1=/srv/wiki --to /mnt/disk/backups
  gatewayctl setup --dry-run --file setup.conf
  gatewayctl setup --yes --dir ~/backup --module notes=$HOME/notes --to ~/disk`,
		Annotations: exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Unreachable, exit.Forbidden, exit.Redis, exit.Invalid, exit.Password,
			exit.Conflict, exit.Incomplete, exit.NotRestorable, exit.NotTried, exit.Signal),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.file != "" {
				if err := readFile(sys, cmd.Flags(), o.file); err != nil {
					return err
				}
			}
			return o.run(cmd.Context(), sys)
		},
	}
	o.register(cmd.Flags())
	return cmd
}

func (o *options) run(ctx context.Context, sys *host.System) error {
	if sys.Env.OnNS8() {
		return exit.Failf(exit.Conflict, "this is a node of NethServer 8, which has its Redis, nodes, modules and schedules: install the gateway as the page deploy/ns8 says")
	}
	l, err := newLayout(o)
	if err != nil {
		return err
	}
	if !o.dryRun {
		if err := checkPrograms(); err != nil {
			return err
		}
	}
	if err := o.complete(ctx, sys); err != nil {
		return err
	}
	s := &setup{sys: sys, opts: o, layout: l}
	if s.modules, err = o.chosen(); err != nil {
		return err
	}
	if s.program, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	return s.run(ctx)
}

// run prints the steps and performs them.
func (s *setup) run(ctx context.Context) error {
	steps := s.steps()
	if s.opts.dryRun {
		for i, step := range steps {
			s.sys.Notef("%d. %s\n  undo: %s", i+1, step.title, step.undo)
		}
		return nil
	}
	if err := s.agree(ctx, steps); err != nil {
		return err
	}
	for i, step := range steps {
		s.sys.Notef("[%d/%d] %s", i+1, len(steps), step.title)
		did, err := step.do(ctx)
		if err != nil {
			return fmt.Errorf("step %d, %s: %w; what was done so far stays: mend that and run setup again", i+1, step.title, err)
		}
		s.sys.Notef("  %s\n  undo: %s", did, step.undo)
	}
	return s.tell(ctx)
}

// agree asks for confirmation, if anybody can be asked.
func (s *setup) agree(ctx context.Context, steps []step) error {
	prompt := s.sys.Prompter()
	if prompt == nil || s.opts.yes {
		return nil
	}
	s.sys.Notef("This will be done, in this order; each step says how to undo it:")
	for i, step := range steps {
		s.sys.Notef("  %d. %s", i+1, step.title)
	}
	answer, err := prompt.Ask(ctx, "Begin? [Y/n]")
	if err != nil {
		return err
	}
	if answer != "" && !strings.EqualFold(answer, "y") && !strings.EqualFold(answer, "yes") {
		return exit.Failf(exit.Failed, "nothing was done")
	}
	return nil
}

// tell prints what was set up, and the passwords of the backups.
func (s *setup) tell(ctx context.Context) error {
	s.sys.Notef("Done. The page that shows your backups is at http://%s/-/status; its first user is made with\n  %s --env-file %s admin add NAME",
		s.layout.address, programName, s.layout.adminEnv())
	if !s.layout.services {
		s.sys.Notef("Nothing starts this at boot: have cron do it (@reboot %s), or your supervisor.", s.layout.script("start"))
	}
	return s.tellPasswords(ctx)
}

// tellPasswords prints a line for each new module: its name and the password of its
// backups.
func (s *setup) tellPasswords(ctx context.Context) error {
	if len(s.added) == 0 {
		return nil
	}
	s.sys.Notef("The password of the backups of each new module, without which none can be read: keep them apart from this machine.")
	for _, m := range s.added {
		text, err := s.quiet(ctx, s.layout.adminEnv(), "repository", "password", "show", "--module", m.name, "--destination", s.opts.name)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(s.sys.Stdout, "%s %s", m.name, text); err != nil {
			return err
		}
	}
	return nil
}
