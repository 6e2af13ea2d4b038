// Package changes records changes by administrators' commands in Redis, until gateways have
// copied them to their audit logs.
package changes

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// maxChanges is how many changes Redis keeps at least, for gateways that are down.
const maxChanges = 10_000

// Change is a change by an administrator's command. It holds no secret.
type Change struct {
	ID   string // assigned by Redis
	Time time.Time
	// Who is the user on the command's system, From the host.
	Who, From string
	// What describes it: "add module mail1".
	What string
}

// Write adds the record to the transaction that makes the change.
func (c Change) Write(ctx context.Context, p redis.Pipeliner) {
	p.XAdd(ctx, &redis.XAddArgs{
		Stream: catalog.ChangesKey, MaxLen: maxChanges, Approx: true,
		Values: []string{"time", time.Now().UTC().Format(time.RFC3339Nano), "who", c.Who, "from", c.From, "what", c.What},
	})
}

// After reads the changes after one, by its ID; "" reads all that Redis keeps.
func After(ctx context.Context, rdb redis.UniversalClient, id string) ([]Change, error) {
	start := "-"
	if id != "" {
		start = id
	}
	entries, err := rdb.XRange(ctx, catalog.ChangesKey, start, "+").Result()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", catalog.ChangesKey, err)
	}
	var found []Change
	for _, entry := range entries {
		if entry.ID == id {
			continue
		}
		text := func(field string) string { s, _ := entry.Values[field].(string); return s }
		at, _ := time.Parse(time.RFC3339Nano, text("time"))
		found = append(found, Change{ID: entry.ID, Time: at, Who: text("who"), From: text("from"), What: text("what")})
	}
	return found, nil
}
