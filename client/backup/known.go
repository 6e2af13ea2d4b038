package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/facts"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/keys"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

// known is everything a backup needs from Redis or the gateway. A copy in the module's
// state directory, readable by its owner only, lets backups continue while Redis is down.
// It exposes nothing new: whoever can read that directory has the module's own credentials.
type known struct {
	Schedule    string `json:"schedule"`
	Name        string `json:"name"`
	Destination string `json:"destination"`
	// Module and Path say whose backup goes where.
	Module string `json:"module"`
	Path   string `json:"path"`
	Key    string `json:"key"`
	// Dumps are the module's keys that are saved with it.
	Dumps []keys.Dumped `json:"dumps,omitempty"`
}

// knownPrefix begins the names of these copies, which are not backed up.
const knownPrefix = ".module-backup.known-"

func knownFile(stateDir, schedule string) string {
	return filepath.Join(stateDir, knownPrefix+schedule+".json")
}

// told is a known, read from Redis now or recalled from the last copy.
type told struct {
	schedule   schedule.Schedule
	repository restic.Repository
	dumps      []keys.Dumped
	stale      error // why it is not current; nil if it is
}

// askOrRecall asks Redis, or the gateway in its place, and waits as long as wait says. If
// neither answers it recalls the last copy.
func askOrRecall(ctx context.Context, sys *host.System, wait *run.Waiting, m host.Module, word string, keep bool) (told, error) {
	t, err := ask(ctx, sys, wait, m, word)
	switch {
	case err == nil && keep:
		if err := t.keep(m); err != nil {
			sys.Warnf("what Redis says is not kept for when it is away: %v", err)
		}
	case err != nil && run.RedisAway(err):
		recalled, errKnown := recall(sys, m, word)
		if errKnown != nil {
			return t, err
		}
		recalled.stale = err
		return recalled, nil
	}
	return t, err
}

func ask(ctx context.Context, sys *host.System, wait *run.Waiting, m host.Module, word string) (t told, err error) {
	source, done, err := facts.Open(ctx, sys, wait)
	if err != nil {
		return t, err
	}
	defer done()
	if t.schedule, err = source.Schedule(ctx, word); err != nil {
		return t, err
	}
	if !t.schedule.Lists(m.ID) {
		return t, exit.Failf(exit.Usage, "backup schedule %s does not list module %s", word, m.ID)
	}
	if t.repository, err = source.Repository(ctx, t.schedule.Destination, m.App, m.UUID); err != nil {
		return t, names.WronglyNamed(err)
	}
	t.dumps, err = source.Dumps(ctx, m)
	return t, err
}

func (t *told) keep(m host.Module) error {
	text, err := json.Marshal(known{
		Schedule: t.schedule.ID, Name: t.schedule.Name, Destination: t.schedule.Destination,
		Module: m.ID, Path: m.App + "/" + m.UUID, Key: t.repository.Key, Dumps: t.dumps,
	})
	if err != nil {
		return err
	}
	if !host.PathSegment.MatchString(t.schedule.ID) {
		return fmt.Errorf("%q cannot be a part of a file's name", t.schedule.ID)
	}
	name := knownFile(m.StateDir, t.schedule.ID)
	if before, err := os.ReadFile(name); err == nil && bytes.Equal(before, text) {
		return nil
	}
	return atomicfile.Write(name, text, 0o600)
}

// recall finds the last copy for the schedule with an ID or a name.
func recall(sys *host.System, m host.Module, word string) (t told, err error) {
	files, err := filepath.Glob(filepath.Join(escapeGlob(m.StateDir), knownPrefix+"*.json"))
	if err != nil {
		return t, err
	}
	var found []known
	for _, file := range files {
		text, err := os.ReadFile(file)
		var k known
		if err != nil || json.Unmarshal(text, &k) != nil || k.Module != m.ID || k.Path != m.App+"/"+m.UUID {
			continue
		}
		if k.Schedule == word {
			found = []known{k}
			break
		}
		if k.Name == word {
			found = append(found, k)
		}
	}
	if len(found) != 1 {
		return t, errors.New("nothing is known of the schedule")
	}
	k := found[0]
	t.schedule = schedule.Schedule{ID: k.Schedule, Name: k.Name, Destination: k.Destination, Modules: []string{m.ID}}
	t.dumps = k.Dumps
	t.repository, err = run.RepositoryAt(sys, k.Destination, m.App, m.UUID, k.Key)
	return t, err
}

var globEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// escapeGlob returns a pattern that matches only that path.
func escapeGlob(path string) string { return globEscaper.Replace(path) }
