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

// state is what a node remembers of what people were told: a file.
type state struct {
	// Seq numbers messages.
	Seq  int              `json:"seq"`
	Told map[string]*told `json:"told"`
	// News is when the last failures were told.
	News time.Time `json:"news,omitzero"`
	// Digest is when the digest was last dealt with, Runs the last run of each schedule that
	// one was sent after.
	Digest time.Time         `json:"digest,omitzero"`
	Runs   map[string]string `json:"runs,omitempty"`
	// Pending is a message that belongs in the outbox. It is written together with what it
	// tells, so that neither is without the other.
	Pending *pending `json:"pending,omitempty"`
	// Dropped is how many messages no channel took in time, since the last digest.
	Dropped int `json:"dropped,omitempty"`

	file  string
	saved []byte // what is in it
}

type pending struct {
	Message  *message.Message `json:"message"`
	Channels []string         `json:"channels"`
}

// readState reads that of a node. One that cannot be read is put aside: people are told
// again what fails, which is better than nothing.
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

// clone is a copy of what people know, to see what would be told.
func (s *state) clone() map[string]*told {
	all := map[string]*told{}
	for key, t := range s.Told {
		c := *t
		c.Changes = append([]time.Time(nil), t.Changes...)
		all[key] = &c
	}
	return all
}

// post notes a message with what it tells, and puts it into the outbox: once, wherever this
// is interrupted.
func (s *state) post(box *outbox.Box, m *message.Message, channels []string) error {
	s.Pending = &pending{m, channels}
	if err := s.save(); err != nil {
		return err
	}
	return s.settle(box)
}

// settle puts a message that is pending into the outbox.
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

// next is the ID of the next message of a node.
func (s *state) next(kind message.Kind, node string, now time.Time) string {
	s.Seq++
	return fmt.Sprintf("%s-%s-%s-%d", now.UTC().Format("20060102T150405Z"), kind, node, s.Seq)
}

// clockSlack is how far ahead of the clock the last digest may be: more means that the clock
// had been wrong.
const clockSlack = 2 * time.Hour

// digestDue reports whether a digest is due by the clock, and notes that it is dealt with. A
// clock that is set back by an hour or two has none sent twice, and one that is set forward
// loses none.
func (s *state) digestDue(d *notifyfile.Digest, now time.Time) bool {
	if s.Digest.IsZero() || s.Digest.Sub(now) > clockSlack {
		s.Digest = now // begin to count
		return false
	}
	next := d.Next(s.Digest)
	if next.IsZero() || next.After(now) {
		return false
	}
	s.Digest = now
	return true
}

// sorted is what people know, by its key.
func (s *state) sorted() []*told {
	all := make([]*told, 0, len(s.Told))
	for _, key := range slices.Sorted(maps.Keys(s.Told)) {
		all = append(all, s.Told[key])
	}
	return all
}
