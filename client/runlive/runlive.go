// Package runlive publishes the progress and the output of runs in Redis, for the gateways'
// pages. It makes no decisions.
package runlive

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

const (
	// liveInterval is how often progress is published.
	liveInterval = 2 * time.Second
	// logFor is how long a run's lines are kept, keptLines how many per module, and
	// longestLine bounds each.
	logFor      = 7 * 24 * time.Hour
	keptLines   = 60
	longestLine = 300
)

// liveRun is the progress of a run with a module, as the page shows it.
type liveRun struct {
	Run      string       `json:"run"`
	Schedule string       `json:"schedule"`
	Module   string       `json:"module"`
	Kind     history.Kind `json:"kind"`
	Started  time.Time    `json:"started"`
	Updated  time.Time    `json:"updated"`
	Percent  float64      `json:"percent,omitempty"` // 0 to 100
	Bytes    uint64       `json:"bytes,omitempty"`
	Total    uint64       `json:"total,omitempty"`
	Line     string       `json:"line,omitempty"` // last line of output
}

// Teller publishes one run. While Redis is down the run continues unpublished.
//
// A nil Teller does nothing. The methods are safe for concurrent use.
type Teller struct {
	sys            *host.System
	node, schedule string

	mu    sync.Mutex
	going map[string]*liveRun // by module
	lines map[string][]string // recent lines, by module
	ended []endedRun

	stopped chan struct{}
	done    chan struct{}
}

// endedRun is a module that the run has finished, and its output.
type endedRun struct {
	run, module string
	lines       []string
}

// New starts publishing; Stop ends it.
func New(sys *host.System, node, schedule string) *Teller {
	l := &Teller{
		sys: sys, node: node, schedule: schedule, going: map[string]*liveRun{}, lines: map[string][]string{},
		stopped: make(chan struct{}), done: make(chan struct{}),
	}
	go l.work()
	return l
}

// work publishes periodically, until Stop.
func (l *Teller) work() {
	defer close(l.done)
	ctx := context.Background()
	again := time.NewTicker(liveInterval)
	defer again.Stop()
	var rdb *redis.Client
	defer func() {
		if rdb != nil {
			_ = rdb.Close()
		}
	}()
	for stopping := false; !stopping; {
		select {
		case <-again.C:
		case <-l.stopped:
			stopping = true
		}
		if rdb == nil {
			var err error
			if rdb, err = l.sys.Redis(ctx, host.LeaderAgent); err != nil {
				rdb = nil
				continue
			}
		}
		l.tell(ctx, rdb)
	}
}

// tell publishes all progress. What Redis does not accept is repeated.
func (l *Teller) tell(ctx context.Context, rdb *redis.Client) {
	l.mu.Lock()
	now := time.Now().UTC()
	fields := map[string]any{}
	for module, r := range l.going {
		r.Updated = now
		if text, err := json.Marshal(r); err == nil {
			fields[l.field(module)] = text
		}
	}
	ended := l.ended
	l.mu.Unlock()
	if len(fields) == 0 && len(ended) == 0 {
		return
	}
	key := catalog.LiveRunsKey(l.node)
	_, err := rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for _, e := range ended {
			if fields[l.field(e.module)] == nil {
				p.HDel(ctx, key, l.field(e.module))
			}
			if len(e.lines) > 0 {
				log := catalog.RunLogKey(l.node, e.run, e.module)
				for _, line := range e.lines {
					p.RPush(ctx, log, line)
				}
				p.LTrim(ctx, log, -keptLines, -1)
				p.Expire(ctx, log, logFor)
			}
		}
		if len(fields) > 0 {
			p.HSet(ctx, key, fields)
		}
		return nil
	})
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = l.ended[len(ended):]
}

// field returns a module's field in the hash.
func (l *Teller) field(module string) string { return l.schedule + " " + module }

// Begin says that a task begins for a module; End or Forget must follow.
func (l *Teller) Begin(r *history.Run) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.going[r.Module] = &liveRun{Run: r.ID, Schedule: l.schedule, Module: r.Module, Kind: r.Kind, Started: r.Started.UTC()}
}

// End says that the task ended, with its outcome.
func (l *Teller) End(r *history.Run, sentence string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines[r.Module] = append(l.lines[r.Module], lineOf(sentence))
	l.ended = append(l.ended, endedRun{r.ID, r.Module, l.lines[r.Module]})
	delete(l.going, r.Module)
	delete(l.lines, r.Module)
}

// Forget says that the task of a module did not start after all.
func (l *Teller) Forget(module string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(module)
}

func (l *Teller) drop(module string) {
	if r := l.going[module]; r != nil {
		l.ended = append(l.ended, endedRun{r.Run, module, l.lines[module]})
	}
	delete(l.going, module)
	delete(l.lines, module)
}

// Say adds a line of a module's output.
func (l *Teller) Say(module, line string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	line = lineOf(line)
	l.lines[module] = append(l.lines[module], line)
	l.lines[module] = l.lines[module][max(0, len(l.lines[module])-keptLines):]
	if r := l.going[module]; r != nil {
		r.Line = line
	}
}

// Progress sets the progress of a module's backup.
func (l *Teller) Progress(module string, e run.ProgressEvent) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.going[module]; r != nil {
		r.Percent, r.Bytes, r.Total = min(max(e.PercentDone, 0), 1)*100, e.BytesDone, e.TotalBytes
	}
}

// lineOf returns a line in the size that is kept.
func lineOf(text string) string {
	text = host.Printable(strings.TrimSpace(text))
	if r := []rune(text); len(r) > longestLine {
		text = string(r[:longestLine]) + "…"
	}
	return text
}

// Stop publishes what is left, and ends.
func (l *Teller) Stop() {
	l.mu.Lock()
	for module := range l.going {
		l.drop(module)
	}
	l.mu.Unlock()
	close(l.stopped)
	<-l.done
}
