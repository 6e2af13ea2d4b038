package status

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
)

// Live is a running task.
type Live struct {
	Run      string    `json:"run" doc:"ID of the run of a schedule"`
	Schedule string    `json:"schedule" doc:"schedule ID"`
	Node     string    `json:"node" doc:"ID of the node that runs it"`
	Module   string    `json:"module" doc:"module ID"`
	Kind     Kind      `json:"kind" enum:"backup,retention,prune,check,drill" doc:"what is run"`
	Started  time.Time `json:"started" doc:"when it began"`
	Updated  time.Time `json:"updated" doc:"when it was last heard of"`
	Percent  float64   `json:"percent,omitempty" doc:"how far it has come, of 100, where that is known"`
	Bytes    uint64    `json:"bytes,omitempty" doc:"bytes that were dealt with"`
	Total    uint64    `json:"total,omitempty" doc:"of how many, where that is known"`
	Line     string    `json:"line,omitempty" doc:"what it said last"`
}

// liveFor is how long a task counts as running without news; after that it was killed.
const liveFor = time.Minute

// parseLive parses the running tasks of a node.
func parseLive(node string, fields map[string]string, now time.Time) []Live {
	var all []Live
	for _, text := range fields {
		l := Live{}
		if json.Unmarshal([]byte(text), &l) != nil || l.Module == "" || now.Sub(l.Updated) > liveFor {
			continue
		}
		l.Node = node
		all = append(all, l)
	}
	return all
}

// sortLive sorts running tasks by their start.
func sortLive(all []Live) []Live {
	slices.SortFunc(all, func(a, b Live) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.Module, b.Module), cmp.Compare(a.Schedule, b.Schedule))
	})
	if all == nil {
		all = []Live{}
	}
	return all
}

// Log returns the last output of a run, by module, as far as the nodes still have it.
func (r *Reader) Log(ctx context.Context, v *live.View, run string, modules []string) (map[string][]string, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	p := r.rdb.Pipeline()
	lists := map[string][]*redis.StringSliceCmd{}
	for _, module := range modules {
		for node := range v.Snapshot.Nodes {
			lists[module] = append(lists[module], p.LRange(ctx, catalog.RunLogKey(node, run, module), 0, -1))
		}
	}
	if err := execute(ctx, p); err != nil {
		return nil, err
	}
	lines := map[string][]string{}
	for module, of := range lists {
		for _, list := range of {
			lines[module] = append(lines[module], list.Val()...)
		}
	}
	return lines, nil
}
