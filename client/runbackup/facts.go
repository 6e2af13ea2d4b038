package runbackup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/naming"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

// module is a module in a schedule.
type module struct {
	ID   string `json:"id"`
	UUID string `json:"uuid,omitempty"`
	App  string `json:"app,omitempty"`
	// Name is its name for people.
	Name string `json:"name,omitempty"`
	// Elsewhere is true if it is on another host, which makes its backups.
	Elsewhere bool `json:"elsewhere,omitempty"`
	// Gone is true if it no longer exists.
	Gone bool `json:"gone,omitempty"`
}

// path returns the path of its repository on a destination.
func (m *module) path() string { return m.App + "/" + m.UUID }

// facts are the parts of Redis that a run depends on.
type facts struct {
	Schedule schedule.Schedule `json:"-"`
	Node     string            `json:"node"`
	Leader   bool              `json:"leader"`
	Cluster  string            `json:"cluster"` // UUID of the cluster
	Modules  []module          `json:"modules"` // of this node; the leader also has the deleted ones

	// The hashes that the schedule was parsed from.
	Fields map[string]string `json:"fields"`
	Plan   map[string]string `json:"plan,omitempty"`

	// stale says why the facts are from the last run; nil if they are current.
	stale error
}

// nodeID returns the ID of this node.
func nodeID(env *host.Environment) (string, error) {
	if node := env.Get("NODE_ID"); node != "" {
		return node, nil
	}
	if node, ok := strings.CutPrefix(env.Get("REDIS_USER"), "node/"); ok {
		return node, nil
	}
	_, err := env.NodeCredentials()
	if err == nil {
		err = exit.Failf(exit.Usage, "NODE_ID is not set: which node is this?")
	}
	return "", err
}

// gather reads the facts from Redis or, if it is down, from the copy that the last run left
// in the state directory.
func gather(ctx context.Context, sys *host.System, dir, word string) (facts, error) {
	node, err := nodeID(sys.Env)
	if err != nil {
		return facts{}, err
	}
	rdb, err := sys.Redis(ctx, host.LocalAgent)
	var f facts
	if err == nil {
		defer func() { _ = rdb.Close() }()
		f, err = ask(ctx, rdb, node, word)
	}
	coded, isCoded := errors.AsType[*exit.Error](err)
	switch {
	case err == nil:
		if err := f.remember(dir); err != nil {
			sys.Warnf("what Redis says is not kept for when it is away: %v", err)
		}
		return f, nil
	case !isCoded || coded.Code != exit.Redis:
		return facts{}, err
	}
	f, errKnown := recall(dir, word)
	if errKnown != nil {
		return facts{}, err
	}
	f.stale = err
	return f, nil
}

func ask(ctx context.Context, rdb *redis.Client, node, word string) (facts, error) {
	id, err := names.ScheduleNamed(ctx, rdb, word)
	if err != nil {
		return facts{}, err
	}
	f := facts{Node: node}
	if f.Fields, err = rdb.HGetAll(ctx, catalog.BackupKey(id)).Result(); err != nil {
		return facts{}, host.ReadError(catalog.BackupKey(id), err)
	}
	if f.Plan, err = rdb.HGetAll(ctx, catalog.PlanKey(id)).Result(); err != nil {
		return facts{}, host.ReadError(catalog.PlanKey(id), err)
	}
	f.Schedule = schedule.Parse(id, f.Fields, f.Plan)
	pipe := rdb.Pipeline()
	leader := pipe.HGet(ctx, catalog.ClusterEnvironment, catalog.FieldNodeID)
	cluster := pipe.Get(ctx, catalog.ClusterUUID)
	nodes := pipe.HGetAll(ctx, catalog.ModuleNode)
	uuids := pipe.HGetAll(ctx, catalog.ModuleUUID)
	elsewhere := pipe.SMembers(ctx, catalog.ModulesElsewhere)
	images, labels := map[string]*redis.StringCmd{}, map[string]*redis.StringCmd{}
	for _, m := range f.Schedule.Modules {
		images[m] = pipe.HGet(ctx, catalog.ModuleEnvironmentKey(m), catalog.FieldImageURL)
		labels[m] = pipe.Get(ctx, catalog.ModuleUINameKey(m))
	}
	_, _ = pipe.Exec(ctx) // each command has its error
	if err := errors.Join(host.IgnoreNil(leader.Err()), host.IgnoreNil(cluster.Err()), nodes.Err(), uuids.Err(), elsewhere.Err()); err != nil {
		return facts{}, exit.Failf(exit.Redis, "read the modules of schedule %s from redis: %w", id, err)
	}
	f.Leader, f.Cluster = leader.Val() == node, cluster.Val()
	seen := map[string]bool{}
	for _, m := range f.Schedule.Modules {
		where, placed := nodes.Val()[m]
		if seen[m] || placed && where != node || !placed && !f.Leader {
			continue
		}
		seen[m] = true
		app, err := host.AppOfImage(images[m].Val())
		if err != nil {
			app = strings.TrimRight(m, "0123456789")
		}
		f.Modules = append(f.Modules, module{
			ID: m, UUID: uuids.Val()[m], App: app, Name: labels[m].Val(), Gone: !placed, Elsewhere: slices.Contains(elsewhere.Val(), m),
		})
	}
	return f, nil
}

// choose keeps the modules that the command line names.
func (f *facts) choose(words []string) error {
	if len(words) == 0 {
		return nil
	}
	for _, word := range words {
		known := slices.ContainsFunc(f.Modules, func(m module) bool { return m.ID == word })
		if !known {
			var ids []string
			for _, m := range f.Modules {
				ids = append(ids, m.ID)
			}
			return exit.Failf(exit.Usage, "schedule %s has no module %q on this node%s", f.Schedule.ID, host.Printable(word), naming.DidYouMean(word, ids))
		}
	}
	f.Modules = slices.DeleteFunc(f.Modules, func(m module) bool { return !slices.Contains(words, m.ID) })
	return nil
}

// knownFile returns the path of the copy for a schedule.
func knownFile(dir, id string) string { return filepath.Join(dir, "known-"+id+".json") }

func (f *facts) remember(dir string) error {
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return atomicfile.Write(knownFile(dir, f.Schedule.ID), append(text, '\n'), 0o600)
}

// recall reads the copy for the schedule with that ID or name.
func recall(dir, word string) (facts, error) {
	files, err := filepath.Glob(knownFile(dir, "*"))
	if err != nil {
		return facts{}, err
	}
	var found []facts
	for _, file := range files {
		text, err := os.ReadFile(file)
		var f facts
		if err != nil || json.Unmarshal(text, &f) != nil {
			continue
		}
		id := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "known-"), ".json")
		f.Schedule = schedule.Parse(id, f.Fields, f.Plan)
		if id == word {
			return f, nil
		}
		if f.Schedule.Name == word {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		return facts{}, fmt.Errorf("schedule %q is not known here", word)
	}
	return found[0], nil
}
