package snapshot

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

// Source is a repository, and how to run restic on it if necessary.
type Source struct {
	Repository restic.Repository
	Command    func(context.Context) (restic.Invocation, error)
}

// Run runs restic on the repository.
func (s Source) Run(ctx context.Context, out io.Writer, args ...string) error {
	command, err := s.Command(ctx)
	if err != nil {
		return err
	}
	command.Repository = s.Repository
	return run.ResticError(s.Repository, command.With(args...).Run(ctx, restic.Streams{Stdout: out}))
}

// Listing holds the snapshots of a repository.
type Listing struct {
	Snapshots []Snapshot // oldest first
	// Unreadable holds the IDs of existing snapshots that restic does not list.
	Unreadable []string
}

// List returns the snapshots with those IDs, which the gateway has just listed, by time. It
// asks restic only if one of them is not cached: equal IDs have equal content.
func (c Cache) List(ctx context.Context, from Source, ids []string) (Listing, error) {
	if len(ids) == 0 {
		return Listing{}, nil
	}
	path := c.path(listsDir, nameOf(from.Repository))
	known := readList(path)
	if !slices.ContainsFunc(ids, func(id string) bool { _, there := known[id]; return !there }) {
		used(path)
		return choose(known, ids), nil
	}
	fresh, err := askRestic(ctx, from)
	if err != nil {
		return Listing{}, err
	}
	if path != "" {
		c.keepList(path, fresh)
	}
	return choose(fresh, ids), nil
}

// nameOf returns the name of a repository's cached files.
func nameOf(r restic.Repository) string {
	sum := sha256.Sum256([]byte(r.URL))
	return hex.EncodeToString(sum[:16])
}

// choose returns the snapshots with those IDs.
func choose(known map[string]Snapshot, ids []string) Listing {
	var l Listing
	for _, id := range ids {
		if s, there := known[id]; there {
			l.Snapshots = append(l.Snapshots, s)
		} else {
			l.Unreadable = append(l.Unreadable, id)
		}
	}
	slices.SortStableFunc(l.Snapshots, func(a, b Snapshot) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID))
	})
	return l
}

// askRestic lists all snapshots of the repository. It takes no lock: it writes nothing, and
// snapshots removed meanwhile are left out.
func askRestic(ctx context.Context, from Source) (map[string]Snapshot, error) {
	var out bytes.Buffer
	if err := from.Run(ctx, &out, "snapshots", "--json", "--no-lock"); err != nil {
		return nil, err
	}
	return parseList(from.Repository, out.Bytes())
}

func parseList(repository restic.Repository, text []byte) (map[string]Snapshot, error) {
	var list []Snapshot
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("repository %s: restic's list of snapshots cannot be read: %w", repository, err)
	}
	byID := make(map[string]Snapshot, len(list))
	for _, s := range list {
		byID[s.ID] = s
	}
	return byID, nil
}

// Learn caches a list of all snapshots that restic printed for another purpose.
func (c Cache) Learn(repository restic.Repository, text []byte) {
	path := c.path(listsDir, nameOf(repository))
	if path == "" {
		return
	}
	if list, err := parseList(repository, text); err == nil {
		c.keepList(path, list)
	}
}

// readList reads a cached list. After any error the list is fetched again.
func readList(path string) map[string]Snapshot {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = file.Close() }()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		return nil
	}
	data, err := io.ReadAll(unpacked)
	var known map[string]Snapshot
	if err != nil || json.Unmarshal(data, &known) != nil {
		return nil
	}
	return known
}

// keepList caches a list. Nothing depends on its success.
func (c Cache) keepList(path string, list map[string]Snapshot) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if errors.Join(json.NewEncoder(w).Encode(list), w.Close()) == nil && atomicfile.Write(path, packed.Bytes(), 0o600) == nil {
		c.trim(listsDir)
	}
}

// One asks restic for one snapshot, by the beginning of its ID; "" is the latest.
func One(ctx context.Context, from Source, id string) (Snapshot, error) {
	all, err := askRestic(ctx, from)
	if err != nil {
		return Snapshot{}, err
	}
	var found []Snapshot
	for _, s := range all {
		if strings.HasPrefix(s.ID, id) {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b Snapshot) int { return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(b.ID, a.ID)) })
	switch {
	case len(found) == 0 && id == "":
		return Snapshot{}, exit.Failf(exit.NotFound, "repository %s holds no snapshot", from.Repository)
	case len(found) == 0:
		return Snapshot{}, exit.Failf(exit.Usage, "repository %s: there is no snapshot %s", from.Repository, id)
	case id != "" && len(found) > 1:
		return Snapshot{}, exit.Failf(exit.Usage, "%d snapshots begin with %s: give more of its ID", len(found), id)
	}
	return found[0], nil
}
