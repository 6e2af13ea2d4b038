package scheduler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
)

// mem is a store in memory, which can be away.
type mem struct {
	now func() time.Time

	mu      sync.Mutex
	away    bool
	planned []Planned
	states  map[string]State
	alive   map[string]time.Time
	over    time.Time // a run for that time is in the history
}

func (m *mem) Recorded(_ context.Context, _ Planned, planned time.Time) (bool, error) {
	unlock, err := m.lock()
	if err != nil {
		return false, err
	}
	defer unlock()
	return planned.Equal(m.over), nil
}

var errAway = errors.New("connection refused")

func (m *mem) lock() (func(), error) {
	m.mu.Lock()
	if m.away {
		m.mu.Unlock()
		return nil, errAway
	}
	return m.mu.Unlock, nil
}

func (m *mem) Load(context.Context) ([]Planned, map[string]State, error) {
	unlock, err := m.lock()
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	return slices.Clone(m.planned), maps.Clone(m.states), nil
}

func (m *mem) isAlive(owner string) bool { return m.now().Sub(m.alive[owner]) < aliveFor }

func (m *mem) Claim(_ context.Context, id string, state State) (State, bool, error) {
	unlock, err := m.lock()
	if err != nil {
		return State{}, false, err
	}
	defer unlock()
	now := m.states[id]
	if now.Going() && now.Owner != state.Owner && m.isAlive(now.Owner) || now.Beyond(state.Planned, m.now()) && !state.Begins(now) {
		return now, false, nil
	}
	m.states[id] = state
	return state, true, nil
}

func (m *mem) Save(_ context.Context, id string, state State) error {
	unlock, err := m.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if now := m.states[id]; !now.Planned.After(state.Planned) || now.Planned.After(m.now().Add(clockSlack)) {
		m.states[id] = state
	}
	return nil
}

func (m *mem) Beat(_ context.Context, owner string) error {
	unlock, err := m.lock()
	if err != nil {
		return err
	}
	defer unlock()
	m.alive[owner] = m.now()
	return nil
}

func (m *mem) Alive(_ context.Context, owners []string) (map[string]bool, error) {
	unlock, err := m.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	alive := map[string]bool{}
	for _, owner := range owners {
		alive[owner] = m.isAlive(owner)
	}
	return alive, nil
}

func (m *mem) set(change func(*mem)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

// world is a node with schedulers, in a bubble of time that begins a minute after midnight.
type world struct {
	t     *testing.T
	store *mem

	mu       sync.Mutex
	shift    time.Duration // of the wall clock
	runs     []string      // each that was started
	going    int
	most     int
	outcomes []string
	notes    []string
	takes    time.Duration
	result   func(n int) Result
	memory   *memory
}

type memory struct {
	mu      sync.Mutex
	planned []Planned
	states  map[string]State
}

func (m *memory) Recall() ([]Planned, map[string]State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.planned, m.states, nil
}

func (m *memory) Keep(planned []Planned, states map[string]State) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.planned, m.states = planned, states
	return nil
}

func newWorld(t *testing.T, schedules ...schedule.Schedule) *world {
	t.Helper()
	w := &world{t: t, takes: time.Second, result: func(int) Result { return Result{} }, memory: &memory{}}
	w.store = &mem{now: w.now, states: map[string]State{}, alive: map[string]time.Time{}}
	for _, s := range schedules {
		w.store.planned = append(w.store.planned, Planned{Schedule: s, Here: []string{"app1"}})
	}
	return w
}

// every is a schedule.
func every(id, when string) schedule.Schedule {
	s := schedule.Schedule{ID: id, Destination: "d", Modules: []string{"app1"}, Enabled: true, When: when, Retention: 3, Plan: schedule.DefaultPlan()}
	s.TimeZone = "UTC"
	return s
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.shift).UTC()
}

func (w *world) setClock(shift time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shift = shift
}

// start starts a scheduler, and returns what stops it.
func (w *world) start(owner string, change ...func(*Engine)) (stop func()) {
	w.t.Helper()
	e := &Engine{
		Owner: owner, Store: w.store, Now: w.now, Parallel: 2, Start: w.run, Known: w.memory,
		Record: func(_ context.Context, runs ...history.Run) {
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, r := range runs {
				w.outcomes = append(w.outcomes, fmt.Sprintf("%s %s %s", r.Schedule, r.Outcome, r.Planned.UTC().Format("15:04")))
			}
		},
		Notef: func(format string, args ...any) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.notes = append(w.notes, fmt.Sprintf(format, args...))
		},
	}
	for _, f := range change {
		f(e)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := e.Run(ctx); err != nil {
			w.t.Error(err)
		}
	}()
	return func() { cancel(); <-done }
}

// run stands for a run, which takes its time.
func (w *world) run(ctx context.Context, p Planned, planned time.Time) Result {
	w.mu.Lock()
	w.runs = append(w.runs, p.ID+" "+planned.UTC().Format("15:04"))
	n, takes := len(w.runs), w.takes
	w.going++
	w.most = max(w.most, w.going)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.going--
	}()
	select {
	case <-time.After(takes):
		return w.result(n)
	case <-ctx.Done():
		return Result{Err: errors.New("interrupted")}
	}
}

func (w *world) wantRuns(want ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.runs, want) {
		w.t.Errorf("runs are %q, want %q; notes:\n%s", w.runs, want, strings.Join(w.notes, "\n"))
	}
}

func (w *world) wantOutcomes(want ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.outcomes, want) {
		w.t.Errorf("outcomes are %q, want %q; notes:\n%s", w.outcomes, want, strings.Join(w.notes, "\n"))
	}
}

// once runs one schedule, whose timer has come.
func (w *world) once(id string) (result Result, err error) {
	w.start("x"+time.Now().String(), func(e *Engine) { result, err = e.Once(w.t.Context(), id) })()
	return result, err
}

// TestEngine has all that happens to a scheduler, each in a bubble of its own in which time
// passes at once.
func TestEngine(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(t *testing.T){
		"it runs at its times": func(t *testing.T) {
			w := newWorld(t, every("1", "*:0/10"), every("2", "00:05"))
			stop := w.start("a")
			time.Sleep(31 * time.Minute)
			stop()
			w.wantRuns("2 00:05", "1 00:10", "1 00:20", "1 00:30")
			w.wantOutcomes()
		},
		"a restart neither loses a run nor runs it twice": func(t *testing.T) {
			w := newWorld(t, every("1", "*:0/10"))
			for i := range 60 {
				stop := w.start(fmt.Sprint("a", i))
				time.Sleep(37 * time.Second)
				stop()
			}
			w.wantRuns("1 00:10", "1 00:20", "1 00:30")
		},
		"what came while nobody was there runs once, and is told": func(t *testing.T) {
			w := newWorld(t, every("1", "*:0/10"))
			stopA := w.start("a")
			time.Sleep(time.Second)
			stopA()
			time.Sleep(35 * time.Minute)
			stop := w.start("b")
			time.Sleep(time.Minute)
			stop()
			w.wantRuns("1 00:30")
			w.wantOutcomes("1 missed 00:10", "1 missed 00:20")
		},
		"what is not to be caught up is told": func(t *testing.T) {
			s := every("1", "*:0/20")
			s.NoCatchUp = true
			w := newWorld(t, s)
			stopA := w.start("a")
			time.Sleep(time.Second)
			stopA()
			time.Sleep(50 * time.Minute)
			stop := w.start("b")
			time.Sleep(11 * time.Minute)
			stop()
			w.wantRuns("1 01:00")
			w.wantOutcomes("1 missed 00:20", "1 missed 00:40")
		},
		"a run that takes long has the next one wait": func(t *testing.T) {
			w := newWorld(t, every("1", "*:0/10"))
			w.takes = 25 * time.Minute
			stop := w.start("a")
			time.Sleep(36 * time.Minute)
			stop()
			w.wantRuns("1 00:10", "1 00:30")
			w.wantOutcomes("1 skipped 00:20")
		},
		"a paused schedule is skipped, and told": func(t *testing.T) {
			s := every("1", "*:0/10")
			s.Paused = time.Now()
			s.Until = time.Now().Add(25 * time.Minute)
			off := every("2", "*:0/20")
			off.Enabled = false
			w := newWorld(t, s, off)
			stop := w.start("a")
			time.Sleep(31 * time.Minute)
			stop()
			w.wantRuns("1 00:30")
			w.wantOutcomes("1 skipped 00:10", "1 skipped 00:20", "2 skipped 00:20")
		},
		"two schedulers at once run each time once": func(t *testing.T) {
			w := newWorld(t, every("1", "*:0/10"), every("2", "*:0/10"))
			w.takes = 3 * time.Minute
			stopA, stopB := w.start("a"), w.start("b")
			time.Sleep(36 * time.Minute)
			stopA()
			stopB()
			runs := slices.Sorted(slices.Values(w.runs))
			w.runs = runs
			w.wantRuns("1 00:10", "1 00:20", "1 00:30", "2 00:10", "2 00:20", "2 00:30")
			w.wantOutcomes()
		},
		"a run whose scheduler was stopped begins again": func(t *testing.T) {
			w := newWorld(t, every("1", "*:0/10"))
			w.takes = 5 * time.Minute
			stop := w.start("a")
			time.Sleep(11 * time.Minute)
			stop()
			stop = w.start("b")
			time.Sleep(10 * time.Second)
			stop()
			w.wantRuns("1 00:10", "1 00:10")
		},
		"a run whose scheduler was killed begins again once it counts as dead": func(t *testing.T) {
			w := newWorld(t, every("1", "*:0/10"))
			w.store.states["1"] = State{Planned: time.Now().UTC(), Owner: "dead", Started: time.Now(), When: whenOf(&w.store.planned[0].Schedule)}
			w.store.alive["dead"] = time.Now()
			stop := w.start("b")
			time.Sleep(30 * time.Second)
			w.wantRuns()
			time.Sleep(aliveFor)
			stop()
			w.wantRuns("1 00:01")
		},
		"a run that ended after its scheduler was killed does not run twice": func(t *testing.T) {
			w := newWorld(t, every("1", "*:0/10"))
			w.store.over = time.Now().UTC()
			w.store.states["1"] = State{Planned: w.store.over, Owner: "dead", Started: time.Now(), When: whenOf(&w.store.planned[0].Schedule)}
			stop := w.start("b")
			time.Sleep(10 * time.Minute)
			stop()
			w.wantRuns("1 00:10")
			w.wantOutcomes()
		},
		"a run that was killed after its backups begins again": func(t *testing.T) {
			w := newWorld(t, every("1", "*:0/10"))
			w.store.over = time.Now().UTC()
			w.store.states["1"] = State{Planned: w.store.over, Owner: "dead", Started: time.Now(), When: whenOf(&w.store.planned[0].Schedule)}
			stop := w.start("b", func(e *Engine) { e.Unfinished = func(string) bool { return true } })
			time.Sleep(time.Minute)
			stop()
			w.wantRuns("1 00:01")
		},
		"a run that ends without a word begins again, and fails at last": func(t *testing.T) {
			w := newWorld(t, every("1", "*:0/30"))
			w.result = func(int) Result { return Result{Err: errors.New("ended by signal: killed")} }
			stop := w.start("a")
			time.Sleep(40 * time.Minute)
			stop()
			w.wantRuns("1 00:30", "1 00:30", "1 00:30")
			w.wantOutcomes("1 failed 00:30")
		},
		"Redis is away at the minute of a run: it runs, once, and Redis hears of it": func(t *testing.T) {
			w := newWorld(t, every("1", "*:0/10"))
			stop := w.start("a")
			time.Sleep(8 * time.Minute)
			w.store.set(func(m *mem) { m.away = true })
			time.Sleep(12 * time.Minute)
			w.wantRuns("1 00:10", "1 00:20")
			w.store.set(func(m *mem) { m.away = false })
			time.Sleep(time.Minute)
			stop()
			stop = w.start("b")
			time.Sleep(time.Minute)
			stop()
			w.wantRuns("1 00:10", "1 00:20")
			if got := w.store.states["1"].Planned.Format("15:04"); got != "00:20" {
				t.Errorf("Redis knows of the run of %s", got)
			}
		},
		"a start while Redis is away goes on with what the node knew": func(t *testing.T) {
			w := newWorld(t, every("1", "*:0/10"))
			stopA := w.start("a")
			time.Sleep(time.Second)
			stopA()
			w.store.set(func(m *mem) { m.away = true })
			stop := w.start("b")
			time.Sleep(11 * time.Minute)
			stop()
			w.wantRuns("1 00:10")
		},
		"a clock that is put forward": func(t *testing.T) {
			w := newWorld(t, every("1", "*:0/10"))
			stop := w.start("a")
			time.Sleep(time.Minute)
			w.setClock(27 * time.Minute)
			time.Sleep(5 * time.Minute)
			stop()
			w.wantRuns("1 00:20", "1 00:30")
			w.wantOutcomes("1 missed 00:10")
		},
		"a clock that is set back a little runs nothing twice": func(t *testing.T) {
			w := newWorld(t, every("1", "*:0/10"))
			stop := w.start("a")
			time.Sleep(21 * time.Minute)
			w.setClock(-14 * time.Minute)
			time.Sleep(25 * time.Minute)
			stop()
			w.wantRuns("1 00:10", "1 00:20", "1 00:30")
		},
		"a clock that had been years ahead does not stop backups": func(t *testing.T) {
			w := newWorld(t, every("1", "*:0/10"))
			w.setClock(3 * 365 * 24 * time.Hour)
			stop := w.start("a")
			time.Sleep(11 * time.Minute)
			w.setClock(0)
			time.Sleep(10 * time.Minute)
			stop()
			w.wantRuns("1 00:10", "1 00:20")
		},
		"a thousand schedules at midnight run, a few at a time, in order": func(t *testing.T) {
			var schedules []schedule.Schedule
			for i := range 1000 {
				schedules = append(schedules, every(strconv.Itoa(i+1), "daily"))
			}
			w := newWorld(t, schedules...)
			time.Sleep(23*time.Hour + 57*time.Minute)
			stop := w.start("a", func(e *Engine) { e.Parallel = 5 })
			time.Sleep(10 * time.Minute)
			stop()
			first := slices.Sorted(slices.Values(w.runs[:min(5, len(w.runs))]))
			if len(w.runs) != 1000 || w.most != 5 || !slices.Equal(first, []string{"1 00:00", "2 00:00", "3 00:00", "4 00:00", "5 00:00"}) || len(w.outcomes) > 0 {
				t.Errorf("%d runs, %d at once, the first are %s; outcomes %q", len(w.runs), w.most, first, w.outcomes)
			}
		},
		"a schedule that was changed does not run for times of before": func(t *testing.T) {
			w := newWorld(t, every("1", "*:0/30"))
			stop := w.start("a")
			time.Sleep(25 * time.Minute)
			w.store.set(func(m *mem) { m.planned[0].When = "*:0/20" })
			time.Sleep(16 * time.Minute)
			stop()
			w.wantRuns("1 00:40")
		},
		"a schedule that comes and goes": func(t *testing.T) {
			w := newWorld(t)
			stop := w.start("a")
			time.Sleep(8*time.Minute + 59*time.Second)
			w.store.set(func(m *mem) { m.planned = []Planned{{Schedule: every("1", "*:0/10"), Here: []string{"app1"}}} })
			time.Sleep(15 * time.Minute)
			w.store.set(func(m *mem) { m.planned = nil })
			time.Sleep(15 * time.Minute)
			stop()
			w.wantRuns("1 00:10", "1 00:20")
		},
		"a schedule with a wrong calendar is told, and stops no other": func(t *testing.T) {
			w := newWorld(t, every("1", "dayly"), every("2", "*:0/10"))
			stop := w.start("a")
			time.Sleep(11 * time.Minute)
			stop()
			w.wantRuns("2 00:10")
			if told := strings.Join(w.notes, "\n"); strings.Count(told, "schedule is wrong") != 1 || !strings.Contains(told, "dayly") {
				t.Errorf("it told\n%s", told)
			}
		},
		"a timer of systemd runs what was planned last, once, and tells what it stands for": func(t *testing.T) {
			w := newWorld(t, every("1", "*:0/10"), every("2", "daily"))
			time.Sleep(9*time.Minute + 20*time.Second) // it is late
			for i, want := range []string{"", "it is paused, or its time has passed"} {
				if result, err := w.once("1"); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) || result.Err != nil {
					t.Errorf("%d: %+v, %v", i, result, err)
				}
			}
			time.Sleep(30 * time.Minute)
			if _, err := w.once("1"); err != nil {
				t.Error(err)
			}
			w.wantRuns("1 00:10", "1 00:40")
			w.wantOutcomes("1 missed 00:20", "1 missed 00:30")
			if _, err := w.once("7"); err == nil || !strings.Contains(err.Error(), "schedule 7 has no module on this node") {
				t.Errorf("a schedule that is not there: %v", err)
			}
		},
		"a timer of a paused schedule records that": func(t *testing.T) {
			s := every("1", "*:0/10")
			s.Enabled = false
			w := newWorld(t, s)
			time.Sleep(9*time.Minute + time.Second)
			if _, err := w.once("1"); err == nil || !strings.Contains(err.Error(), "it is paused") {
				t.Error(err)
			}
			w.wantRuns()
			w.wantOutcomes("1 skipped 00:10")
		},
		"the delay of a schedule is its own, and always the same": func(t *testing.T) {
			s := every("1", "*:00")
			s.RandomDelay = 30 * time.Minute
			w := newWorld(t, s)
			stop := w.start("a")
			time.Sleep(3 * time.Hour)
			stop()
			if len(w.runs) < 2 {
				t.Fatalf("runs are %q", w.runs)
			}
			minute := func(run string) string { return run[len(run)-2:] }
			for _, run := range w.runs {
				if minute(run) != minute(w.runs[0]) || minute(run) == "00" || minute(run) >= "30" {
					t.Errorf("runs are %q", w.runs)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Minute)
				test(t)
			})
		})
	}
}

func TestTurnsAreTheNewestOfMany(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.November, 30, 4, 0, 30, 0, time.UTC)
	for when, want := range map[string]int{"minutely": mostTurns, "daily": mostTurns, "yearly": 10, "*:*:*": mostTurns, "2020-02-02": 1, "2040-01-01": 0, "dayly": 0} {
		s := every("1", when)
		s.TimeZone = "UTC"
		found := turns(&s, now.AddDate(-10, 0, 0), now)
		if len(found) != want || !slices.IsSortedFunc(found, time.Time.Compare) {
			t.Errorf("%s: %d times: %v", when, len(found), found)
			continue
		}
		if want == 0 {
			continue
		}
		if next := s.Next(found[len(found)-1]); !next.IsZero() && !next.After(now) {
			t.Errorf("%s: after %s there is %s", when, found[len(found)-1], next)
		}
	}
}
