package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/outcome"
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
)

const (
	// freshFor is how long data is used without reading Redis again.
	freshFor = 5 * time.Second
	// readTimeout bounds reading from Redis.
	readTimeout = 10 * time.Second
	// maxStream bounds what is read from a stream at once.
	maxStream = 1000
	// batch is how many streams are read in one round trip.
	batch = 500
)

// Reader reads from Redis what a view does not have: the history of runs, names, and the
// gateways' heartbeats. It reads on demand, and only what is new.
type Reader struct {
	rdb redis.UniversalClient

	mu   sync.Mutex
	book *Book
}

// NewReader returns a Reader that has read nothing.
func NewReader(rdb redis.UniversalClient) *Reader {
	return &Reader{rdb: rdb, book: &Book{zone: time.Local}}
}

// Read returns the content of Redis. If Redis does not answer, it returns what was read
// before, and the book says so.
func (r *Reader) Read(ctx context.Context, v *live.View, now time.Time) *Book {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v == nil || r.book.failure == nil && !r.book.read.IsZero() && now.Sub(r.book.read) < freshFor && !now.Before(r.book.read) {
		return r.book
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout) // other callers share the result
	defer cancel()
	next, err := r.next(ctx, v, now)
	if err != nil {
		old := *r.book
		old.failure = err
		next = &old
	}
	r.book = next
	return next
}

// Forget makes the next Read read again, after a change.
func (r *Reader) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := *r.book
	old.read = time.Time{}
	r.book = &old
}

// next reads the next book.
func (r *Reader) next(ctx context.Context, v *live.View, now time.Time) (book *Book, err error) {
	// The client library panics on some replies that Redis would not send.
	defer func() {
		if p := recover(); p != nil {
			book, err = nil, fmt.Errorf("the server's reply is not Redis's: %v", p)
		}
	}()
	next := &Book{
		read: now, zone: r.book.zone, names: map[string]string{}, schedules: map[string]schedule{},
		logs: make(map[pair]*record, len(r.book.logs)), gateways: map[string]beat{}, noticed: map[string]Noticed{},
	}
	if err := r.readNames(ctx, v, next, now); err != nil {
		return nil, err
	}
	if err := r.readRuns(ctx, v, next); err != nil {
		return nil, err
	}
	return next, nil
}

// readNames reads everything that is one small key each.
func (r *Reader) readNames(ctx context.Context, v *live.View, next *Book, now time.Time) error {
	p := r.rdb.Pipeline()
	names := map[string]*redis.StringCmd{}
	for _, m := range v.Snapshot.Principals {
		if m.Role == catalog.RoleModule {
			names[m.ID] = p.Get(ctx, catalog.ModuleUINameKey(m.ID))
		}
	}
	hashes := map[string][2]*redis.MapStringStringCmd{}
	for _, s := range v.Snapshot.Schedules {
		hashes[s.ID] = [2]*redis.MapStringStringCmd{p.HGetAll(ctx, catalog.BackupKey(s.ID)), p.HGetAll(ctx, catalog.PlanKey(s.ID))}
	}
	beats, running, noticed := map[string]*redis.MapStringStringCmd{}, map[string]*redis.MapStringStringCmd{}, map[string]*redis.MapStringStringCmd{}
	for id := range v.Snapshot.Nodes {
		beats[id] = p.HGetAll(ctx, catalog.GatewayKey(id))
		running[id], noticed[id] = p.HGetAll(ctx, catalog.LiveRunsKey(id)), p.HGetAll(ctx, catalog.NoticedKey(id))
	}
	if err := execute(ctx, p); err != nil {
		return err
	}
	for id, cmd := range names {
		if cmd.Val() != "" {
			next.names[id] = cmd.Val()
		}
	}
	for id, cmds := range hashes {
		next.schedules[id] = parseSchedule(cmds[0].Val(), cmds[1].Val(), now)
	}
	for id, cmd := range beats {
		if len(cmd.Val()) > 0 {
			next.gateways[id] = parseBeat(cmd.Val())
		}
		next.live = append(next.live, parseLive(id, running[id].Val(), now)...)
		parseNoticed(next.noticed, noticed[id].Val(), now)
	}
	return nil
}

// execute executes a pipeline. It ignores errors that concern a single key: a wrong type,
// or a missing permission.
func execute(ctx context.Context, p redis.Pipeliner) error {
	if p.Len() == 0 {
		return nil
	}
	cmds, err := p.Exec(ctx)
	if err == nil {
		return nil
	}
	for _, cmd := range cmds {
		err := cmd.Err()
		if err == nil || errors.Is(err, redis.Nil) || redis.HasErrorPrefix(err, "WRONGTYPE") || redis.HasErrorPrefix(err, "NOPERM") {
			continue
		}
		return fmt.Errorf("read the history of backups: %w", err)
	}
	return nil
}

// place is a stream to read.
type place struct {
	pair

	node  string
	first bool // nothing of it was read yet
}

// readRuns reads the new entries in the history of every module of every schedule. A
// module's history is stored by the nodes that ran it: the first time all nodes are read,
// then only the module's present node.
func (r *Reader) readRuns(ctx context.Context, v *live.View, next *Book) error {
	var places []place
	lasts := map[[2]string]*redis.MapStringStringCmd{}
	statuses := map[[2]string]*redis.MapStringStringCmd{}
	p := r.rdb.Pipeline()
	for _, s := range v.Snapshot.Schedules {
		fresh := false
		for _, module := range s.Modules {
			at := pair{s.ID, module}
			old := r.book.logs[at]
			next.logs[at] = old.with(nil, next.zone)
			fresh = fresh || old == nil
			places = append(places, streamsOf(v, at, old == nil)...)
		}
		for node := range v.Snapshot.Nodes {
			statuses[[2]string{node, s.ID}] = p.HGetAll(ctx, catalog.BackupStatusKey(node, s.ID))
		}
		if fresh { // a hash keeps what a stream has dropped
			for node := range v.Snapshot.Nodes {
				lasts[[2]string{node, s.ID}] = p.HGetAll(ctx, catalog.LastRunsKey(node, s.ID))
			}
		}
	}
	if err := execute(ctx, p); err != nil {
		return err
	}
	for _, cmd := range lasts {
		next.addLast(cmd.Val())
	}
	recent := slices.Clone(r.book.recent)
	for some := range slices.Chunk(places, batch) {
		runs, err := r.readStreams(ctx, some, next)
		if err != nil {
			return err
		}
		recent = append(recent, runs...)
	}
	for at, cmd := range statuses {
		recent = append(recent, next.addStatuses(at[0], at[1], cmd.Val())...)
	}
	next.recent = newest(recent, keepRecent)
	return nil
}

// streamsOf returns the streams to read for a module: those of all nodes the first time, then
// that of the module's node, if it is known.
func streamsOf(v *live.View, at pair, first bool) []place {
	m := v.Snapshot.Principals["module/"+at.module]
	var places []place
	for node := range v.Snapshot.Nodes {
		if first || m == nil || m.Node == "" || m.Node == node {
			places = append(places, place{at, node, first})
		}
	}
	return places
}

// addLast adds the last run of each kind, which outlives its stream.
func (b *Book) addLast(runs map[string]string) {
	for _, text := range runs {
		run, ok := parseRun(text)
		log := b.logs[pair{run.Schedule, run.Module}]
		if !ok || log == nil {
			continue
		}
		keepNewest(log.last, run)
		if run.Outcome == Done {
			keepNewest(log.done, run)
		}
	}
}

// addStatuses adds what NethServer 8's own run-backup reports about the last backup of each
// module, unless the history has it.
func (b *Book) addStatuses(node, schedule string, statuses map[string]string) (runs []Run) {
	for module, text := range statuses {
		log := b.logs[pair{schedule, module}]
		run, ok := parseStatus(text)
		if log == nil || !ok {
			continue
		}
		if known, ok := log.last[Backup]; ok && !run.Ended.After(known.Ended.Add(time.Minute)) {
			continue
		}
		run.Node, run.Schedule, run.Module, run.Name = node, schedule, module, b.schedules[schedule].name
		log.add(run, b.zone)
		runs = append(runs, run)
	}
	return runs
}

// parseStatus parses such a report.
func parseStatus(text string) (Run, bool) {
	var status struct {
		Start     int64  `json:"start"`
		End       int64  `json:"end"`
		Size      uint64 `json:"total_size"`
		Files     uint64 `json:"total_file_count"`
		Snapshots int    `json:"snapshots_count"`
		Errors    int    `json:"errors"`
	}
	if err := json.Unmarshal([]byte(text), &status); err != nil || status.End <= 0 {
		return Run{}, false
	}
	run := Run{
		ID: "status-" + strconv.FormatInt(status.End, 10), Kind: Backup, Outcome: Done,
		Started: time.Unix(status.Start, 0), Ended: time.Unix(status.End, 0),
		Bytes: status.Size, Files: status.Files, Snapshots: status.Snapshots,
	}
	if status.Errors > 0 {
		run.Outcome, run.Error = Failed, "the node's own log says why"
	}
	return run, true
}

// readStreams reads new entries of some streams, and returns the new runs.
func (r *Reader) readStreams(ctx context.Context, places []place, next *Book) ([]Run, error) {
	p := r.rdb.Pipeline()
	streams := make([]*redis.XMessageSliceCmd, len(places))
	for i, at := range places {
		from := "-"
		if last := next.logs[at.pair].from[at.node]; last != "" {
			from = "(" + last
		}
		streams[i] = p.XRange(ctx, catalog.HistoryKey(at.node, at.schedule, at.module), from, "+")
	}
	if err := execute(ctx, p); err != nil {
		return nil, err
	}
	var all []Run
	for i, at := range places {
		log := next.logs[at.pair]
		for _, message := range streams[i].Val() {
			log.from[at.node] = message.ID
			text, _ := message.Values[outcome.Field].(string)
			if run, ok := parseRun(text); ok {
				log.add(run, next.zone)
				all = append(all, run)
			}
		}
	}
	return newest(all, keepRecent), nil
}

// parseRun parses a recorded run.
func parseRun(text string) (Run, bool) {
	var run Run
	if err := json.Unmarshal([]byte(text), &run); err != nil || run.Module == "" || run.Ended.IsZero() {
		return run, false
	}
	switch run.Outcome {
	case Done, Partial, Failed, Missed, Skipped:
		return run, true
	}
	return run, false
}

// History returns the runs of one module, or of one schedule, newest first. Memory has only
// the last ones.
func (r *Reader) History(ctx context.Context, v *live.View, q Query) ([]Run, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	most := int64(q.Most)
	if q.Kind != "" || q.Outcome != "" || q.ID != "" {
		most = maxStream // some are filtered out afterwards
	}
	p := r.rdb.Pipeline()
	var streams []*redis.XMessageSliceCmd
	for _, s := range v.Snapshot.Schedules {
		if q.Schedule != "" && q.Schedule != s.ID {
			continue
		}
		for _, module := range s.Modules {
			if q.Module != "" && q.Module != module {
				continue
			}
			for node := range v.Snapshot.Nodes {
				streams = append(streams, p.XRevRangeN(ctx, catalog.HistoryKey(node, s.ID, module), "+", "-", most))
			}
		}
	}
	if err := execute(ctx, p); err != nil {
		return nil, err
	}
	runs := []Run{}
	for _, stream := range streams {
		for _, message := range stream.Val() {
			text, _ := message.Values[outcome.Field].(string)
			if run, ok := parseRun(text); ok && q.chooses(&run) {
				runs = append(runs, run)
			}
		}
	}
	return newest(runs, q.Most), nil
}

// Query selects runs; empty fields select all.
type Query struct {
	Schedule, Module string
	Kind             Kind
	Outcome          Outcome
	ID               string // of a run of a schedule
	Most             int
}

func (q *Query) chooses(r *Run) bool {
	return (q.Schedule == "" || q.Schedule == r.Schedule) && (q.Module == "" || q.Module == r.Module) &&
		(q.Kind == "" || q.Kind == r.Kind) && (q.Outcome == "" || q.Outcome == r.Outcome) && (q.ID == "" || q.ID == r.ID)
}

// Of returns the runs that a query selects.
func (q *Query) Of(runs []Run) []Run {
	chosen := []Run{}
	for i := range runs {
		if len(chosen) < q.Most && q.chooses(&runs[i]) {
			chosen = append(chosen, runs[i])
		}
	}
	return chosen
}
