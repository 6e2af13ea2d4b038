package history

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/outcome"
)

// Query selects runs; empty fields select all.
type Query struct {
	Schedule, Module string
	Kind             Kind
	Outcome          Outcome
	ID               string // or its beginning
	Since            time.Time
	Most             int // return the newest ones; 0 returns all
}

// Read returns the selected runs of all nodes, newest first.
func Read(ctx context.Context, rdb *redis.Client, q Query) ([]Run, error) {
	keys, err := host.ScanKeys(ctx, rdb, catalog.HistoryKey("*", escaped(q.Schedule), escaped(q.Module)))
	if err != nil {
		return nil, host.ReadError(catalog.HistoryKey("*", "*", "*"), err)
	}
	from := "-"
	if !q.Since.IsZero() {
		from = host.StreamID(q.Since)
	}
	streams := make([]*redis.XMessageSliceCmd, len(keys))
	_, err = rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, key := range keys {
			if q.Most > 0 && q.Kind == "" && q.Outcome == "" && q.ID == "" {
				streams[i] = p.XRevRangeN(ctx, key, "+", from, int64(q.Most))
			} else {
				streams[i] = p.XRevRange(ctx, key, "+", from)
			}
		}
		return nil
	})
	if err != nil {
		return nil, host.ReadError(catalog.HistoryKey("*", "*", "*"), err)
	}
	var found []Run
	for _, stream := range streams {
		for _, message := range stream.Val() {
			text, _ := message.Values[outcome.Field].(string)
			var r Run
			if json.Unmarshal([]byte(text), &r) == nil && q.chooses(&r) {
				found = append(found, r)
			}
		}
	}
	found = once(found)
	if q.Most > 0 && len(found) > q.Most {
		found = found[:q.Most]
	}
	return found, nil
}

func (q *Query) chooses(r *Run) bool {
	return (q.Kind == "" || q.Kind == r.Kind) && (q.Outcome == "" || q.Outcome == r.Outcome) && strings.HasPrefix(r.ID, q.ID) &&
		!r.Ended.Before(q.Since) && (q.Module == "" || q.Module == r.Module) && (q.Schedule == "" || q.Schedule == r.Schedule)
}

// once sorts runs, newest first, and removes duplicates.
func once(runs []Run) []Run {
	slices.SortStableFunc(runs, newest)
	seen := make(map[[4]string]bool, len(runs))
	return slices.DeleteFunc(runs, func(r Run) bool {
		known := seen[r.key()]
		seen[r.key()] = true
		return known
	})
}

// escaped escapes a word for a Redis pattern; "" becomes *.
func escaped(word string) string {
	if word == "" {
		return "*"
	}
	return patternEscaper.Replace(word)
}

var patternEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

// Last holds the last runs of a module by a schedule, by kind.
type Last struct {
	Schedule, Module string
	Run              map[Kind]Run // whatever its outcome
	Done             map[Kind]Run // the last success
}

// Latest returns the last runs of all modules, by one schedule or by all.
func Latest(ctx context.Context, rdb *redis.Client, schedule string) (map[[2]string]*Last, error) {
	keys, err := host.ScanKeys(ctx, rdb, catalog.LastRunsKey("*", escaped(schedule)))
	if err != nil {
		return nil, host.ReadError(catalog.LastRunsKey("*", "*"), err)
	}
	hashes := make([]*redis.MapStringStringCmd, len(keys))
	_, err = rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, key := range keys {
			hashes[i] = p.HGetAll(ctx, key)
		}
		return nil
	})
	if err != nil {
		return nil, host.ReadError(catalog.LastRunsKey("*", "*"), err)
	}
	all := map[[2]string]*Last{}
	for _, hash := range hashes {
		for field, text := range hash.Val() {
			var r Run
			if json.Unmarshal([]byte(text), &r) != nil {
				continue
			}
			at := [2]string{r.Schedule, r.Module}
			last := all[at]
			if last == nil {
				last = &Last{Schedule: r.Schedule, Module: r.Module, Run: map[Kind]Run{}, Done: map[Kind]Run{}}
				all[at] = last
			}
			into := last.Run
			if strings.HasSuffix(field, outcome.DoneSuffix) {
				into = last.Done
			}
			// A module may have moved to another node.
			if known, ok := into[r.Kind]; !ok || r.Ended.After(known.Ended) {
				into[r.Kind] = r
			}
		}
	}
	return all, nil
}
