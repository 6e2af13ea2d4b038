package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/message"
)

// Sender is a channel. Its errors are stored and shown to people.
type Sender interface {
	Send(ctx context.Context, m *message.Message) error
}

// Flush sends the messages that are due to all channels concurrently. It returns the number
// of dropped messages that some channel never accepted, and an error if a result could not
// be saved.
func (b *Box) Flush(ctx context.Context, now time.Time, senders map[string]Sender) (dropped int, err error) {
	all, err := b.load()
	if err != nil {
		return 0, err
	}
	all, dropped, err = tidy(all, now, senders)
	f := &flush{now: now}
	var each sync.WaitGroup
	for name, sender := range senders {
		each.Go(func() { f.channel(ctx, name, sender, all) })
	}
	each.Wait()
	return dropped, errors.Join(err, f.err)
}

// tidy drops messages that are obsolete, too old, too many, or only for channels that no
// longer exist.
func tidy(all []*entry, now time.Time, senders map[string]Sender) (kept []*entry, dropped int, err error) {
	newest := map[string]*entry{}
	for _, e := range all {
		if key := e.Message.Replaces; key != "" {
			newest[key] = e
		}
	}
	over := len(all) - mostMessages
	for _, e := range all {
		maps.DeleteFunc(e.Waiting, func(name string, _ *attempt) bool { return senders[name] == nil })
		replaced := e.Message.Replaces != "" && newest[e.Message.Replaces] != e
		old := now.Sub(e.Message.At) > keepFor || over > 0
		if !replaced && !old && len(e.Waiting) > 0 {
			kept = append(kept, e)
			continue
		}
		if old && !replaced && len(e.Waiting) > 0 {
			dropped++
		}
		over--
		err = errors.Join(err, e.remove())
	}
	return kept, dropped, err
}

func (e *entry) remove() error {
	if err := os.Remove(e.file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove a message: %w", err)
	}
	return nil
}

// flush is one pass over the waiting messages.
type flush struct {
	now time.Time

	mu  sync.Mutex
	err error
}

// channel sends what is due to one channel until it fails, the least tried messages first:
// a message that it never accepts does not block others.
func (f *flush) channel(ctx context.Context, name string, sender Sender, all []*entry) {
	f.mu.Lock()
	var due []*entry
	for _, e := range all {
		if a := e.Waiting[name]; a != nil && a.due(f.now) {
			due = append(due, e)
		}
	}
	slices.SortStableFunc(due, func(a, b *entry) int { return cmp.Compare(a.Waiting[name].Tries, b.Waiting[name].Tries) })
	f.mu.Unlock()
	for _, e := range due {
		if ctx.Err() != nil {
			return
		}
		// A message is not sent if that cannot be recorded: a full disk would repeat it
		// forever.
		if !f.note(e, func() { e.Waiting[name].again(f.now) }) {
			return
		}
		err := sender.Send(ctx, e.Message)
		f.note(e, func() {
			if err == nil {
				delete(e.Waiting, name)
			} else {
				e.Waiting[name].Error = err.Error()
			}
		})
		if err != nil {
			return
		}
	}
}

// due reports whether a message must be tried. A clock that was set back delays nothing.
func (a *attempt) due(now time.Time) bool {
	return !now.Before(a.Next) || now.Before(a.Last)
}

// again records an attempt.
func (a *attempt) again(now time.Time) {
	const doublings = 6
	wait := min(longestWait, firstWait<<min(a.Tries, doublings))
	a.Tries, a.Last, a.Next, a.Error = a.Tries+1, now, now.Add(wait), cmp.Or(a.Error, "no answer yet")
}

// note changes the state of a message in memory and on disk.
func (f *flush) note(e *entry, change func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	save := e.save
	if len(e.Waiting) == 0 {
		save = e.remove
	}
	err := save()
	f.err = errors.Join(f.err, err)
	return err == nil
}
