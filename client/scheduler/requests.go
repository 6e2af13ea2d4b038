package scheduler

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

const (
	// requestInterval is the interval between looks for requests.
	requestInterval = 3 * time.Second
	// requestFor is how long a request stays valid; after that it is recorded as missed.
	requestFor = time.Hour
)

// request asks for a run of a schedule now. The gateways' pages make requests.
type request struct {
	At time.Time `json:"at"`
	By string    `json:"by"`
}

// Requests runs what people request on the gateways' pages. Set the fields before
// [Requests.Run].
type Requests struct {
	Sys  *host.System
	Node string
	// Start runs a schedule now, and returns when the run has ended.
	Start func(ctx context.Context, id string) Result

	mu      sync.Mutex
	running map[string]bool
}

// Run handles requests until ctx ends, and then waits for the runs.
func (r *Requests) Run(ctx context.Context) {
	r.running = map[string]bool{}
	var runs sync.WaitGroup
	defer runs.Wait()
	again := time.NewTicker(requestInterval)
	defer again.Stop()
	var rdb *redis.Client
	defer func() {
		if rdb != nil {
			_ = rdb.Close()
		}
	}()
	for {
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
		if rdb == nil {
			var err error
			if rdb, err = r.Sys.Redis(ctx, host.LeaderAgent); err != nil {
				rdb = nil // the scheduler reports that Redis is down
				continue
			}
		}
		for id, asked := range r.look(ctx, rdb) {
			r.begin(ctx, rdb, &runs, id, asked)
		}
	}
}

// look returns the valid requests for this node.
func (r *Requests) look(ctx context.Context, rdb *redis.Client) map[string]request {
	lines, err := rdb.SMembers(ctx, catalog.ACLs).Result()
	if err != nil {
		return nil
	}
	begun, err := rdb.HGetAll(ctx, catalog.RunsBegunKey(r.Node)).Result()
	if err != nil {
		return nil
	}
	asked := map[string]request{}
	for _, node := range account.List(lines).Nodes() {
		fields, err := rdb.HGetAll(ctx, catalog.RunRequestsKey(node)).Result()
		if err != nil {
			continue
		}
		for id, text := range fields {
			var q request
			if json.Unmarshal([]byte(text), &q) != nil || time.Since(q.At) > requestFor || !q.At.After(asked[id].At) {
				continue
			}
			if last, err := time.Parse(time.RFC3339Nano, begun[id]); err == nil && !q.At.After(last) {
				continue
			}
			asked[id] = q
		}
	}
	if len(asked) == 0 {
		return nil
	}
	return r.here(ctx, rdb, asked)
}

// here drops the schedules without a module on this node.
func (r *Requests) here(ctx context.Context, rdb *redis.Client, asked map[string]request) map[string]request {
	planned, err := schedule.OfNode(ctx, rdb, r.Node)
	if err != nil {
		return nil
	}
	for id := range asked {
		if !slices.ContainsFunc(planned, func(p schedule.Planned) bool { return p.ID == id }) {
			delete(asked, id)
		}
	}
	return asked
}

// begin starts a run. If a requested run of the schedule is in progress, the new one
// follows it.
func (r *Requests) begin(ctx context.Context, rdb *redis.Client, runs *sync.WaitGroup, id string, asked request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running[id] {
		return
	}
	if err := rdb.HSet(ctx, catalog.RunsBegunKey(r.Node), id, asked.At.UTC().Format(time.RFC3339Nano)).Err(); err != nil {
		return // otherwise it would be repeated
	}
	r.running[id] = true
	r.Sys.Notef("schedule %s: started, as %s asked for on the page", id, host.Printable(asked.By))
	runs.Go(func() {
		result := r.Start(ctx, id)
		if result.Err != nil {
			r.Sys.Warnf("schedule %s, asked for by %s: %v", id, host.Printable(asked.By), result.Err)
		} else {
			r.Sys.Notef("schedule %s, asked for by %s: ended with status %d", id, host.Printable(asked.By), result.Status)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.running, id)
	})
}
