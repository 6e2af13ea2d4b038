package scheduler

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/notify"
)

// defaultDir is the directory for the state that is needed without Redis, unless an option
// or systemd overrides it.
const defaultDir = "/var/lib/rclone-gateway-runs"

// options are the flags of scheduler.
type options struct {
	parallel int
	stateDir string
	once     string
	requests bool // run only requests
}

// NewCommand returns the command scheduler.
func NewCommand(sys *host.System) *cobra.Command {
	var opts options
	cmd := &cobra.Command{
		Use:   "scheduler [flags]",
		Short: "Run the schedules of this node at their times, in the foreground",
		Long: `Run the schedules of this node at their times, in the foreground: for containers and
hosts without systemd. Elsewhere "gatewayctl schedule install" has systemd do it.

Each run is a process of its own, "gatewayctl run-backup". What was dealt with is in
Redis, so that a restart neither loses a run nor runs it twice, and a second scheduler of
the same node does no harm. A run that came while nobody was there is caught up, once; what
did not run is in the history. While Redis is away schedules run as they were known.

What somebody asks for on the page (see "rclone-gateway serve --status-actions") is run at
once. With --requests that is all it does, where systemd runs schedules at their times.

Where there is a notify.conf it tells people each minute what changed, and sends the digest
(see "gatewayctl notify").

SIGTERM ends it: runs that are going on are told to end as well, and begin again when it
starts. Schedules that are added or changed are noticed within 15 seconds.`,
		Example: `  gatewayctl --env-file node.env scheduler
  gatewayctl --env-file node.env scheduler --parallel 4 --state-dir /srv/runs`,
		Annotations: exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Busy, exit.Redis, exit.NotFound, exit.Conflict, exit.Disabled, exit.Signal),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), sys, opts)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&opts.parallel, "parallel", 2, "run `NUMBER` schedules at once")
	flags.StringVar(&opts.once, "once", "", "run only the schedule with this `ID`, whose time has come, and end with its status: for timers of systemd and cron")
	flags.BoolVar(&opts.requests, "requests", false, "run only what somebody asks for on the page")
	flags.StringVar(&opts.stateDir, "state-dir", "", "`DIR` for what is to be known without Redis (default $GATEWAYCTL_STATE_DIR, $STATE_DIRECTORY or "+defaultDir+")")
	return cmd
}

func run(ctx context.Context, sys *host.System, opts options) error {
	if opts.parallel < 1 {
		return exit.Failf(exit.Usage, "--parallel %d: at least one schedule runs at once", opts.parallel)
	}
	if sys.Env.OnNS8() {
		return exit.Failf(exit.Conflict, "this is a node of NethServer 8, whose own timers run its schedules: a scheduler would run them twice")
	}
	node, err := NodeOf(sys.Env)
	if err != nil {
		return err
	}
	dir := cmp.Or(opts.stateDir, sys.Env.Get("GATEWAYCTL_STATE_DIR"), sys.Env.Get("STATE_DIRECTORY"), defaultDir)
	start := Process{Command: host.Self, Output: sys.Stderr, Dir: dir}
	asked := &Requests{Sys: sys, Node: node, Start: start.Now}
	if opts.requests {
		asked.Run(ctx)
		return nil
	}
	if opts.once == "" {
		unlock, err := lock(dir)
		if err != nil {
			return err
		}
		defer unlock()
	}
	// It is idle most of the time: save memory rather than collection time.
	debug.SetGCPercent(10)
	store := &RedisStore{Sys: sys, Node: node, Now: time.Now}
	defer store.Close()
	recorder := &history.Recorder{Sys: sys, Node: node, Dir: dir}
	engine := &Engine{
		Owner: newOwner(), Store: store, Now: time.Now, Parallel: opts.parallel, Notef: sys.Notef,
		Start:      start.Run,
		Unfinished: func(id string) bool { _, err := os.Stat(history.JournalFile(dir, id)); return err == nil },
		Known:      FileMemory(filepath.Join(dir, memoryFile(opts.once))),
		Record: func(ctx context.Context, runs ...history.Run) {
			if said, err := recorder.Record(ctx, runs...); err != nil {
				sys.Warnf("the outcome of runs is lost: %v", err)
			} else if said != nil {
				sys.Notef("the outcome of runs waits for redis: %v", said)
			}
		},
	}
	if opts.once != "" {
		return statusOf(engine.Once(ctx, opts.once))
	}
	sys.Notef("scheduler of node %s: started", node)
	var beside sync.WaitGroup
	beside.Go(func() { asked.Run(ctx) })
	beside.Go(func() { notify.Watch(ctx, sys, dir) })
	err = engine.Run(ctx)
	beside.Wait()
	sys.Notef("scheduler of node %s: stopped", node)
	return err
}

// memoryFile returns the file of the state that is needed without Redis. Single schedules
// have their own.
func memoryFile(once string) string {
	if once == "" {
		return "scheduler.json"
	}
	return "scheduler-" + once + ".json"
}

// NodeOf returns the node that we run as.
func NodeOf(env *host.Environment) (string, error) {
	login, err := env.Credentials()
	if err != nil {
		return "", err
	}
	node, isNode := strings.CutPrefix(login.User, "node/")
	if !isNode || !account.ValidNodeID(node) {
		return "", exit.Failf(exit.Usage, "user %s is not a node's: give the file that \"gatewayctl node add --env-file\" wrote, with --env-file FILE before the command", login.User)
	}
	return node, nil
}

// newOwner returns a unique name for this scheduler.
func newOwner() string {
	name, _ := os.Hostname() // only for people
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == '/' || r > '~' {
			return '-'
		}
		return r
	}, name) + "-" + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(time.Now().UnixNano(), 36)
}

// lock makes this the only scheduler that uses a directory.
func lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, exit.Failf(exit.Failed, "--state-dir: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "scheduler.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, exit.Failf(exit.Failed, "--state-dir: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		_ = file.Close()
		return nil, exit.Failf(exit.Busy, "another scheduler uses %s: end it, or give another --state-dir", dir)
	case err != nil:
		_ = file.Close()
		return nil, exit.Failf(exit.Failed, "lock %s: %w", dir, err)
	}
	return func() { _ = file.Close() }, nil
}
