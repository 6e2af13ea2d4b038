package ledger

import (
	"cmp"
	"context"
	"io/fs"
	"sync"
	"time"
)

// notedFor is how long the notes of a repository are not read again to describe a
// snapshot. Another gateway may have brought one back meanwhile, and then its time is
// that of the storage for as long.
const notedFor = 10 * time.Second

// noted remembers the notes of repositories. The zero value is ready.
type noted struct {
	mu    sync.Mutex
	repos map[string]readNotes
}

type readNotes struct {
	Notes
	at time.Time
}

// forget drops what is known of a repository, whose notes have changed.
func (n *noted) forget(repo string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.repos, repo)
}

func (n *noted) of(repo string) (Notes, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	r, known := n.repos[repo]
	return r.Notes, known && time.Since(r.at) < notedFor
}

func (n *noted) learn(repo string, read Notes) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for other, r := range n.repos {
		if time.Since(r.at) >= notedFor {
			delete(n.repos, other)
		}
	}
	if n.repos == nil {
		n.repos = make(map[string]readNotes)
	}
	n.repos[repo] = readNotes{read, time.Now()}
}

// recentNotes are the notes of a repository, read within notedFor.
func (l *Ledger) recentNotes(ctx context.Context, repo string) (Notes, error) {
	n, known := l.noted.of(repo)
	if known {
		return n, nil
	}
	n, err := l.ReadReceipts(ctx, repo)
	if err == nil {
		l.noted.learn(repo, n)
	}
	return n, err
}

// WithReceipt describes an object by the time of its first receipt.
func (l *Ledger) WithReceipt(ctx context.Context, o Ref, info fs.FileInfo) (fs.FileInfo, error) {
	n, err := l.recentNotes(ctx, o.Repo)
	if err != nil {
		return nil, err
	}
	if first, noted := n.Receipts[o.Key()]; noted {
		return receivedAt{info, first}, nil
	}
	return info, nil
}

// receivedAt is an object of which the storage tells a later time.
type receivedAt struct {
	fs.FileInfo

	at time.Time
}

func (i receivedAt) ModTime() time.Time { return i.at }

// lister lists a directory.
type lister func(ctx context.Context, dir string, fn func(fs.FileInfo) error) error

// ListSnapshots lists the snapshots of a repository by the times of their first receipts,
// as Stat has them. The notes are read when fn asks for the first time: restic's lists ask
// for none, and cost no request more.
func (l *Ledger) ListSnapshots(ctx context.Context, repo string, list lister, fn func(fs.FileInfo) error) error {
	var once sync.Once
	var n Notes
	var failed error
	read := func() map[Key]time.Time {
		once.Do(func() { n, failed = l.recentNotes(ctx, repo) })
		return n.Receipts
	}
	return list(ctx, repo+"/"+Snapshots, func(info fs.FileInfo) error {
		err := fn(listedSnapshot{info, read})
		return cmp.Or(err, failed)
	})
}

// listedSnapshot is a snapshot in a list.
type listedSnapshot struct {
	fs.FileInfo

	receipts func() map[Key]time.Time
}

func (l listedSnapshot) ModTime() time.Time {
	if first, noted := l.receipts()[Key{Snapshots, l.Name()}]; noted {
		return first
	}
	return l.FileInfo.ModTime()
}
