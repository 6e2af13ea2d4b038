package status

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// Noticed says who acknowledged a problem, and when.
type Noticed struct {
	By string    `json:"by" doc:"who"`
	At time.Time `json:"at" doc:"when"`
}

// noticedFor is how long an acknowledgement counts.
const noticedFor = 7 * 24 * time.Hour

// parseNoticed parses the acknowledgements of a node's page.
func parseNoticed(into map[string]Noticed, fields map[string]string, now time.Time) {
	for id, text := range fields {
		var n Noticed
		if json.Unmarshal([]byte(text), &n) == nil && now.Sub(n.At) < noticedFor && n.At.After(into[id].At) {
			into[id] = n
		}
	}
}

// Acknowledge records that somebody acknowledged a problem, as the user of a node, and
// deletes expired acknowledgements.
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

// notice marks acknowledged problems, and sorts them last.
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
