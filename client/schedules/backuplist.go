package schedules

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// listedBackup is a schedule in the output of NethServer 8's action list-backups.
type listedBackup struct {
	ID         int              `json:"id"`
	Name       string           `json:"name"`
	Repository string           `json:"repository"`
	Schedule   string           `json:"schedule"`
	Hint       json.RawMessage  `json:"schedule_hint"`
	Retention  int              `json:"retention"`
	Instances  []listedInstance `json:"instances"`
	Enabled    bool             `json:"enabled"`
}

// listedInstance is a module of a schedule in that output.
type listedInstance struct {
	Module string        `json:"module_id"`
	Name   string        `json:"ui_name"`
	Path   string        `json:"repository_path"`
	Status *listedStatus `json:"status"`
}

// listedStatus is the result of a module's last backup in that output.
type listedStatus struct {
	Start      int64 `json:"start"`
	End        int64 `json:"end"`
	TotalSize  int64 `json:"total_size"`
	TotalFiles int64 `json:"total_file_count"`
	Snapshots  int64 `json:"snapshots_count"`
	Success    bool  `json:"success"`
}

// unlistedInstance is a module without a schedule.
type unlistedInstance struct {
	ID   string `json:"id"`
	Name string `json:"ui_name"`
}

// actListBackups implements the action list-backups.
func (a *admin) actListBackups(ctx context.Context) error {
	schedules, err := schedule.All(ctx, a.Redis)
	if err != nil {
		return err
	}
	modules, err := a.backupFacts(ctx)
	if err != nil {
		return err
	}
	listed, unlisted := []listedBackup{}, []unlistedInstance{}
	named := map[string]bool{}
	for i := range schedules {
		backup, err := a.listedBackup(ctx, &schedules[i], modules)
		if err != nil {
			return err
		}
		if backup == nil {
			continue
		}
		listed = append(listed, *backup)
		for _, instance := range backup.Instances {
			named[instance.Module] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(modules)) {
		if m := modules[id]; !named[id] && !m.withoutData {
			unlisted = append(unlisted, unlistedInstance{id, m.name})
		}
	}
	return json.NewEncoder(a.Sys.Stdout).Encode(struct {
		Backups      []listedBackup     `json:"backups"`
		Unconfigured []unlistedInstance `json:"unconfigured_instances"`
	}{listed, unlisted})
}

// backupFact is what the action needs to know about a module.
type backupFact struct {
	name, path, node string
	withoutData      bool // no warning that it is not backed up
}

// backupFacts returns the facts of all modules.
func (a *admin) backupFacts(ctx context.Context) (map[string]backupFact, error) {
	uuids, err := a.Redis.HGetAll(ctx, catalog.ModuleUUID).Result()
	if err != nil {
		return nil, host.ReadError(catalog.ModuleUUID, err)
	}
	nodes, err := a.Redis.HGetAll(ctx, catalog.ModuleNode).Result()
	if err != nil {
		return nil, host.ReadError(catalog.ModuleNode, err)
	}
	type asked struct {
		image, label *redis.StringCmd
		flag         *redis.BoolCmd
	}
	answers := map[string]asked{}
	_, err = a.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for id := range uuids {
			answers[id] = asked{
				p.HGet(ctx, catalog.ModuleEnvironmentKey(id), catalog.FieldImageURL), p.Get(ctx, catalog.ModuleUINameKey(id)),
				p.SIsMember(ctx, catalog.ModuleFlagsKey(id), catalog.FlagNoDataBackup),
			}
		}
		return nil
	})
	if host.IgnoreNil(err) != nil {
		return nil, host.ReadError(catalog.ModuleEnvironmentKey("*"), err)
	}
	facts := make(map[string]backupFact, len(uuids))
	for id, answer := range answers {
		app, _ := host.AppOfImage(answer.image.Val()) // without an image the type is unknown
		facts[id] = backupFact{answer.label.Val(), app + "/" + uuids[id], nodes[id], answer.flag.Val()}
	}
	return facts, nil
}

// listedBackup converts a schedule for the output. It returns nil for an ID that is not a
// number, which the output cannot hold.
func (a *admin) listedBackup(ctx context.Context, s *schedule.Schedule, modules map[string]backupFact) (*listedBackup, error) {
	id, err := strconv.Atoi(s.ID)
	if err != nil {
		a.Sys.Warnf("schedule %s is left out: its ID is not a number", host.Printable(s.ID))
		return nil, nil //nolint:nilerr,nilnil // the output cannot hold it
	}
	hint, err := a.Redis.HGet(ctx, catalog.BackupKey(s.ID), "schedule_hint").Bytes()
	if host.IgnoreNil(err) != nil {
		return nil, host.ReadError(catalog.BackupKey(s.ID), err)
	}
	if !json.Valid(hint) {
		hint = []byte("{}")
	}
	listed := &listedBackup{
		ID: id, Name: s.Name, Repository: s.Destination, Schedule: s.When, Hint: hint, Retention: s.Retention, Enabled: s.Enabled,
		Instances: []listedInstance{},
	}
	for _, module := range s.Modules {
		m, known := modules[module]
		if !known {
			continue // removed meanwhile
		}
		status, err := a.listedStatus(ctx, m.node, s.ID, module)
		if err != nil {
			return nil, err
		}
		listed.Instances = append(listed.Instances, listedInstance{module, m.name, m.path, status})
	}
	return listed, nil
}

// listedStatus converts what run-backup stored about a module's last backup; nil if
// nothing.
func (a *admin) listedStatus(ctx context.Context, node, id, module string) (*listedStatus, error) {
	text, err := a.Redis.HGet(ctx, catalog.BackupStatusKey(node, id), module).Bytes()
	if host.IgnoreNil(err) != nil {
		return nil, host.ReadError(catalog.BackupStatusKey(node, id), err)
	}
	var stored struct {
		listedStatus

		Errors int64 `json:"errors"`
	}
	if len(text) == 0 || json.Unmarshal(text, &stored) != nil {
		return nil, nil //nolint:nilerr,nilnil // the action says null
	}
	stored.Success = stored.Errors == 0
	return &stored.listedStatus, nil
}
