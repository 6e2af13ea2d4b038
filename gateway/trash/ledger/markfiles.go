package ledger

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Mark puts a pack under a mark.
func (l *Ledger) Mark(ctx context.Context, o Ref, deleted, expires time.Time) error {
	if err := l.putEmpty(ctx, repoDir(o.Repo)+"/"+dirMarks+"/"+entryName(o, time.Time{}, deleted, expires)); err != nil {
		return fmt.Errorf("mark %s as deleted: %w", o.Path(), err)
	}
	l.Marks.Note(o, true)
	return nil
}

// ReadMarks lists the marks of a repository: when each pack was put under one last.
func (l *Ledger) ReadMarks(ctx context.Context, repo string) (map[string]time.Time, error) {
	since := l.Marks.now()
	found := make(map[string]time.Time)
	// There may be many: of their names only the pack's is read.
	err := l.store.List(ctx, repoDir(repo)+"/"+dirMarks, func(info fs.FileInfo) error {
		name, _, ok := strings.Cut(strings.TrimPrefix(info.Name(), Data+"_"), "_")
		if ok && IsHash(name) && info.ModTime().After(found[name]) {
			found[name] = info.ModTime()
		}
		return nil
	})
	if err := storage.IgnoreAbsent(err); err != nil {
		return nil, err
	}
	l.Marks.learn(repo, since, found)
	return found, nil
}

// MarksAround lists the marks: of those that were made by the end of a second, when the
// last one of each pack was, by the storage; and of those made since, when that was, by
// their names.
func (l *Ledger) MarksAround(ctx context.Context, repo string, at time.Time) (until map[string]time.Time, since map[string]string, err error) {
	last := at.UTC().Format(strings.TrimSuffix(stampLayout, "Z"))
	until, since = make(map[string]time.Time), make(map[string]string)
	// There may be many: of their names no more is read than must be.
	err = l.store.List(ctx, repoDir(repo)+"/"+dirMarks, func(info fs.FileInfo) error {
		name, rest, ok := strings.Cut(strings.TrimPrefix(info.Name(), Data+"_"), "_")
		_, deleted, dated := strings.Cut(rest, "_d")
		deleted, _, _ = strings.Cut(deleted, "_")
		switch {
		case !ok || !dated || len(deleted) < len(last) || !IsHash(name):
		case deleted[:len(last)] > last:
			since[name] = max(since[name], deleted)
		case info.ModTime().After(until[name]):
			until[name] = info.ModTime()
		}
		return nil
	})
	return until, since, storage.IgnoreAbsent(err)
}

// MarksOf lists the marks of a repository by the packs that they are for.
func (l *Ledger) MarksOf(ctx context.Context, repo string) (map[string][]string, error) {
	marks := make(map[string][]string)
	err := l.each(ctx, repo, dirMarks, func(e Entry) error {
		marks[e.Name] = append(marks[e.Name], e.At)
		return nil
	})
	return marks, err
}

// Unmark removes all marks of a pack, which are listed unless they are known.
func (l *Ledger) Unmark(ctx context.Context, o Ref, known map[string][]string) (err error) {
	if known == nil {
		if known, err = l.MarksOf(ctx, o.Repo); err != nil {
			return err
		}
	}
	for _, name := range known[o.Name] {
		if err := l.Remove(ctx, name); err != nil {
			return err
		}
	}
	l.Marks.Note(o, false)
	return nil
}
