// Package outcome writes outcomes of runs to Redis. Nodes use it, and gateways for modules
// of other hosts.
package outcome

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

const (
	// Field holds the run in an entry of a history.
	Field = "run"
	// DoneSuffix ends the field of the last successful run.
	DoneSuffix = " done"

	// keep is about how many runs of a module by a schedule are kept, of all kinds.
	keep = 500
)

// Place is the history that an outcome belongs to.
type Place struct{ Node, Schedule, Module, Kind string }

// Add adds an outcome, in JSON, to a transaction. done says that the run succeeded.
func Add(ctx context.Context, p redis.Pipeliner, at Place, done bool, text []byte) {
	p.XAdd(ctx, &redis.XAddArgs{
		Stream: catalog.HistoryKey(at.Node, at.Schedule, at.Module), MaxLen: keep, Approx: true,
		Values: []any{Field, text},
	})
	last, field := catalog.LastRunsKey(at.Node, at.Schedule), at.Module+" "+at.Kind
	p.HSet(ctx, last, field, text)
	if done {
		p.HSet(ctx, last, field+DoneSuffix, text)
	}
}
