package live

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/rcloneconf"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/remote/backend"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

const (
	// tokensFile stores the tokens that Redis does not have yet.
	tokensFile = "tokens.json"
	// tokenPause and tokenPauseMax bound the time between attempts to write tokens to
	// Redis.
	tokenPause    = time.Second
	tokenPauseMax = time.Minute
	// tokenTimeout bounds one attempt.
	tokenTimeout = 5 * time.Second
	// formerTokens is how many previous values are remembered per token.
	formerTokens = 8
)

// tokens manages what backends change in their sections while they are open: refreshed
// OAuth tokens; the previous one may no longer work. Each is written to Redis, unless it
// was changed there meanwhile. Until that succeeds it is stored in a file, for use after a
// restart.
//
// A store continues with its own new token, so a new token must not make it reopen: for
// views, each of our tokens stands for the one with which the store was opened.
type tokens struct {
	rdb  redis.UniversalClient // of a user that may write the sections
	file string                // empty: tokens are stored only in Redis
	log  *slog.Logger
	wake chan struct{}

	mu    sync.Mutex
	known map[tokenKey]*token
}

// tokenKey identifies a value in a destination's section.
type tokenKey struct{ destination, key string }

// token is a value that a backend changed. It is a secret.
type token struct {
	Opened string   // the value in the view
	Former []string // those in between
	Latest string
	// pending is true until Redis has the latest value, or refused it.
	pending bool
	// refused is true once the refusal was logged.
	refused bool
}

// ours reports whether a value is or was a value of the token.
func (t *token) ours(value string) bool {
	return value == t.Opened || value == t.Latest || slices.Contains(t.Former, value)
}

// openTokens is newTokens for the state directory, with a connection of the user that may
// write. close ends it.
func openTokens(opts Source) (*tokens, error) {
	writer, err := cmp.Or(opts.Writer, &opts.Redis).Open()
	if err != nil {
		return nil, err
	}
	kept, err := newTokens(writer, opts.StateDir, opts.Log)
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	return kept, nil
}

func (t *tokens) close() error { return t.rdb.Close() }

// newTokens reads what an earlier process left in the directory.
func newTokens(rdb redis.UniversalClient, dir string, log *slog.Logger) (*tokens, error) {
	t := &tokens{rdb: rdb, log: log, wake: make(chan struct{}, 1), known: map[tokenKey]*token{}}
	if dir == "" {
		return t, nil
	}
	t.file = filepath.Join(dir, tokensFile)
	data, err := os.ReadFile(t.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return t, nil
	case err != nil:
		return nil, fmt.Errorf("read the kept tokens: %w", err)
	}
	var kept map[string]map[string]*token
	if err := json.Unmarshal(data, &kept); err != nil {
		return nil, fmt.Errorf("read the kept tokens: %s is damaged: remove it, and authorise those destinations again", t.file)
	}
	for destination, keys := range kept {
		for key, kept := range keys {
			kept.pending = true
			t.known[tokenKey{destination, key}] = kept
		}
	}
	return t, nil
}

// changed returns the function that a store of the destination calls with its changes. It
// does not block.
func (t *tokens) changed(d *catalog.Destination) func(key, value string) {
	return func(key, value string) { t.note(tokenKey{d.ID, key}, d.Section[key], value) }
}

// note records a new value, for run to write.
func (t *tokens) note(k tokenKey, opened, value string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.known[k]
	if known == nil || !known.ours(opened) {
		known = &token{Opened: opened, Latest: opened}
		t.known[k] = known
	}
	known.Former = append(known.Former, known.Latest)
	known.Former = known.Former[max(0, len(known.Former)-formerTokens):]
	known.Latest, known.pending, known.refused = value, true, false
	t.nudge()
}

func (t *tokens) nudge() {
	select {
	case t.wake <- struct{}{}:
	default: // it is awake already
	}
}

// changedAny reports whether a token has changed since the last call.
func (t *tokens) changedAny() bool {
	select {
	case <-t.wake:
		return true
	default:
		return false
	}
}

// settle replaces our tokens in a new snapshot by those that the stores were opened with. A
// token that somebody else wrote replaces ours.
func (t *tokens) settle(snapshot *catalog.Snapshot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, known := range t.known {
		d := snapshot.Destinations[k.destination]
		if d == nil {
			continue // possibly a candidate that is about to be saved
		}
		switch value := d.Section[k.key]; {
		case !known.ours(value):
			t.log.Info("a token of a destination was replaced in Redis", "dest", k.destination)
			delete(t.known, k)
			t.nudge()
			continue
		case value != known.Latest && !known.pending && !known.refused:
			known.pending = true // somebody wrote an old one of ours again
			t.nudge()
		}
		if d.Section[k.key] = known.Opened; known.Opened == "" {
			delete(d.Section, k.key) // as the section was when the store was opened
		}
	}
}

// latest returns the destination with its latest tokens.
func (t *tokens) latest(d *catalog.Destination) *catalog.Destination {
	t.mu.Lock()
	defer t.mu.Unlock()
	fresh := *d
	for k, known := range t.known {
		if value := d.Section[k.key]; k.destination == d.ID && known.ours(value) && value != known.Latest {
			fresh.Section = maps.Clone(fresh.Section)
			fresh.Section[k.key] = known.Latest
		}
	}
	return &fresh
}

// register tells rclone the sections of a snapshot with the latest tokens, for remotes that
// refer to others.
func (t *tokens) register(snapshot *catalog.Snapshot) {
	sections := make(map[string]map[string]string, len(snapshot.Destinations))
	for id, d := range snapshot.Destinations {
		sections[id] = t.latest(d).Section
	}
	backend.SetSections(sections, func(id, key, value string) {
		if d := snapshot.Destinations[id]; d != nil {
			t.note(tokenKey{id, key}, d.Section[key], value)
		}
	})
}

// run writes tokens to Redis until ctx ends, and then tries once more.
func (t *tokens) run(ctx context.Context) {
	pause := tokenPause
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			t.keep()
			t.writeAll(context.WithoutCancel(ctx))
			return
		case <-t.wake:
			pause = tokenPause
		case <-retry.C:
		}
		t.keep()
		if t.writeAll(ctx) {
			retry.Stop()
			continue
		}
		retry.Reset(pause)
		pause = min(2*pause, tokenPauseMax)
	}
}

// writeAll tries every pending token, and reports whether none is left.
func (t *tokens) writeAll(ctx context.Context) (done bool) {
	t.mu.Lock()
	pending := map[tokenKey]token{}
	for k, known := range t.known {
		if known.pending {
			pending[k] = *known
		}
	}
	t.mu.Unlock()
	done = true
	for k, known := range pending {
		err := t.write(ctx, k, known)
		switch {
		case err == nil:
			t.settled(k, known, false)
			t.log.Info("wrote a refreshed token to Redis", "dest", k.destination)
		case errors.Is(err, errTokenElsewhere):
			t.settled(k, known, false)
		case redis.IsPermissionError(err), redis.HasErrorPrefix(err, "EXECABORT"), redis.HasErrorPrefix(err, "READONLY"):
			t.settled(k, known, true)
			t.log.Warn("no permission to write a refreshed token to Redis; other nodes may lose access",
				"dest", k.destination, "kept", t.file != "", "err", err, "hint", "name a user that may write rclone's sections, by --redis-writer-user")
		default:
			done = false
			t.log.Warn("cannot write a refreshed token to Redis, trying again", "dest", k.destination, "err", err, "hint", refusal.HintRedis)
		}
	}
	return done
}

// settled records that a token needs no further attempt, unless it has changed since.
func (t *tokens) settled(k tokenKey, written token, refused bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.known[k]; known != nil && known.Latest == written.Latest {
		known.pending, known.refused = false, refused
	}
}

// errTokenElsewhere says that Redis holds a token that is not ours, or that the destination
// does not exist.
var errTokenElsewhere = errors.New("redis holds another token")

// write replaces one of our tokens, and nothing else: it reads and writes the section in
// one transaction, which fails if the section changes meanwhile.
func (t *tokens) write(ctx context.Context, k tokenKey, known token) error {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	return t.rdb.Watch(ctx, func(tx *redis.Tx) error {
		text, err := tx.HGet(ctx, catalog.RcloneConf, k.destination).Result()
		if errors.Is(err, redis.Nil) {
			return errTokenElsewhere
		}
		if err != nil {
			return err
		}
		name, section, err := rcloneconf.Parse(text)
		if err != nil || !known.ours(section[k.key]) {
			return errTokenElsewhere
		}
		if section[k.key] == known.Latest {
			return nil
		}
		section[k.key] = known.Latest
		if text, err = rcloneconf.Format(name, section); err != nil {
			return err
		}
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.HSet(ctx, catalog.RcloneConf, k.destination, text)
			return nil
		})
		return err
	}, catalog.RcloneConf)
}

// keep writes the file.
func (t *tokens) keep() {
	if t.file == "" {
		return
	}
	t.mu.Lock()
	kept := map[string]map[string]token{}
	for k, known := range t.known {
		if kept[k.destination] == nil {
			kept[k.destination] = map[string]token{}
		}
		kept[k.destination][k.key] = *known
	}
	data, err := json.Marshal(kept)
	t.mu.Unlock()
	if err == nil {
		err = atomicfile.Write(t.file, data, 0o600)
	}
	if err != nil {
		t.log.Error("cannot keep refreshed tokens in the state directory", "err", err, "hint", hintStateDir)
	}
}
