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
	// quiet is how long nothing more must have happened before news goes out, unless the
	// time in which failures are one message is over.
	quiet = 10 * time.Second
	// flushFor bounds how long a pass sends.
	flushFor = 2 * time.Minute
)

// errBusy says that another pass is going on, which tells what there is to tell.
var errBusy = errors.New("another pass is going on")

// pass is one look at everything.
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

// newPass makes a pass for a file.
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

// open opens the channels, and notes what is wrong with the file.
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

// discreet is a channel whose errors, which are in the status, hold no secret either: a
// server may repeat what it was sent.
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

// host is what messages call this installation.
func (p *pass) host() string {
	name, _ := os.Hostname() // it is for people to read
	return cmp.Or(p.file.Name, name, "this host")
}

// node is this node's ID, for the IDs of messages.
func (p *pass) node() string {
	login, _ := p.sys.Env.NodeCredentials()
	return cmp.Or(strings.TrimPrefix(login.User, "node/"), "0")
}

// lockPass has one pass go on at a time; it waits for another as long as patience.
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

// wait waits, and reports whether ctx has not ended.
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

// run is the pass, under the lock.
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

// noteMistakes has mistakes in the file in the status, and told.
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

// dropNotes drops those about hooks of schedules that are gone, which no run does.
func (p *pass) dropNotes(o *observation) error {
	notes, err := outbox.Notes(p.stateDir)
	if err != nil || o.redis != nil {
		return nil //nolint:nilerr // they are written over
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

// tellNews tells what fails and what works again, if that changed.
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

// pause is how long more news is waited for, so that 500 failures within a minute are one
// message, and the next one does not follow at once.
func (p *pass) pause(now time.Time) time.Duration {
	collect := p.file.Collect
	pause := min(quiet, collect)
	if since := now.Sub(p.state.News); since >= 0 { // else the clock was set back
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
			return nil //nolint:nilerr // nobody knows what ran
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

// ranSince are the schedules that ran since their last digest, with their last runs. Those
// that are seen for the first time begin to count.
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

// digest makes a digest, of one schedule or of all.
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

// notes are about the messages themselves.
func (p *pass) notes() (notes []string) {
	if unsent := p.box.Unsent(); unsent != "" {
		notes = append(notes, unsent)
	}
	if n := p.state.Dropped; n > 0 {
		notes = append(notes, fmt.Sprintf("%d %s could not be sent for a week, and %s dropped", n, plural(n, "message", "messages"), plural(n, "was", "were")))
	}
	return notes
}

// flush sends what waits.
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
