package redisconn

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// facts are from INFO and CONFIG GET; what the user may not read is missing.
type facts map[string]string

// hazards are settings with which Redis can lose credentials and destinations.
var hazards = []func(facts) string{
	func(f facts) string {
		policy := f["maxmemory_policy"]
		if !strings.HasPrefix(policy, "allkeys-") {
			return "" // volatile-* removes only keys that expire: ours do not
		}
		if f["maxmemory"] == "0" {
			return fmt.Sprintf("would remove destinations, their passwords and users' grants when it runs out of memory, if maxmemory were set (maxmemory-policy %s): set maxmemory-policy noeviction", policy)
		}
		return fmt.Sprintf("removes destinations, their passwords and users' grants when it runs out of memory (maxmemory-policy %s): set maxmemory-policy noeviction", policy)
	},
	func(f facts) string {
		save, known := f["save"]
		if !known || save != "" || f["appendonly"] != "no" {
			return ""
		}
		return "keeps nothing on disk: destinations, their passwords and modules are gone when it restarts (set appendonly yes)"
	},
	func(f facts) string {
		if f["rdb_last_bgsave_status"] == "err" || f["aof_last_write_status"] == "err" {
			return "could not write to its disk: what was added since is gone when it restarts (see its log)"
		}
		return ""
	},
}

// Hazards returns the settings with which a Redis can lose data, each as the end of a
// sentence about it. Settings that the user may not read are skipped.
func Hazards(ctx context.Context, rdb *redis.Client) []string {
	known := facts{}
	for _, section := range []string{"memory", "persistence"} {
		text, err := rdb.Info(ctx, section).Result()
		if err != nil {
			continue
		}
		for line := range strings.Lines(text) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				known[name] = value
			}
		}
	}
	for _, name := range []string{"save", "appendonly"} {
		if values, err := rdb.ConfigGet(ctx, name).Result(); err == nil {
			known[name] = values[name]
		}
	}
	var found []string
	for _, hazard := range hazards {
		if text := hazard(known); text != "" {
			found = append(found, text)
		}
	}
	return found
}
