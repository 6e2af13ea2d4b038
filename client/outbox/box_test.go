package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/message"
	"github.com/rclone-gateway/rclone-gateway/client/outbox"
)

var start = time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC)

// fake is a channel that keeps what it takes, and fails while down.
type fake struct {
	mu    sync.Mutex
	down  func(m *message.Message) bool
	taken []string
	tries int
}

func (f *fake) Send(_ context.Context, m *message.Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tries++
	if f.down != nil && f.down(m) {
		return errors.New("the server answered 500")
	}
	f.taken = append(f.taken, m.ID)
	return nil
}

func always(*message.Message) bool { return true }

func letter(id string, at time.Time) *message.Message {
	return &message.Message{ID: id, Subject: "about " + id, At: at}
}

type box struct {
	*outbox.Box

	t *testing.T
}

func newBox(t *testing.T) box {
	return box{outbox.Of(t.TempDir()), t}
}

func (b box) add(m *message.Message, channels ...string) {
	b.t.Helper()
	if err := b.Add(m, channels); err != nil {
		b.t.Fatal(err)
	}
}

func (b box) flush(now time.Time, senders map[string]outbox.Sender) int {
	b.t.Helper()
	dropped, err := b.Flush(b.t.Context(), now, senders)
	if err != nil {
		b.t.Fatal(err)
	}
	return dropped
}

func TestAnOutageOfADayLosesNothingAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	mail, hook := &fake{}, &fake{down: always}
	senders := map[string]outbox.Sender{"mail": mail, "hook": hook}
	b.add(letter("a", start), "mail", "hook")
	for minute := range 24 * 60 {
		if minute == 600 {
			b.add(letter("b", start.Add(10*time.Hour)), "mail", "hook")
		}
		b.flush(start.Add(time.Duration(minute)*time.Minute), senders)
	}
	if want := []string{"a", "b"}; !slices.Equal(mail.taken, want) || mail.tries != 2 {
		t.Errorf("mail took %q in %d tries", mail.taken, mail.tries)
	}
	if hook.tries < 24 || hook.tries > 60 {
		t.Errorf("the hook was tried %d times within a day", hook.tries)
	}
	if unsent := b.Unsent(); unsent != "2 messages are not sent yet (hook: the server answered 500)" {
		t.Errorf("the status says %q", unsent)
	}
	hook.down = nil
	for minute := range 61 {
		b.flush(start.Add(24*time.Hour+time.Duration(minute)*time.Minute), senders)
	}
	if slices.Sort(hook.taken); !slices.Equal(hook.taken, []string{"a", "b"}) {
		t.Errorf("then the hook took %q", hook.taken)
	}
	if waiting, err := b.Waiting(); err != nil || len(waiting) > 0 || b.Unsent() != "" {
		t.Errorf("%v wait, %v", waiting, err)
	}
}

func TestAMessageThatIsNeverTakenIsNotInTheWayOfOthers(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	hook := &fake{down: func(m *message.Message) bool { return m.ID == "poison" }}
	senders := map[string]outbox.Sender{"hook": hook}
	b.add(letter("poison", start), "hook")
	b.flush(start, senders)
	b.add(letter("a", start.Add(time.Minute)), "hook")
	b.flush(start.Add(time.Minute), senders)
	if !slices.Equal(hook.taken, []string{"a"}) {
		t.Errorf("it took %q", hook.taken)
	}
	if dropped := b.flush(start.Add(8*24*time.Hour), senders); dropped != 1 || b.Unsent() != "" {
		t.Errorf("after a week %d were dropped, and %q", dropped, b.Unsent())
	}
}

func TestTheBoxIsBounded(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	for i := range 230 {
		b.add(letter(fmt.Sprintf("%04d", i), start.Add(time.Duration(i)*time.Second)), "hook")
	}
	hook := &fake{down: always}
	dropped := b.flush(start.Add(time.Hour), map[string]outbox.Sender{"hook": hook})
	waiting, err := b.Waiting()
	if err != nil || dropped != 30 || len(waiting) != 200 || waiting[0].Subject != "about 0030" {
		t.Errorf("%d were dropped and %d wait, %v", dropped, len(waiting), err)
	}
}

func TestANewerDigestReplacesOneThatWaits(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	hook := &fake{down: always}
	senders := map[string]outbox.Sender{"hook": hook}
	for day := range 3 {
		at := start.Add(time.Duration(day) * 24 * time.Hour)
		m := letter(fmt.Sprint("digest", day), at)
		m.Replaces = "digest/"
		b.add(m, "hook")
		if dropped := b.flush(at, senders); dropped != 0 {
			t.Errorf("%d were dropped", dropped)
		}
	}
	hook.down = nil
	b.flush(start.Add(72*time.Hour), senders)
	if !slices.Equal(hook.taken, []string{"digest2"}) {
		t.Errorf("it took %q", hook.taken)
	}
}

func TestAClockThatIsSetBackHoldsUpNothing(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	hook := &fake{down: always}
	senders := map[string]outbox.Sender{"hook": hook}
	b.add(letter("a", start), "hook")
	b.flush(start, senders)
	hook.down = nil
	b.flush(start.Add(-time.Hour), senders)
	if len(hook.taken) != 1 {
		t.Error("it is not tried again")
	}
}

// TestWhatCannotBeNotedIsNotSent has the directory go: else a message would go out each
// minute.
func TestWhatCannotBeNotedIsNotSent(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.add(letter("a", start), "hook")
	b.add(letter("b", start.Add(time.Second)), "hook")
	hook := &fake{}
	hook.down = func(*message.Message) bool {
		if err := os.Rename(b.Dir, b.Dir+".away"); err != nil {
			t.Error(err)
		}
		return false
	}
	if _, err := b.Flush(t.Context(), start, map[string]outbox.Sender{"hook": hook}); err == nil || hook.tries != 1 {
		t.Errorf("%d were sent, %v", hook.tries, err)
	}
}

func TestAFileThatIsNoMessageIsPutAside(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.add(letter("a", start), "hook")
	for name, text := range map[string]string{"x.json": "{", "y.json": "{}", ".new-1.json": "{"} {
		if err := os.WriteFile(filepath.Join(b.Dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hook := &fake{}
	b.flush(start, map[string]outbox.Sender{"hook": hook})
	bad, err := filepath.Glob(filepath.Join(b.Dir, "*.bad"))
	if err != nil || len(bad) != 2 || len(hook.taken) != 1 {
		t.Errorf("%q are put aside, and %q taken, %v", bad, hook.taken, err)
	}
}

func TestNotesKeepTheirTimeUntilTheyAreGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	set := func(prefix string, at time.Time, texts map[string]string) {
		if err := outbox.SetNotes(dir, prefix, at, texts); err != nil {
			t.Fatal(err)
		}
	}
	set("hook/1/", start, map[string]string{"a": "a failed"})
	set("hook/2/", start, map[string]string{"b": "b failed"})
	set("hook/1/", start.Add(time.Hour), map[string]string{"a": "a failed again"})
	notes, err := outbox.Notes(dir)
	if err != nil || len(notes) != 2 || !notes["hook/1/a"].Since.Equal(start) {
		t.Errorf("%v, %v", notes, err)
	}
	set("hook/1/", start, nil)
	if lines := strings.Join(outbox.Lines(dir), "; "); lines != "b failed" {
		t.Errorf("the status says %q", lines)
	}
}
