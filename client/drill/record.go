package drill

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// turn is a module of this node and a schedule that backs it up.
type turn struct {
	schedule schedule.Schedule
	module   string
}

// turns are all of this node, that whose last drill is the longest ago first.
func turns(ctx context.Context, sys *host.System, rdb *redis.Client) ([]turn, error) {
	login, err := sys.Env.NodeCredentials()
	if err != nil {
		return nil, err
	}
	node, _ := strings.CutPrefix(login.User, "node/")
	places, err := rdb.HGetAll(ctx, catalog.ModuleNode).Result()
	if err != nil {
		return nil, host.ReadError(catalog.ModuleNode, err)
	}
	schedules, err := schedule.All(ctx, rdb)
	if err != nil {
		return nil, err
	}
	latest, err := history.Latest(ctx, rdb, "")
	if err != nil {
		return nil, err
	}
	var all []turn
	for _, s := range schedules {
		for _, id := range s.Modules {
			if places[id] == node && s.Destination != "" {
				all = append(all, turn{s, id})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b turn) int {
		x, y := lastDrill(latest, a), lastDrill(latest, b)
		return cmp.Or(x.Ended.Compare(y.Ended), strings.Compare(a.module, b.module))
	})
	return all, nil
}

// lastDrill is the last one, whatever it came to: a module whose backup is not restorable
// must not keep the others from their turn.
func lastDrill(latest map[[2]string]*history.Last, t turn) history.Run {
	last := latest[[2]string{t.schedule.ID, t.module}]
	if last == nil {
		return history.Run{}
	}
	return last.Run[history.Drill]
}

// scheduleOf is the schedule that a drill counts for: the one that was named, or the first
// that backs the module up there.
func scheduleOf(ctx context.Context, rdb *redis.Client, named string, report *Report) (schedule.Schedule, error) {
	if named != "" {
		return schedule.Read(ctx, rdb, named)
	}
	all, err := schedule.All(ctx, rdb)
	if err != nil {
		return schedule.Schedule{}, err
	}
	for _, s := range all {
		if s.Lists(report.Module) && (report.Destination == "" || s.Destination == report.Destination) {
			return s, nil
		}
	}
	return schedule.Schedule{}, nil
}

// record notes what came of a drill in the history, where "status" finds it. A drill of
// what no schedule backs up has no place there.
func (o *options) record(ctx context.Context, sys *host.System, report *Report) error {
	if report.Module == "" || report.ExitStatus == int(exit.Usage) {
		return nil
	}
	ctx = context.WithoutCancel(ctx) // also after a signal
	login, err := sys.Env.NodeCredentials()
	if err != nil {
		return err
	}
	node, _ := strings.CutPrefix(login.User, "node/")
	rdb, err := o.wait.Redis(ctx, sys)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	s, err := scheduleOf(ctx, rdb, o.choice.Backup, report)
	if err != nil || s.ID == "" {
		return err
	}
	recorder := history.Recorder{Sys: sys, Node: node, Dir: recordDir(sys.Env)}
	said, err := recorder.Record(ctx, runOf(s, report))
	if said != nil {
		sys.Warnf("the outcome waits in %s until Redis takes it: %v", recorder.Dir, said)
	}
	return errors.Join(err, o.writeMetrics(sys, s, report))
}

// writeMetrics writes what came of a drill for Prometheus, where somebody asks for that.
func (o *options) writeMetrics(sys *host.System, s schedule.Schedule, report *Report) error {
	dir, _ := sys.Env.Lookup("NS8_METRICS_DIR")
	if dir = cmp.Or(o.metricsDir, dir); dir == "" {
		return nil
	}
	return report.WriteMetrics(dir, s.ID, s.Name)
}

// runOf is a drill as the history has it.
func runOf(s schedule.Schedule, r *Report) history.Run {
	run := history.Run{
		ID: history.NewID(s.ID, r.Started), Schedule: s.ID, Name: s.Name, Module: r.Module,
		Kind: history.Drill, Destination: s.Destination,
	}
	r.Fill(&run)
	return run
}

// recordDir is where an outcome waits that Redis does not take.
func recordDir(env *host.Environment) string {
	dir, _ := env.Lookup("STATE_DIRECTORY")
	dir, _, _ = strings.Cut(dir, ":")
	home, _ := env.Lookup("HOME")
	return filepath.Join(cmp.Or(dir, filepath.Join(cmp.Or(home, "/var/lib"), ".local", "state")), "gatewayctl")
}

// remember records what came of a drill, and warns where that fails: it does not change
// what came of it.
func (o *options) remember(ctx context.Context, sys *host.System, report *Report) {
	if err := o.record(ctx, sys, report); err != nil && !errors.Is(err, context.Canceled) {
		sys.Warnf("the outcome is not recorded: %v", err)
	}
}
