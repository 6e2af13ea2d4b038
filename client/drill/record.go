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

// turns returns all turns of this node, the one with the oldest last drill first.
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

// lastDrill returns the last drill, whatever its outcome: a module whose backup cannot be
// restored must not keep others from their turn.
func lastDrill(latest map[[2]string]*history.Last, t turn) history.Run {
	last := latest[[2]string{t.schedule.ID, t.module}]
	if last == nil {
		return history.Run{}
	}
	return last.Run[history.Drill]
}

// scheduleOf returns the schedule that a drill counts for: the one that was named, or the
// first that backs up the module to that destination.
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

// record writes the result to the history, where "status" shows it. A drill outside any
// schedule is not recorded.
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

// writeMetrics writes the result for Prometheus, if that was asked for.
func (o *options) writeMetrics(sys *host.System, s schedule.Schedule, report *Report) error {
	dir, _ := sys.Env.Lookup("NS8_METRICS_DIR")
	if dir = cmp.Or(o.metricsDir, dir); dir == "" {
		return nil
	}
	return report.WriteMetrics(dir, s.ID, s.Name)
}

// runOf converts a report to a run of the history.
func runOf(s schedule.Schedule, r *Report) history.Run {
	run := history.Run{
		ID: history.NewID(s.ID, r.Started), Schedule: s.ID, Name: s.Name, Module: r.Module,
		Kind: history.Drill, Destination: s.Destination,
	}
	r.Fill(&run)
	return run
}

// recordDir is where a result waits while Redis is down.
func recordDir(env *host.Environment) string {
	dir, _ := env.Lookup("STATE_DIRECTORY")
	dir, _, _ = strings.Cut(dir, ":")
	home, _ := env.Lookup("HOME")
	return filepath.Join(cmp.Or(dir, filepath.Join(cmp.Or(home, "/var/lib"), ".local", "state")), "gatewayctl")
}

// remember records the result. A failure only warns: it does not change the result.
func (o *options) remember(ctx context.Context, sys *host.System, report *Report) {
	if err := o.record(ctx, sys, report); err != nil && !errors.Is(err, context.Canceled) {
		sys.Warnf("the outcome is not recorded: %v", err)
	}
}
