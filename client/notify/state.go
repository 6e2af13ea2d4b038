package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/message"
	"github.com/rclone-gateway/rclone-gateway/client/notifyfile"
	"github.com/rclone-gateway/rclone-gateway/client/outbox"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

// state is the file in which a node remembers what was reported.
type state struct {
	// Seq numbers messages.
	Seq  int              `json:"seq"`
	Told map[string]*told `json:"told"`
	// News is when failures were last reported.
	News time.Time `json:"news,omitzero"`
	// Digest is when the last digest was handled, Runs the last run of each schedule that
	// has had a digest.
	Digest time.Time         `json:"digest,omitzero"`
	Runs   map[string]string `json:"runs,omitempty"`
	// Pending is a message for the outbox. It is saved in the same write as the news that
	// it reports, so that neither exists without the other.
	Pending *pending `json:"pending,omitempty"`
	// Dropped counts the messages since the last digest that expired before every channel
	// accepted them.
	Dropped int `json:"dropped,omitempty"`

	file  string
	saved []byte // content of the file
}

type pending struct {
	Message  *message.Message `json:"message"`
	Channels []string         `json:"channels"`
}

// readState reads a node's state. It renames an unreadable file: failures are then reported
// again, which is better than not at all.
func readState(stateDir string) (*state, error) {
	s := &state{file: filepath.Join(outbox.Dir(stateDir), "told.json")}
	text, err := os.ReadFile(s.file)
	if err == nil {
		if err := json.Unmarshal(text, s); err != nil {
			_ = os.Rename(s.file, s.file+".bad")
			*s = state{file: s.file}
		}
		s.saved = text
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if s.Told == nil {
		s.Told = map[string]*told{}
	}
	if s.Runs == nil {
		s.Runs = map[string]string{}
	}
	return s, nil
}

func (s *state) save() error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if bytes.Equal(text, s.saved) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(s.file), 0o700); err != nil {
		return err
	}
	if err := atomicfile.Write(s.file, text, 0o600); err != nil {
		return fmt.Errorf("note what people were told: %w", err)
	}
	s.saved = text
	return nil
}

// clone returns a copy, to try what would be reported.
func (s *state) clone() map[string]*told {
	all := map[string]*told{}
	for key, t := range s.Told {
		c := *t
		c.Changes = append([]time.Time(nil), t.Changes...)
		all[key] = &c
	}
	return all
}

// post saves a message together with the news that it reports, and puts it into the outbox:
// exactly once, even if interrupted.
func (s *state) post(box *outbox.Box, m *message.Message, channels []string) error {
	s.Pending = &pending{m, channels}
	if err := s.save(); err != nil {
		return err
	}
	return s.settle(box)
}

// settle moves a pending message to the outbox.
func (s *state) settle(box *outbox.Box) error {
	if s.Pending == nil {
		return nil
	}
	if err := box.Add(s.Pending.Message, s.Pending.Channels); err != nil {
		return err
	}
	s.Pending = nil
	return s.save()
}

// next returns the ID of the node's next message.
func (s *state) next(kind message.Kind, node string, now time.Time) string {
	s.Seq++
	return fmt.Sprintf("%s-%s-%s-%d", now.UTC().Format("20060102T150405Z"), kind, node, s.Seq)
}

// clockSlack is how far in the future the last digest may be. Beyond that, the clock was
// wrong then.
const clockSlack = 2 * time.Hour

// digestDue reports whether a digest is due, and marks it as handled. Setting the clock
// back by an hour or two repeats no digest, and setting it forward loses none.
func (s *state) digestDue(d *notifyfile.Digest, now time.Time) bool {
	if s.Digest.IsZero() || s.Digest.Sub(now) > clockSlack {
		s.Digest = now // start counting
		return false
	}
	next := d.Next(s.Digest)
	if next.IsZero() || next.After(now) {
		return false
	}
	s.Digest = now
	return true
}

// sorted returns the conditions, by key.
func (s *state) sorted() []*told {
	all := make([]*told, 0, len(s.Told))
	for _, key := range slices.Sorted(maps.Keys(s.Told)) {
		all = append(all, s.Told[key])
	}
	return all
}
