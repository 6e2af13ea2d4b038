package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/channel"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/message"
	"github.com/rclone-gateway/rclone-gateway/client/notifyfile"
	"github.com/rclone-gateway/rclone-gateway/client/outbox"
	"github.com/rclone-gateway/rclone-gateway/client/runs"
)

const (
	// quiet is how long there must be no change before news goes out, up to the time within
	// which failures share a message.
	quiet = 10 * time.Second
	// flushFor bounds the time that a pass spends on sending.
	flushFor = 2 * time.Minute
)

// errBusy says that another pass is running, which will report everything.
var errBusy = errors.New("another pass is going on")

// pass is one comparison of the state with what was reported.
type pass struct {
	sys      *host.System
	stateDir string
	file     *notifyfile.File
	senders  map[string]outbox.Sender
	clean    *message.Cleaner
	state    *state
	box      *outbox.Box

	observe func(ctx context.Context, now time.Time) *observation
	gather  func(ctx context.Context, now time.Time) (*facts, error)
	ran     func(ctx context.Context, o *observation) (map[string]string, error)
}

// newPass creates a pass with a configuration.
func newPass(sys *host.System, stateDir string, file *notifyfile.File) *pass {
	p := &pass{sys: sys, stateDir: stateDir, file: file, box: outbox.Of(stateDir)}
	p.observe = func(ctx context.Context, now time.Time) *observation { return observe(ctx, sys, stateDir, now) }
	p.gather = func(ctx context.Context, now time.Time) (*facts, error) {
		rdb, err := connect(ctx, sys)
		if err != nil {
			return nil, err
		}
		defer func() { _ = rdb.Close() }()
		return gather(ctx, rdb, now)
	}
	p.ran = func(ctx context.Context, o *observation) (map[string]string, error) {
		rdb, err := connect(ctx, sys)
		if err != nil {
			return nil, err
		}
		defer func() { _ = rdb.Close() }()
		return ran(ctx, rdb, o)
	}
	p.open()
	return p
}

// open opens the channels, and notes mistakes in the configuration.
func (p *pass) open() {
	p.senders = map[string]outbox.Sender{}
	var secrets []string
	defer func() { p.clean = message.NewCleaner(secrets...) }()
	if login, err := p.sys.Env.Credentials(); err == nil {
		secrets = append(secrets, login.Password)
	}
	for i := range p.file.Channels {
		c := &p.file.Channels[i]
		s, wrong := channel.Open(c)
		if wrong != nil {
			p.file.Wrong = append(p.file.Wrong, fmt.Errorf("[%s]: %w: messages go out in the form that they have without a template", c.Name, wrong))
		}
		p.senders[c.Name] = discreet{s, p}
		secrets = append(secrets, channel.Secrets(c)...)
	}
}

// discreet removes secrets from a channel's errors, which are shown in the status: a server
// may repeat the request.
type discreet struct {
	outbox.Sender

	pass *pass
}

func (d discreet) Send(ctx context.Context, m *message.Message) error {
	err := d.Sender.Send(ctx, m)
	if err != nil {
		return errors.New(d.pass.clean.Line(err.Error()))
	}
	return nil
}

// host returns the name of this installation in messages.
func (p *pass) host() string {
	name, _ := os.Hostname() // only for people
	return cmp.Or(p.file.Name, name, "this host")
}

// node returns this node's ID, for the IDs of messages.
func (p *pass) node() string {
	login, _ := p.sys.Env.NodeCredentials()
	return cmp.Or(strings.TrimPrefix(login.User, "node/"), "0")
}

// lockPass keeps passes from overlapping; it waits for patience.
func lockPass(ctx context.Context, stateDir string, patience time.Duration) (unlock func(), err error) {
	dir := outbox.Dir(stateDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory for messages: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "pass.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for until := time.Now().Add(patience); ; {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) || !time.Now().Before(until) || !wait(ctx, time.Second) {
			_ = file.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				err = errBusy
			}
			return nil, err
		}
	}
}

// wait waits, and reports whether ctx is still alive.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// run performs the pass. The caller holds the lock.
func (p *pass) run(ctx context.Context) error {
	var err error
	if p.state, err = readState(p.stateDir); err != nil {
		return err
	}
	if err := p.state.settle(p.box); err != nil {
		return err
	}
	if err := p.noteMistakes(); err != nil {
		return err
	}
	o, err := p.tellNews(ctx)
	if err == nil {
		err = p.dropNotes(o)
	}
	if err == nil {
		err = p.tellDigests(ctx, o)
	}
	return errors.Join(err, p.flush(ctx))
}

// aboutFile is the prefix of notes about the configuration.
const aboutFile = "file/"

// noteMistakes records mistakes in the configuration, so that they are shown and reported.
func (p *pass) noteMistakes() error {
	mistakes := map[string]string{}
	if n := len(p.file.Wrong); n > 0 {
		text := p.file.Path + ": " + p.clean.Line(p.file.Wrong[0].Error())
		if n > 1 {
			text += fmt.Sprintf(" (and %d more: see gatewayctl notify test)", n-1)
		}
		mistakes["mistakes"] = text
	}
	return outbox.SetNotes(p.stateDir, aboutFile, time.Now(), mistakes)
}

// dropNotes deletes the notes about hooks of deleted schedules. No run would do that.
func (p *pass) dropNotes(o *observation) error {
	notes, err := outbox.Notes(p.stateDir)
	if err != nil || o.redis != nil {
		return nil //nolint:nilerr // the next write replaces them
	}
	for about := range notes {
		rest, isHook := strings.CutPrefix(about, outbox.AboutHooks)
		id, _, _ := strings.Cut(rest, "/")
		known := slices.ContainsFunc(o.overview.Modules, func(l runs.Line) bool { return l.Schedule == id })
		if isHook && !known {
			err = errors.Join(err, outbox.SetNotes(p.stateDir, outbox.AboutHooks+id+"/", o.now, nil))
		}
	}
	return err
}

// tellNews reports failures and recoveries, if they changed.
func (p *pass) tellNews(ctx context.Context) (*observation, error) {
	o := p.observe(ctx, time.Now())
	all := p.state.clone()
	items := judge(all, o)
	for began := time.Now(); len(items) > 0; {
		if !wait(ctx, p.pause(o.now)) {
			return o, context.Cause(ctx)
		}
		before := keysOf(items)
		o = p.observe(ctx, time.Now())
		all = p.state.clone()
		items = judge(all, o)
		if keysOf(items) == before || time.Since(began) >= p.file.Collect {
			break
		}
	}
	p.state.Told = all
	if len(items) == 0 {
		return o, p.state.save()
	}
	p.state.News = o.now
	m := newsReport(p.host(), items, o).Compose(p.state.next(message.Failures, p.node(), o.now), p.clean)
	return o, p.state.post(p.box, m, p.file.For(func(c *notifyfile.Channel) bool { return c.Failures }))
}

// pause returns how long to wait for further news, so that 500 failures within a minute
// share one message and the next message does not follow at once.
func (p *pass) pause(now time.Time) time.Duration {
	collect := p.file.Collect
	pause := min(quiet, collect)
	if since := now.Sub(p.state.News); since >= 0 { // otherwise the clock was set back
		pause = max(pause, collect-since)
	}
	return pause
}

func keysOf(items []item) string {
	var b strings.Builder
	for i := range items {
		fmt.Fprintf(&b, "%d %s\n", items[i].what, items[i].key)
	}
	return b.String()
}

// tellDigests sends the digests that are due.
func (p *pass) tellDigests(ctx context.Context, o *observation) error {
	due := []string{""}
	last := map[string]string{}
	if p.file.Digest.When == notifyfile.AfterRuns {
		if o.redis != nil {
			return nil //nolint:nilerr // which schedules ran is unknown
		}
		var err error
		if due, last, err = p.ranSince(ctx, o); err != nil {
			return err
		}
	} else if !p.state.digestDue(&p.file.Digest, o.now) {
		return p.state.save()
	}
	for _, id := range due {
		m, err := p.digest(ctx, o, id)
		if err != nil {
			return err
		}
		if id != "" {
			p.state.Runs[id] = last[id]
		}
		p.state.Dropped = 0
		if err := p.state.post(p.box, m, p.digestChannels()); err != nil {
			return err
		}
	}
	return nil
}

func (p *pass) digestChannels() []string {
	return p.file.For(func(c *notifyfile.Channel) bool { return c.Digest })
}

// ranSince returns the schedules that ran since their last digest, with their last runs. A
// schedule that is seen for the first time counts from its next run.
func (p *pass) ranSince(ctx context.Context, o *observation) (due []string, last map[string]string, err error) {
	first := p.state.Digest.IsZero()
	p.state.Digest = o.now
	if last, err = p.ran(ctx, o); err != nil {
		return nil, nil, err
	}
	for id, run := range last {
		switch {
		case first:
			p.state.Runs[id] = run
		case p.state.Runs[id] != run:
			due = append(due, id)
		}
	}
	if first {
		return nil, nil, p.state.save()
	}
	return due, last, nil
}

// digest collects a digest of one schedule, or of all.
func (p *pass) digest(ctx context.Context, o *observation, schedule string) (*message.Message, error) {
	d := &digest{observation: o, facts: &facts{}, host: p.host(), schedule: schedule, notes: p.notes()}
	if o.redis == nil {
		var err error
		if d.facts, err = p.gather(ctx, o.now); err != nil {
			return nil, err
		}
	}
	m := d.report().Compose(p.state.next(message.Digest, p.node(), o.now), p.clean)
	m.Replaces = "digest/" + schedule
	return m, nil
}

// notes returns notes about the notifications themselves.
func (p *pass) notes() (notes []string) {
	if unsent := p.box.Unsent(); unsent != "" {
		notes = append(notes, unsent)
	}
	if n := p.state.Dropped; n > 0 {
		notes = append(notes, fmt.Sprintf("%d %s could not be sent for a week, and %s dropped", n, plural(n, "message", "messages"), plural(n, "was", "were")))
	}
	return notes
}

// flush sends the waiting messages.
func (p *pass) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushFor)
	defer cancel()
	dropped, err := p.box.Flush(ctx, time.Now(), p.senders)
	if dropped == 0 {
		return err
	}
	p.state.Dropped += dropped
	return errors.Join(err, p.state.save())
}
