package client

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// scriptListBackups reads what NethServer 8's action list-backups reads, by the keys and
// forms that it relies on, and writes into a file what it would print: listbackups FILE.
// What would end the action, such as a status that lacks a number, fails.
func scriptListBackups(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		server, _ := ts.Value(redisKey{}).(*redistest.Server)
		listed, err := readAsListBackups(t.Context(), server.Admin())
		ts.Check(err)
		text, err := json.Marshal(listed)
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o600))
	}
}

func readAsListBackups(ctx context.Context, rdb *redis.Client) (map[string]any, error) {
	keys, err := rdb.Keys(ctx, "cluster/backup/*").Result()
	if err != nil {
		return nil, err
	}
	places, err := rdb.HGetAll(ctx, "cluster/module_node").Result()
	if err != nil {
		return nil, err
	}
	backups, configured := []map[string]any{}, map[string]bool{}
	for _, key := range keys {
		backup, err := readBackup(ctx, rdb, key, places)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		backups = append(backups, backup)
		instances, _ := backup["instances"].([]map[string]any)
		for _, instance := range instances {
			configured[fmt.Sprint(instance["module_id"])] = true
		}
	}
	slices.SortFunc(backups, func(a, b map[string]any) int { return cmp.Compare(fmt.Sprint(a["id"]), fmt.Sprint(b["id"])) })
	unconfigured := []map[string]any{}
	for id := range places {
		if !configured[id] {
			unconfigured = append(unconfigured, map[string]any{"id": id, "ui_name": rdb.Get(ctx, "module/"+id+"/ui_name").Val()})
		}
	}
	return map[string]any{"backups": backups, "unconfigured_instances": unconfigured}, nil
}

func readBackup(ctx context.Context, rdb *redis.Client, key string, places map[string]string) (map[string]any, error) {
	id := strings.TrimPrefix(key, "cluster/backup/")
	fields, err := rdb.HGetAll(ctx, key).Result()
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"name", "repository", "schedule", "retention", "enabled", "instances"} {
		if _, there := fields[name]; !there {
			return nil, fmt.Errorf("no field %s", name)
		}
	}
	number, err := strconv.Atoi(id)
	if err != nil {
		return nil, err
	}
	retention, err := strconv.Atoi(fields["retention"])
	if err != nil {
		return nil, err
	}
	var hint any
	if json.Unmarshal([]byte(fields["schedule_hint"]), &hint) != nil {
		hint = map[string]any{}
	}
	instances := []map[string]any{}
	for module := range strings.FieldsSeq(fields["instances"]) {
		status, err := readStatus(ctx, rdb, places[module], id, module)
		if err != nil {
			return nil, fmt.Errorf("the status of %s: %w", module, err)
		}
		image := rdb.HGet(ctx, "module/"+module+"/environment", "IMAGE_URL").Val()
		app, _, _ := strings.Cut(image[strings.LastIndexByte(image, '/')+1:], ":")
		instances = append(instances, map[string]any{
			"module_id": module, "ui_name": rdb.Get(ctx, "module/"+module+"/ui_name").Val(),
			"repository_path": app + "/" + rdb.HGet(ctx, "cluster/module_uuid", module).Val(), "status": status,
		})
	}
	return map[string]any{
		"id": number, "name": fields["name"], "repository": fields["repository"], "schedule": fields["schedule"], "schedule_hint": hint,
		"retention": retention, "enabled": fields["enabled"] != "", "instances": instances,
	}, nil
}

// readStatus reads the status of a module, which has a number for each name, or is not there.
func readStatus(ctx context.Context, rdb *redis.Client, node, id, module string) (any, error) {
	text, err := rdb.HGet(ctx, "node/"+node+"/backup_status/"+id, module).Bytes()
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // nothing is there
	}
	var status map[string]int64
	if err := json.Unmarshal(text, &status); err != nil {
		return nil, err
	}
	shown := map[string]any{}
	for _, name := range []string{"start", "end", "total_size", "total_file_count", "snapshots_count", "errors"} {
		value, there := status[name]
		if !there {
			return nil, fmt.Errorf("no %s in %s", name, text)
		}
		shown[name] = value
	}
	shown["success"] = status["errors"] == 0
	delete(shown, "errors")
	return shown, nil
}
