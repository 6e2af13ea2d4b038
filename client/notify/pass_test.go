package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/message"
	"github.com/rclone-gateway/rclone-gateway/client/notifyfile"
	"github.com/rclone-gateway/rclone-gateway/client/outbox"
	"github.com/rclone-gateway/rclone-gateway/client/runs"
)

const secretPassword = "node-password-0123456789"

// people keep what they are told.
type people struct {
	mu   sync.Mutex
	told []*message.Message
	away bool
}

func (p *people) Send(_ context.Context, m *message.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away {
		return errors.New("connection refused")
	}
	p.told = append(p.told, m)
	return nil
}

// subjects are what people were told since the last call.
func (p *people) subjects() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	subjects := []string{}
	for _, m := range p.told {
		subjects = append(subjects, strings.TrimPrefix(m.Subject, "Backups of office: "))
	}
	p.told = nil
	return subjects
}

// world is a node whose modules are as a test says.
type world struct {
	t      *testing.T
	dir    string
	people *people
	digest string
	clock  time.Duration // how far the clock was set

	mu    sync.Mutex
	lines map[string]runs.Line
	redis error
	ran   map[string]string
}

func newWorld(t *testing.T, modules ...string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), people: &people{}, digest: notifyfile.Never, lines: map[string]runs.Line{}, ran: map[string]string{}}
	for _, m := range modules {
		w.set(m, "")
	}
	return w
}

// set makes a module be in trouble, or not.
func (w *world) set(module, trouble string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines[module] = runs.Line{
		Schedule: "1", Name: "nightly", Module: module, OK: trouble == "", Trouble: trouble, Why: strings.TrimSpace(trouble + ": it broke"),
		Success: time.Now().Add(-24 * time.Hour), Next: time.Now().Add(24 * time.Hour), Bytes: 1 << 30,
	}
}

func (w *world) observe(_ context.Context, _ time.Time) *observation {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := &observation{now: time.Now().Add(w.clock), known: []string{ofModule}, redis: w.redis}
	if w.redis != nil {
		o.known = nil
		o.add(condition{key: ofRedis, title: "Redis", trouble: "away", why: w.redis.Error(), grace: patience})
		return o
	}
	o.add(condition{key: ofRedis, title: "Redis"})
	var lines []runs.Line
	for _, l := range w.lines {
		lines = append(lines, l)
	}
	slices.SortFunc(lines, func(a, b runs.Line) int { return strings.Compare(a.Module, b.Module) })
	o.overview = runs.Judge(lines)
	for i := range lines {
		o.add(ofLine(&lines[i], o.now))
	}
	return o
}

// pass makes a pass, as a process of its own would.
func (w *world) pass() {
	w.t.Helper()
	if err := w.newPass().run(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) newPass() *pass {
	env := host.NewEnvironment(func(name string) (string, bool) {
		value, ok := map[string]string{"REDIS_USER": "node/1", "REDIS_PASSWORD": secretPassword}[name]
		return value, ok
	})
	file := &notifyfile.File{Path: "notify.conf", Name: "office", Collect: notifyfile.DefaultCollect, Digest: notifyfile.Digest{When: w.digest}}
	file.Channels = []notifyfile.Channel{{Kind: notifyfile.Mail, Name: "mail", Failures: true, Digest: true}}
	p := newPass(&host.System{Env: env}, w.dir, file)
	p.senders["mail"] = w.people
	p.observe = w.observe
	p.gather = func(context.Context, time.Time) (*facts, error) { return &facts{}, nil }
	p.ran = func(context.Context, *observation) (map[string]string, error) { return w.ran, nil }
	return p
}

// minutes makes a pass each minute.
func (w *world) minutes(n int) {
	w.t.Helper()
	w.passes(n, time.Minute)
}

// passes makes passes that far apart.
func (w *world) passes(n int, apart time.Duration) {
	w.t.Helper()
	for range n {
		began := time.Now()
		w.pass()
		time.Sleep(apart - time.Since(began)%apart)
	}
}

func (w *world) wantTold(want ...string) {
	w.t.Helper()
	if got := w.people.subjects(); !slices.Equal(got, append([]string{}, want...)) {
		w.t.Errorf("people were told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAFailureIsToldOnceAndItsEndToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "app1", "app2")
		w.minutes(3)
		w.wantTold()
		w.set("app1", "backup failed")
		w.minutes(5)
		w.wantTold("app1 (nightly): backup failed: it broke")
		w.set("app1", "check failed")
		w.minutes(5)
		w.wantTold("app1 (nightly): check failed: it broke")
		w.set("app1", "")
		w.minutes(90)
		w.wantTold("app1 (nightly) works again")
	})
}

// TestAFailureIsToldAtOnce bounds how long one waits for more of them.
func TestAFailureIsToldAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "app1")
		w.set("app1", "backup failed")
		began := time.Now()
		w.pass()
		if took := time.Since(began); took != quiet {
			t.Errorf("it took %v", took)
		}
		w.wantTold("app1 (nightly): backup failed: it broke")
	})
}

func TestFiveHundredFailuresInAMinuteAreOneMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var failing sync.WaitGroup
		failing.Go(func() {
			for i := range 500 {
				w.set(fmt.Sprintf("app%d", i), "backup failed")
				time.Sleep(100 * time.Millisecond)
			}
		})
		w.minutes(3)
		failing.Wait()
		w.people.mu.Lock()
		if n := len(w.people.told); n == 1 {
			m := w.people.told[0]
			if len(m.Text) > 20_000 || len(m.HTML) > 60_000 || !strings.Contains(m.Text, "and 450 more") {
				t.Errorf("the message has %d bytes, and %d as a page", len(m.Text), len(m.HTML))
			}
		}
		w.people.mu.Unlock()
		w.wantTold("500 failures")
	})
}

func TestWhatChangesAllTheTimeIsToldOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "app1")
		for range 40 {
			w.set("app1", "backup failed")
			w.minutes(3)
			w.set("app1", "")
			w.minutes(3)
		}
		w.wantTold("app1 (nightly): backup failed: it broke", "app1 (nightly) works again", "app1 (nightly): backup failed: it broke", "app1 (nightly) changes all the time")
		w.minutes(62)
		w.wantTold("app1 (nightly) is steady again")
		w.set("app1", "backup failed")
		w.minutes(2)
		w.wantTold("app1 (nightly): backup failed: it broke")
	})
}

func TestAnOutageOfTheMailServerLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "app1")
		w.people.away = true
		w.set("app1", "backup failed")
		w.minutes(24 * 60)
		w.wantTold()
		if lines := outbox.Lines(w.dir); len(lines) != 1 || lines[0] != "1 message is not sent yet (mail: connection refused)" {
			t.Errorf("the status says %q", lines)
		}
		w.people.away = false
		w.minutes(24 * 60)
		w.wantTold("app1 (nightly): backup failed: it broke")
		if lines := outbox.Lines(w.dir); len(lines) > 0 {
			t.Errorf("the status says %q", lines)
		}
	})
}

func TestADigestComesOnceADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "app1")
		w.digest = "07:00"
		w.minutes(48 * 60)
		w.wantTold("all is well: 1 backed up", "all is well: 1 backed up")
	})
}

func TestADigestComesWithoutRedisToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "app1")
		w.digest = "07:00"
		w.redis = errors.New("connection refused")
		w.passes(24*6, 10*time.Minute)
		w.wantTold("Redis: connection refused", "it is not known how the backups are, since Redis does not answer")
	})
}

// TestAClockThatIsAnHourOffNeitherRepeatsNorLosesADigest sets the clock at each hour
// around that of the digest, and back again.
func TestAClockThatIsAnHourOffNeitherRepeatsNorLosesADigest(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{time.Hour, -time.Hour} {
		for from := range 5 {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "app1")
				w.digest = "07:00"
				time.Sleep(time.Until(time.Date(2000, 1, 2, 4+from, 30, 0, 0, time.Local)))
				w.minutes(1)
				w.people.subjects() // that of before
				// It is off for an hour and a half around each time.
				w.clock = off
				w.passes(9, 10*time.Minute)
				w.clock = 0
				until := time.Until(time.Date(2000, 1, 4, 6, 0, 0, 0, time.Local))
				w.passes(int(until/(10*time.Minute)), 10*time.Minute)
				want := 2 // on the second and third of January
				if from > 2 {
					want = 1 // the first was before
				}
				if got := len(w.people.subjects()); got != want {
					t.Errorf("off by %v from %d:30 on: %d digests, want %d", off, 4+from, got, want)
				}
			})
		}
	}
}

func TestAClockThatWasYearsAheadLosesNoDigest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "app1")
		w.digest = "07:00"
		w.clock = 3 * 365 * 24 * time.Hour
		w.minutes(2)
		w.clock = 0
		w.people.subjects()
		w.minutes(48 * 60)
		w.wantTold("all is well: 1 backed up", "all is well: 1 backed up")
	})
}

func TestADigestComesAfterEachRunOfItsSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "app1")
		w.digest = notifyfile.AfterRuns
		w.ran["1"] = "a"
		w.minutes(3)
		w.wantTold()
		w.ran["1"] = "b"
		w.minutes(3)
		w.wantTold("nightly: all is well: 1 backed up")
	})
}

func TestAModuleThatIsNewIsNoFailureBeforeItsFirstRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "app1")
		w.set("new1", runs.Never)
		w.minutes(24 * 60)
		w.wantTold()
		w.minutes(62)
		w.wantTold("new1 (nightly): never backed up: it broke")
	})
}

func TestRedisIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "app1")
		w.set("app1", "backup failed")
		w.minutes(1)
		w.wantTold("app1 (nightly): backup failed: it broke")
		w.redis = errors.New("connection refused")
		w.minutes(4)
		w.redis = nil
		w.minutes(4)
		w.wantTold()
		w.redis = errors.New("connection refused")
		w.minutes(10)
		w.wantTold("Redis: connection refused")
		w.redis = nil
		w.minutes(2)
		w.wantTold("Redis works again")
		delete(w.lines, "app1")
		w.minutes(2)
		w.wantTold("app1 (nightly) is no longer watched")
	})
}

// TestAPassThatIsKilledTellsNothingTwice stops one at each step of telling.
func TestAPassThatIsKilledTellsNothingTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "app1")
		w.set("app1", "backup failed")
		p := w.newPass()
		ctx, cancel := context.WithTimeout(t.Context(), quiet/2) // it waits for more
		defer cancel()
		if err := p.run(ctx); err == nil {
			t.Error("it was not killed")
		}
		// It was noted what is told, and the message is not in the outbox yet.
		p = w.newPass()
		var err error
		if p.state, err = readState(w.dir); err != nil {
			t.Fatal(err)
		}
		if _, err = p.tellNews(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := p.state.settle(p.box); err != nil {
			t.Fatal(err)
		}
		p.state.Pending = nil
		waiting, err := p.box.Waiting()
		if err != nil || len(waiting) != 1 {
			t.Fatalf("%v wait, %v", waiting, err)
		}
		w.minutes(3)
		w.wantTold("app1 (nightly): backup failed: it broke")
	})
}

// TestNoMessageHoldsASecret has errors that quote secrets, as programs of others do.
func TestNoMessageHoldsASecret(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "app1")
		w.digest = "07:00"
		secrets := []string{secretPassword, "hunter2hunter2", "AKIAsecretkey99", "tok3ntok3n", "sigsigsig1"}
		l := w.lines["app1"]
		l.OK, l.Trouble = false, "backup failed"
		l.Why = "Fatal: rest:https://app1:hunter2hunter2@host/x, RESTIC_PASSWORD=" + secretPassword + ` secret_access_key: "AKIAsecretkey99", Authorization: Bearer tok3ntok3n https://s3/x?X-Amz-Signature=sigsigsig1&y=1`
		w.lines["app1"] = l
		w.minutes(24 * 60)
		w.people.mu.Lock()
		defer w.people.mu.Unlock()
		if len(w.people.told) != 2 {
			t.Errorf("there are %d messages", len(w.people.told))
		}
		for _, m := range w.people.told {
			all := fmt.Sprintf("%+v %+v", *m, m.Problems)
			for _, s := range secrets {
				if strings.Contains(all, s) {
					t.Errorf("the message %s holds %s:\n%s", m.Kind, s, m.Text)
				}
			}
			if !strings.Contains(m.Text, "rest:https://***@host/x") {
				t.Errorf("the message says nothing: %s", m.Text)
			}
		}
	})
}
