package ledger

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// seenName is the file that keeps the last look: one "<kind>/<name>" a line.
const seenName = "objects.txt"

// LookedAt are the kinds that a look is about.
var LookedAt = []string{Config, Keys, Index, Snapshots}

func seenPath(repo string) string { return repoDir(repo) + "/" + dirSeen + "/" + seenName }

// ReadSeen reads what the last look found.
func (l *Ledger) ReadSeen(ctx context.Context, repo string) (map[Key]bool, error) {
	found := make(map[Key]bool)
	body, _, err := l.store.Open(ctx, seenPath(repo), 0, -1)
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what was there before: %w", err)
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		kind, name, _ := strings.Cut(lines.Text(), "/")
		if slices.Contains(LookedAt, kind) && (IsHash(name) || kind == Config && name == Config) {
			found[Key{kind, name}] = true
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read what was there before: %w", err)
	}
	return found, nil
}

// WriteSeen keeps what a look found.
func (l *Ledger) WriteSeen(ctx context.Context, repo string, now map[Key]bool) error {
	names := make([]string, 0, len(now))
	for key := range now {
		names = append(names, key.Kind+"/"+key.Name+"\n")
	}
	slices.Sort(names)
	content := []byte(strings.Join(names, ""))
	if err := l.store.Put(ctx, seenPath(repo), int64(len(content)), bytes.NewReader(content)); err != nil {
		return fmt.Errorf("keep what is there: %w", err)
	}
	return nil
}

// Unsee takes what is about to be purged out of the last look.
func (l *Ledger) Unsee(ctx context.Context, repo string, going []Entry) error {
	if !slices.ContainsFunc(going, func(e Entry) bool { return e.Kind != Data }) {
		return nil
	}
	before, err := l.ReadSeen(ctx, repo)
	if err != nil {
		return err
	}
	now := maps.Clone(before)
	for _, e := range going {
		delete(now, Key{e.Kind, e.Name})
	}
	if len(now) == len(before) {
		return nil
	}
	return l.WriteSeen(ctx, repo, now)
}
