package status

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// Noticed is that somebody has acknowledged what needs attention.
type Noticed struct {
	By string    `json:"by" doc:"who"`
	At time.Time `json:"at" doc:"when"`
}

// noticedFor is how long that counts: what is still wrong then is told again.
const noticedFor = 7 * 24 * time.Hour

// parseNoticed reads what was acknowledged on the page of a node's gateway.
func parseNoticed(into map[string]Noticed, fields map[string]string, now time.Time) {
	for id, text := range fields {
		var n Noticed
		if json.Unmarshal([]byte(text), &n) == nil && now.Sub(n.At) < noticedFor && n.At.After(into[id].At) {
			into[id] = n
		}
	}
}

// Acknowledge writes that somebody has acknowledged what needs attention, as the user of a
// node, and forgets what no longer counts.
func Acknowledge(ctx context.Context, rdb redis.UniversalClient, node, id string, n Noticed) error {
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	key := catalog.NoticedKey(node)
	old, err := rdb.HGetAll(ctx, key).Result()
	if err != nil {
		return err
	}
	valid := map[string]Noticed{}
	parseNoticed(valid, old, n.At)
	for field := range old {
		if _, counts := valid[field]; !counts {
			if err := rdb.HDel(ctx, key, field).Err(); err != nil {
				return err
			}
		}
	}
	return rdb.HSet(ctx, key, id, text).Err()
}

// notice marks what was acknowledged, and puts it last.
func notice(all []Attention, noticed map[string]Noticed) {
	for i := range all {
		if n, known := noticed[all[i].ID]; known {
			all[i].Noticed = &n
		}
	}
	slices.SortStableFunc(all, func(a, b Attention) int {
		switch {
		case a.Noticed == nil && b.Noticed != nil:
			return -1
		case a.Noticed != nil && b.Noticed == nil:
			return 1
		}
		return 0
	})
}
