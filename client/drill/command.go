package drill

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/locate"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/run"
)

// defaultSample is how many files are compared by default.
const defaultSample = 200

// options are the flags of drill.
type options struct {
	choice   locate.Choice
	wait     run.Waiting
	snapshot string
	dir      string
	sample   int
	asJSON   bool
	assist   bool

	metricsDir string // of a node
}

// NewModuleCommand returns the command module-drill, for the module that runs it.
func NewModuleCommand(sys *host.System) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "module-drill [flags]",
		Short: "Prove that the module's backup can be restored",
		Long: `Prove that the module's backup can be restored: restore the latest snapshot, or the one
named, into a throw-away place, compare a sample of files with the source, as far as
that has not changed since, and measure how long the restore took. Restic begins without
a cache, as on a new machine. Then the place is removed; what a drill left that was
killed, the next one removes.

If the module has a command module-verify-state, it is run in the directory that was
restored to, which holds state and volumes, with its path as the argument. A failure of
it means that the backup is not restorable.

Status 20 says that the backup is not restorable: it does not open, is damaged, holds
nothing, or is not what the source is. Status 21 says that it could not be tried.`,
		Example: `  module-drill
  module-drill --backup 1 --dir /srv --json`,
		Annotations: status(),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.assist {
				return runAssist(sys)
			}
			return o.run(cmd.Context(), sys)
		},
	}
	o.addFlags(sys, cmd)
	cmd.Flags().BoolVar(&o.assist, assistFlag, false, "")
	_ = cmd.Flags().MarkHidden(assistFlag)
	return cmd
}

// addFlags adds the flags that both commands have.
func (o *options) addFlags(sys *host.System, cmd *cobra.Command) {
	o.choice.AddPlaceFlags(cmd.Flags())
	flags := cmd.Flags()
	flags.StringVar(&o.snapshot, "snapshot", "", "the snapshot's `ID` (default: the latest one)")
	flags.StringVar(&o.dir, "dir", "", "restore to a place below `DIR`, which has room for the snapshot (default $"+baseVariable+", or "+defaultBase+")")
	flags.IntVar(&o.sample, "sample", defaultSample, "compare up to `N` files, and up to 1 GiB")
	flags.BoolVar(&o.asJSON, "json", false, "print JSON")
	o.wait.AddFlag(flags)
	names.CompleteFlag(cmd, "destination", names.Complete(sys, names.DestinationEntries, names.AnyNumber))
	names.CompleteFlag(cmd, "backup", names.Complete(sys, names.ScheduleEntries, names.AnyNumber))
}

// status returns the exit statuses of a drill.
func status() map[string]string {
	return exit.Status(exit.OK, exit.Usage, exit.NotRestorable, exit.NotTried, exit.Signal)
}

// check refuses options that make no sense.
func (o *options) check() error {
	if o.sample < 0 {
		return exit.Failf(exit.Usage, "--sample %d is negative", o.sample)
	}
	return o.wait.Check()
}

// run drills the module's own backup.
func (o *options) run(ctx context.Context, sys *host.System) error {
	if err := o.check(); err != nil {
		return err
	}
	o.dir = baseOf(sys.Env, o.dir)
	report := &Report{Started: time.Now()}
	err := judge(ctx, o.try(ctx, sys, "", report))
	report.end(ctx, err)
	return errors.Join(err, o.tell(sys, report))
}

// tell prints the report.
func (o *options) tell(sys *host.System, report *Report) error {
	if o.asJSON {
		return sys.PrintJSON(report)
	}
	report.tell(sys)
	return nil
}

// try determines the subject and drills it.
func (o *options) try(ctx context.Context, sys *host.System, word string, report *Report) error {
	s, home, err := o.subject(ctx, sys, word, report)
	if err != nil {
		return err
	}
	if n, err := home.removeLeftovers(ctx); n > 0 || err != nil {
		sys.Notef("a drill was killed: removed what it had restored")
		if err != nil {
			sys.Warnf("something of it stays: %v", err)
		}
	}
	named := o.snapshot
	if named == "latest" {
		named = ""
	}
	d := &drilling{sys: sys, subject: s, snapshot: named, sample: o.sample, wait: &o.wait, report: report}
	return d.run(ctx, home)
}

// subject returns the module that runs the command, or what a word names.
func (o *options) subject(ctx context.Context, sys *host.System, word string, report *Report) (*subject, home, error) {
	rdb, err := o.wait.Redis(ctx, sys)
	if err != nil {
		return nil, home{}, err
	}
	defer func() { _ = rdb.Close() }()
	own, errOwn := sys.Env.Module()
	if word == "" && errOwn != nil {
		return nil, home{}, errOwn
	}
	choice := o.choice
	if err := choice.Name(ctx, rdb, word); err != nil {
		return nil, home{}, err
	}
	place, err := choice.Place(ctx, sys, rdb)
	if err != nil {
		return nil, home{}, names.WronglyNamed(err)
	}
	report.Module, report.UUID, report.Destination, report.Repository = place.Module, place.UUID, place.Destination, place.Path()
	repository, err := place.Open(ctx, sys, rdb)
	if err != nil {
		return nil, home{}, names.WronglyNamed(err)
	}
	if word == "" {
		s, err := ownSubject(ctx, sys, own, place, repository)
		if err != nil {
			return nil, home{}, err
		}
		h, err := openHome(o.dir, s.unshared())
		return s, h, err
	}
	h, err := openHome(o.dir, false)
	if err != nil {
		return nil, h, err
	}
	s, err := otherSubject(ctx, sys, place, repository, h.dir)
	if err == nil {
		h.unshared = s.unshared()
	}
	return s, h, err
}
