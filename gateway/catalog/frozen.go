package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Repository is a destination and a path on it, "<app type>/<module UUID>".
type Repository struct{ Destination, Path string }

// Freeze says who froze a repository, and when.
type Freeze struct {
	At time.Time
	By string
}

// IsFrozen reports whether modules may only read a repository.
func (s *Snapshot) IsFrozen(destination, path string) bool {
	if len(s.Frozen) == 0 {
		return false
	}
	_, frozen := s.Frozen[Repository{destination, path}]
	return frozen
}

// The first words of a value in FrozenKey.
const (
	wordFrozen = "frozen"
	wordThawed = "thawed"
)

// freezing is a value in FrozenKey.
type freezing struct {
	frozen bool
	Freeze
}

func parseFreezing(text string) (freezing, error) {
	word, rest, _ := strings.Cut(text, " ")
	stamp, by, _ := strings.Cut(rest, " ")
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil || word != wordFrozen && word != wordThawed {
		return freezing{}, errors.New("neither frozen nor thawed at a time")
	}
	return freezing{word == wordFrozen, Freeze{at, by}}, nil
}

// parseRepository parses a field of FrozenKey.
func parseRepository(field string) (Repository, error) {
	destination, path, _ := strings.Cut(field, "/")
	if !validUUID(destination) || strings.Count(path, "/") != 1 {
		return Repository{}, errors.New("not a destination and the path of a repository")
	}
	return Repository{destination, path}, nil
}

// readFrozen finds the latest statement of all nodes about each repository. A malformed one
// does not thaw a repository.
func (l *loader) readFrozen(second *details) {
	latest := make(map[Repository]freezing)
	for node, cmd := range second.frozen {
		for field, text := range cmd.Val() {
			repository, err := parseRepository(field)
			if err != nil {
				l.warn(FrozenKey(node)+" "+field, err)
				continue
			}
			read, err := parseFreezing(text)
			if err != nil {
				l.warn(FrozenKey(node)+" "+field, err)
				read = freezing{frozen: true, Freeze: Freeze{By: "node " + node}}
			}
			if known, twice := latest[repository]; !twice || read.At.After(known.At) {
				latest[repository] = read
			}
		}
	}
	for repository, last := range latest {
		if last.frozen {
			l.snapshot.Frozen[repository] = last.Freeze
		}
	}
}

// WriteFreeze freezes or thaws a repository as the user of a node, with a time after every
// earlier statement about it, and announces that.
func WriteFreeze(ctx context.Context, rdb redis.UniversalClient, node string, repository Repository, frozen bool, by string, before time.Time) error {
	at := time.Now()
	if !at.After(before) {
		at = before.Add(time.Nanosecond) // earlier by the clock of another node
	}
	word := wordThawed
	if frozen {
		word = wordFrozen
	}
	_, err := rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		field := repository.Destination + "/" + repository.Path
		p.HSet(ctx, FrozenKey(node), field, word+" "+at.UTC().Format(time.RFC3339Nano)+" "+by)
		p.Publish(ctx, ChannelFrozen(node), field)
		return nil
	})
	if err != nil {
		return fmt.Errorf("write %s: %w", FrozenKey(node), err)
	}
	return nil
}
