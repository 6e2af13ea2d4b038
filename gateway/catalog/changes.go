package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// maxChanges is how many changes Redis keeps at least, for gateways that are down.
const maxChanges = 10_000

// Change is something that an administrator's command changed. It holds no secret.
type Change struct {
	ID   string // Redis's own, of what was read
	Time time.Time
	// Who did it, as the command's system names them, From is the host.
	Who, From string
	// What was done, in words: "add module mail1".
	What string
}

// Write adds the change to a transaction, with which it is done.
func (c Change) Write(ctx context.Context, p redis.Pipeliner) {
	p.XAdd(ctx, &redis.XAddArgs{
		Stream: ChangesKey, MaxLen: maxChanges, Approx: true,
		Values: []string{"time", time.Now().UTC().Format(time.RFC3339Nano), "who", c.Who, "from", c.From, "what", c.What},
	})
}

// ChangesAfter reads the changes behind one, by its ID; behind "" are all that Redis
// keeps.
func ChangesAfter(ctx context.Context, rdb redis.UniversalClient, id string) ([]Change, error) {
	start := "-"
	if id != "" {
		start = id
	}
	entries, err := rdb.XRange(ctx, ChangesKey, start, "+").Result()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ChangesKey, err)
	}
	var changes []Change
	for _, entry := range entries {
		if entry.ID == id {
			continue
		}
		text := func(field string) string { s, _ := entry.Values[field].(string); return s }
		at, _ := time.Parse(time.RFC3339Nano, text("time"))
		changes = append(changes, Change{ID: entry.ID, Time: at, Who: text("who"), From: text("from"), What: text("what")})
	}
	return changes, nil
}
