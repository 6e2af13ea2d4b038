package units

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/moduleapi"
	"github.com/rclone-gateway/rclone-gateway/client/notifyfile"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
)

// defaultDir is the directory for an administrator's units.
const defaultDir = "/etc/systemd/system"

type options struct {
	dir      string
	noStart  bool
	remove   bool
	quiet    bool
	requests bool
}

// NewInstall returns the command schedule install.
func NewInstall(sys *host.System) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "install [flags]",
		Short: "Have systemd run the schedules of this node",
		Long: `Have systemd run the schedules of this node: write a timer and a service for each, enable
and start the timers, and remove those of schedules that are gone. A timer of its own does
this again every five minutes, so that the units stay in step; at once it does so when you
call it. Run it as root, with the environment of the node. With --requests a service runs at
once what somebody asks for on the page (see "rclone-gateway serve --status-actions"). Where
there is a file /etc/rclone-gateway/notify.conf a timer has people told how the backups
are, each minute (see "gatewayctl notify").

On a host of a module's own (see "gatewayctl module join"), with the environment of the
module, the timers make its backups, as the gateway says when, in the time zone of that host
unless the schedule's calendar names one; the timers of several modules are apart.

With NethServer 8 nothing is written: its own timers run its schedules.`,
		Example: `  gatewayctl --env-file node.env schedule install
  gatewayctl --env-file node.env schedule install --remove
  gatewayctl --env-file /srv/myapp5/etc/module.env schedule install`,
		Annotations: exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Unreachable, exit.Forbidden, exit.Redis, exit.Conflict),
		Args:        cobra.NoArgs,
		RunE:        func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), sys, cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.dir, "dir", defaultDir, "`DIR` of the units")
	flags.BoolVar(&o.requests, "requests", false, "run at once what somebody asks for on the page: a service more")
	flags.BoolVar(&o.noStart, "no-start", false, "write the units, and do not have systemd read them")
	flags.BoolVar(&o.remove, "remove", false, "stop and remove all of these units")
	flags.BoolVar(&o.quiet, "quiet", false, "say nothing where nothing changed")
	return cmd
}

func (o *options) run(ctx context.Context, sys *host.System, cmd *cobra.Command) error {
	if sys.Env.OnNS8() {
		return exit.Failf(exit.Conflict, "this is a node of NethServer 8, whose own timers run its schedules: nothing is installed")
	}
	_, errNotify := os.Stat(notifyfile.DefaultPath)
	h := Host{Dir: o.dir, Requests: o.requests, Notify: errNotify == nil}
	files := map[string]string{}
	if sys.Env.NoRedis() {
		var err error
		if h.Module, err = sys.Env.ModuleID(); err != nil {
			return err
		}
		h.Requests, h.Notify = false, false // they need Redis
	}
	if !o.remove {
		var err error
		if files, err = o.files(ctx, sys, cmd, &h); err != nil {
			return err
		}
	}
	change, err := h.Write(files)
	if err != nil {
		return err
	}
	if o.remove {
		change.Removed = append(change.Removed, h.own(h.syncUnit()+".timer", h.syncUnit()+".service")...)
	}
	if !o.noStart {
		if err := o.apply(ctx, change); err != nil {
			return err
		}
	}
	for _, name := range change.Removed {
		if err := os.Remove(filepath.Join(o.dir, name)); err != nil {
			return fmt.Errorf("remove a unit: %w", err)
		}
	}
	if len(change.Removed) > 0 && !o.noStart {
		if err := systemctl(ctx, "daemon-reload"); err != nil {
			return err
		}
	}
	if !o.quiet || len(change.Written)+len(change.Removed) > 0 {
		sys.Notef("%d units written, %d removed", len(change.Written), len(change.Removed))
	}
	return nil
}

// files returns the content of all units, by name.
func (o *options) files(ctx context.Context, sys *host.System, cmd *cobra.Command, h *Host) (map[string]string, error) {
	var err error
	if h.Program, err = os.Executable(); err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	envFile, err := cmd.Root().PersistentFlags().GetString("env-file")
	if err != nil || envFile == "" {
		return nil, exit.Failf(exit.Usage, "give the file that \"gatewayctl node add --env-file\" wrote, with --env-file FILE before the command: the units need it")
	}
	if h.EnvFile, err = filepath.Abs(envFile); err != nil {
		return nil, err
	}
	list := ofNode
	if h.Module != "" {
		list = ofModule
	}
	schedules, err := list(ctx, sys)
	if err != nil {
		return nil, err
	}
	return h.Files(schedules)
}

// ofNode returns the schedules that concern this node.
func ofNode(ctx context.Context, sys *host.System) ([]schedule.Planned, error) {
	login, err := sys.Env.Credentials()
	if err != nil {
		return nil, err
	}
	node, isNode := strings.CutPrefix(login.User, "node/")
	if !isNode || !account.ValidNodeID(node) {
		return nil, exit.Failf(exit.Usage, "user %s is not a node's: give the file that \"gatewayctl node add --env-file\" wrote, with --env-file FILE before the command", login.User)
	}
	rdb, err := sys.Redis(ctx, host.LocalAgent)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rdb.Close() }()
	return schedule.OfNode(ctx, rdb, node)
}

// ofModule returns the schedules of a module on its own host, according to the gateway.
func ofModule(ctx context.Context, sys *host.System) ([]schedule.Planned, error) {
	facts, err := moduleapi.Facts(ctx, sys.Env)
	if err != nil {
		return nil, err
	}
	var planned []schedule.Planned
	for _, told := range facts.Schedules {
		if told.Enabled {
			planned = append(planned, schedule.Planned{
				Schedule: schedule.Schedule{ID: told.ID, Name: told.Name, Destination: told.Destination, When: told.Calendar, Enabled: true},
				Here:     []string{facts.ID},
			})
		}
	}
	return planned, nil
}

// own returns the names of existing units of ours.
func (h Host) own(names ...string) []string {
	var found []string
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(h.Dir, name))
		if err == nil && strings.HasPrefix(string(text), mark) {
			found = append(found, name)
		}
	}
	return found
}

// apply stops removed units and starts new and changed ones. A running backup continues.
func (o *options) apply(ctx context.Context, change Change) error {
	if timers := startable(change.Removed); len(timers) > 0 {
		if err := systemctl(ctx, append([]string{"disable", "--now"}, timers...)...); err != nil {
			return err
		}
	}
	if len(change.Written) == 0 {
		return nil
	}
	if err := systemctl(ctx, "daemon-reload"); err != nil {
		return err
	}
	timers := startable(change.Written)
	if len(timers) == 0 {
		return nil
	}
	if err := systemctl(ctx, append([]string{"enable"}, timers...)...); err != nil {
		return err
	}
	return systemctl(ctx, append([]string{"restart"}, timers...)...)
}

// startable returns the units to start: timers, and permanent services.
func startable(names []string) []string {
	var found []string
	for _, name := range names {
		if filepath.Ext(name) == ".timer" || name == requestsName {
			found = append(found, name)
		}
	}
	return found
}

// systemctl runs systemctl.
func systemctl(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "systemctl", args...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return exit.Failf(exit.Failed, "this host has no systemd: run \"gatewayctl scheduler\" instead")
	}
	if err != nil {
		return exit.Failf(exit.Failed, "systemctl %s: %s", args[0], strings.TrimSpace(string(out)))
	}
	return nil
}
