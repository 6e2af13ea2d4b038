package outbox

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/message"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

const (
	// keepFor is how long a message is retried, mostMessages how many may wait.
	keepFor      = 7 * 24 * time.Hour
	mostMessages = 200
	// firstWait and longestWait bound the pause before a retry.
	firstWait   = time.Minute
	longestWait = time.Hour
	suffix      = ".json"
)

// Box is a directory of messages. Any number of processes may add to it; one at a time
// sends.
type Box struct{ Dir string }

// attempt is the state of a message for a channel that has not accepted it.
type attempt struct {
	Tries int       `json:"tries,omitempty"`
	Next  time.Time `json:"next,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	Error string    `json:"error,omitempty"`
}

// entry is a waiting message.
type entry struct {
	Message *message.Message    `json:"message"`
	Waiting map[string]*attempt `json:"waiting"`

	file string
}

// Add saves a message for channels; it is on disk when Add returns. A waiting message with
// the same ID is replaced.
func (b *Box) Add(m *message.Message, channels []string) error {
	if len(channels) == 0 {
		return nil
	}
	if err := os.MkdirAll(b.Dir, 0o700); err != nil {
		return fmt.Errorf("keep a message: %w", err)
	}
	e := &entry{Message: m, Waiting: map[string]*attempt{}, file: filepath.Join(b.Dir, m.ID+suffix)}
	for _, c := range channels {
		e.Waiting[c] = &attempt{}
	}
	return e.save()
}

func (e *entry) save() error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(e.file, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("keep a message: %w", err)
	}
	return nil
}

// load reads the waiting messages, oldest first. It renames files that are not messages.
func (b *Box) load() (all []*entry, err error) {
	files, err := os.ReadDir(b.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if filepath.Ext(f.Name()) != suffix || strings.HasPrefix(f.Name(), ".") {
			continue
		}
		name := filepath.Join(b.Dir, f.Name())
		text, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		e := &entry{file: name}
		if err != nil || json.Unmarshal(text, e) != nil || e.Message == nil {
			_ = os.Rename(name, name+".bad")
			continue
		}
		all = append(all, e)
	}
	slices.SortStableFunc(all, func(a, b *entry) int {
		return cmp.Or(a.Message.At.Compare(b.Message.At), strings.Compare(a.Message.ID, b.Message.ID))
	})
	return all, nil
}

// Waiting is a message that some channel has not accepted.
type Waiting struct {
	Channel string    `json:"channel"`
	Subject string    `json:"subject"`
	Since   time.Time `json:"since"`
	Tries   int       `json:"tries"`
	Next    time.Time `json:"next_try,omitzero"`
	Error   string    `json:"error,omitempty"`
}

// Waiting returns the waiting messages by channel, oldest first.
func (b *Box) Waiting() ([]Waiting, error) {
	all, err := b.load()
	if err != nil {
		return nil, err
	}
	waiting := []Waiting{}
	for _, e := range all {
		for name, a := range e.Waiting {
			waiting = append(waiting, Waiting{name, e.Message.Subject, e.Message.At, a.Tries, a.Next, a.Error})
		}
	}
	slices.SortStableFunc(waiting, func(a, b Waiting) int {
		return cmp.Or(strings.Compare(a.Channel, b.Channel), a.Since.Compare(b.Since))
	})
	return waiting, nil
}

// Unsent says in a line what could not be sent yet, and why; "" if nothing waits.
func (b *Box) Unsent() string {
	all, err := b.Waiting()
	if err != nil {
		return "the messages that wait cannot be read: " + err.Error()
	}
	failing := map[string]Waiting{}
	var names []string
	count := 0
	for _, w := range all {
		if w.Tries == 0 {
			continue
		}
		count++
		if _, known := failing[w.Channel]; !known {
			names = append(names, w.Channel)
		}
		if w.Tries >= failing[w.Channel].Tries {
			failing[w.Channel] = w
		}
	}
	if count == 0 {
		return ""
	}
	var why []string
	for _, name := range names {
		why = append(why, name+": "+failing[name].Error)
	}
	what := "1 message is"
	if count > 1 {
		what = fmt.Sprintf("%d messages are", count)
	}
	return what + " not sent yet (" + strings.Join(why, "; ") + ")"
}
