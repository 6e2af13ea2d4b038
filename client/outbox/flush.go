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

// Sender is a channel. What it returns is kept, and shown to people.
type Sender interface {
	Send(ctx context.Context, m *message.Message) error
}

// Flush sends what is due to the channels by name, all of them at once. It returns how many
// messages were dropped, which some channel never took, and an error where what was done
// could not be noted.
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

// tidy drops what is replaced, too old, too much, or for channels that there are no longer.
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

// flush is one look at all that waits.
type flush struct {
	now time.Time

	mu  sync.Mutex
	err error
}

// channel sends what is due to one channel, what was tried least first, until it fails:
// one message that it never takes is not in the way of others.
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
		// What cannot be noted is not sent, or a full disk would have it sent for ever.
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

// due reports whether a message is to be tried. A clock that was set back holds up nothing.
func (a *attempt) due(now time.Time) bool {
	return !now.Before(a.Next) || now.Before(a.Last)
}

// again notes that a message is tried.
func (a *attempt) again(now time.Time) {
	const doublings = 6
	wait := min(longestWait, firstWait<<min(a.Tries, doublings))
	a.Tries, a.Last, a.Next, a.Error = a.Tries+1, now, now.Add(wait), cmp.Or(a.Error, "no answer yet")
}

// note changes what is known of a message, here and on the disk.
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
